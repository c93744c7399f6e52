# SPDX-License-Identifier: GPL-3.0-or-later
"""The line of tears round the left eye: which of the lid's vertices each of its columns knows.

Where the strip lies is the work of ``core.rig.tear_line``, for the template as for everybody.
"""

from __future__ import annotations

import numpy as np

from core.rig.tear_line import PART, RINGS, eyeball, make_line

from .add_ons import AddOn
from .mesh import PART_NAMES, HeadMesh
from .rig import EYE_L
from .topology import boundary_loops, neighbours

_BETWEEN = 2
"""Columns of the strip for each of the lids': the ball is rounder than the lid's edge is fine."""


def tears(mesh: HeadMesh, template: np.ndarray, weights: np.ndarray, centre: np.ndarray) -> AddOn:
    """The strip of the left eye; template (V, 3), metres; centre (3,) of the eye's joint."""
    rings = lid_rings(mesh, template)
    n = _BETWEEN * len(rings)
    here = np.repeat(np.arange(len(rings)), _BETWEEN)
    # On a column of the lid's, both sides are that column.
    there = (here + np.tile([0, 1], len(rings))) % len(rings)
    lids = np.stack([rings[here], rings[there]], axis=1)
    ball = eyeball(template, mesh.quads, mesh.face_part, PART_NAMES, "l")
    line = make_line(template, np.zeros((3, 0), int), lids, ball, EYE_L)
    points = line.place(template[lids][None], template, centre, np.zeros((1, 1, 3)))[0]
    points = points.reshape(-1, 3)
    leaders = np.tile(lids.reshape(n, -1), (3, 1))
    shares = _shares(points, template[leaders].reshape(len(points), 2, RINGS, 3))
    joints = np.einsum("nk,nkj->nj", shares, weights[leaders])
    first, second = np.arange(n), (np.arange(n) + 1) % n
    faces, uv = [], []
    for k in range(2):
        a, b = k * n, (k + 1) * n
        faces.append(np.stack([a + first, a + second, b + second, b + first], axis=1))
        u0, u1 = np.arange(n) / n, (np.arange(n) + 1) / n
        v0, v1 = np.full(n, k / 2), np.full(n, (k + 1) / 2)
        corners = ((u0, v0), (u1, v0), (u1, v1), (u0, v1))
        uv.append(np.stack([np.stack(c, axis=1) for c in corners], axis=1))
    quads, layout = np.concatenate(faces), np.concatenate(uv)
    a, b, _, d = points[quads].transpose(1, 0, 2)
    if (np.cross(b - a, d - a) * (points[quads].mean(axis=1) - centre)).sum() < 0:
        quads, layout = quads[:, [0, 3, 2, 1]], layout[:, [0, 3, 2, 1]]
    return AddOn(
        points,
        quads,
        PART,
        layout,
        leaders,
        shares,
        joints / joints.sum(axis=1, keepdims=True),
    )


def lid_rings(mesh: HeadMesh, template: np.ndarray) -> np.ndarray:
    """(n, RINGS) vertices of the lid's margin: columns round the eye from its outer corner, each
    from the tucked edge outwards.
    """
    loop = boundary_loops(mesh.quads[mesh.sockets["l"]])[0]
    start = int(np.argmax(template[loop, 0]))
    loop = loop[start:] + loop[:start]
    skin = mesh.base_faces()
    around = neighbours(skin)
    behind = set(mesh.quads[mesh.sockets["l"]].ravel().tolist())
    columns = []
    for v in loop:
        (out,) = around[v] - behind
        columns.append([v, out, *_ahead(skin, v, out, RINGS - 2)])
    return np.array(columns)


def _ahead(faces: np.ndarray, before: int, here: int, count: int) -> list[int]:
    """The next vertices straight on over quads."""
    out = []
    for _ in range(count):
        beside = faces[(faces == here).any(axis=1)]
        far = beside[~(beside == before).any(axis=1)]
        shared = set(far[0].tolist()).intersection(*(set(f.tolist()) for f in far[1:]))
        (onward,) = (v for v in shared if v != here)
        before, here = here, onward
        out.append(onward)
    return out


def _shares(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """(m, 2 RINGS) of the leaders at corners (m, 2, RINGS, 3): each point goes with the place on
    its column that it is nearest to.
    """
    column = corners.mean(axis=1)
    out = np.zeros(column.shape[:2])
    best = np.full(len(points), np.inf)
    for k in range(RINGS - 1):
        a, b = column[:, k], column[:, k + 1]
        way = b - a
        t = np.clip(((points - a) * way).sum(axis=1) / (way**2).sum(axis=1), 0, 1)
        away = np.linalg.norm(a + t[:, None] * way - points, axis=1)
        nearer = away < best
        best[nearer] = away[nearer]
        out[nearer] = 0.0
        out[nearer, k], out[nearer, k + 1] = 1 - t[nearer], t[nearer]
    return np.repeat(out[:, None] / 2, 2, axis=1).reshape(len(points), -1)
