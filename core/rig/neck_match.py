# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings the cut edge of a head's neck onto the open neck of a body."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.integer[Any]]

#: Share of the neck's length from the cut over which skin follows it, at most.
_FOLLOWS = 0.9


def open_loops(faces: list[list[int]]) -> list[list[int]]:
    """Closed loops of vertices along the edges that only one face has, longest first."""
    seen: dict[tuple[int, int], int] = {}
    for face in faces:
        for a, b in zip(face, [*face[1:], face[0]], strict=True):
            key = (min(a, b), max(a, b))
            seen[key] = seen.get(key, 0) + 1
    beside: dict[int, list[int]] = {}
    for (a, b), uses in seen.items():
        if uses == 1:
            beside.setdefault(a, []).append(b)
            beside.setdefault(b, []).append(a)
    loops = []
    while beside:
        start = next(iter(beside))
        loop, here = [start], start
        while True:
            following = next((n for n in beside.get(here, ()) if n not in loop[-2:-1]), None)
            around = beside.pop(here, [])
            if following is None or following == start or following not in beside:
                if len(loop) > 2 and start in around:
                    loops.append(loop)
                break
            loop.append(following)
            here = following
    return sorted(loops, key=len, reverse=True)


def nearest_loop(loops: list[Array], centre: Array, reach: float) -> Array | None:
    """Of loops (n, 3) each, the one whose middle is nearest to a point within ``reach``."""
    found = [(float(np.linalg.norm(loop.mean(axis=0) - centre)), loop) for loop in loops]
    found = [pair for pair in found if pair[0] <= reach]
    return min(found, key=lambda pair: pair[0])[1] if found else None


def neck_offsets(vertices: Array, loop: Index, target: Array, top: float) -> Array:
    """(V, 3) by which vertices move so that the loop (n,) lies on the closed line target (m, 3).

    top: the height (z) above which nothing moves. Both lines are compared by the direction in
    which they lie around their own middles, so that no two points of the loop meet.
    """
    own = vertices[loop]
    goal = _around(target, _angles(own))
    offset = np.zeros_like(vertices)
    offset[loop] = goal - own
    height = vertices[:, 2]
    bottom = float(own[:, 2].mean())
    share = np.clip(1 - (height - bottom) / max(_FOLLOWS * (top - bottom), 1e-6), 0, 1)
    share = share * share * (3 - 2 * share)
    share[height > top] = 0.0
    moved = np.nonzero(share > 0)[0]
    moved = moved[~np.isin(moved, loop)]
    # Each follows the loop where it stands above it.
    middle = own.mean(axis=0)
    angle = np.arctan2(vertices[moved, 1] - middle[1], vertices[moved, 0] - middle[0])
    order = np.argsort(_angles(own))
    along = np.stack([
        np.interp(angle, _angles(own)[order], offset[loop[order], k], period=2 * np.pi)
        for k in range(3)
    ], axis=1)  # fmt: skip
    offset[moved] = share[moved, None] * along
    return offset


def _angles(points: Array) -> Array:
    away = points - points.mean(axis=0)
    out: Array = np.arctan2(away[:, 1], away[:, 0])
    return out


def _around(line: Array, angles: Array) -> Array:
    """Points of a closed line at angles about its own middle."""
    own = _angles(line)
    order = np.argsort(own)
    columns = [np.interp(angles, own[order], line[order, k], period=2 * np.pi) for k in range(3)]
    return np.stack(columns, axis=1)
