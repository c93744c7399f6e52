# SPDX-License-Identifier: GPL-3.0-or-later
"""The faces of an artist's mesh as a rigged head holds them: quads and triangles."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .mesh import OwnMesh

Index = NDArray[np.integer[Any]]


def corners_of(mesh: OwnMesh) -> Index:
    """(F, 4) which corners of the triangles, of 3 T, are a face's, -1 last for a triangle.

    Two triangles of one polygon that share an edge are a quad again; what has more corners stays
    in triangles. Faces with a corner twice, and a second face on the same vertices, are left out.
    """
    triangles = mesh.triangles
    whole = (triangles != np.roll(triangles, 1, axis=1)).all(axis=1)
    rows = np.nonzero(whole)[0]
    order = rows[np.argsort(mesh.polygon[rows], kind="stable")]
    _, start, count = np.unique(mesh.polygon[order], return_index=True, return_counts=True)
    first, second = order[start[count == 2]], order[start[count == 2] + 1]
    quads, is_quad = _joined(triangles, first, second)
    joined = np.zeros(len(triangles), bool)
    joined[first[is_quad]] = joined[second[is_quad]] = True
    left = rows[~joined[rows]]
    alone = np.column_stack([3 * left[:, None] + np.arange(3), np.full(len(left), -1)])
    faces = np.concatenate([quads[is_quad], alone])
    # In the artist's order.
    faces = faces[np.argsort(mesh.polygon[faces[:, 0] // 3], kind="stable")]
    ids = np.where(faces >= 0, triangles.ravel()[faces], -1)
    _, unique = np.unique(np.sort(ids, axis=1), axis=0, return_index=True)
    out: Index = faces[np.sort(unique)]
    return out


def _joined(triangles: Index, first: Index, second: Index) -> tuple[Index, NDArray[np.bool_]]:
    """(n, 4) corners of the quads that pairs of triangles are, and (n,) whether they are one."""
    a, b = triangles[first], triangles[second]
    shared_a = (a[:, :, None] == b[:, None, :]).any(axis=2)
    shared_b = (b[:, :, None] == a[:, None, :]).any(axis=2)
    good = (shared_a.sum(axis=1) == 2) & (shared_b.sum(axis=1) == 2)
    lone, other = (~shared_a).argmax(axis=1), (~shared_b).argmax(axis=1)
    # Around the first triangle from before its lone corner to after it, then the second's.
    own = [3 * first + (lone + step) % 3 for step in (-1, 0, 1)]
    quads: Index = np.column_stack([*own, 3 * second + other])
    ids = np.sort(triangles.ravel()[quads], axis=1)
    return quads, good & (ids[:, 1:] != ids[:, :-1]).all(axis=1)
