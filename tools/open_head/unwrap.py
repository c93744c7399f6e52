# SPDX-License-Identifier: GPL-3.0-or-later
"""Unwraps the outer skin into one upright island with its seam down the back of the head.

A fixed-boundary mean-value parameterization (Floater 2003) is made stretch-minimising by rescaling
its weights (Yoshizawa, Belyaev, Seidel 2004, "A fast and simple stretch-minimizing mesh
parameterization"), with an importance that gives face, eyes and lips more texels.  Mean-value
weights are positive and the boundary is convex, so the start has no flipped triangle (Tutte).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix, csr_matrix, diags
from scipy.sparse.linalg import spsolve

from .topology import boundary_loops, neighbours

_ITERATIONS = 14
_STRETCH_EXPONENT = 0.6
FREE_CORNER = 0.17
"""Side of the corners left free at the top of the tile, for mouth bag and eye sockets."""


@dataclass(frozen=True)
class Island:
    """A flattened patch of the mesh."""

    uv: np.ndarray
    """(n, 2) in the unit square, v upwards."""
    faces: np.ndarray
    """(f, 4) numbers into ``uv``, row by row the faces handed in."""


def unwrap_skin(
    faces: np.ndarray, positions: np.ndarray, mirror: np.ndarray, importance: np.ndarray
) -> Island:
    """Unwrap quads (f, 4) that have the neck as their longest boundary.

    Args:
        faces: quads of vertex numbers.
        positions: (V, 3) metres, exactly mirror symmetric.
        mirror: (V,) mirror permutation.
        importance: (V,) wanted texel density per area, relative.

    """
    seam = _back_seam(faces, positions, mirror)
    cut, origin, twin, edge = _cut_open(faces, positions, mirror, seam)
    x = positions[origin]
    triangles = np.concatenate([cut[:, [0, 1, 2]], cut[:, [0, 2, 3]]])
    outer, *holes = boundary_loops(cut)
    boundary = _pin_boundary(x, outer, edge, twin)
    weights = _mean_value_weights(x, triangles, len(origin) + len(holes))
    weights = _fill_holes(weights, holes, len(origin))

    area = _areas(x, triangles) * importance[origin][triangles].mean(axis=1)
    best, best_stretch = None, np.inf
    for _ in range(_ITERATIONS):
        uv = _solve(weights, outer, boundary)[: len(origin)]
        uv = (uv + np.stack([1 - uv[twin, 0], uv[twin, 1]], axis=1)) / 2
        flat = _signed_areas(uv, triangles)
        wanted = _gather(area, triangles, len(origin))
        given = _gather(np.abs(flat), triangles, len(origin))
        sigma = np.sqrt((wanted / wanted.sum()) / np.maximum(given / given.sum(), 1e-9))
        stretch = np.sqrt((sigma**2 * wanted).sum() / wanted.sum())
        if (flat > 0).all() and stretch < best_stretch:
            best, best_stretch = uv, stretch
        factor = np.ones(weights.shape[0])
        factor[: len(origin)] = np.clip(sigma, 0.2, 5) ** -_STRETCH_EXPONENT
        weights = csr_matrix(weights @ diags(factor))
    if best is None:
        raise ValueError("the unwrap has flipped triangles in every iteration")
    return Island(best, cut)


def _back_seam(faces: np.ndarray, positions: np.ndarray, mirror: np.ndarray) -> list[int]:
    """Midline vertices from the nape's boundary vertex up to the crown."""
    around = neighbours(faces)
    midline = {v for v in around if mirror[v] == v}
    neck = [v for v in boundary_loops(faces)[0] if v in midline]
    path = [min(neck, key=lambda v: positions[v, 2])]
    crown = max(midline, key=lambda v: positions[v, 1])
    while path[-1] != crown:
        (ahead,) = (v for v in around[path[-1]] & midline if v not in path)
        path.append(ahead)
    return path


