# SPDX-License-Identifier: GPL-3.0-or-later
"""Carries shapes from one head to another that has another mesh.

Each triangle of the target is asked to deform as the source does where it lies (Sumner and
Popovic, "Deformation transfer for triangle meshes", SIGGRAPH 2004, sections 3 and 4), and each
vertex, more softly, to go where the source's surface goes there. The first keeps folds sharp on
a face of another build, the second makes lips and lids meet. Over displacements u this is one
Poisson system for all shapes (Botsch et al., "Deformation transfer for detail-preserving surface
editing", VMV 2006):

    minimise  integral |grad u - (S - 1)|^2 + c / LENGTH^2 |u - d|^2

with S the source's deformation gradient, d its displacement, c the confidence in both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .closest import Closest, interpolate
from .mesh import scatter_add, triangle_normals, vertex_areas
from .sparse import corner_edges, cotangent_laplacian, solve

Array = NDArray[np.float64]
Index = NDArray[np.integer[Any]]

#: Below this length, metres, the shape of the motion counts more than its amount.
LENGTH = 0.003
#: Holds parts that no source reaches, such as eyeballs, where they are.
_ANCHOR = 1e-4


def deformation_gradients(rest: Array, posed: Array, triangles: Index) -> Array:
    """(T, 3, 3) with S e = e' for the edges of each triangle, and its normal to its normal
    (section 3.1; the fourth vertex stands off by the normal over the root of its length).
    """
    frames = []
    for vertices in (rest, posed):
        a, b, c = (vertices[triangles[:, k]] for k in range(3))
        normal = triangle_normals(vertices, triangles)
        length = np.linalg.norm(normal, axis=1, keepdims=True)
        frames.append(np.stack([b - a, c - a, normal / np.sqrt(np.maximum(length, 1e-12))], axis=2))
    # A triangle without area has no gradient: the inverse of a slightly thickened frame is finite.
    thick = frames[0] + 1e-9 * np.eye(3)
    out: Array = frames[1] @ np.linalg.inv(thick)
    return out


@dataclass(frozen=True, eq=False)
class Correspondence:
    """Where a target lies on a source.

    rest (V, 3) and triangles (T, 3) of the source, laid on the target; onto: of each of the
    target's W vertices; confidence (W,) in [0, 1].
    """

    rest: Array
    triangles: Index
    onto: Closest
    confidence: Array


def transfer_shapes(
    source: Correspondence,
    shapes: Array,
    vertices: Array,
    triangles: Index,
    progress: Callable[[float], None] = lambda _: None,
) -> Array:
    """Displacements (V, 3, K) of the source as displacements (W, 3, K) of the target.

    vertices (W, 3) and triangles (S, 3) of the target.
    """
    count = len(vertices)
    laplacian = cotangent_laplacian(vertices, triangles)
    mass = vertex_areas(vertices, triangles)
    diagonal = mass * (source.confidence + _ANCHOR) / LENGTH**2
    # A vertex of no triangle has neither mass nor neighbours: it stays.
    diagonal[mass == 0] = 1.0
    known = (source.confidence > 0)[:, None]
    pulled = diagonal[:, None] * known
    out = np.zeros((count, 3, shapes.shape[2]))
    for k in range(shapes.shape[2]):
        goal = interpolate(source.onto, source.triangles, shapes[:, :, k])
        right = _divergence(source, shapes[:, :, k], vertices, triangles)
        right += pulled * goal
        out[:, :, k] = solve(laplacian, diagonal, right, start=known * goal, tolerance=1e-4)
        progress((k + 1) / shapes.shape[2])
    return out


def _divergence(source: Correspondence, shape: Array, vertices: Array, triangles: Index) -> Array:
    """(W, 3) right side of the Poisson system: the wanted motion of the edges, edge by edge."""
    gradients = deformation_gradients(source.rest, source.rest + shape, source.triangles)
    change = gradients[source.onto.triangle] - np.eye(3)
    corners = source.confidence[:, None, None] * change
    wanted = corners[triangles].mean(axis=1)
    pairs, weights = corner_edges(vertices, triangles)
    edge = vertices[pairs[:, 0]] - vertices[pairs[:, 1]]
    motion = weights[:, None] * np.einsum("tij,tj->ti", np.tile(wanted, (3, 1, 1)), edge)
    ends = np.concatenate([pairs[:, 0], pairs[:, 1]])
    return scatter_add(ends, np.concatenate([motion, -motion]), len(vertices))
