# SPDX-License-Identifier: GPL-3.0-or-later
"""Which lip a vertex belongs to, told by the way along the surface: two lips that touch are far
from each other on their mesh, however near they are in space.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry.mesh import edges

Array = NDArray[np.float64]
Index = NDArray[np.integer[Any]]

#: The middle of the outer rims of the upper and of the lower lip.
MIDDLE_OF_LIPS = (0, 17)
_UPPER, _LOWER = (37, 0, 267, 39, 269), (84, 17, 314, 181, 405)
_AROUND = 0.07
#: A way along the surface so many times the straight one goes around an opening.
_OPEN = 2.0


def lower_lip_share(vertices: Array, triangles: Index, points: Array) -> tuple[Array, float]:
    """(V,) from 0 at the upper lip to 1 at the lower one, 0 away from the mouth; and how many
    times the straight way the surface takes from lip to lip, infinite where no way leads.

    points (478, 3) landmarks on the surface.
    """
    mouth = points[[*_UPPER, *_LOWER]].mean(axis=0)
    near = np.linalg.norm(vertices - mouth, axis=1) < _AROUND
    local = triangles[near[triangles].all(axis=1)]
    if not len(local):
        return np.zeros(len(vertices)), np.inf
    used = np.unique(local)
    links = _links(vertices, local)
    ways = [_ways(links, len(vertices), _nearest(vertices, used, points[list(ids)]))
            for ids in (_UPPER, _LOWER)]  # fmt: skip
    upper, lower = (np.where(np.isfinite(w), w, _AROUND) for w in ways)
    share = np.zeros(len(vertices))
    share[used] = (upper / np.maximum(upper + lower, 1e-9))[used]
    ends = _nearest(vertices, used, points[list(MIDDLE_OF_LIPS)])
    across = _ways(links, len(vertices), ends[:1])[ends[-1]]
    straight = max(float(np.linalg.norm(vertices[ends[0]] - vertices[ends[-1]])), 1e-6)
    return share, float(across / straight)


def has_opening(ratio: float) -> bool:
    """Whether lips with that ratio of ways have an opening between them."""
    return ratio > _OPEN


def _nearest(vertices: Array, used: Index, points: Array) -> Index:
    away = ((vertices[used][:, None] - points[None]) ** 2).sum(axis=2)
    out: Index = used[away.argmin(axis=0)]
    return out


def _links(vertices: Array, triangles: Index) -> dict[int, list[tuple[int, float]]]:
    pairs = edges(triangles)
    length = np.linalg.norm(vertices[pairs[:, 0]] - vertices[pairs[:, 1]], axis=1)
    links: dict[int, list[tuple[int, float]]] = {}
    for (a, b), way in zip(pairs.tolist(), length.tolist(), strict=True):
        links.setdefault(a, []).append((b, way))
        links.setdefault(b, []).append((a, way))
    return links


def _ways(
    links: dict[int, list[tuple[int, float]]], count: int, start: Sequence[int] | Index
) -> Array:
    """(count,) length of the shortest way along edges (Dijkstra, 1959)."""
    out = np.full(count, np.inf)
    queue = [(0.0, int(v)) for v in start]
    done: set[int] = set()
    while queue:
        way, v = heapq.heappop(queue)
        if v in done:
            continue
        done.add(v)
        out[v] = way
        for other, step in links.get(v, ()):
            if other not in done:
                heapq.heappush(queue, (way + step, other))
    return out
