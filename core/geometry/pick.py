# SPDX-License-Identifier: GPL-3.0-or-later
"""Which place of a mesh is seen at one point of a picture."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.integer[Any]]


def facing(points: Array, triangles: Index) -> NDArray[np.bool_]:
    """(T,) whether triangles are seen from their front; points (V, 2) in pixels, y down."""
    return np.asarray(_area(points, triangles) < 0)


def _area(points: Array, triangles: Index) -> Array:
    """(T,) twice the signed area on the picture."""
    x, y = points[:, 0].take(triangles), points[:, 1].take(triangles)
    area: Array = (x[:, 1] - x[:, 0]) * (y[:, 2] - y[:, 0])
    area -= (x[:, 2] - x[:, 0]) * (y[:, 1] - y[:, 0])
    return area


def pick(
    points: Array, depth: Array, triangles: Index, at: Array, reach: float = 0.0
) -> tuple[int, Array] | None:
    """The nearest triangle that is seen from its front at a point (2,) of the picture, and the
    weights (3,) of its corners there; beside the mesh, within ``reach`` pixels, the nearest corner
    of one. None where there is nothing.

    points (V, 2) pixels, depth (V,) metres, triangles (T, 3).
    """
    area = _area(points, triangles)
    x, y = (points[:, k].take(triangles) - at[k] for k in (0, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        weights = np.stack(
            [x[:, (k + 1) % 3] * y[:, (k + 2) % 3] - x[:, (k + 2) % 3] * y[:, (k + 1) % 3]
             for k in range(3)], axis=1) / area[:, None]  # fmt: skip
    inside = np.nonzero((area < 0) & (weights >= 0).all(axis=1))[0]
    if len(inside):
        near = (weights[inside] * depth[triangles[inside]]).sum(axis=1)
        best = int(inside[near.argmin()])
        return best, weights[best]
    distance = np.where((area < 0)[:, None], np.hypot(x, y), np.inf)
    best, corner = divmod(int(distance.argmin()), 3)
    if not distance[best, corner] < reach:
        return None
    return best, np.eye(3)[corner]
