# SPDX-License-Identifier: GPL-3.0-or-later
"""What each vertex of a mesh is once the open head lies on it, and where on it it is bound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry.closest import closest_points, interpolate
from ..geometry.mesh import vertex_normals
from ..heads.corners import is_skin
from ..heads.eyeballs import Eyeball
from ..heads.face_anchors import Surface
from ..heads.face_landmarks import LANDMARK_COUNT, SKIN_LANDMARKS
from ..heads.model import HeadModel
from ..heads.registration import surface_features
from .face_mask import open_mask
from .mesh import Welded
from .mouth_side import lower_lip_share
from .profile import KINDS

Array = NDArray[np.float64]
Index = NDArray[np.integer[Any]]
Mask = NDArray[np.bool_]

#: Metres beyond which a vertex does not lie on the face.
_REACH = 0.012
#: Metres from the skin within which the roots of lashes are.
_ROOT = 0.001
#: Metres by which a whole part is off the face that hangs before it, as hair does.
_HANGS = 0.008
#: Metres that one lip is from the other, so that no landmark lands on the wrong one; and within
#: which a vertex lies on the open head.
_LIP, _NEAR = 0.02, 0.002


@dataclass(frozen=True, eq=False)
class Binding:
    """Of W vertices: corners (W, 3), share (W, 3), nearest (W,), distance (W,), kind (W,) and mask
    (W,) as in HeadProfile, median over the face.
    """

    corners: NDArray[np.int32]
    share: Array
    nearest: NDArray[np.int32]
    distance: Array
    kind: NDArray[np.int8]
    mask: Array
    median: float


def bind(head: HeadModel, welded: Welded, placed: Array, target: Surface, laid: Surface) -> Binding:
    """Every vertex near the laid head bound to it, and told what it is."""
    kind = _kinds(head, welded, placed, target, laid)
    skin_kind = KINDS.index("skin")
    bound = (kind == skin_kind) | (kind == KINDS.index("rider"))
    corners, share, distance = _places(head, placed, target, laid, np.nonzero(bound)[0])
    _hang(kind == KINDS.index("rider"), welded.island, placed, corners, share, distance)
    weights = open_mask(head)
    mask = (share * weights[corners]).sum(axis=1)
    mask[bound & (mask < 1e-3)] = 0.0
    mask[bound] *= _near_enough(distance, bound, mask, welded)
    mask[~bound & (kind > 0)] = 1.0
    loose = ~bound
    nearest = corners[np.arange(len(placed)), share.argmax(axis=1)]
    nearest[loose] = _nearest(head, laid.vertices, placed[loose])
    kind[bound & (mask == 0)] = 0
    return Binding(
        corners, share, nearest, distance, kind, mask,
        face_median(head, placed, target.triangles, corners, distance, kind),
    )  # fmt: skip


def face_median(
    head: HeadModel, placed: Array, skin: Index, corners: Index, distance: Array, kind: Index
) -> float:
    """Metres, over what faces forward at all: no inside of the mouth or of a socket."""
    outer = head.regions["face"][corners].all(axis=1) & (kind == KINDS.index("skin"))
    outer &= (distance < _REACH) & (vertex_normals(placed, skin)[:, 2] > 0.1)
    return float(np.median(distance[outer])) if outer.any() else float("inf")


def landmarks_on(head: HeadModel, binding: Binding, skin: Index) -> tuple[NDArray[np.int32], Array]:
    """MediaPipe's points on the skin of a mesh, triangles (T, 3): vertices (478, 3), -1 for the
    irises and where the open head has none, and their shares (478, 3).

    They are looked for where the mesh's vertices are bound, on the open head's own template: what
    moves a lip there moves that lip of the mesh.
    """
    ids = head.landmark_ids[head.landmark_ids < SKIN_LANDMARKS]
    near = (binding.kind == KINDS.index("skin")) & (binding.distance < _NEAR)
    local = skin[near[skin].all(axis=1)]
    points = np.zeros((LANDMARK_COUNT, 3))
    points[ids] = head.landmarks(head.template, ids)
    ours = np.column_stack([head.template, _LIP * _share_of(head, points)])
    theirs = (binding.share[:, :, None] * ours[binding.corners]).sum(axis=1)
    found = closest_points(head.landmarks(ours, ids), theirs, local)
    vertices = np.full((LANDMARK_COUNT, 3), -1, np.int32)
    share = np.zeros((LANDMARK_COUNT, 3))
    vertices[ids] = local[found.triangle]
    share[ids] = found.barycentric
    return vertices, share


def _share_of(head: HeadModel, points: Array) -> Array:
    return lower_lip_share(head.template, head.triangles[is_skin(head)], points)[0]


def _places(
    head: HeadModel, placed: Array, target: Surface, laid: Surface, rows: Index
) -> tuple[NDArray[np.int32], Array, Array]:
    """corners, share and distance of all; those of ``rows`` alone mean something."""
    mouth = laid.vertices[head.regions["lips"]].mean(axis=0)
    # Lashes and brows have normals of their own: only what is skin is told apart by normals.
    on_skin = np.isin(rows, np.unique(target.triangles))
    theirs, ours = surface_features(target, mouth)[rows], surface_features(laid, mouth)
    corners = np.zeros((len(placed), 3), np.int32)
    share = np.zeros((len(placed), 3))
    distance = np.ones(len(placed))
    for some, width in ((on_skin, 7), (~on_skin, 3)):
        if some.any():
            near = closest_points(theirs[some, :width], ours[:, :width], laid.triangles)
            at = interpolate(near, laid.triangles, laid.vertices)
            corners[rows[some]] = laid.triangles[near.triangle]
            share[rows[some]] = near.barycentric
            distance[rows[some]] = np.linalg.norm(at - theirs[some, :3], axis=1)
    return corners, share, distance


def _nearest(head: HeadModel, laid: Array, points: Array) -> NDArray[np.int32]:
    """(m,) of scalp and neck, roughly: by them hair, clothes and body follow bones."""
    outer = np.nonzero(head.regions["scalp"] | head.regions["neck"])[0]
    outer = outer[outer < head.proper_count][::4]
    out = np.zeros(len(points), np.int32)
    for start in range(0, len(points), 4096):
        some = points[start : start + 4096]
        off = (laid[outer] ** 2).sum(axis=1) - 2 * some @ laid[outer].T
        out[start : start + 4096] = outer[off.argmin(axis=1)]
    return out


def _hang(
    rider: Mask, island: Index, placed: Array, corners: Index, share: Array, distance: Array
) -> None:
    """In place: what hangs on the skin is bound as its roots are; the tip of an upper lash may be
    nearer to the lower lid.
    """
    rows = np.nonzero(rider)[0]
    for name in np.unique(island[rows]):
        own = rows[island[rows] == name]
        root = distance[own] <= max(_ROOT, float(np.quantile(distance[own], 0.1)))
        roots, rest = own[root], own[~root]
        for start in range(0, len(rest), 256):
            some = rest[start : start + 256]
            away = ((placed[some][:, None] - placed[roots][None]) ** 2).sum(axis=2)
            near = roots[away.argmin(axis=1)]
            corners[some], share[some] = corners[near], share[near]


def _near_enough(distance: Array, skin: Mask, mask: Array, welded: Welded) -> Array:
    """(rows,) 1 for what lies on the laid head, to 0 for what hangs far off it, as hair does; the
    inside of mouth and nose is far off too, but is part of the skin and goes along.
    """
    own = welded.island[skin]
    out = np.ones(int(skin.sum()))
    for name in np.unique(own):
        some = own == name
        off = distance[skin][some]
        face = mask[skin][some] > 0.5
        if np.median(off[face] if face.any() else off) > _HANGS:
            out[some] = 0.0
    return out


def _of_eye(points: Array, centre: Array, radius: float) -> bool:
    """Whether a part turns with an eye of that radius: a ball about its centre, or what lies
    within, as an iris does. Lashes and the line of tears lie outside, and ride on the lids.
    """
    away = np.linalg.norm(points - centre, axis=1)
    whole = np.ptp(points, axis=0).min() > 1.5 * radius and np.std(away) < 0.15 * radius
    return bool(radius > 0 and (whole or away.max() < 1.04 * radius))


def _kinds(
    head: HeadModel, welded: Welded, placed: Array, target: Surface, laid: Surface
) -> NDArray[np.int8]:
    """(W,) by KINDS: parts of their own are eyes, teeth and tongue, or hang on the skin."""
    kind = np.zeros(len(placed), np.int8)
    kind[np.unique(target.triangles)] = KINDS.index("skin")
    skin = np.isin(welded.island, np.unique(welded.island[np.unique(target.triangles)]))
    lips = laid.vertices[head.regions["lips"]]
    mouth, front = lips.mean(axis=0), float(lips[:, 2].max())
    low, high = laid.vertices.min(axis=0), laid.vertices.max(axis=0)
    radii = [Eyeball.of(placed, b).radius if len(b) else 0.0 for b in target.eyeballs]
    used = np.unique(welded.triangles)
    used = used[~skin[used]]
    order = used[np.argsort(welded.island[used], kind="stable")]
    for part in np.split(order, np.nonzero(np.diff(welded.island[order]))[0] + 1):
        if not len(part):
            continue
        points = placed[part]
        if (points < low - 0.005).any() or (points > high + 0.005).any():
            continue
        centre, size = points.mean(axis=0), np.ptp(points, axis=0)
        away = [np.linalg.norm((points.max(0) + points.min(0)) / 2 - eye) for eye in target.eyes]
        side = int(np.argmin(away))
        if away[side] < 0.02 and _of_eye(points, target.eyes[side], radii[side]):
            kind[part] = KINDS.index(("eye_l", "eye_r")[side])
        elif (
            abs(centre[0] - mouth[0]) < 0.03
            and abs(centre[1] - mouth[1]) < 0.03
            and (front - 0.09 < centre[2] < front - 0.004 and size.max() < 0.1)
        ):
            kind[part] = KINDS.index("mouth_upper" if centre[1] > mouth[1] else "mouth_lower")
        elif size.max() < 0.09:
            kind[part] = KINDS.index("rider")
    return kind
