# SPDX-License-Identifier: GPL-3.0-or-later
"""Which vertex of a head mirrors which, found from its shape alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry.mesh import vertex_normals

Array = NDArray[np.float64]

_NORMAL_METRES = 0.005
_CHUNK = 512


def mirror_permutation(
    vertices: Array, triangles: NDArray[np.integer[Any]]
) -> tuple[NDArray[np.int32], float]:
    """(V,) the partner of each vertex across x = 0, and the share of vertices that have one.

    Partners choose each other, so the permutation is its own inverse; a vertex that nobody
    chooses back is its own partner. Where the head is not quite symmetric, it is made more so
    and asked again.
    """
    normals = _NORMAL_METRES * vertex_normals(vertices, triangles)
    flip = np.array([-1.0, 1, 1, -1, 1, 1])
    points = np.column_stack([vertices, normals])
    partner = np.arange(len(vertices))
    mutual = np.zeros(len(vertices), bool)
    for _ in range(3):
        nearest = _nearest(points * flip, points)
        mutual = nearest[nearest] == np.arange(len(vertices))
        partner = np.where(mutual, nearest, np.arange(len(vertices)))
        if mutual.all():
            break
        symmetric = (points + points[partner] * flip) / 2
        points = np.where(mutual[:, None], symmetric, points)
    return partner.astype(np.int32), float(mutual.mean())


def _nearest(queries: Array, points: Array) -> NDArray[np.intp]:
    """Index of the point nearest to each query, (n, D) among (V, D)."""
    square = (points**2).sum(axis=1)
    out = np.empty(len(queries), np.intp)
    for start in range(0, len(queries), _CHUNK):
        part = queries[start : start + _CHUNK]
        out[start : start + _CHUNK] = (square - 2 * part @ points.T).argmin(axis=1)
    return out
