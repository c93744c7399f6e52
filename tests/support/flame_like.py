# SPDX-License-Identifier: GPL-3.0-or-later
"""A head in FLAME's format and manner that is not FLAME: for tests, since FLAME itself is its
users' own.

It is another person than the open head's template (an identity that its components reach, and
a smooth change that they do not), on another mesh: the dual of the open head's skin, whose
vertices are the middles of the open head's faces. What the import has to find out is therefore
known here exactly: every vertex has a place on the open head.
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.heads import HeadModel

BALL_RADIUS = 0.0125


@dataclass(frozen=True, eq=False)
class FlameLike:
    """arrays: the keys of a FLAME file. average (V, Vo): a skin vertex's place on the open
    head; skin: how many of the vertices are skin, the eyeballs come after; shaped (Vo, 3): the
    open head in this person's shape."""

    arrays: dict[str, np.ndarray]
    average: np.ndarray
    skin: int
    shaped: np.ndarray

    def write(self, path: Path) -> Path:
        path.write_bytes(pickle.dumps(self.arrays, protocol=2))
        return path


def flame_like(head: HeadModel, seed: int = 5) -> FlameLike:
    rng = np.random.default_rng(seed)
    shaped = head.neutral(rng.normal(size=60) * 0.7)
    shaped = (shaped + shaped[head.mirror] * [-1, 1, 1]) / 2
    wave = np.array([[25.0, 40, 15], [12, 30, 45]])
    shaped += 0.0012 * np.sin(np.abs(shaped) @ wave.T)[:, [0, 1, 1]] * [0, 1, 1]

    quads = head.quads[head.face_part == head.part_names.index("skin")]
    average = np.zeros((len(quads), head.vertex_count))
    for row, quad in enumerate(quads):
        corners = quad[quad >= 0]
        average[row, corners] = 1 / len(corners)
    skin = average @ shaped
    triangles = [_dual(quads)]
    vertices = [skin]
    joints = head.joints(shaped)
    for side in (0, 1):
        centre = joints[head.joint(("eye_l", "eye_r")[side])]
        front = shaped[head.regions[("eyeball_l", "eyeball_r")[side]]][:, 2].max()
        ball, faces = sphere(24, 18)
        triangles.append(faces + sum(map(len, vertices)))
        vertices.append(ball * BALL_RADIUS + [centre[0], centre[1], front - BALL_RADIUS])
    v = np.concatenate(vertices)
    weights = np.zeros((len(v), 5))
    ours = average @ head.skin_weights
    names = head.joint_names
    weights[: len(skin), 0] = ours[:, names.index("root")]
    weights[: len(skin), 1] = ours[:, names.index("neck")] + ours[:, names.index("head")]
    weights[: len(skin), 2] = ours[:, names.index("jaw")]
    weights[: len(skin), 3:] = ours[:, [names.index("eye_l"), names.index("eye_r")]]
    regressor = np.zeros((5, len(v)))
    for j, name in enumerate(("root", "neck", "jaw")):
        near = np.argsort(np.linalg.norm(skin - joints[head.joint(name)], axis=1))[:40]
        regressor[j, near] = 1 / 40
    start = len(skin)
    for j in (3, 4):
        stop = start + len(vertices[j - 2])
        weights[start:stop] = np.eye(5)[j]
        regressor[j, start:stop] = 1 / (stop - start)
        start = stop
    dirs = np.zeros((len(v), 3, 400))
    basis = head.identity_basis[:, :, :100]
    dirs[: len(skin), :, :100] = np.einsum("nv,vck->nck", average, basis)
    # Eyeballs go where their sockets go, as FLAME's do.
    start = len(skin)
    for side, ball in enumerate(vertices[1:]):
        joint = head.joint_regressor[head.joint(("eye_l", "eye_r")[side])]
        moved = np.einsum("v,vck->ck", joint, basis)
        dirs[start : start + len(ball), :, :100] = moved
        start += len(ball)
    dirs[: len(skin), :, 300:340] = 1e-3 * rng.normal(size=(1, 3, 40)) * ours[:, [3], None]
    return FlameLike(
        {
            "v_template": v,
            "f": np.concatenate(triangles).astype(np.uint32),
            "shapedirs": dirs,
            "posedirs": np.zeros((len(v), 3, 36)),
            "J_regressor": regressor,
            "J": regressor @ v,
            "weights": weights,
            "kintree_table": np.array([[2**32 - 1, 0, 1, 1, 1], [0, 1, 2, 3, 4]], np.uint32),
            "bs_style": "lbs",
            "bs_type": "lrotmin",
        },
        average,
        len(skin),
        shaped,
    )


def _dual(quads: np.ndarray) -> np.ndarray:
    """Triangles over the faces around each vertex that is inside the surface."""
    after: dict[int, dict[int, tuple[int, int]]] = {}
    for face, quad in enumerate(quads):
        corners = [int(c) for c in quad if c >= 0]
        for k, corner in enumerate(corners):
            # Around the corner a face leads from its next neighbour to its previous one.
            after.setdefault(corner, {})[corners[(k + 1) % len(corners)]] = (
                corners[k - 1],
                face,
            )
    out = []
    for fan in after.values():
        begin = here = next(iter(fan))
        ring = []
        while here in fan:
            here, face = fan[here]
            ring.append(face)
            if here == begin:
                break
        if here == begin and len(ring) >= 3:
            out += [(ring[0], ring[k], ring[k + 1]) for k in range(1, len(ring) - 1)]
    return np.array(out)


def sphere(around: int, along: int) -> tuple[np.ndarray, np.ndarray]:
    """A unit sphere with a pole towards +z."""
    angle, turn = np.meshgrid(
        np.linspace(0, np.pi, along + 1)[1:-1],
        np.arange(around) * 2 * np.pi / around,
        indexing="ij",
    )
    rings = np.stack(
        [np.sin(angle) * np.cos(turn), np.sin(angle) * np.sin(turn), np.cos(angle)], axis=2
    ).reshape(-1, 3)
    points = np.concatenate([[[0, 0, 1.0]], rings, [[0, 0, -1.0]]])
    faces = []
    for s in range(around):
        t = (s + 1) % around
        faces.append((0, 1 + s, 1 + t))
        for ring in range(along - 2):
            a, b = 1 + ring * around, 1 + (ring + 1) * around
            faces += [(a + s, b + s, b + t), (a + s, b + t, a + t)]
        last = 1 + (along - 2) * around
        faces.append((last + t, last + s, len(points) - 1))
    return points, np.array(faces)


def write_template(like: FlameLike, path: Path) -> None:
    """A head_template.obj whose layout spreads the head like a fur, the face in its middle."""
    v, triangles = like.arrays["v_template"], like.arrays["f"].astype(int)
    from_middle = v - (v.min(axis=0) + v.max(axis=0)) / 2
    angle = np.arctan2(np.hypot(from_middle[:, 0], from_middle[:, 1]), from_middle[:, 2])
    aside = from_middle[:, :2] / np.maximum(np.hypot(*from_middle[:, :2].T), 1e-9)[:, None]
    uv = 0.5 + 0.48 * (angle / np.pi)[:, None] * aside
    # The balls lie behind the lids: away with them.
    uv[like.skin :] = 0.01 + 0.01 * uv[like.skin :]
    lines = ["v {:.6f} {:.6f} {:.6f}".format(*p) for p in v]
    lines += ["vt {:.7f} {:.7f}".format(*p) for p in uv]
    lines += ["f " + " ".join(f"{i + 1}/{i + 1}" for i in t) for t in triangles]
    path.write_text("\n".join(lines))
