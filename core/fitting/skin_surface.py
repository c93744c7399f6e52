# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of a head's surface that one photo's dense cues see, as a function of the shape.

Vertices are linear in the shape, x = base + basis @ [identity | sliders]; the normal of a vertex
is the sum of the cross products of its triangles (twice their areas), so that its derivative is
a sum over the vertex's neighbours: dN_i = sum_j e_ij x dx_j, with e_ij the sum, over the triangles
that i and j share, of the edge opposite to j.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..geometry.mesh import scatter_add, triangle_normals
from ..heads.model import HeadModel

Array = NDArray[np.float64]
Single = NDArray[np.float32]
Index = NDArray[np.intp]

#: Vertices whose rows of a basis are formed at once.
_CHUNK = 64


@dataclass(frozen=True, eq=False)
class SkinSurface:
    """n vertices that the cues see, followed by those that only shape their normals, s in all.

    vertices (s,) index into the head; count n; base (s, 3); basis (3 s, K), K = I + E shape
    unknowns; triangles (T, 3) all those around the n vertices, as indices into the s.
    """

    vertices: Index
    count: int
    base: Array
    basis: Array
    triangles: Index

    @classmethod
    def of(cls, head: HeadModel, seen: Index, identity_count: int) -> SkinSurface:
        """The surface around the ``seen`` vertices of a head, ascending."""
        mask = np.zeros(head.vertex_count, bool)
        mask[seen] = True
        around = head.triangles[mask[head.triangles].any(axis=1)]
        others = np.setdiff1d(around, seen)
        vertices = np.concatenate([seen, others]).astype(np.intp)
        place = np.full(head.vertex_count, -1, np.intp)
        place[vertices] = np.arange(len(vertices))
        i, e = identity_count, head.expression_count
        basis = np.empty((len(vertices), 3, i + e))
        basis[:, :, :i] = head.identity_basis[vertices, :, :i]
        basis[:, :, i:] = head.expression_basis[vertices]
        return cls(
            vertices,
            len(seen),
            head.template[vertices],
            basis.reshape(-1, i + e),
            place[around],
        )

    def positions(self, shape: Array) -> Array:
        """(s, 3) metres in the head frame, of shape (K,)."""
        return self.base + (self.basis @ shape).reshape(-1, 3)

    def area_normals(self, positions: Array) -> Array:
        """(n, 3) normals of the seen vertices, twice as long as the area around them."""
        normals = triangle_normals(positions, self.triangles)
        spread = scatter_add(self.triangles.T.ravel(), np.tile(normals, (3, 1)), len(positions))
        return spread[: self.count]

    def pulled_back(self, positions: Array, by_normals: Array) -> Array:
        """(s, 3) derivative by the positions of what has the derivative ``by_normals`` (n, 3) by
        :meth:`area_normals`.
        """
        g = np.zeros_like(positions)
        g[: self.count] = by_normals
        g = g[self.triangles].sum(axis=1)
        a, b, c = (positions[self.triangles[:, k]] for k in range(3))
        pulls = np.concatenate([np.cross(b - c, g), np.cross(c - a, g), np.cross(a - b, g)])
        return scatter_add(self.triangles.T.ravel(), pulls, len(positions))

    @cached_property
    def single_basis(self) -> Single:
        """(s, 3, K) the basis in single precision."""
        return self.basis.reshape(len(self.base), 3, -1).astype(np.float32)

    def normal_rows(self, positions: Array, pick: Index) -> Single:
        """Derivative of the unit normals of some seen vertices, ``pick`` (p,), by the shape, along
        two tangents of each: (p, 2, K). A unit normal does not move along itself.
        """
        normals = self.area_normals(positions)[pick]
        length = np.maximum(np.linalg.norm(normals, axis=1), 1e-30)
        tangents = tangent_pair(normals / length[:, None]) / length[:, None, None]
        neighbours, shared, ahead, behind = self._rings
        edges = positions[behind] - positions[ahead]
        edge = scatter_add(shared, edges, neighbours.size).reshape(*neighbours.shape, 3)[pick]
        neighbours = neighbours[pick]
        out = np.empty((len(pick), 2, self.basis.shape[1]), np.float32)
        for start in range(0, len(pick), _CHUNK):
            part = slice(start, start + _CHUNK)
            # t . (e x dx) = (t x e) . dx
            weight = np.cross(tangents[part][:, :, None], edge[part][:, None]).astype(np.float32)
            around = self.single_basis[neighbours[part]].reshape(len(weight), -1, out.shape[2])
            out[part] = weight.reshape(len(weight), 2, -1) @ around
        return out

    @cached_property
    def _rings(self) -> tuple[Index, Index, Index, Index]:
        """Neighbours (n, r) of the seen vertices, themselves among them, padded with the vertex
        itself; and for each two corners that a triangle has: place (q,) in the flat neighbours,
        start (q,) and end (q,) of the edge opposite to the second.
        """
        rows, columns, starts, ends = [], [], [], []
        corners, size = self.triangles, len(self.base)
        for i in range(3):
            used = corners[corners[:, i] < self.count]
            for j in range(3):
                rows.append(used[:, i])
                columns.append(used[:, j])
                starts.append(used[:, (j + 1) % 3])
                ends.append(used[:, (j + 2) % 3])
        key = np.concatenate(rows) * size + np.concatenate(columns)
        pairs, inverse = np.unique(key, return_inverse=True)
        row, column = np.divmod(pairs, size)
        degree = np.bincount(row, minlength=self.count)
        most = int(degree.max(initial=1))
        place = np.arange(len(row)) - np.repeat(np.cumsum(degree) - degree, degree)
        neighbours = np.tile(np.arange(self.count)[:, None], (1, most))
        neighbours[row, place] = column
        shared = (row * most + place)[inverse.ravel()]
        return neighbours, shared, np.concatenate(starts), np.concatenate(ends)


def tangent_pair(normals: Array) -> Array:
    """(n, 2, 3) two unit vectors at right angles to unit vectors (n, 3) and to each other."""
    # The axis that is furthest from the normal makes a well-conditioned start.
    axis = np.eye(3)[np.abs(normals).argmin(axis=1)]
    first = np.cross(normals, axis)
    first /= np.maximum(np.linalg.norm(first, axis=1, keepdims=True), 1e-30)
    return np.stack([first, np.cross(normals, first)], axis=1)
