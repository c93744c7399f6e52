# SPDX-License-Identifier: GPL-3.0-or-later
"""Carries fields on over parts of a mesh where they are not known, as smoothly as can be."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_matrix, csr_matrix, diags
from scipy.sparse.linalg import splu

from .topology import face_edges


def continued(
    triangles: np.ndarray, field: np.ndarray, known: np.ndarray, free: np.ndarray
) -> np.ndarray:
    """A field (V, c) whose ``free`` vertices (V,) are solved for, the ``known`` ones kept.

    Least squared Laplacian (umbrella weights), which goes on with the slope of what is known; where
    nothing but a point is known it stays near it. Vertices that are neither take no part.
    """
    laplacian, links = _umbrella(triangles, known | free)
    rows = laplacian[np.unique(links[free].nonzero()[1])] if free.any() else laplacian[:0]
    inner, outer = rows[:, free], rows[:, known]
    energy = inner.T @ inner + 1e-9 * diags(np.ones(int(free.sum())))
    out = np.array(field, dtype=float)
    out[free] = splu(energy.tocsc()).solve(-np.asarray(inner.T @ (outer @ out[known])))
    return out


def _umbrella(triangles: np.ndarray, taking_part: np.ndarray) -> tuple[csr_matrix, csr_matrix]:
    """(V, V) matrices of a vertex less its neighbours' mean, and of who is whose neighbour."""
    count = len(taking_part)
    pairs = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    pairs = pairs[taking_part[pairs].all(axis=1)]
    links = coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    links = ((links + links.T) > 0).astype(float).tocsr()
    degree = np.asarray(links.sum(axis=1)).ravel()
    return diags((degree > 0).astype(float)) - diags(1 / np.maximum(degree, 1)) @ links, links


def averaged(faces: np.ndarray, values: np.ndarray, steps: int) -> np.ndarray:
    """Values (V,) that have gone ``steps`` times halfway to their neighbours' mean."""
    edges = np.unique(np.sort(face_edges(faces)[0], axis=1), axis=0)
    count = len(values)
    links = coo_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(count, count))
    links = (links + links.T).tocsr()
    degree = np.asarray(links.sum(axis=1)).ravel()
    out = np.array(values, dtype=float)
    for _ in range(steps):
        out = np.where(degree > 0, (out + (links @ out) / np.maximum(degree, 1)) / 2, out)
    return out


def calmed(
    triangles: np.ndarray, field: np.ndarray, rough: np.ndarray, belief: float
) -> np.ndarray:
    """A field (V, c) whose ``rough`` vertices (V,) are believed so far only: least squared
    Laplacian plus ``belief`` times the squared change. The others stay.
    """
    laplacian, _ = _umbrella(triangles, np.ones(len(field), bool))
    rows = laplacian[np.unique(triangles[rough[triangles].any(axis=1)])]
    inner, outer = rows[:, rough], rows[:, ~rough]
    energy = inner.T @ inner + belief * diags(np.ones(int(rough.sum())))
    right = belief * field[rough] - np.asarray(inner.T @ (outer @ field[~rough]))
    out = np.array(field, dtype=float)
    out[rough] = splu(energy.tocsc()).solve(right)
    return out
