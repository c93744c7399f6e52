# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a head model stands in the decoder's space: its anchors, and a similarity.

Decoder's anchors are vertices of FLAME; on any other head they are found on its surface, as the
nearest points to the mean anchors while turn, scale and place are set right again and again.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..geometry.closest import closest_points
from ..heads.model import HeadModel
from .decoder import UNITS, Decoder

Array = NDArray[np.float64]

#: FLAME's vertices that MonoNPHM's and NPHM's anchors are; its vertex count.
_FLAME = 5023
ANCHOR_VERTICES = {
    65: (
        "2212,730,3386,3582,3418,3637,1984,571,335,16,2748,1612,2437,1175,3632,3833,2715,1579,2774,"
        "1657,2948,1865,617,67,3172,2160,2966,1888,1470,2607,1896,2981,3332,3231,3471,3726,2721,"
        "1585,3485,3756,2711,1575,3122,2095,2813,1696,2898,1795,2494,1343,2296,884,3684,3851,2903,"
        "1800,3464,3714,2400,1088,3414,3553,3526,3494,3521"
    ),
    39: (
        "2712,1579,3485,3756,3430,3659,2711,1575,338,27,3631,3832,2437,1175,3092,2057,3422,3649,"
        "3162,2143,617,67,3172,2160,2966,1888,1470,2607,1896,2981,3332,3231,3494,3526,3506,3543,"
        "3516,3786,3404"
    ),
}
#: Where the origin of the decoder's space lies in a head that is not FLAME, to begin with, metres.
_MIDDLE = np.array([0.0, -0.015, 0.055])
_ROUNDS = 30


@dataclass(frozen=True, eq=False)
class Placement:
    """units = scale * R @ metres + t. corners (A, 3) vertices and weights (A, 3) of the anchors on
    the head model; gap: root mean square of what is left between anchors, metres.
    """

    scale: float
    R: Array
    t: Array
    corners: NDArray[np.intp]
    weights: Array
    gap: float

    def to_units(self, points: Array) -> Array:
        """(n, 3) metres of the head frame -> units."""
        return self.scale * points @ self.R.T + self.t

    def to_metres(self, points: NDArray[np.floating]) -> Array:
        """Inverse of to_units."""
        return (np.asarray(points, float) - self.t) @ self.R / self.scale

    def turned(self, directions: Array) -> Array:
        """(n, 3) directions of the head frame in the decoder's."""
        return directions @ self.R.T

    def anchors(self, vertices: Array) -> Array:
        """(A, 3) of a head's vertices (V, 3), metres."""
        return np.einsum("ak,akc->ac", self.weights, vertices[self.corners])


@lru_cache(maxsize=4)
def place(head: HeadModel, decoder: Decoder) -> Placement:
    """Of a head model's mean."""
    anchors = decoder.anchors.astype(float)
    count = len(anchors)
    if head.vertex_count == _FLAME and count in ANCHOR_VERTICES:
        ids = np.array([int(i) for i in ANCHOR_VERTICES[count].split(",")])
        corners, weights = np.repeat(ids[:, None], 3, axis=1), np.tile([1.0, 0.0, 0.0], (count, 1))
        scale, R, t = similarity(head.template[ids], anchors)
    else:
        corners, weights, (scale, R, t) = _found(head, anchors)
    there = np.einsum("ak,akc->ac", weights, head.template[corners])
    left = scale * there @ R.T + t - anchors
    gap = float(np.sqrt((left**2).sum(axis=1).mean())) / scale
    return Placement(scale, R, t, corners, weights, gap)


def similarity(source: Array, target: Array) -> tuple[float, Array, Array]:
    """Scale, rotation and shift that bring (n, 3) onto (n, 3) with least squares.

    Umeyama, "Least-squares estimation of transformation parameters", PAMI 1991.
    """
    a, b = source - source.mean(axis=0), target - target.mean(axis=0)
    u, s, vt = np.linalg.svd(b.T @ a)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    R = (u * sign) @ vt
    scale = float((s * sign).sum() / (a**2).sum())
    return scale, R, target.mean(axis=0) - scale * R @ source.mean(axis=0)


def _found(
    head: HeadModel, anchors: Array
) -> tuple[NDArray[np.intp], Array, tuple[float, Array, Array]]:
    """By closest points, scale kept near that of the published space."""
    triangles = head.outer_triangles
    scale, R, t = UNITS, np.eye(3), -UNITS * _MIDDLE
    for _ in range(_ROUNDS):
        there = (anchors - t) @ R / scale
        near = closest_points(there, head.template, triangles)
        corners = triangles[near.triangle].astype(np.intp)
        points = np.einsum("ak,akc->ac", near.barycentric, head.template[corners])
        scale, R, t = similarity(points, anchors)
    return corners, near.barycentric, (scale, R, t)
