# SPDX-License-Identifier: GPL-3.0-or-later
"""How the photo shows the white of the eyes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..photos.colour import linear_from_srgb
from .photo_trust import OPENINGS, inside_ring

Array = NDArray[np.float64]
Floats = NDArray[np.float32]

#: Landmarks of each eye's iris: its middle, and its sides.
_IRISES = ((468, (469, 471)), (473, (474, 476)))
#: The iris with its dark rim, as a share of its radius; the opening without its lids' edges.
_IRIS, _INNER = 1.2, 0.82
#: Smaller irises (radius in pixels), or fewer pixels, leave no white that is not mixed with lashes.
_SMALLEST, _FEWEST = 9.0, 40
#: Which of them: above shade, below catchlights.
_SHARE = (55.0, 90.0)


def eye_white(
    pixels: NDArray[np.uint8], landmarks: Array, unseen: NDArray[np.bool_] | None = None
) -> Floats | None:
    """(3,) linear RGB; None where the photo is too small or the eyes are closed or covered.
    unseen (478,): landmarks that are not seen.
    """
    found = []
    height, width = pixels.shape[:2]
    for ring, (middle, (left, right)) in zip(OPENINGS[:2], _IRISES, strict=True):
        if unseen is not None and unseen[middle]:
            continue
        points = landmarks[list(ring)]
        centre = points.mean(axis=0)
        points = centre + _INNER * (points - centre)
        low = np.maximum(np.floor(points.min(axis=0)).astype(int), 0)
        high = np.minimum(np.ceil(points.max(axis=0)).astype(int) + 1, [width, height])
        if (high <= low).any():
            continue
        inside = inside_ring(points, low, high)
        y, x = np.nonzero(inside)
        at = np.column_stack([x + low[0] + 0.5, y + low[1] + 0.5])
        radius = np.linalg.norm(landmarks[left] - landmarks[right]) / 2
        if radius < _SMALLEST:
            continue
        white = np.linalg.norm(at - landmarks[middle], axis=1) > _IRIS * radius
        rows, columns = (at[white, 1]).astype(int), (at[white, 0]).astype(int)
        found.append(pixels[rows, columns])
    every = np.concatenate(found) if found else np.zeros((0, 3), np.uint8)
    if len(every) < _FEWEST:
        return None
    linear = linear_from_srgb(every / 255.0)
    bright = linear.mean(axis=1)
    low_end, high_end = np.percentile(bright, _SHARE)
    chosen = linear[(bright >= low_end) & (bright <= high_end)]
    out: Floats = np.median(chosen, axis=0).astype(np.float32)
    return out
