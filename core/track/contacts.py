# SPDX-License-Identifier: GPL-3.0-or-later
"""Lids and lips that touch in the picture touch on the head.

The net says less than all of a closed eye and of lips that meet. How open they are is measured
directly, as the gap between lids or lips against its width, in shares of this person's at rest;
where it says closed, the sliders that close are brought to where the head's own points meet.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: Landmarks of the upper and the lower edge and of the two corners.
LIDS = {
    "Left": ((386, 385, 387), (374, 380, 373), (263, 362)),
    "Right": ((159, 158, 160), (145, 153, 144), (33, 133)),
}
LIPS = ((13, 82, 312), (14, 87, 317), (78, 308))
#: Shares of the gap's width at which lids are shut, and at which an eye must be to count as shut.
_SHUT = 0.10
#: Of the resting gap: below the first lips touch, above the second they do not.
_TOUCH, _APART = 1.15, 1.8


def opening(landmarks: Array, edges: tuple[tuple[int, ...], ...]) -> float:
    """The gap between two edges as a share of its width; landmarks (478, 2..3)."""
    upper, lower, corners = edges
    gaps = np.linalg.norm(landmarks[list(upper), :2] - landmarks[list(lower), :2], axis=1)
    width = float(np.linalg.norm(landmarks[corners[0], :2] - landmarks[corners[1], :2]))
    return float(gaps.mean()) / max(width, 1e-9)


def with_shut_lids(blink: Array, gap: Array, rest: float) -> Array:
    """A blink's curve (F,) that reaches 1 where the eye is shut; gap (F,) as ``opening`` says, rest
    the gap of the open eye.

    The measured closing, 0 at rest and 1 at shut, replaces the slider where it says more, and
    the nearer to shut the more of it.
    """
    if not rest > 2 * _SHUT:
        return blink
    closing = np.clip((rest - gap) / (rest - _SHUT), 0.0, 1.0)
    share = np.clip((closing - 0.5) / 0.4, 0.0, 1.0)
    out: Array = np.maximum(blink, share * closing + (1 - share) * blink)
    return out


def touching(gap: Array, rest: float) -> Array:
    """(F,) 0..1: how surely lips touch; gap (F,) and rest as above."""
    floor = max(rest, 0.01)
    return np.clip((_APART * floor - gap) / ((_APART - _TOUCH) * floor), 0.0, 1.0)
