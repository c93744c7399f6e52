# SPDX-License-Identifier: GPL-3.0-or-later
"""What an eye straight in front of a mesh sees: an orthographic view along -z on a grid."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def front_view(
    vertices: Array, triangles: NDArray[np.integer[Any]], x: Array, y: Array
) -> tuple[NDArray[np.intp], Array]:
    """The triangle with the greatest z over each point of the grid, and that z.

    x (w,) and y (h,) ascending with even steps -> (h, w) triangle index, -1 where there is
    none, and (h, w) z, -inf there.
    """
    index = np.full((len(y), len(x)), -1, dtype=np.intp)
    depth = np.full(index.shape, -np.inf)
    corners = vertices[triangles]
    low, high = corners[..., :2].min(axis=1), corners[..., :2].max(axis=1)
    left, right = np.searchsorted(x, low[:, 0]), np.searchsorted(x, high[:, 0], side="right")
    bottom, top = np.searchsorted(y, low[:, 1]), np.searchsorted(y, high[:, 1], side="right")
    for t in np.nonzero((left < right) & (bottom < top))[0]:
        rows, columns = slice(bottom[t], top[t]), slice(left[t], right[t])
        a, b, c = corners[t]
        area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
        if area == 0:
            continue
        px, py = x[columns] - a[0], (y[rows] - a[1])[:, None]
        v = (px * (c[1] - a[1]) - py * (c[0] - a[0])) / area
        w = (py * (b[0] - a[0]) - px * (b[1] - a[1])) / area
        z = a[2] + v * (b[2] - a[2]) + w * (c[2] - a[2])
        nearer = (v >= 0) & (w >= 0) & (v + w <= 1) & (z > depth[rows, columns])
        depth[rows, columns][nearer] = z[nearer]
        index[rows, columns][nearer] = t
    return index, depth