def _cut_open(
    faces: np.ndarray, positions: np.ndarray, mirror: np.ndarray, seam: list[int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[int]]:
    """Double the seam's vertices.

    Returns the faces renumbered, the original vertex and the mirror twin of each new vertex, and
    the seam's copy on the subject's left from the nape to the crown.
    """
    used = np.unique(faces)
    number = np.full(len(positions), -1)
    number[used] = np.arange(len(used))
    doubled = np.array(seam[:-1])
    other = number.copy()
    other[doubled] = len(used) + np.arange(len(doubled))
    on_right = positions[faces, 0].mean(axis=1) < 0
    cut = np.where(on_right[:, None], other[faces], number[faces])
    origin = np.concatenate([used, doubled])
    twin = np.concatenate([number[mirror[used]], number[doubled]])
    twin[number[doubled]] = other[doubled]
    return cut, origin, twin, number[seam].tolist()


def _pin_boundary(x: np.ndarray, outer: list[int], edge: list[int], twin: np.ndarray) -> np.ndarray:
    """Positions (n, 2) of the outer boundary's vertices on the tile's outline.

    The neck runs along the bottom, the two copies of the seam up the sides and inwards to the
    crown, which stands at the middle of the top.  The subject's left is at u = 1, as a camera
    sees it.
    """
    c = FREE_CORNER
    side = np.array([(1, 0), (1, 1 - c), (1 - c, 1), (0.5, 1)])
    place = dict(zip(edge, _along(side, _arc_fractions(x[edge])), strict=True))
    start = outer.index(edge[0])
    neck = outer[start:] + outer[:start]
    if neck[1] == edge[1]:
        neck = [neck[0], *reversed(neck[1:])]
    neck = neck[: neck.index(twin[edge[0]]) + 1]
    place |= dict(
        zip(neck, _along(np.array([(1, 0), (0, 0)]), _arc_fractions(x[neck])), strict=True)
    )
    place |= {int(twin[v]): np.array([1 - u, w]) for v, (u, w) in place.items()}
    return np.array([place[v] for v in outer])


def _arc_fractions(points: np.ndarray) -> np.ndarray:
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    return length / length[-1]


def _along(outline: np.ndarray, fractions: np.ndarray) -> np.ndarray:
    at = _arc_fractions(outline)
    return np.stack([np.interp(fractions, at, outline[:, k]) for k in range(2)], axis=1)


def _mean_value_weights(x: np.ndarray, triangles: np.ndarray, size: int) -> csr_matrix:
    rows, cols, values = [], [], []
    for i in range(3):
        a, b, c = (triangles[:, (i + k) % 3] for k in range(3))
        u, v = x[b] - x[a], x[c] - x[a]
        lu, lv = np.linalg.norm(u, axis=1), np.linalg.norm(v, axis=1)
        angle = np.arccos(np.clip((u * v).sum(axis=1) / (lu * lv), -1, 1))
        half = np.clip(np.tan(angle / 2), 1e-3, 5)
        rows += [a, a]
        cols += [b, c]
        # Slivers in the ears would otherwise weigh more than all their neighbours.
        values += [half / np.maximum(lu, 2e-4), half / np.maximum(lv, 2e-4)]
    data = np.concatenate(values), (np.concatenate(rows), np.concatenate(cols))
    return coo_matrix(data, shape=(size, size)).tocsr()


def _fill_holes(weights: csr_matrix, holes: list[list[int]], n: int) -> csr_matrix:
    """Give every hole (lids, lips) a hub that draws it together to a slit."""
    filled = weights.tolil()
    strength = np.asarray(weights.sum(axis=1)).ravel()
    for i, hole in enumerate(holes):
        pull = 0.12 * strength[hole].mean()
        for v in hole:
            filled[v, n + i] = pull
            filled[n + i, v] = pull
    return filled.tocsr()


def _solve(weights: csr_matrix, outer: list[int], boundary: np.ndarray) -> np.ndarray:
    """Every free point is the weighted mean of its neighbours."""
    n = weights.shape[0]
    free = np.ones(n, bool)
    free[outer] = False
    system = diags(np.asarray(weights.sum(axis=1)).ravel()) - weights
    result = np.zeros((n, 2))
    result[outer] = boundary
    known = -system[free][:, outer] @ boundary
    result[free] = spsolve(system[free][:, free].tocsc(), known)
    return result


def _areas(x: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    a, b, c = x[triangles].transpose(1, 0, 2)
    return np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2


def _signed_areas(uv: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    (ax, ay), (bx, by), (cx, cy) = uv[triangles].transpose(1, 2, 0)
    return ((bx - ax) * (cy - ay) - (cx - ax) * (by - ay)) / 2


def _gather(per_triangle: np.ndarray, triangles: np.ndarray, n: int) -> np.ndarray:
    return np.bincount(triangles.T.ravel(), np.tile(per_triangle, 3), n)
