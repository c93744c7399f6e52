# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a smile shows teeth that meet: between the lips there are teeth and hardly any dark.

Landmarks tell how far lips are apart, and not why: a jaw that opens and lips that are drawn up and
down give the same points.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..photos.colour import SKIN_POINTS, linear_from_srgb

Array = NDArray[np.float64]

#: Inner edges of the upper and the lower lip at five places, from the person's right.
UPPER = (81, 82, 13, 312, 311)
LOWER = (178, 87, 14, 317, 402)
#: Places from edge to edge; of the gap, what is left out at either end for the lips' own colour.
_STEPS, _EDGE = 9, 0.15
#: Gaps in pixels, and in distances of the eyes' outer corners, that are too small to look into.
_PIXELS, _NARROW = 4.0, 0.05
#: Linear light relative to the skin's: darker than the first is the mouth's inside; teeth are
#: brighter than the second, and blue there by no less than the third of red.
_DARK, _BRIGHT, _WHITE = 0.2, 0.45, 0.5
#: Shares of all places: dark at most, teeth at least.
_MOST_DARK, _TEETH = 0.12, 0.5


def teeth_together(pixels: NDArray[np.uint8], landmarks: Array) -> bool:
    """pixels (H, W, 3) sRGB; landmarks (478, 2..3) in its pixels."""
    upper, lower = (landmarks[list(ids), :2] for ids in (UPPER, LOWER))
    gap = float(np.linalg.norm(upper - lower, axis=1).mean())
    eyes = float(np.linalg.norm(landmarks[33, :2] - landmarks[263, :2]))
    if gap < max(_PIXELS, _NARROW * eyes):
        return False
    skin = _at(pixels, landmarks[list(SKIN_POINTS), :2])
    level = float(np.median(skin.mean(axis=1)))
    steps = np.linspace(_EDGE, 1 - _EDGE, _STEPS)[:, None, None]
    seen = _at(pixels, (upper + steps * (lower - upper)).reshape(-1, 2))
    if not len(seen) or not len(skin):
        return False
    bright = seen.mean(axis=1) / max(level, 1e-4)
    teeth = (bright > _BRIGHT) & (seen[:, 2] > _WHITE * seen[:, 0])
    return bool((bright < _DARK).mean() <= _MOST_DARK and teeth.mean() >= _TEETH)


def _at(pixels: NDArray[np.uint8], places: Array) -> Array:
    """(n, 3) linear RGB of the pixels at those places (n, 2) that the photo holds."""
    x, y = np.floor(places).astype(int).T
    height, width = pixels.shape[:2]
    inside = (x >= 0) & (y >= 0) & (x < width) & (y < height)
    return linear_from_srgb(pixels[y[inside], x[inside]] / 255)
