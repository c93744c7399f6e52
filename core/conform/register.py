# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the profile of a mesh: its face found, the open head laid on it, its vertices bound."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cues.mediapipe import MediaPipePredictor
from ..errors import MeshError
from ..geometry.closest import closest_points, interpolate
from ..geometry.mesh import vertex_normals
from ..heads.eyeballs import Eyeball
from ..heads.face_anchors import Surface
from ..heads.face_landmarks import SKIN_LANDMARKS
from ..heads.model import HeadModel
from ..heads.registration import surface_features
from ..progress import Progress
from .face_mask import open_mask
from .find_face import FoundFace, find_face, fit_similarity, look_closely, template_points
from .lay_on import fit_identity, lay_on, open_head_surface
from .mesh import OwnMesh, Welded
from .mouth_side import has_opening, lower_lip_share
from .profile import KINDS, SCHEMA, HeadProfile, layout_name

Array = NDArray[np.float64]
Index = NDArray[np.integer[Any]]
Mask = NDArray[np.bool_]

REGISTERING = "Registering the mesh"
#: Metres: a face that lies further off than this was not reached.
_WORST_MEDIAN = 0.003
#: Metres beyond which a vertex does not lie on the face.
_REACH = 0.012
#: Metres from the skin within which the roots of lashes are.
_ROOT = 0.001
_FEWEST_PAIRS = 6


def profile_of(
    head: HeadModel,
    mesh: OwnMesh,
    predictor: MediaPipePredictor,
    profile: HeadProfile | None,
    pairs: Array | None = None,
    progress: Progress = lambda stage, fraction: None,
) -> HeadProfile:
    """The profile, if it was made for the mesh as it is now; else a new one. Raises MeshError."""
    if profile is not None and profile.digest == mesh.digest:
        return profile
    return register_mesh(head, mesh, predictor, pairs, progress)


def register_mesh(
    head: HeadModel,
    mesh: OwnMesh,
    predictor: MediaPipePredictor,
    pairs: Array | None = None,
    progress: Progress = lambda stage, fraction: None,
) -> HeadProfile:
    """The profile of a mesh. Raises MeshError with one sentence where it is no head.

    pairs (n, 6): points on the mesh in its own unit, and where they belong on the open head's
    template in metres of the head frame; then the face is not searched for.
    """
    progress(REGISTERING, 0.0)
    welded = mesh.welded
    found = _found(head, mesh, welded, predictor, pairs)
    progress(REGISTERING, 0.3)
    placed = found.to_head(welded.vertices)
    skin = _skin_islands(welded, placed, found)
    welded = _facing_out(welded, placed, skin)
    ours, own = template_points(head, predictor)
    weight = np.where(np.arange(len(own)) < SKIN_LANDMARKS, found.weight * own, 0.0)
    source, around = open_head_surface(head, ours)
    first = fit_identity(head, source, None, ours, found.points, weight)
    target = _surface(head, placed, welded, skin, first, found.points)
    share, ratio = lower_lip_share(placed, target.triangles, found.points)
    target = Surface(placed, target.triangles, target.eyeballs, share, target.eyes)
    opening = has_opening(ratio) and has_opening(around)
    if not opening:
        raise MeshError(
            f"The mouth of {mesh.name} has no opening between the lips, so they cannot part: "
            "cut the mesh open along the line between them."
        )
    fitted = fit_identity(head, source, target, ours, found.points, weight)
    progress(REGISTERING, 0.45)
    laid = lay_on(
        head, source, fitted, target, ours, found.points, weight,
        lambda x: progress(REGISTERING, 0.45 + 0.45 * x),
    )  # fmt: skip
    profile = _bound(head, mesh, welded, placed, target, laid, found, opening)
    progress(REGISTERING, 1.0)
    if profile.median > _WORST_MEDIAN:
        raise MeshError(
            f"The open head does not come near enough to the face of {mesh.name} "
            f"({1e3 * profile.median:.1f} mm): give pairs of points on both."
        )
    return profile


def _found(
    head: HeadModel,
    mesh: OwnMesh,
    welded: Welded,
    predictor: MediaPipePredictor,
    pairs: Array | None,
) -> FoundFace:
    if pairs is None:
        return find_face(head, mesh.name, welded.vertices, welded.triangles, predictor)
    pairs = np.asarray(pairs, np.float64).reshape(-1, 6)
    if len(pairs) < _FEWEST_PAIRS or not np.isfinite(pairs).all():
        raise MeshError(f"Give at least {_FEWEST_PAIRS} pairs of points on the mesh and the head.")
    placed = fit_similarity(pairs[:, :3], pairs[:, 3:], np.ones(len(pairs)))
    try:
        return look_closely(head, mesh.name, welded.vertices, welded.triangles, predictor, placed)
    except MeshError:
        # The nets see no face here: the pairs stand for the landmarks nearest to them.
        ours, _ = template_points(head, predictor)
        points, weight = np.zeros_like(ours), np.zeros(len(ours))
        for mine, theirs in zip(placed(pairs[:, :3]), pairs[:, 3:], strict=True):
            k = int(((ours - theirs) ** 2).sum(axis=1).argmin())
            points[k], weight[k] = mine + ours[k] - theirs, 1.0
        return FoundFace(placed, points, weight, 0.0)


def _skin_islands(welded: Welded, placed: Array, found: FoundFace) -> Mask:
    """(W,) vertices of the connected parts on which the landmarks lie."""
    used = found.weight > 0
    used[SKIN_LANDMARKS:] = False
    face = found.points[used]
    near = (np.abs(placed - face.mean(axis=0)) < 0.2).all(axis=1)
    local = welded.triangles[near[welded.triangles].all(axis=1)]
    on = closest_points(face, placed, local)
    islands, counts = np.unique(welded.island[local[on.triangle, 0]], return_counts=True)
    return np.isin(welded.island, islands[counts >= 0.2 * counts.sum()])


