# SPDX-License-Identifier: GPL-3.0-or-later
"""The detail step as it was tried: a fitted surface moved along its normals towards predicted ones.

For each cell of the maps the two edges of the triangle that it shows should stand at right angles
to the predicted normal; each edge's ends may move along their own normals (Nehab et al.,
"Efficiently combining positions and normals for precise 3D geometry", SIGGRAPH 2005, without its
positions). A ridge holds what is broad, of which the fit knows more, and neighbours move alike.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.cues.screen_cues import ScreenCues
from core.fitting.surface_samples import SurfaceSamples, samples_from_uv
from core.geometry.mesh import edges, vertex_normals
from core.heads import HeadModel

Array = NDArray[np.float64]

#: What a vertex may move, metres.
FARTHEST = 0.002
#: Millimetres of motion, and of difference between neighbours, that cost as much as an error of a
#: radian in one cell.
RIDGE, UNLIKE = 20.0, 10.0
_STEPS = 150


def moved(head: HeadModel, vertices: Array, cues: ScreenCues) -> Array:
    """Vertices (V, 3), head frame, as the photo shows them, after the detail step."""
    samples = samples_from_uv(head, cues)
    return vertices + displacement(head, vertices, samples)[:, None] * vertex_normals(
        vertices, head.triangles
    )


def displacement(head: HeadModel, vertices: Array, samples: SurfaceSamples) -> Array:
    """(V,) metres along the vertices' normals."""
    assert samples.normal is not None
    along = vertex_normals(vertices, head.triangles)
    corners = head.triangles[samples.triangle]
    weight = np.sqrt(samples.weight)
    starts, ends, gain_start, gain_end, off = [], [], [], [], []
    for k in (1, 2):
        a, b = corners[:, 0], corners[:, k]
        edge = vertices[b] - vertices[a]
        per = weight / np.maximum(np.linalg.norm(edge, axis=1), 1e-6)
        starts.append(a)
        ends.append(b)
        gain_start.append(-per * (along[a] * samples.normal).sum(axis=1))
        gain_end.append(per * (along[b] * samples.normal).sum(axis=1))
        off.append(per * (edge * samples.normal).sum(axis=1))
    links = edges(head.triangles)
    even = np.full(len(links), 1e3 / UNLIKE)
    start = np.concatenate([*starts, links[:, 0]])
    end = np.concatenate([*ends, links[:, 1]])
    first, second = np.concatenate([*gain_start, -even]), np.concatenate([*gain_end, even])
    goal = np.concatenate([*off, np.zeros(len(links))])
    count = len(vertices)

    def product(d: Array) -> Array:
        row = first * d[start] + second * d[end]
        back = np.bincount(start, first * row, count) + np.bincount(end, second * row, count)
        return back + (1e3 / RIDGE) ** 2 * d

    right = -np.bincount(start, first * goal, count) - np.bincount(end, second * goal, count)
    return np.clip(_conjugate_gradients(product, right), -FARTHEST, FARTHEST)


def _conjugate_gradients(product, right: Array) -> Array:  # type: ignore[no-untyped-def]
    """Solves product(x) = right for a symmetric positive product."""
    x, r = np.zeros_like(right), right.copy()
    p, square = r.copy(), float(r @ r)
    for _ in range(_STEPS):
        if square < 1e-20 * float(right @ right) or square == 0:
            break
        q = product(p)
        step = square / float(p @ q)
        x, r = x + step * p, r - step * q
        new = float(r @ r)
        p, square = r + new / square * p, new
    return x
