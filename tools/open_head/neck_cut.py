# SPDX-License-Identifier: GPL-3.0-or-later
"""The cut of the neck as a piece of its own: a rolled rim and a flat base, like a bust's."""

from __future__ import annotations

import numpy as np

from .add_ons import AddOn
from .mesh import HeadMesh

_PROFILE = ((0.0003, -0.0003), (0.0012, 0.0018), (0.0045, 0.0032), (0.009, 0.0028), (0.012, -0.002))
"""Metres inwards from the cut's edge and along its normal, away from the head. It begins a little
above the skin's own edge, which stays the lowest open one of the head."""


def neck_cut(mesh: HeadMesh, template: np.ndarray, weights: np.ndarray) -> AddOn:
    """Rim and base; a whole, not one side."""
    loop = mesh.neck_loop
    n = len(loop)
    edge = template[loop]
    centre = edge.mean(axis=0) * [0.0, 1.0, 1.0]
    normal = np.cross(edge - centre, np.roll(edge, -1, axis=0) - centre).sum(axis=0)
    normal *= [0.0, 1.0, 1.0]
    normal /= np.linalg.norm(normal)
    if normal[1] > 0:
        normal = -normal
    inward = centre - edge
    size = np.linalg.norm(inward, axis=1, keepdims=True)
    # Two vertices of the loop that face each other, whose middle is near the middle of all.
    facing = np.column_stack([loop, np.roll(loop, n // 2)])
    rings, mix = [], []
    for depth, down in _PROFILE:
        rings.append(edge + inward / size * depth + normal * down)
        mix.append(np.tile([1.0, 0.0], (n, 1)))
    base = _PROFILE[-1][1]
    for share in (0.4, 0.995):
        rings.append(edge + share * inward + normal * base)
        mix.append(np.tile([1 - share / 2, share / 2], (n, 1)))
    points, shares = np.concatenate(rings), np.concatenate(mix)
    leaders = np.tile(facing, (len(rings), 1))
    here, there = np.arange(n), np.roll(np.arange(n), -1)
    faces, uv = [], []
    for k in range(len(rings) - 1):
        a, b = k * n, (k + 1) * n
        faces.append(np.stack([a + here, b + here, b + there, a + there], axis=1))
        u0, u1 = here / n, (here + 1) / n
        v0, v1 = (np.full(n, 1 - x / (len(rings) - 1)) for x in (k, k + 1))
        corners = [(u0, v0), (u0, v1), (u1, v1), (u1, v0)]
        uv.append(np.stack([np.stack(c, axis=1) for c in corners], axis=1))
    quads, layout = np.concatenate(faces), np.concatenate(uv)
    a, b, c = points[quads[-n:, :3]].transpose(1, 0, 2)
    if (np.cross(b - a, c - a) @ normal).sum() < 0:
        quads, layout = quads[:, ::-1], layout[:, ::-1] * [-1.0, 1.0] + [1.0, 0.0]
    joints = np.einsum("nk,nkj->nj", shares, weights[leaders])
    place = {int(v): i for i, v in enumerate(loop)}
    twin = np.array([place[int(mesh.mirror[v])] for v in loop])
    return AddOn(
        points,
        quads,
        "neck_cut",
        layout,
        leaders,
        shares,
        joints / joints.sum(axis=1, keepdims=True),
        np.concatenate([k * n + twin for k in range(len(rings))]),
    )