def _facing_out(welded: Welded, placed: Array, skin: Mask) -> Welded:
    """Wound so that normals point out of the face."""
    triangles = welded.triangles[skin[welded.triangles].all(axis=1)]
    a, b, c = (placed[triangles[:, k]] for k in range(3))
    # Twice the signed volume under the surface, seen from its own middle.
    middle = placed[np.unique(triangles)].mean(axis=0)
    volume = np.einsum("ni,ni->n", a - middle, np.cross(b - middle, c - middle)).sum()
    return welded.turned_over() if volume < 0 else welded


def _surface(
    head: HeadModel, placed: Array, welded: Welded, skin: Mask, fitted: Array, points: Array
) -> Surface:
    """The skin near the head, and the eyeballs if the mesh has some."""
    low, high = fitted.min(axis=0) - 0.03, fitted.max(axis=0) + 0.03
    inside = skin & (placed > low).all(axis=1) & (placed < high).all(axis=1)
    triangles = welded.triangles[inside[welded.triangles].all(axis=1)]
    eyes = head.joints(fitted)[[head.joint("eye_l"), head.joint("eye_r")]]
    balls = []
    for side in range(2):
        ball = _eyeball(welded, placed, skin, eyes[side])
        balls.append(ball)
        if len(ball):
            eyes[side] = Eyeball.of(placed, ball).centre
    return Surface(placed, triangles, (balls[0], balls[1]), np.zeros(len(placed)), eyes)


def _eyeball(welded: Welded, placed: Array, skin: Mask, eye: Array) -> Index:
    """Triangles of the part that is a ball around a place; none without one."""
    best = welded.triangles[:0]
    near = (np.linalg.norm(placed - eye, axis=1) < 0.035) & ~skin
    for name in np.unique(welded.island[near]):
        part = welded.triangles[welded.island[welded.triangles[:, 0]] == name]
        if not len(part) >= 20:
            continue
        points = placed[np.unique(part)]
        size = np.ptp(points, axis=0)
        middle = (points.max(axis=0) + points.min(axis=0)) / 2
        if not (0.012 < size[0] < 0.06 and 0.7 < size[1] / size[0] < 1.4):
            continue
        ball = Eyeball.of(placed, part)
        round_ = np.abs(np.linalg.norm(points - ball.centre, axis=1) - ball.radius)
        if np.median(round_) > 0.1 * ball.radius or np.linalg.norm(middle - eye) > 0.012:
            continue
        if len(part) > len(best):
            best = part
    return best


def _bound(
    head: HeadModel,
    mesh: OwnMesh,
    welded: Welded,
    placed: Array,
    target: Surface,
    laid: Surface,
    found: FoundFace,
    opening: bool,
) -> HeadProfile:
    """Every vertex near the laid head bound to it, and told what it is."""
    kind = _kinds(head, welded, placed, target, laid)
    mouth = laid.vertices[head.regions["lips"]].mean(axis=0)
    skin_kind = KINDS.index("skin")
    bound = (kind == skin_kind) | (kind == KINDS.index("rider"))
    rows = np.nonzero(bound)[0]
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
    _hang(kind == KINDS.index("rider"), welded.island, placed, corners, share, distance)
    weights = open_mask(head)
    mask = (share * weights[corners]).sum(axis=1)
    mask[bound & (mask < 1e-3)] = 0.0
    mask[bound] *= _near_enough(distance, bound, mask, welded)
    mask[~bound & (kind > 0)] = 1.0
    kind[bound & (mask == 0)] = 0
    outer = head.regions["face"][corners].all(axis=1) & (kind == skin_kind) & (distance < _REACH)
    outer &= _seen(target, placed)
    full = welded.of_vertex
    notes = [] if not layout_name(mesh) else [f"The mesh has the layout of {layout_name(mesh)}."]
    if not all(len(ball) for ball in target.eyeballs):
        notes.append("No eyeballs were found: the lids close on the skin alone.")
    return HeadProfile(
        schema=SCHEMA,
        name=mesh.name,
        digest=mesh.digest,
        head_digest=head.digest,
        scale=found.to_head.scale,
        rotation=found.to_head.rotation,
        offset=found.to_head.offset,
        laid=laid.vertices.astype(np.float32),
        corners=corners[full],
        share=share[full].astype(np.float32),
        distance=distance[full].astype(np.float32),
        kind=kind[full],
        mask=mask[full].astype(np.float32),
        median=float(np.median(distance[outer])) if outer.any() else float("inf"),
        opening=opening,
        notes=np.array(notes, dtype=np.str_) if notes else np.zeros(0, "U1"),
    )


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


def _seen(target: Surface, placed: Array) -> Mask:
    """(W,) what faces forward at all: no inside of the mouth or of a socket."""
    normals = vertex_normals(placed, target.triangles)
    return np.asarray(normals[:, 2] > 0.1)


def _near_enough(distance: Array, skin: Mask, mask: Array, welded: Welded) -> Array:
    """(rows,) 1 for what lies on the laid head, to 0 for what hangs far off it, as hair does; the
    inside of mouth and nose is far off too, but is part of the skin and goes along.
    """
    own = welded.island[skin]
    out = np.ones(int(skin.sum()))
    for name in np.unique(own):
        some = own == name
        off = distance[skin][some]
        if (
            np.median(off[mask[skin][some] > 0.5] if (mask[skin][some] > 0.5).any() else off)
            > 0.008
        ):
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
