# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions about quad meshes, and the cut that separates head and neck from the body.

Faces are rows of vertex numbers; a triangle repeats -1 in its fourth place.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np

CUT_SEED_VERTEX = 1526
"""A midline vertex of the closed edge loop along collar and trapezius where the body is cut."""

CHIN_VERTEX = 991


def face_edges(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Directed edges (n, 2) of all faces and the face (n,) each belongs to."""
    edges, owner = [], []
    for i, face in enumerate(faces.tolist()):
        corners = [v for v in face if v >= 0]
        edges += zip(corners, corners[1:] + corners[:1], strict=True)
        owner += [i] * len(corners)
    return np.array(edges), np.array(owner)


def boundary_loops(faces: np.ndarray) -> list[list[int]]:
    """Closed boundary loops in face orientation, longest first.

    Raises ValueError where the mesh is not an oriented manifold.
    """
    edges, _ = face_edges(faces)
    directed = {(a, b) for a, b in edges.tolist()}
    if len(directed) != len(edges):
        raise ValueError("an edge is used twice in the same direction: not an oriented manifold")
    onward: dict[int, int] = {}
    for a, b in sorted(directed):
        if (b, a) not in directed:
            if a in onward:
                raise ValueError(f"two boundaries meet at vertex {a}")
            onward[a] = b
    loops = []
    while onward:
        start = min(onward)
        loop = [start]
        step = onward.pop(start)
        while step != start:
            loop.append(step)
            step = onward.pop(step)
        loops.append(loop)
    return sorted(loops, key=len, reverse=True)


def neighbours(faces: np.ndarray) -> dict[int, set[int]]:
    """Vertices joined by an edge."""
    result: dict[int, set[int]] = defaultdict(set)
    for a, b in face_edges(faces)[0].tolist():
        result[a].add(b)
        result[b].add(a)
    return result


def flood_faces(faces: np.ndarray, seed: int, fence: set[tuple[int, int]]) -> np.ndarray:
    """Faces reachable from face ``seed`` over shared edges without crossing an edge of ``fence``.

    ``fence`` holds edges as (smaller, larger) vertex number.  Returns sorted face numbers.
    """
    edges, owner = face_edges(faces)
    by_edge: dict[tuple[int, int], list[int]] = defaultdict(list)
    by_face: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for (a, b), face in zip(np.sort(edges, axis=1).tolist(), owner.tolist(), strict=True):
        by_edge[a, b].append(face)
        by_face[face].append((a, b))
    seen, stack = {seed}, [seed]
    while stack:
        for edge in by_face[stack.pop()]:
            if edge in fence:
                continue
            for face in by_edge[edge]:
                if face not in seen:
                    seen.add(face)
                    stack.append(face)
    return np.array(sorted(seen))


def loop_edges(loop: list[int]) -> set[tuple[int, int]]:
    """Edges of a closed loop as (smaller, larger)."""
    pairs = zip(loop, loop[1:] + loop[:1], strict=True)
    return {(min(a, b), max(a, b)) for a, b in pairs}


def edge_loop(faces: np.ndarray, start: int, second: int) -> list[int]:
    """Follow quads straight ahead from the edge (start, second) until the loop closes."""
    around = neighbours(faces)
    faces_of: dict[int, set[int]] = defaultdict(set)
    for i, face in enumerate(faces.tolist()):
        for v in face:
            faces_of[v].add(i)
    loop = [start, second]
    while True:
        before, here = loop[-2:]
        if len(faces_of[here]) != 4:
            raise ValueError(f"the edge loop meets a pole at vertex {here}")
        beside = faces_of[before] & faces_of[here]
        onward = [
            v for v in around[here] if v != before and not faces_of[v] & faces_of[here] & beside
        ]
        (ahead,) = onward
        if ahead == start:
            return loop
        loop.append(ahead)


def cut_head(body: np.ndarray, positions: np.ndarray) -> tuple[np.ndarray, list[int]]:
    """Split head and neck off the body mesh.

    Args:
        body: (F, 4) quads of the closed body.
        positions: (N, 3) metres.

    Returns:
        Sorted numbers of the faces kept, and the cut loop (its vertices in order).

    """
    around = sorted(neighbours(body)[CUT_SEED_VERTEX], key=lambda v: positions[v, 0])
    loop = edge_loop(body, CUT_SEED_VERTEX, around[-1])
    seed = int(np.flatnonzero((body == CHIN_VERTEX).any(axis=1))[0])
    kept = flood_faces(body, seed, loop_edges(loop))
    loops = boundary_loops(body[kept])
    if len(loops) != 1 or set(loops[0]) != set(loop):
        raise ValueError("the neck cut is not one clean loop")
    return kept, loops[0]
