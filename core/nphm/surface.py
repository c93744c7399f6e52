# SPDX-License-Identifier: GPL-3.0-or-later
"""The zero level of a field of distances as a closed triangle mesh, with few queries.

A coarse lattice is halved again and again where the surface can be; on each lattice only points
near the surface are asked for, and whatever edge turns out to cross it has its ends asked for too,
so that on the crossing edges all values are the field's own, as on a dense grid.
The mesh has one vertex a crossed cell ("surface nets": Gibson, "Constrained elastic surface nets",
MICCAI 1998), moved onto the level by a Newton step: closed by construction, with no table of cases,
better shaped than marching cubes' triangles, and needing no library.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FitError
from ..geometry.mesh import components
from .lattice import CORNERS, Index, Lattice, edge_table

Array = NDArray[np.float64]
Distance = Callable[[Array], NDArray[np.floating[Any]]]

#: How far a surface may be from a cell's corners, times what the corners say; how many of a
#: lattice's steps around it are asked for, before the finest and there.
_REACH, _SLAB, _FINE_SLAB = 1.15, 1.75, 0.8
#: The coarsest lattice's step, units (16 mm).
_COARSE = 0.064
#: Parts of the surface with fewer vertices than this share of the largest are dropped.
_CRUMB = 0.05


@dataclass(frozen=True, eq=False)
class Surface:
    """vertices (V, 3) units, triangles (T, 3) counter-clockwise from outside; queries asked for."""

    vertices: Array
    triangles: Index
    queries: int


def extract(distance: Distance, low: Array, high: Array, cell: float) -> Surface:
    """The surface within a box, in cells of ``cell`` units; what leaves the box is cut off flat.

    distance: (n, 3) -> (n,). Raises FitError where there is none, or it is not finite.
    """
    levels = max(0, round(np.log2(_COARSE / cell)))
    lattice = Lattice.coarse(
        distance, np.asarray(low, float), np.asarray(high, float), cell, levels
    )
    while lattice.step > 1:
        lattice = _halved(lattice)
    _ask_crossing(lattice)
    lattice.keep_crossed()
    _complete(lattice)
    for _ in range(24):
        doubtful = lattice.saddles()
        if not len(doubtful):
            break
        lattice.turn(doubtful)
        _complete(lattice)
    vertices, triangles = _net(lattice)
    if not len(triangles):
        raise FitError("The neural head has no surface: its codes are outside of what it knows.")
    vertices, triangles = _without_crumbs(vertices, triangles)
    return Surface(vertices, triangles, lattice.queries)


def _halved(lattice: Lattice) -> Lattice:
    """The next finer lattice, where the surface can be."""
    values = lattice.corner_values()
    a, b = edge_table()
    size = lattice.step * lattice.cell
    slope = np.abs(values[:, a] - values[:, b]).max(axis=1) / size
    nearest = np.abs(values).min(axis=1)
    crossed = (values.min(axis=1) < 0) & (values.max(axis=1) >= 0)
    keep = crossed | (nearest <= _REACH * slope * size * 0.75**0.5)
    finer = lattice.step // 2
    slab = _FINE_SLAB if finer == 1 else _SLAB
    out = lattice.child(
        np.flatnonzero(keep), values[keep], slope[keep] * finer * lattice.cell * slab
    )
    _ask_crossing(out)
    return out


def _ask_crossing(lattice: Lattice) -> None:
    """Asks for the ends of edges that cross the surface until all are the field's own."""
    a, b = edge_table()
    for _ in range(12):
        rows = lattice.corner_rows()
        outside = lattice.values[rows] >= 0
        crossed = outside[:, a] != outside[:, b]
        ends = np.unique(np.concatenate([rows[:, a][crossed], rows[:, b][crossed]]))
        ends = ends[~lattice.exact[ends]]
        if not len(ends):
            return
        lattice.ask(ends)


def _complete(lattice: Lattice) -> None:
    """Adds cells until all four around every crossing edge are there."""
    for _ in range(40):
        _ask_crossing(lattice)
        missing = lattice.missing_neighbours()
        if not len(missing):
            return
        lattice.add(missing)


def _net(lattice: Lattice) -> tuple[Array, Index]:
    """One vertex a crossed cell, two triangles a crossing edge."""
    values = lattice.corner_values()
    outside = values >= 0
    crossed = outside.any(axis=1) & ~outside.all(axis=1)
    active = np.flatnonzero(crossed)
    number = np.full(len(lattice.cells), -1)
    number[active] = np.arange(len(active))
    v = values[active]
    a, b = edge_table()
    cut = outside[active][:, a] != outside[active][:, b]
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(cut, v[:, a] / (v[:, a] - v[:, b]), 0.0)
    at = CORNERS[a] + t[..., None] * (CORNERS[b] - CORNERS[a])
    place = (at * cut[..., None]).sum(axis=1) / cut.sum(axis=1, keepdims=True)
    gradient = _trilinear_gradient(v, place)
    points = lattice.low + (lattice.cells[active] + place) * lattice.cell
    points = _newton(lattice, points, gradient / lattice.cell)
    quads = lattice.quads(number)
    return points, _split(points, quads)


def _newton(lattice: Lattice, points: Array, gradient: Array) -> Array:
    """A step onto the level, of half a cell at most; none where the box cuts the surface off."""
    inside = ((points > lattice.low + lattice.cell) & (points < lattice.high - lattice.cell)).all(1)
    value = np.zeros(len(points))
    value[inside] = lattice.distance(points[inside])
    lattice.queries += int(inside.sum())
    square = np.maximum((gradient**2).sum(axis=1), 1e-12)
    step = -(value / square)[:, None] * gradient
    length = np.linalg.norm(step, axis=1, keepdims=True)
    limit = 0.5 * lattice.cell
    return points + step * np.minimum(1.0, limit / np.maximum(length, 1e-12))


def _trilinear_gradient(values: Array, place: Array) -> Array:
    """(n, 3) of corner values (n, 8) at places (n, 3) in the cell, in units of the cell."""
    out = np.zeros((len(values), 3))
    for k, corner in enumerate(CORNERS):
        share = np.where(corner > 0, place, 1 - place)
        for axis in range(3):
            others = [i for i in range(3) if i != axis]
            sign = 1.0 if corner[axis] > 0 else -1.0
            out[:, axis] += sign * share[:, others[0]] * share[:, others[1]] * values[:, k]
    return out


def _split(points: Array, quads: Index) -> Index:
    """(2n, 3): each quad along its shorter diagonal."""
    a, b, c, d = (points[quads[:, k]] for k in range(4))
    first = ((a - c) ** 2).sum(axis=1) <= ((b - d) ** 2).sum(axis=1)
    one = np.where(first[:, None], quads[:, [0, 1, 2]], quads[:, [0, 1, 3]])
    two = np.where(first[:, None], quads[:, [0, 2, 3]], quads[:, [1, 2, 3]])
    return np.concatenate([one, two])


def _without_crumbs(vertices: Array, triangles: Index) -> tuple[Array, Index]:
    """Without small parts that hang in the air."""
    label = components(triangles, len(vertices))
    count = np.bincount(label, minlength=len(vertices))
    keep = count[label] >= _CRUMB * count.max()
    number = np.cumsum(keep) - 1
    return vertices[keep], number[triangles[keep[triangles[:, 0]]]]
