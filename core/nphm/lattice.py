# SPDX-License-Identifier: GPL-3.0-or-later
"""A sparse lattice of a field's values: cells that the surface may be in, and their corners."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FitError

Array = NDArray[np.float64]
Index = NDArray[np.intp]

#: (8, 3) a cell's corners.
CORNERS = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)])
#: Queries that are put to the field in one call.
_AT_ONCE = 1 << 17


@lru_cache(maxsize=1)
def edge_table() -> tuple[Index, Index]:
    """(12,) and (12,): the corners at the ends of a cell's edges, the lower one first."""
    pairs = [
        (i, j)
        for i in range(8)
        for j in range(i + 1, 8)
        if np.abs(CORNERS[i] - CORNERS[j]).sum() == 1
    ]
    a, b = np.array(pairs).T
    return a, b


@dataclass(eq=False)
class Lattice:
    """low and high (3,) of the box, units; cell: of the finest lattice, units; counts (3,) of
    finest cells; step: finest cells a cell of this lattice. cells (n, 3), and points by ascending
    key with values; exact (m,): asked for, and not only estimated from a coarser lattice.
    """

    distance: Callable[[Array], NDArray[np.floating[Any]]]
    low: Array
    high: Array
    cell: float
    counts: Index
    step: int
    cells: Index
    keys: Index
    values: Array
    exact: NDArray[np.bool_]
    queries: int = 0

    @classmethod
    def coarse(
        cls,
        distance: Callable[[Array], NDArray[np.floating[Any]]],
        low: Array,
        high: Array,
        cell: float,
        levels: int,
    ) -> Lattice:
        """All of the coarsest lattice, asked for."""
        step = 1 << levels
        counts = np.maximum(1, np.ceil((high - low) / (cell * step)).astype(int)) * step
        axes = [np.arange(0, n + 1, step) for n in counts]
        points = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
        axes = [np.arange(0, n, step) for n in counts]
        cells = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
        out = cls(
            distance, low, low + counts * cell, cell, counts, step, cells,
            np.zeros(0, int), np.zeros(0), np.zeros(0, bool),
        )  # fmt: skip
        keys = out.key(points)
        out.keys, out.values, out.exact = keys, np.zeros(len(keys)), np.zeros(len(keys), bool)
        out.ask(np.arange(len(keys)))
        return out

    def key(self, points: Index) -> Index:
        """One number a lattice point (..., 3)."""
        n = self.counts + 1
        return (points[..., 0] * n[1] + points[..., 1]) * n[2] + points[..., 2]

    def points(self, keys: Index) -> Index:
        """Inverse of key: (n, 3)."""
        n = self.counts + 1
        rest, k = np.divmod(keys, n[2])
        i, j = np.divmod(rest, n[1])
        return np.stack([i, j, k], axis=1)

    def ask(self, rows: Index) -> None:
        """The field's own values at points, by row. What lies on the box's border is outside.

        Raises FitError where the field is not finite.
        """
        points = self.points(self.keys[rows])
        for start in range(0, len(rows), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            self.values[rows[part]] = self.distance(self.low + points[part] * self.cell)
        if not np.isfinite(self.values[rows]).all():
            raise FitError("The neural head gives no numbers: its codes or weights are damaged.")
        border = ((points == 0) | (points == self.counts)).any(axis=1)
        there = rows[border]
        self.values[there] = np.maximum(self.values[there], 0.5 * self.cell * self.step)
        self.exact[rows] = True
        self.queries += len(rows)

    def corner_rows(self) -> Index:
        """(n, 8) rows of the cells' corners."""
        keys = self.key(self.cells[:, None] + CORNERS * self.step)
        return np.searchsorted(self.keys, keys)

    def corner_values(self) -> Array:
        """(n, 8)."""
        return self.values[self.corner_rows()]

    def child(self, kept: Index, values: Array, near: Array) -> Lattice:
        """Cells ``kept`` with corner values (n, 8), halved; points estimated nearer to zero than
        near (n,) are asked for.
        """
        half = self.step // 2
        offsets = np.stack(np.meshgrid(*[np.arange(3)] * 3, indexing="ij"), -1).reshape(-1, 3)
        t = offsets / 2.0
        shares = np.stack(
            [np.where(corner > 0, t, 1 - t).prod(axis=1) for corner in CORNERS], axis=1
        )
        base = self.cells[kept]
        keys = self.key(base[:, None] + offsets * half).ravel()
        estimate = (values @ shares.T).ravel()
        wanted = (np.abs(values @ shares.T) <= near[:, None]).ravel()
        order = np.argsort(keys, kind="stable")
        keys, first = np.unique(keys[order], return_index=True)
        cells = (base[:, None] + CORNERS * half).reshape(-1, 3)
        out = Lattice(
            self.distance, self.low, self.high, self.cell, self.counts, half, cells, keys,
            estimate[order][first], np.zeros(len(keys), bool), self.queries,
        )  # fmt: skip
        near_one = np.logical_or.reduceat(wanted[order], first) if len(first) else wanted
        rows = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        known = (self.keys[rows] == keys) & self.exact[rows]
        out.values[known], out.exact[known] = self.values[rows[known]], True
        out.ask(np.flatnonzero(near_one & ~known))
        return out

    def add(self, cells: Index) -> None:
        """More cells (n, 3), their corners asked for where they are not known."""
        keys = np.setdiff1d(self.key(cells[:, None] + CORNERS * self.step).ravel(), self.keys)
        every = np.concatenate([self.keys, keys])
        order = np.argsort(every, kind="stable")
        self.keys = every[order]
        self.values = np.concatenate([self.values, np.zeros(len(keys))])[order]
        self.exact = np.concatenate([self.exact, np.zeros(len(keys), bool)])[order]
        self.cells = np.concatenate([self.cells, cells])
        self.ask(np.searchsorted(self.keys, keys))

    def keep_crossed(self) -> None:
        """Forgets cells that the surface does not cross."""
        outside = self.corner_values() >= 0
        self.cells = self.cells[outside.any(axis=1) & ~outside.all(axis=1)]

    def saddles(self) -> Index:
        """Points, by row, of cells' faces whose corners are in turn inside and outside, where two
        sheets of the surface would share an edge: of each the one nearest to the surface.
        """
        rows = self.corner_rows()
        found = []
        for axis in range(3):
            for side in (0, 1):
                on = np.flatnonzero(CORNERS[:, axis] == side)[[0, 1, 3, 2]]  # around the face
                face = rows[:, on]
                outside = self.values[face] >= 0
                wrong = (outside != np.roll(outside, 1, axis=1)).all(axis=1)
                nearest = np.abs(self.values[face[wrong]]).argmin(axis=1)
                found.append(face[wrong][np.arange(int(wrong.sum())), nearest])
        return np.unique(np.concatenate(found))

    def turn(self, rows: Index) -> None:
        """Puts points on the other side of the surface, as near to it as can be."""
        tiny = 1e-4 * self.cell
        self.values[rows] = np.where(self.values[rows] >= 0, -tiny, tiny)

    def missing_neighbours(self) -> Index:
        """(n, 3) cells beside a crossing edge that are not there, inside the box."""
        around = np.concatenate([cells for cells, _ in self._around()])
        wanted = np.unique(around.reshape(-1, 3), axis=0)
        inside = ((wanted >= 0) & (wanted < self.counts)).all(axis=1)
        wanted = wanted[inside]
        return wanted[~np.isin(self.key(wanted), self.key(self.cells))]

    def quads(self, number: Index) -> Index:
        """(n, 4) vertices around each crossing edge, counter-clockwise from outside; number
        (cells,) of a cell's vertex.
        """
        own = self.key(self.cells)
        order = np.argsort(own)
        out = []
        for cells, rising in self._around():
            found = order[np.searchsorted(own, self.key(cells), sorter=order)]
            quad = number[found]
            out.append(np.where(rising[:, None], quad, quad[:, ::-1]))
        return np.concatenate(out)

    def _around(self) -> list[tuple[Index, NDArray[np.bool_]]]:
        """For each axis: the cells (n, 4, 3) around its crossing edges, and whether the field rises
        along the axis there.
        """
        a, b = edge_table()
        rows = self.corner_rows()
        outside = self.values[rows] >= 0
        found = []
        for axis in range(3):
            along = np.flatnonzero(CORNERS[b][:, axis] > CORNERS[a][:, axis])
            cell, edge = np.nonzero(outside[:, a[along]] != outside[:, b[along]])
            starts = self.cells[cell] + CORNERS[a[along[edge]]]
            rising = outside[cell, b[along[edge]]]
            _, first = np.unique(self.key(starts), return_index=True)
            one, two = np.eye(3, dtype=int)[[(axis + 1) % 3, (axis + 2) % 3]]
            ring = np.array([-one - two, -two, 0 * one, -one])
            found.append((starts[first][:, None] + ring, rising[first]))
        return found
