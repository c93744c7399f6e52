# SPDX-License-Identifier: GPL-3.0-or-later
"""Motion of the open head carried to a mesh that is bound to it.

Each vertex of the skin goes where the place goes that it is bound to: what meets on the open head
meets on the mesh. Eyes, teeth and tongue, where they are parts of their own, move as solid bodies.
All of it in one frame, in metres, whichever frame that is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry.mesh import edges, vertex_normals
from ..heads.arkit import ARKIT_NAMES
from ..heads.corners import is_skin
from ..heads.eyeballs import Eyeball, is_eyeball
from ..heads.model import HeadModel
from ..rig.contacts import EyeView
from ..rig.person_keys import eyes_clear
from .face_mask import open_mask
from .find_face import fit_similarity
from .mesh import OwnMesh
from .profile import KINDS, HeadProfile

Array = NDArray[np.float64]
Index = NDArray[np.integer[Any]]

#: How much further a blink may go to close, and the share of the eye that it may leave open.
_AMOUNTS, _CLOSED = np.linspace(1.0, 1.5, 11), 0.02
#: Metres under which a key leaves a vertex alone.
_STILL = 1e-6
#: Metres within which a vertex lies on the open head.
_NEAR = 0.002


@dataclass(frozen=True, eq=False)
class Carried:
    """at_rest (V, 3); rows (r,) the vertices that anything moves; deltas (K, r, 3) from rest; eyes
    (2, 3) their centres, left first.
    """

    at_rest: Array
    rows: Index
    deltas: Array
    eyes: Array


def bridge_of(head: HeadModel, laid: Array, neutral: Array, strength: float = 1.0) -> Array:
    """(n, 3) the open head that lies on a mesh, laid (n, 3), with a person's face, neutral (n, 3),
    which fades out before scalp, ears and neck begin.
    """
    if not strength:
        return laid
    bridge = laid + strength * open_mask(head)[:, None] * (neutral - laid)
    # Inside the mask everything goes along that rides on the skin; eyes and teeth keep their form.
    return eyes_clear(head, _solid(head, laid, bridge))


def carry(
    head: HeadModel,
    profile: HeadProfile,
    mesh: OwnMesh,
    placed: Array,
    laid: Array,
    bridge: Array,
    keys: Array,
) -> Carried:
    """A mesh, placed (V, 3), on which the open head lies as laid (n, 3), goes along to the bridge
    (n, 3) and through keys (K, n, 3), the 52 first.
    """
    rows = np.nonzero(profile.kind > 0)[0]
    motions = np.concatenate([(bridge - laid)[:, None], keys.transpose(1, 0, 2)], axis=1)
    motions *= open_mask(head)[:, None, None]
    carried = _carried(head, profile, mesh, rows, motions, placed, laid, bridge)
    at_rest = placed.copy()
    at_rest[rows] += carried[:, 0]
    deltas = np.ascontiguousarray(carried[:, 1:].transpose(1, 0, 2))
    balls = [head.triangles[is_eyeball(head, side)] for side in "lr"]
    eyes = np.stack([Eyeball.of(bridge, ball).centre for ball in balls])
    triangles = facing_out(head, profile, mesh, at_rest, bridge)
    _closed(triangles, profile, rows, at_rest, deltas, eyes)
    deltas[np.abs(deltas) < _STILL] = 0.0
    return Carried(at_rest, rows, deltas, eyes)


def joint_weights(head: HeadModel, profile: HeadProfile) -> NDArray[np.float32]:
    """(V, J) of the open head's joints, rows that sum to one: hair, clothes and body follow the
    scalp or the neck that is nearest to them; beyond the face no jaw and no eye has a share.
    """
    head_joint = head.joint("head")
    moving = [head.joint(name) for name in ("jaw", "eye_l", "eye_r")]
    out = head.skin_weights[profile.nearest].astype(np.float64)
    kind = profile.kind
    skin = np.nonzero((kind == KINDS.index("skin")) | (kind == KINDS.index("rider")))[0]
    out[skin] = profile.bound(head.skin_weights, skin)
    kept = np.where(np.isin(np.arange(len(kind)), skin), profile.mask, 0.0)
    lost = out[:, moving] * (1.0 - kept)[:, None]
    out[:, moving] -= lost
    out[:, head_joint] += lost.sum(axis=1)
    for name, joint in (
        ("mouth_upper", "head"),
        ("mouth_lower", "jaw"),
        ("eye_l", "eye_l"),
        ("eye_r", "eye_r"),
    ):
        some = kind == KINDS.index(name)
        out[some] = 0.0
        out[some, head.joint(joint)] = 1.0
    out = np.maximum(out, 0.0)
    return (out / out.sum(axis=1, keepdims=True)).astype(np.float32)


def facing_out(
    head: HeadModel, profile: HeadProfile, mesh: OwnMesh, placed: Array, bridge: Array
) -> Index:
    """(T, 3) the mesh's triangles, wound as the open head's are: a mesh may be inside out."""
    rows = np.nonzero((profile.kind == KINDS.index("skin")) & (profile.distance < _NEAR))[0]
    ours = vertex_normals(bridge, head.triangles[is_skin(head)])
    theirs = vertex_normals(placed, mesh.triangles)
    alike = (profile.bound(ours, rows) * theirs[rows]).sum()
    return mesh.triangles if alike > 0 else mesh.triangles[:, [0, 2, 1]]


def _solid(head: HeadModel, laid: Array, bridge: Array) -> Array:
    """The bridge with eyeballs that are balls: moved and scaled, not bent."""
    out = bridge.copy()
    for side in "lr":
        triangles = head.triangles[is_eyeball(head, side)]
        before, after = Eyeball.of(laid, triangles), Eyeball.of(bridge, triangles)
        rows = np.unique(triangles)
        growth = after.radius / before.radius
        out[rows] = after.centre + growth * (laid[rows] - before.centre)
    return out


def _carried(
    head: HeadModel,
    profile: HeadProfile,
    mesh: OwnMesh,
    rows: Index,
    motions: Array,
    placed: Array,
    laid: Array,
    bridge: Array,
) -> Array:
    """(r, K, 3) motion of the mesh's moving vertices; motions (n, K, 3) of the open head's."""
    kind = profile.kind[rows]
    out = np.zeros((len(rows), *motions.shape[1:]))
    skin = (kind == KINDS.index("skin")) | (kind == KINDS.index("rider"))
    out[skin] = profile.bound(motions, rows[skin])
    out[skin] *= (profile.mask[rows[skin]] > 0)[:, None, None]
    _even_out(out, profile, mesh, rows, skin)
    parts = head.part_names
    for side in "lr":
        some = kind == KINDS.index(f"eye_{side}")
        if some.any():
            triangles = head.triangles[is_eyeball(head, side)]
            before, after = Eyeball.of(laid, triangles), Eyeball.of(bridge, triangles)
            growth = after.radius / before.radius
            goal = after.centre + growth * (placed[rows[some]] - before.centre)
            out[some, 0] = goal - placed[rows[some]]
    part_of = np.zeros((len(parts), head.vertex_count), bool)
    for i in range(len(parts)):
        quads = head.quads[head.face_part == i]
        part_of[i, np.unique(quads[quads >= 0])] = True
    for name, part in (("mouth_upper", "teeth_upper"), ("mouth_lower", "teeth_lower")):
        some = np.nonzero(kind == KINDS.index(name))[0]
        if len(some):
            teeth = part_of[parts.index(part)]
            out[some, 0] = _rigid(laid[teeth], motions[teeth, 0], placed[rows[some]], True)
            rest = placed[rows[some]] + out[some, 0]
            for k in range(1, motions.shape[1]):
                move = motions[teeth, k]
                if np.abs(move).max() > _STILL:
                    out[some, k] = _rigid(bridge[teeth], move, rest, False)
    return out


def _rigid(points: Array, motion: Array, others: Array, scaled: bool) -> Array:
    """Motion (m, 3) of others (m, 3) that go along with points (n, 3) as one solid body."""
    fit = fit_similarity(points, points + motion, np.ones(len(points)))
    if not scaled:
        middle = points.mean(axis=0)
        fit = replace(fit, scale=1.0, offset=(points + motion).mean(axis=0) - fit.rotation @ middle)
    return fit(others) - others


def _even_out(
    out: Array, profile: HeadProfile, mesh: OwnMesh, rows: Index, skin: NDArray[np.bool_]
) -> None:
    """In place: motion of skin that is bound from afar, as inside the mouth and the nose, becomes
    the mean of its neighbours'; a binding across a gap is no binding.
    """
    place = np.full(len(profile.kind), -1)
    place[rows[skin]] = np.nonzero(skin)[0]
    loose = np.zeros(len(profile.kind), bool)
    loose[rows[skin]] = profile.distance[rows[skin]] > 0.002
    welded = mesh.welded.of_vertex
    first = np.full(int(welded.max()) + 1, -1)
    first[welded[rows[skin]]] = rows[skin]
    pairs = edges(first[welded[mesh.triangles]])
    pairs = pairs[(pairs >= 0).all(axis=1)]
    near = pairs[loose[pairs].any(axis=1)]
    if not len(near):
        return
    a, b = place[near[:, 0]], place[near[:, 1]]
    ids, local = np.unique(np.concatenate([a, b]), return_inverse=True)
    a, b = local[: len(a)], local[len(a) :]
    # A table of neighbours: sums over it are the fastest that numpy has.
    start, end = np.concatenate([a, b]), np.concatenate([b, a])
    order = np.argsort(start, kind="stable")
    start, end = start[order], end[order]
    begins = np.nonzero(np.r_[True, np.diff(start) > 0])[0]
    degree = np.diff(np.r_[begins, len(start)])
    values = out[ids].reshape(len(ids), -1)
    back = np.full(len(place), -1)
    back[place[rows[skin]]] = rows[skin]
    free = loose[back[ids]]
    share = np.clip(profile.distance[back[ids]] / 0.004, 0.0, 1.0)[:, None] * free[:, None]
    for _ in range(12):
        mean = np.add.reduceat(values[end], begins, axis=0) / degree[:, None]
        values = values + share * 0.7 * (mean - values)
    out[ids] = values.reshape(len(ids), *out.shape[1:])
    twin = first[welded[rows[skin]]]
    out[np.nonzero(skin)[0]] = out[place[twin]]


def _closed(
    triangles: Index, profile: HeadProfile, rows: Index, at_rest: Array, deltas: Array, eyes: Array
) -> None:
    """In place: blinks that close on the mesh's own lids, which may be thicker than ours; deltas
    (K, r, 3). A mesh without eyes has nothing to close over.
    """
    skin = (profile.kind[triangles] == KINDS.index("skin")).all(axis=1)
    for side, name in enumerate(("eyeBlinkLeft", "eyeBlinkRight")):
        ball = triangles[
            (profile.kind[triangles] == KINDS.index(("eye_l", "eye_r")[side])).all(axis=1)
        ]
        near = np.linalg.norm(at_rest - eyes[side], axis=1) < 0.05
        around = triangles[skin & near[triangles].all(axis=1)]
        local = np.unique(around)
        used = np.union1d(local, np.unique(ball))
        if not len(ball) or not len(local):
            continue
        back = np.full(len(at_rest), -1)
        back[used] = np.arange(len(used))
        view = EyeView.of(at_rest[used], back[around], back[ball])
        if view is None:
            continue
        k = ARKIT_NAMES.index(name)
        key = np.zeros_like(at_rest)
        key[rows] = deltas[k]
        open_ = view.opening(at_rest[used])
        best, left = 1.0, np.inf
        for amount in _AMOUNTS:
            now = view.opening(at_rest[used] + amount * key[used])
            if now < left - 1e-3 * open_:
                best, left = amount, now
            if left <= _CLOSED * open_:
                break
        deltas[k] *= best
