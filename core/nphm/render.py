# SPDX-License-Identifier: GPL-3.0-or-later
"""The field seen along rays: where they meet the surface, its normals, and how both follow codes.

Sphere tracing (Hart, "Sphere tracing", The Visual Computer 1996). What is met moves with a code by
the implicit function: tau' = -s' / (grad s . d); a silhouette's residual is the field's least value
along a ray, whose derivative is the field's own there. Normals enter as their sine towards a
tangent, a difference of two distances, so that first derivatives of the field are all it takes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .decoder import NEGLIGIBLE, Field, Gradients
from .local_networks import Floats

Array = NDArray[np.float64]

#: Share of a distance that is walked at once; units (a tenth of a millimetre) that count as met.
_STRIDE, _MET = 0.9, 4e-4
#: Half the base of differences along tangents and along rays, units (half a millimetre).
TANGENT, ALONG = 2e-3, 2e-3


@dataclass(frozen=True, eq=False)
class Hits:
    """points (n, 3), met (n,), and the least distance on the way and where: least (n,), (n, 3)."""

    points: Array
    met: NDArray[np.bool_]
    least: Array
    nearest: Array


def trace(field: Field, origins: Array, directions: Array, far: float, steps: int = 40) -> Hits:
    """Rays (n, 3) from outside with unit directions, up to ``far`` units."""
    origins = np.asarray(origins, float)
    tau = np.zeros(len(origins))
    least, nearest = np.full(len(origins), np.inf), origins.copy()
    alive = np.arange(len(origins))
    for _ in range(steps):
        if not len(alive):
            break
        points = origins[alive] + tau[alive, None] * directions[alive]
        value = field.distance(points, NEGLIGIBLE).astype(float)
        lower = value < least[alive]
        least[alive[lower]], nearest[alive[lower]] = value[lower], points[lower]
        tau[alive] += _STRIDE * value
        alive = alive[(np.abs(value) > 0.2 * _MET) & (tau[alive] < far) & (tau[alive] >= 0)]
    points = origins + tau[:, None] * directions
    # What just runs along the surface may need more steps than there are.
    met = (least < _MET) & (tau < far)
    return Hits(points, met, least, nearest)


def normals(field: Field, points: Array) -> Array:
    """(n, 3) unit gradients of the field."""
    gradient = field.gradients(points, codes=False).place.astype(float)
    length = np.linalg.norm(gradient, axis=1, keepdims=True)
    out: Array = gradient / np.maximum(length, 1e-12)
    return out


@dataclass(frozen=True, eq=False)
class Slopes:
    """Of residuals (n,): derivatives by the identity's code (n, G) and the expression's (n, X)."""

    value: Array
    geometry: Floats
    expression: Floats


def depth_slopes(field: Field, points: Array, directions: Array) -> Slopes:
    """How far along their rays points of the surface move; value: their distance now."""
    g = field.gradients(points)
    along = _away_from_zero((g.place * directions).sum(axis=1))[:, None]
    by = (-1.0 / along).astype(np.float32)
    return Slopes(g.value.astype(float), g.geometry * by, g.expression * by)


def tangent_slopes(
    field: Field, points: Array, tangents: Array, directions: Array | None = None
) -> Slopes:
    """The gradient's part along unit tangents (n, 3), at surface points (n, 3).

    With ``directions`` the points stay on their rays and on the surface as the codes change.
    """
    n, step = len(points), TANGENT * tangents
    places = [points + step, points - step]
    if directions is not None:
        there = ALONG * directions
        places += [p + s * there for s in (1, -1) for p in (points + step, points - step)]
    both = field.gradients(np.concatenate(places[:2]))
    value = (both.value[:n] - both.value[n:]).astype(float) / (2 * TANGENT)
    geometry = (both.geometry[:n] - both.geometry[n:]) / np.float32(2 * TANGENT)
    expression = (both.expression[:n] - both.expression[n:]) / np.float32(2 * TANGENT)
    if directions is None:
        return Slopes(value, geometry, expression)
    a, b, c, d = field.distance(np.concatenate(places[2:])).astype(float).reshape(4, n)
    bends = ((a - b) - (c - d)) / (4 * TANGENT * ALONG)
    depth = depth_slopes(field, points, directions)
    return Slopes(
        value,
        geometry + (bends[:, None] * depth.geometry).astype(np.float32),
        expression + (bends[:, None] * depth.expression).astype(np.float32),
    )


def tangents_of(normal: Array) -> tuple[Array, Array]:
    """Two unit tangents (n, 3) each of unit normals (n, 3)."""
    axis = np.zeros_like(normal)
    axis[np.arange(len(normal)), np.abs(normal).argmin(axis=1)] = 1.0
    one = np.cross(normal, axis)
    one /= np.linalg.norm(one, axis=1, keepdims=True)
    return one, np.cross(normal, one)


def onto_surface(field: Field, points: Array, directions: Array, limit: float) -> Array:
    """Points moved along unit directions (n, 3) to the surface, ``limit`` units at most; two
    Newton steps.
    """
    start = np.asarray(points, float)
    tau = np.zeros(len(start))
    for _ in range(2):
        g: Gradients = field.gradients(start + tau[:, None] * directions, codes=False)
        along = _away_from_zero((g.place * directions).sum(axis=1))
        tau = np.clip(tau - g.value / along, -limit, limit)
    return start + tau[:, None] * directions


def _away_from_zero(x: NDArray[np.floating]) -> Array:
    """Of rays that run along the surface no more is asked than of those at five degrees."""
    sign = np.where(x < 0, -1.0, 1.0)
    return sign * np.maximum(np.abs(x), 0.09)
