# SPDX-License-Identifier: GPL-3.0-or-later
"""Which eyes are closed, by their landmarks: an eye that is nearly closed (a squint, a laugh) is
open.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: Mean gap between the lids, in shares of the eye's width, below which they hide the iris: its
#: points are a guess of the network then. Closed eyes have 0.05 to 0.095, squints 0.11 and more.
CLOSED_EYE = 0.10
#: Of a wink: the same, where it is also below this share of the other eye's. The net draws an eye
#: that is shut beside an open one a little open; of eyes that are merely unlike it is 0.5 and more.
WINK, OF_THE_OTHER = 0.14, 0.45


@dataclass(frozen=True)
class Lids:
    """Landmarks of an eye: pairs of points that face each other, edge to edge; the outer and the
    inner corner; and the iris.
    """

    pairs: tuple[tuple[int, int], ...]
    corners: tuple[int, int]
    iris: slice


#: By the subject's side.
LIDS = {
    "right": Lids(((159, 145), (158, 153), (160, 144)), (33, 133), slice(468, 473)),
    "left": Lids(((386, 374), (385, 380), (387, 373)), (263, 362), slice(473, 478)),
}
#: Points around each opening, in order.
RINGS = {
    "right": (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246),
    "left": (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466),
}


def eye_opening(landmarks: Array, side: str) -> float:
    """The mean gap between the lids as a share of the eye's width; landmarks (478, 2..3)."""
    lids = LIDS[side]
    upper, lower = (landmarks[[pair[k] for pair in lids.pairs], :2] for k in (0, 1))
    outer, inner = (landmarks[i, :2] for i in lids.corners)
    width = max(float(np.linalg.norm(outer - inner)), 1e-9)
    return float(np.linalg.norm(upper - lower, axis=1).mean()) / width


def closed_eyes(landmarks: Array) -> tuple[str, ...]:
    """The subject's sides, "right" and "left", whose lids hide the iris; landmarks (478, 2..3)."""
    gap = {side: eye_opening(landmarks, side) for side in LIDS}
    other = {"right": "left", "left": "right"}
    return tuple(
        side
        for side in LIDS
        if gap[side] < CLOSED_EYE or gap[side] < min(WINK, OF_THE_OTHER * gap[other[side]])
    )
