# SPDX-License-Identifier: GPL-3.0-or-later
"""Symmetric systems on a mesh's edges, solved by conjugate gradients: numpy without scipy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .mesh import edges

Array = NDArray[np.float64]
Index = NDArray[np.integer[Any]]


@dataclass(frozen=True, eq=False)
class EdgeMatrix:
    """The graph Laplacian of weighted edges: (L x)_i = sum_j w_ij (x_i - x_j).

    neighbours (V, k) and weights (V, k), padded with the vertex itself at weight zero.
    """

    neighbours: NDArray[np.intp]
    weights: Array

    @classmethod
    def of(cls, pairs: Index, weights: Array, count: int) -> EdgeMatrix:
        """From edges (E, 2), each once, and their weights (E,)."""
        start = np.concatenate([pairs[:, 0], pairs[:, 1]])
        end = np.concatenate([pairs[:, 1], pairs[:, 0]])
        both = np.concatenate([weights, weights])
        order = np.argsort(start, kind="stable")
        degree = np.bincount(start, minlength=count)
        place = np.arange(len(start)) - np.repeat(np.cumsum(degree) - degree, degree)
        neighbours = np.tile(np.arange(count)[:, None], (1, int(degree.max(initial=1))))
        table = np.zeros(neighbours.shape)
        neighbours[start[order], place] = end[order]
        table[start[order], place] = both[order]
        return cls(neighbours, table)

    @property
    def diagonal(self) -> Array:
        """(V,)."""
        out: Array = self.weights.sum(axis=1)
        return out

    def __matmul__(self, x: Array) -> Array:
        """(V, c) -> (V, c)."""
        out = self.diagonal[:, None] * x
        for k in range(self.neighbours.shape[1]):
            out -= self.weights[:, k, None] * x[self.neighbours[:, k]]
        return out


def uniform_laplacian(triangles: Index, count: int) -> EdgeMatrix:
    """Weight one on every edge."""
    pairs = edges(triangles)
    return EdgeMatrix.of(pairs, np.ones(len(pairs)), count)


def cotangent_laplacian(vertices: Array, triangles: Index) -> EdgeMatrix:
    """Half the cotangents of the angles opposite an edge (Pinkall and Polthier, 1993)."""
    pairs, weights = corner_edges(vertices, triangles)
    keys, inverse = np.unique(np.sort(pairs, axis=1), axis=0, return_inverse=True)
    sums = np.bincount(inverse.ravel(), weights.ravel()).astype(np.float64)
    return EdgeMatrix.of(keys, sums, len(vertices))


def corner_edges(vertices: Array, triangles: Index) -> tuple[Index, Array]:
    """Edge opposite each corner, (3 T, 2) corner by corner, and half its cotangent (3 T,).

    Cotangents are kept within 0 and 10: slivers and obtuse corners would else make a system
    that is not positive.
    """
    pairs, weights = [], []
    for k in range(3):
        i, j, o = (triangles[:, (k + s) % 3] for s in (1, 2, 0))
        p, q = vertices[i] - vertices[o], vertices[j] - vertices[o]
        sine = np.linalg.norm(np.cross(p, q), axis=1)
        cotangent = (p * q).sum(axis=1) / np.maximum(sine, 1e-30)
        pairs.append(np.stack([i, j], axis=1))
        weights.append(0.5 * np.clip(cotangent, 0.0, 10.0))
    return np.concatenate(pairs), np.concatenate(weights)


def solve(
    laplacian: EdgeMatrix,
    diagonal: Array,
    right: Array,
    start: Array | None = None,
    *,
    tolerance: float = 1e-8,
    most_steps: int = 2000,
) -> Array:
    """The x (V, c) of (L + diag(diagonal)) x = right, diagonal (V,) non-negative.

    Conjugate gradients with the diagonal as preconditioner, the columns in lock-step. Stops
    where every residual is ``tolerance`` of its right side; ArithmeticError if that is not
    reached.
    """
    scale = 1.0 / np.maximum(laplacian.diagonal + diagonal, 1e-30)[:, None]
    x = np.zeros_like(right) if start is None else np.array(start, dtype=np.float64)
    weight = diagonal[:, None]
    residual = right - (laplacian @ x + weight * x)
    goal = tolerance * np.maximum(np.linalg.norm(right, axis=0), 1e-30)
    z = scale * residual
    direction = z.copy()
    product = (residual * z).sum(axis=0)
    for _ in range(most_steps):
        if (np.linalg.norm(residual, axis=0) <= goal).all():
            return x
        mapped = laplacian @ direction + weight * direction
        curvature = (direction * mapped).sum(axis=0)
        step = np.divide(product, curvature, out=np.zeros_like(product), where=curvature > 0)
        x += step * direction
        residual -= step * mapped
        z = scale * residual
        new = (residual * z).sum(axis=0)
        turn = np.divide(new, product, out=np.zeros_like(product), where=product > 0)
        direction = z + turn * direction
        product = new
    raise ArithmeticError("conjugate gradients did not converge")
