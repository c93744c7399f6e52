# SPDX-License-Identifier: GPL-3.0-or-later
"""Topology and normals of triangle meshes: vertices (V, 3), triangles (T, 3) of indices."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.integer[Any]]


def triangle_normals(vertices: Array, triangles: Index) -> Array:
    """(T, 3) normals whose length is twice the triangle's area."""
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    return np.cross(b - a, c - a)


def scatter_add(indices: Index, values: Array, count: int) -> Array:
    """Sums of values (n, k) by index (n,) -> (count, k); bincount, as np.add.at is slow."""
    columns = [np.bincount(indices, column, minlength=count) for column in values.T]
    return np.stack(columns, axis=1)


def vertex_normals(vertices: Array, triangles: Index) -> Array:
    """(V, 3) unit normals weighted by area; zero for a vertex of no triangle."""
    normals = triangle_normals(vertices, triangles)
    sums = scatter_add(triangles.T.ravel(), np.tile(normals, (3, 1)), len(vertices))
    length = np.linalg.norm(sums, axis=1, keepdims=True)
    unit: Array = np.divide(sums, length, out=np.zeros_like(sums), where=length > 0)
    return unit


def vertex_areas(vertices: Array, triangles: Index) -> Array:
    """(V,) a third of the area of the triangles around each vertex."""
    area = np.linalg.norm(triangle_normals(vertices, triangles), axis=1) / 2
    third: Array = np.tile(area / 3, 3)
    out: Array = np.bincount(triangles.T.ravel(), third, minlength=len(vertices)).astype(float)
    return out


def edges(triangles: Index) -> Index:
    """(E, 2) every edge once, the smaller index first, sorted."""
    pairs = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    out: Index = np.unique(np.sort(pairs, axis=1), axis=0)
    return out


def boundary_vertices(triangles: Index, count: int) -> NDArray[np.bool_]:
    """(count,) vertices on an edge that only one triangle has."""
    pairs = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    unique, uses = np.unique(np.sort(pairs, axis=1), axis=0, return_counts=True)
    mask = np.zeros(count, bool)
    mask[unique[uses == 1].ravel()] = True
    return mask


def components(triangles: Index, count: int) -> NDArray[np.intp]:
    """(count,) label of each vertex's connected component: the smallest vertex in it."""
    pairs = edges(triangles)
    label = np.arange(count)
    while True:
        low = np.minimum(label[pairs[:, 0]], label[pairs[:, 1]])
        new = label.copy()
        for side in (0, 1):
            np.minimum.at(new, pairs[:, side], low)
        new = new[new]  # follow labels of labels, or a long strip would take its length in steps
        if np.array_equal(new, label):
            return label
        label = new
