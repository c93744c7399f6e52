# SPDX-License-Identifier: GPL-3.0-or-later
"""The open head's population as arrays: the closed outer surface, its bases, and 65 anchors.

Lengths are in NPHM's units: four to the metre, with the middle of the head near the origin.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.heads import load_open_head
from core.heads.corners import triangle_part
from core.heads.model import HeadModel

#: Units a metre, and what of the head frame (metres) lies at the origin.
SCALE, MIDDLE = 4.0, np.array([0.0, -0.015, 0.055])
#: Anchors: pairs across the face, and points on the midline.
PAIRS, MIDLINE = 30, 5
#: Where anchors are dense: the face, eyes, lips and nose count this many times their distance.
_DENSE = {"face": 1.5, "lips": 2.5, "eye_l": 2.5, "eye_r": 2.5, "nose": 2.0}
_SOLID = ("skin", "mouth_interior")
#: Below this, in metres, an open edge is the neck's.
_NECK = -0.11
_RINGS = 6
_EYES = ("eyeball_l", "eyeball_r", "iris_l", "iris_r", "pupil_l", "pupil_r")


def write_people(out: Path) -> str:
    """Writes the file and says what is in it."""
    head = load_open_head()
    triangles = _surface(head)
    used, triangles = np.unique(triangles, return_inverse=True)
    triangles = triangles.reshape(-1, 3)
    used, triangles = _welded(head, used, triangles)
    lid, faces = _neck_lid(head.template[used], triangles)
    triangles = np.concatenate([triangles, faces])
    identity = _lidded(head.identity_basis[used] * SCALE, lid)
    expression = _lidded(head.expression_basis[used] * SCALE, lid)
    template = _lidded((head.template[used] - MIDDLE) * SCALE, lid)
    anchors = _anchors(head, used, template[: len(used)])
    np.savez_compressed(
        out,
        template=template.astype(np.float32),
        triangles=triangles.astype(np.int32),
        identity=identity.astype(np.float16),
        expression=expression.astype(np.float16),
        expression_names=np.array(head.expression_names),
        anchors=anchors.astype(np.int32),
        vertices=np.append(used, np.full(len(lid), -1)).astype(np.int32),
        middle=MIDDLE,
        scale=np.array(SCALE),
    )
    return f"{len(used)} vertices, {len(triangles)} triangles, {out.stat().st_size / 1e6:.1f} MB"


def _surface(head: HeadModel) -> NDArray[np.int64]:
    """What a scanner would see: without sockets and the backs of eyeballs."""
    part = triangle_part(head)
    socket = head.regions["eye_socket_l"] | head.regions["eye_socket_r"]
    corners = head.template[head.triangles]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    names = np.array(head.part_names)[part]
    solid = np.isin(names, _SOLID) & ~socket[head.triangles].all(axis=1)
    front = np.isin(names, _EYES) & (normal[:, 2] > 0.0)
    return head.triangles[solid | front].astype(np.int64)


def _welded(
    head: HeadModel, used: NDArray[np.int64], triangles: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Vertices that lie in one place, for everybody, become one."""
    place = np.concatenate(
        [head.template[used], head.identity_basis[used][:, :, :4].reshape(len(used), -1)], axis=1
    )
    _, first, inverse = np.unique(
        np.round(place, 6), axis=0, return_index=True, return_inverse=True
    )
    triangles = inverse.reshape(-1)[triangles]
    whole = (triangles != np.roll(triangles, 1, axis=1)).all(axis=1)
    return used[first], triangles[whole]


def _neck_lid(
    points: NDArray[np.float64], triangles: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """A lid on the neck's opening, as rings ever closer to its middle.

    -> (m, V): what new vertices are of the old ones; triangles (n, 3) between old and new.
    """
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    _, where, times = np.unique(
        np.sort(edges, axis=1), axis=0, return_index=True, return_counts=True
    )
    edges = edges[where[times == 1]]
    edges = edges[(points[edges][:, :, 1] < _NECK).all(axis=1)]
    ring, count = edges[:, 0], len(edges)
    after = np.array([int(np.flatnonzero(ring == end)[0]) for end in edges[:, 1]])
    own = np.zeros((count, len(points)))
    own[np.arange(count), ring] = 1.0
    middle = own.mean(axis=0)
    made, faces, at = [], [], ring
    for step in range(1, _RINGS):
        t = step / _RINGS
        made.append((1 - t) * own + t * middle)
        new = len(points) + (step - 1) * count + np.arange(count)
        faces += [np.stack([at[after], at, new], 1), np.stack([at[after], new, new[after]], 1)]
        at = new
    last = np.full(count, len(points) + (_RINGS - 1) * count)
    faces.append(np.stack([at[after], at, last], axis=1))
    return np.concatenate([*made, middle[None]]), np.concatenate(faces)


def _lidded(values: NDArray[np.float64], lid: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values of vertices, and after them the lid's."""
    more = (lid @ values.reshape(len(values), -1)).reshape(len(lid), *values.shape[1:])
    return np.concatenate([values, more])


def _anchors(
    head: HeadModel, used: NDArray[np.int64], template: NDArray[np.float64]
) -> NDArray[np.int64]:
    """(65,) farthest points, denser on the face: pairs (x < 0, x > 0), then the midline."""
    assert head.mirror is not None
    mirror = {int(v): i for i, v in enumerate(used)}
    across = np.array([mirror.get(int(head.mirror[v]), -1) for v in used])
    weight = np.ones(len(used))
    for name, factor in _DENSE.items():
        weight[head.regions[name][used]] = factor
    # The back of the neck's cut and the mouth's inside carry none.
    skin = np.zeros(head.vertex_count, bool)
    part = triangle_part(head)
    skin[head.triangles[np.array(head.part_names)[part] == "skin"]] = True
    allowed = skin[used] & (across >= 0) & (template[:, 1] > -0.55)
    allowed &= ~head.regions["mouth_interior"][used]
    middle = allowed & (np.abs(template[:, 0]) < 1e-4)
    left = allowed & (template[:, 0] < -0.03)
    chosen: list[int] = []
    distance = np.full(len(used), np.inf)
    centre = _farthest(template, weight, distance, middle & (template[:, 2] > 0.0), MIDLINE)
    pairs = _farthest(template, weight, distance, left, PAIRS)
    for i in pairs:
        chosen += [i, int(across[i])]
    return np.array(chosen + centre)


def _farthest(
    points: NDArray[np.float64],
    weight: NDArray[np.float64],
    distance: NDArray[np.float64],
    allowed: NDArray[np.bool_],
    count: int,
) -> list[int]:
    """``distance`` to what was chosen before is kept up to date."""
    out = []
    for _ in range(count):
        score = np.where(allowed, np.minimum(distance, 9.0) * weight, -1.0)
        i = int(np.argmax(score))
        out.append(i)
        for at in (points[i], points[i] * [-1.0, 1.0, 1.0]):
            distance[:] = np.minimum(distance, np.linalg.norm(points - at, axis=1))
    return out
