# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the profile of a mesh: its face found, the open head laid on it, its vertices bound."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cues.mediapipe import MediaPipePredictor
from ..errors import MeshError
from ..geometry.closest import closest_points
from ..heads.eyeballs import Eyeball
from ..heads.face_anchors import Surface
from ..heads.face_landmarks import SKIN_LANDMARKS
from ..heads.model import HeadModel
from ..progress import Progress
from .bind import bind, landmarks_on
from .by_hand import checked_pairs, found_by_hand, moved_goals, with_pairs
from .find_face import FoundFace, find_face, fit_similarity, look_closely, template_points
from .follow import follow
from .lay_on import fit_identity, lay_on, open_head_surface
from .mesh import OwnMesh, Welded
from .mouth_side import has_opening, lower_lip_share
from .profile import SCHEMA, HeadProfile, layout_name

Array = NDArray[np.float64]
Index = NDArray[np.integer[Any]]
Mask = NDArray[np.bool_]

REGISTERING = "Registering the mesh"
#: Metres: a face that lies further off than this was not reached.
_WORST_MEDIAN = 0.003


def profile_of(
    head: HeadModel,
    mesh: OwnMesh,
    predictor: MediaPipePredictor,
    profile: HeadProfile | None,
    pairs: Array | None = None,
    progress: Progress = lambda stage, fraction: None,
) -> HeadProfile:
    """The profile, if it was made for the mesh as it is now; one that follows it, if the mesh has
    the same faces in the same order; else a new one. Raises MeshError.

    pairs: as in register_mesh; others than the profile's make a new one.
    """
    same_pairs = pairs is None or (profile is not None and np.array_equal(pairs, profile.pairs))
    if profile is not None and same_pairs:
        profile.check_head(head.digest)
        if profile.digest == mesh.digest:
            return profile
        followed = follow(head, profile, mesh)
        if followed is not None:
            return followed
    return register_mesh(head, mesh, predictor, pairs, progress)


def register_mesh(
    head: HeadModel,
    mesh: OwnMesh,
    predictor: MediaPipePredictor,
    pairs: Array | None = None,
    progress: Progress = lambda stage, fraction: None,
) -> HeadProfile:
    """The profile of a mesh. Raises MeshError with one sentence where it is no head.

    pairs (P, 6): points on the mesh in its own unit, and where they belong on the open head's
    template in metres of the head frame. With them the face is not searched for, and they are
    believed before what the nets find.
    """
    progress(REGISTERING, 0.0)
    given = np.zeros((0, 6)) if pairs is None else checked_pairs(pairs)
    welded = mesh.welded
    ours, own = template_points(head, predictor)
    source, around = open_head_surface(head, ours)
    found = _found(head, mesh, welded, predictor, given, source)
    progress(REGISTERING, 0.3)
    placed = found.to_head(welded.vertices)
    skin = _skin_islands(welded, placed, found)
    welded = _facing_out(welded, placed, skin)
    weight = np.where(np.arange(len(own)) < SKIN_LANDMARKS, found.weight * own, 0.0)
    points, goals, weight = with_pairs(found, ours, weight, given) if len(given) else (
        ours, found.points, weight
    )  # fmt: skip
    first = fit_identity(head, source, None, points, goals, weight)
    target = _surface(head, placed, welded, skin, first, found.points)
    share, ratio = lower_lip_share(placed, target.triangles, found.points)
    target = Surface(placed, target.triangles, target.eyeballs, share, target.eyes)
    if not (has_opening(ratio) and has_opening(around)):
        raise MeshError(
            f"The mouth of {mesh.name} has no opening between the lips, so they cannot part: "
            "cut the mesh open along the line between them."
        )
    fitted = fit_identity(head, source, target, points, goals, weight)
    progress(REGISTERING, 0.45)
    laid = lay_on(
        head, source, fitted, target, points, goals, np.minimum(weight, 1.0),
        lambda x: progress(REGISTERING, 0.45 + 0.45 * x),
    )  # fmt: skip
    profile = _profile(head, mesh, welded, placed, target, laid, found, given)
    progress(REGISTERING, 1.0)
    if profile.median > _WORST_MEDIAN:
        raise MeshError(
            f"The open head does not come near enough to the face of {mesh.name} "
            f"({1e3 * profile.median:.1f} mm): click points of the face on it."
        )
    return profile


def _profile(
    head: HeadModel,
    mesh: OwnMesh,
    welded: Welded,
    placed: Array,
    target: Surface,
    laid: Surface,
    found: FoundFace,
    pairs: Array,
) -> HeadProfile:
    """All that was found, a row for each vertex of the mesh as the artist has it."""
    binding = bind(head, welded, placed, target, laid)
    landmarks, share = landmarks_on(head, binding, target.triangles)
    full = welded.of_vertex
    notes = [f"The mesh has the layout of {name}."] if (name := layout_name(mesh)) else []
    if not all(len(ball) for ball in target.eyeballs):
        notes.append("No eyeballs were found: the lids close on the skin alone.")
    first = np.unique(full, return_index=True)[1].astype(np.int32)
    return HeadProfile(
        schema=SCHEMA,
        mesh=mesh,
        head_digest=head.digest,
        scale=found.to_head.scale,
        rotation=found.to_head.rotation,
        offset=found.to_head.offset,
        laid=laid.vertices.astype(np.float32),
        corners=binding.corners[full],
        share=binding.share[full].astype(np.float32),
        nearest=binding.nearest[full],
        distance=binding.distance[full].astype(np.float32),
        kind=binding.kind[full],
        mask=binding.mask[full].astype(np.float32),
        median=binding.median,
        landmark_vertices=np.where(landmarks >= 0, first[landmarks], -1).astype(np.int32),
        landmark_share=share.astype(np.float32),
        pairs=pairs,
        notes=np.array(notes, dtype=np.str_) if notes else np.zeros(0, "U1"),
    )


def _found(
    head: HeadModel,
    mesh: OwnMesh,
    welded: Welded,
    predictor: MediaPipePredictor,
    pairs: Array,
    source: Surface,
) -> FoundFace:
    if not len(pairs):
        return find_face(head, mesh.name, welded.vertices, welded.triangles, predictor)
    ours, own = template_points(head, predictor)
    placed = fit_similarity(pairs[:, :3], pairs[:, 3:], np.ones(len(pairs)))
    try:
        found = look_closely(head, mesh.name, welded.vertices, welded.triangles, predictor, placed)
    except MeshError:
        # The nets see no face here: it is told by the points from hand alone.
        return found_by_hand(head, welded, pairs, source, ours, own)
    return moved_goals(found, pairs, ours)


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
