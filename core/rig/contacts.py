# SPDX-License-Identifier: GPL-3.0-or-later
"""Where lids and lips meet: how far they run into each other, and what of an eye shows.

Lids and lips are compared column by column. Over a grid of (x, z) the lowest point of the upper
lip stands against the highest of the lower one: where the first is below the second, they overlap
by the difference. The corners are left out, since there the two are one piece of skin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry.mesh import edges
from ..geometry.raster import rasterise

Array = NDArray[np.float64]
Index = NDArray[np.integer[Any]]
Mask = NDArray[np.bool_]

#: MediaPipe's points on the rim of each, with which a vertex's side is found.
UPPER_LIP, LOWER_LIP = (37, 0, 267, 39, 269), (84, 17, 314, 181, 405)
MOUTH_CORNERS = (61, 291)
UPPER_LID = {"l": (384, 385, 386, 387, 388), "r": (157, 158, 159, 160, 161)}
LOWER_LID = {"l": (381, 380, 374, 373, 390), "r": (154, 153, 145, 144, 163)}
EYE_CORNERS = {"l": (362, 263), "r": (133, 33)}

_STEP = 0.00025
_LIP_CORNER, _LID_CORNER, _LID_REACH = 0.005, 0.004, 0.012
#: Depth that stands before every height, so that a perspective raster draws a parallel view.
_FAR = 10.0


@dataclass(frozen=True, eq=False)
class Fold:
    """Two triangle sets (n, 3) that meet on a line across the face: the upper and the lower."""

    upper: Index
    lower: Index

    def overlap(self, vertices: Array) -> float:
        """Metres by which the upper reaches below the lower, 0 where they are apart."""
        if not len(self.upper) or not len(self.lower):
            return 0.0
        both = vertices[np.unique(np.concatenate([self.upper, self.lower]))]
        low, high = both.min(axis=0) - _STEP, both.max(axis=0) + _STEP
        width, height = (int(np.ceil((high[k] - low[k]) / _STEP)) for k in (0, 2))
        points = (vertices[:, [0, 2]] - low[[0, 2]]) / _STEP
        y = vertices[:, 1] - low[1]
        lowest = rasterise(points, _FAR + y, self.upper, width, height).depth - _FAR
        highest = _FAR - rasterise(points, _FAR - y, self.lower, width, height).depth
        shared = np.isfinite(lowest) & np.isfinite(highest)
        return float(np.max(highest[shared] - lowest[shared], initial=0.0))


def lip_fold(
    vertices: Array, triangles: Index, lips: Mask, landmarks: Array, present: Mask
) -> Fold | None:
    """The lips of a head at rest; None where its landmarks do not reach them.

    lips (V,) region; landmarks (478, 3) with present (478,).
    """
    if not present[[*UPPER_LIP, *LOWER_LIP, *MOUTH_CORNERS]].all():
        return None
    near = _near(vertices, landmarks[list(MOUTH_CORNERS)], _LIP_CORNER)
    return _fold(vertices, triangles, lips, near, landmarks, UPPER_LIP, LOWER_LIP)


def lid_fold(
    vertices: Array, triangles: Index, around: Mask, landmarks: Array, present: Mask, side: str
) -> Fold | None:
    """The lids of one eye at rest, side "l" or "r"; around (V,) is its skin and its socket's."""
    upper, lower, corners = UPPER_LID[side], LOWER_LID[side], EYE_CORNERS[side]
    if not present[[*upper, *lower, *corners]].all():
        return None
    rim = landmarks[[*upper, *lower]]
    near = _near(vertices, landmarks[list(corners)], _LID_CORNER)
    ends = np.sort(landmarks[list(corners), 0])
    between = (vertices[:, 0] > ends[0]) & (vertices[:, 0] < ends[1])
    local = around & between & _near(vertices, rim, _LID_REACH)
    return _fold(vertices, triangles, local, near, landmarks, upper, lower)


def _near(vertices: Array, points: Array, reach: float) -> Mask:
    out: Mask = np.linalg.norm(vertices[:, None] - points[None], axis=2).min(axis=1) < reach
    return out


def _fold(
    vertices: Array,
    triangles: Index,
    where: Mask,
    corners: Mask,
    landmarks: Array,
    upper: Sequence[int],
    lower: Sequence[int],
) -> Fold | None:
    local = triangles[where[triangles].all(axis=1)]
    if not len(local):
        return None
    used = np.unique(local).astype(np.intp)
    steps = [
        _hops(local, len(vertices), used[_closest(vertices[used], landmarks[list(ids)])])
        for ids in (upper, lower)
    ]
    kept = local[~corners[local].any(axis=1)]
    above, below = (steps[i] < steps[1 - i] for i in (0, 1))
    return Fold(kept[above[kept].all(axis=1)], kept[below[kept].all(axis=1)])


def _closest(vertices: Array, points: Array) -> NDArray[np.intp]:
    away = ((vertices[:, None] - points[None]) ** 2).sum(axis=2)
    out: NDArray[np.intp] = np.unique(away.argmin(axis=0))
    return out


def _hops(triangles: Index, count: int, start: NDArray[np.intp]) -> Array:
    """(count,) edges from the start over the triangles' mesh, infinite where none leads."""
    pairs = edges(triangles)
    steps = np.full(count, np.inf)
    steps[start] = 0
    front = np.zeros(count, bool)
    front[start] = True
    for hop in range(1, count):
        reached = np.zeros(count, bool)
        reached[pairs[front[pairs[:, 0]], 1]] = True
        reached[pairs[front[pairs[:, 1]], 0]] = True
        front = reached & np.isinf(steps)
        if not front.any():
            break
        steps[front] = hop
    return steps


@dataclass(frozen=True, eq=False)
class EyeView:
    """An eye seen from the front: skin (n, 3) around it and eyeball (m, 3) triangles, centre
    (2,) and half size of the view in metres.
    """

    skin: Index
    ball: Index
    centre: Array
    reach: float

    @classmethod
    def of(cls, vertices: Array, skin: Index, ball: Index) -> EyeView | None:
        """None for an eye without a ball."""
        if not len(ball):
            return None
        points = vertices[np.unique(ball)]
        low, high = points.min(axis=0), points.max(axis=0)
        reach = 0.8 * float((high - low)[:2].max())
        centre = (low + high) / 2
        near = (np.abs(vertices[skin].mean(axis=1) - centre) < 2 * reach).all(axis=1)
        return cls(skin[near], ball, centre[:2], reach)

    def shown(self, vertices: Array) -> Mask:
        """(n, n) picture, top row first, of where the eyeball is seen. Skin seen from behind, as
        in the socket, hides nothing.
        """
        size = int(2 * self.reach / _STEP)
        x = (vertices[:, 0] - self.centre[0] + self.reach) / _STEP
        y = (self.centre[1] + self.reach - vertices[:, 1]) / _STEP
        triangles = np.concatenate([self.skin, self.ball])
        points, depth = np.column_stack([x, y]), _FAR - vertices[:, 2]
        seen = rasterise(points, depth, triangles, size, size, both_sides=False).triangle
        out: Mask = seen >= len(self.skin)
        return out

    def opening(self, vertices: Array) -> float:
        """Square metres of the eyeball that are seen."""
        return float(self.shown(vertices).sum()) * _STEP**2
