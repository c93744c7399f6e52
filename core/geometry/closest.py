# SPDX-License-Identifier: GPL-3.0-or-later
"""Closest points on a triangle mesh, exact, in any number of dimensions.

More than three dimensions let a search weigh more than distance: coordinates that follow the
position, such as a scaled normal, make "closest" mean "near and facing alike".
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_CHUNK = 256


class Closest(NamedTuple):
    """For each of n queries: triangle (n,) index, barycentric (n, 3), distance (n,)."""

    triangle: NDArray[np.intp]
    barycentric: Array
    distance: Array


def closest_points(points: Array, vertices: Array, triangles: NDArray[np.integer[Any]]) -> Closest:
    """The nearest point of a mesh, vertices (V, D) and triangles (T, 3), to each of (n, D).

    The distance to the nearest centroid bounds the answer, so only triangles whose bounding
    ball reaches within that bound are looked at.
    """
    corners = vertices[triangles]
    centre = corners.mean(axis=1)
    radius = np.sqrt(((corners - centre[:, None]) ** 2).sum(axis=2).max(axis=1))
    origin = centre.mean(axis=0)
    centre = centre - origin
    square = (centre**2).sum(axis=1)
    # Single precision halves the time of the two large products; the slack covers its error.
    slack = 1e-3 * float(np.sqrt(square.max(initial=0.0))) + 1e-12
    single = np.float32
    to_centre = np.column_stack([-2 * centre, square]).astype(single)
    # |p - c| <= bound + radius, squared and sorted into what belongs to triangle and to query.
    to_ball = np.column_stack([-2 * centre, square - radius**2, -2 * radius]).astype(single)
    n = len(points)
    out = Closest(np.zeros(n, np.intp), np.zeros((n, 3)), np.zeros(n))
    for start in range(0, n, _CHUNK):
        part = points[start : start + _CHUNK]
        moved = part - origin
        own = (moved**2).sum(axis=1)
        one = np.ones((len(part), 1))
        to_nearest = (np.hstack([moved, one]).astype(single) @ to_centre.T).min(axis=1)
        bound = np.sqrt(np.maximum(to_nearest + own, 0)) + slack
        beyond = np.hstack([moved, one, bound[:, None]]).astype(single) @ to_ball.T
        limit = (bound**2 - own + slack**2).astype(single)
        flat = np.flatnonzero(beyond <= limit[:, None])
        query, candidate = np.divmod(flat, len(triangles))
        barycentric, squares = _nearest_in_triangle(part[query], corners[candidate])
        # Candidates come grouped by query; the first of each group after sorting is nearest.
        order = np.lexsort((squares, query))
        first = order[np.r_[True, np.diff(query[order]) > 0]]
        rows = slice(start, start + len(part))
        out.triangle[rows] = candidate[first]
        out.barycentric[rows] = barycentric[first]
        out.distance[rows] = np.sqrt(squares[first])
    return out


def interpolate(closest: Closest, triangles: NDArray[np.integer[Any]], values: Array) -> Array:
    """Per-vertex values (V, ...) at closest points -> (n, ...)."""
    out: Array = np.einsum(
        "nk,nk...->n...", closest.barycentric, values[triangles[closest.triangle]]
    )
    return out


def _nearest_in_triangle(points: Array, corners: Array) -> tuple[Array, Array]:
    """Barycentric coordinates (m, 3) and squared distance (m,) of the nearest point of each
    triangle (m, 3, D) to its point (m, D); by regions of the triangle's plane as in Ericson,
    "Real-time collision detection", 2005, section 5.1.5, with dot products alone.
    """
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    ab, ac = b - a, c - a
    d1, d2 = _dots(ab, ac, points - a)
    d3, d4 = _dots(ab, ac, points - b)
    d5, d6 = _dots(ab, ac, points - c)
    vc, vb, va = d1 * d4 - d3 * d2, d5 * d2 - d1 * d6, d3 * d6 - d5 * d4
    zero, one = np.zeros_like(d1), np.ones_like(d1)
    with np.errstate(divide="ignore", invalid="ignore"):
        on_ab, on_ac = d1 / (d1 - d3), d2 / (d2 - d6)
        on_bc = (d4 - d3) / ((d4 - d3) + (d5 - d6))
        inside_v, inside_w = vb / (va + vb + vc), vc / (va + vb + vc)
    where = [
        (d1 <= 0) & (d2 <= 0),
        (d3 >= 0) & (d4 <= d3),
        (d6 >= 0) & (d5 <= d6),
        (vc <= 0) & (d1 >= 0) & (d3 <= 0),
        (vb <= 0) & (d2 >= 0) & (d6 <= 0),
        (va <= 0) & (d4 >= d3) & (d5 >= d6),
    ]
    v = np.select(where, [zero, one, zero, on_ab, zero, 1 - on_bc], inside_v)
    w = np.select(where, [zero, zero, one, zero, on_ac, on_bc], inside_w)
    # A triangle without area divides by zero above; its first corner stands for it.
    v, w = (np.where(np.isfinite(x), x, 0.0) for x in (v, w))
    barycentric = np.stack([1 - v - w, v, w], axis=1)
    nearest = a + v[:, None] * ab + w[:, None] * ac
    return barycentric, ((points - nearest) ** 2).sum(axis=1)


def _dots(ab: Array, ac: Array, offset: Array) -> tuple[Array, Array]:
    return (ab * offset).sum(axis=1), (ac * offset).sum(axis=1)
