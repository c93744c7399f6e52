# SPDX-License-Identifier: GPL-3.0-or-later
"""What FLAME's own file lacks, computed from the open head: regions, landmarks, the 52 named
shapes, lids, parts, mirror and texture layout.

All of it comes through one registration of the open head's template to FLAME's. If that does
not lie well, nothing is guessed: the head has no landmarks and no named shapes, and a warning
says so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry.closest import Closest, closest_points, interpolate
from ..geometry.deformation_transfer import Correspondence, transfer_shapes
from .arkit import ARKIT_NAMES
from .corners import is_skin, triangle_uv
from .eyeballs import Eyeball, find_eyeballs, is_eyeball
from .eyelids import close_lids
from .face_anchors import Surface
from .face_landmarks import SKIN_LANDMARKS
from .flame_file import FlameFile
from .flame_kinds import JOINT_NAMES
from .flame_uv import Side, carried_uv, front_uv
from .mirror import mirror_permutation
from .model import HeadModel
from .registration import Registration, features, register

Array = NDArray[np.float64]
Index = NDArray[np.integer[Any]]
Progress = Callable[[float], None]

#: Metres: a template whose face lies further off than this from the open head is not a face.
_WORST_RESIDUAL = 0.0015
#: Metres at which a correspondence counts for a third.
_TRUSTED = 0.002
_PARTS = ("skin", "eyeball_l", "eyeball_r", "iris_l", "iris_r", "pupil_l", "pupil_r")
#: First of the five iris landmarks of the left and of the right eye.
_IRIS_START = (473, 468)


def derive(
    flame: FlameFile,
    head: HeadModel,
    uv: tuple[Array, Index] | None,
    progress: Progress = lambda _: None,
) -> tuple[dict[str, NDArray[Any]], dict[str, Any], list[str]]:
    """Arrays for the converted file, figures for its record, and warnings.

    head: the open head. uv: layout read from the person's own template, if there is one.
    """
    target = flame_surface(flame)
    mirror, paired = mirror_permutation(flame.v_template, flame.f)
    registration = register(head, target, lambda x: progress(0.5 * x))
    figures: dict[str, Any] = {"mirrored": round(paired, 4)}
    arrays: dict[str, NDArray[Any]] = {"mirror": mirror, "part_names": np.array(_PARTS)}
    if registration is None or not lies_well(registration, target):
        layout = uv or front_uv(flame.v_template, flame.f)
        warning = (
            "The head's surface could not be matched with a face: it has no landmarks and no "
            "expression sliders, and cannot be fitted to a photo."
        )
        return arrays | _nothing(flame, layout), figures, [warning]
    figures["registration_mm"] = round(1e3 * registration.residual, 3)
    figures["likeness_mm"] = round(1e3 * registration.likeness, 3)
    lips = head.regions["lips"]
    ours = features(registration, lips, registration.source)
    theirs = features(registration, lips, target)
    balls = _eyeballs(flame, head, target)
    arrays |= _parts(flame, head, target, balls)
    arrays |= _regions(head, registration, target)
    arrays |= _landmarks(head, registration, target, ours, theirs, balls)
    progress(0.6)
    arkit, left_open = _arkit(head, registration, target, lambda x: progress(0.6 + 0.35 * x))
    figures["blink_leaves_open"] = [round(x, 4) for x in left_open]
    warnings = []
    if max(left_open) > 0.05:
        warnings.append("The eyelids do not close fully: check the blink sliders.")
    open_side, flame_side = Side(registration.source, ours), Side(target, theirs)
    if uv is None:
        uv = _layout(flame, head, open_side, flame_side, balls)
    else:
        of_skin = uv[0][uv[1]][_rows(flame.f, target.triangles)]
        arrays["open_head_uv"] = carried_uv(of_skin, flame_side, open_side).astype(np.float32)
        arrays["open_head_digest"] = np.array(head.digest)
    arrays |= {
        "arkit": arkit.astype(np.float32),
        "uv": uv[0],
        "uv_triangles": uv[1].astype(np.int32),
        "gaze_names": np.array(list(head.gaze_range)),
        "gaze_rotvec": np.array(list(head.gaze_range.values())),
    }
    progress(1.0)
    return arrays, figures, warnings


def flame_surface(flame: FlameFile) -> Surface:
    """The surface of a FLAME head: its parts found by how they hang together."""
    joints = flame.J_regressor @ flame.v_template
    eyes = joints[[JOINT_NAMES.index("eye_l"), JOINT_NAMES.index("eye_r")]]
    skin, left, right = find_eyeballs(flame.v_template, flame.f, eyes)
    for side, ball in enumerate((left, right)):
        if len(ball):  # the joint need not be the middle of the sphere
            eyes[side] = Eyeball.of(flame.v_template, ball).centre
    jaw = flame.weights[:, JOINT_NAMES.index("jaw")]
    return Surface(flame.v_template, skin, (left, right), jaw, eyes)


def lies_well(registration: Registration, target: Surface) -> bool:
    """Whether the open head lies on the target closely, over a fair part of its skin."""
    share = registration.face.sum() / max(1, len(np.unique(target.triangles)))
    return registration.residual < _WORST_RESIDUAL and bool(share > 0.1)


def _nothing(flame: FlameFile, layout: tuple[Array, Index]) -> dict[str, NDArray[Any]]:
    count = len(flame.v_template)
    return {
        "face_part": np.zeros(len(flame.f), np.int8),
        "region_names": np.array([], dtype="U1"),
        "regions": np.zeros((0, count), bool),
        "lmk_vertices": np.full((478, 3), -1, np.int32),
        "lmk_bary": np.zeros((478, 3)),
        "arkit": np.zeros((count, 3, len(ARKIT_NAMES)), np.float32),
        "uv": layout[0],
        "uv_triangles": layout[1].astype(np.int32),
        "gaze_names": np.array([], dtype="U1"),
        "gaze_rotvec": np.zeros((0, 3)),
    }


def _eyeballs(
    flame: FlameFile, head: HeadModel, target: Surface
) -> list[tuple[Eyeball, Eyeball] | None]:
    """For each eye the open head's eyeball and the target's, None where it has none."""
    pairs: list[tuple[Eyeball, Eyeball] | None] = []
    middles = head.landmarks(head.template, np.array(_IRIS_START, dtype=np.int32))
    for side, triangles, iris in zip("lr", target.eyeballs, middles, strict=True):
        if len(triangles):
            ours = Eyeball.of(head.template, head.triangles[is_eyeball(head, side)], iris)
            pairs.append((ours, Eyeball.of(flame.v_template, triangles)))
        else:
            pairs.append(None)
    return pairs


def _parts(
    flame: FlameFile, head: HeadModel, target: Surface, balls: list[tuple[Eyeball, Eyeball] | None]
) -> dict[str, NDArray[Any]]:
    """face_part (T,): what each triangle belongs to, for materials."""
    part = np.zeros(len(flame.f), np.int8)
    iris = {n: _iris_radius(head, n) for n in ("iris", "pupil")}
    for side, pair in zip("lr", balls, strict=True):
        if pair is None:
            continue
        ball = pair[1]
        rows = _rows(flame.f, ball.triangles)
        away = flame.v_template[ball.triangles].mean(axis=1) - ball.centre
        across = np.linalg.norm(away[:, :2], axis=1)
        front = away[:, 2] > 0
        part[rows] = _PARTS.index(f"eyeball_{side}")
        part[rows[front & (across < iris["iris"])]] = _PARTS.index(f"iris_{side}")
        part[rows[front & (across < iris["pupil"])]] = _PARTS.index(f"pupil_{side}")
    return {"face_part": part}


def _iris_radius(head: HeadModel, name: str) -> float:
    """Metres across the gaze, of the open head's iris or pupil."""
    quads = head.quads[head.face_part == head.part_names.index(f"{name}_l")]
    points = head.template[np.unique(quads[quads >= 0])]
    return float(np.ptp(points[:, 0]) / 2)


def _regions(
    head: HeadModel, registration: Registration, target: Surface
) -> dict[str, NDArray[Any]]:
    """Masks (R, V): a vertex belongs where most of what it lies on belongs."""
    skin = np.zeros(len(target.vertices), bool)
    skin[target.triangles] = True
    masks: dict[str, NDArray[np.bool_]] = {}
    triangles = registration.source.triangles
    for name, mask in head.regions.items():
        share = interpolate(registration.onto, triangles, mask.astype(np.float64))
        masks[name] = skin & (share > 0.5)
    for name, ball in zip(("eyeball_l", "eyeball_r"), target.eyeballs, strict=True):
        masks[name] = np.zeros(len(skin), bool)
        masks[name][ball] = True
    return {"region_names": np.array(list(masks)), "regions": np.stack(list(masks.values()))}


def _landmarks(
    head: HeadModel,
    registration: Registration,
    target: Surface,
    ours: Array,
    theirs: Array,
    balls: list[tuple[Eyeball, Eyeball] | None],
) -> dict[str, NDArray[Any]]:
    """The 478 points: skin through the registration, irises through the eyeballs."""
    count = len(head.landmark_vertices)
    vertices = np.full((count, 3), -1, np.int32)
    barycentric = np.zeros((count, 3))

    def put(ids: Index, found: Closest, triangles: Index) -> None:
        vertices[ids] = triangles[found.triangle]
        barycentric[ids] = found.barycentric

    skin = head.landmark_ids[head.landmark_ids < SKIN_LANDMARKS]
    found = closest_points(head.landmarks(ours, skin), theirs, target.triangles)
    put(skin, found, target.triangles)
    for start, pair in zip(_IRIS_START, balls, strict=True):
        if pair is not None:
            ids = np.arange(start, start + 5, dtype=np.int32)
            places = pair[0].onto(head.landmarks(head.template, ids), pair[1])
            put(ids, pair[1].find(target.vertices, places), pair[1].triangles)
    return {"lmk_vertices": vertices, "lmk_bary": barycentric}


def _arkit(
    head: HeadModel, registration: Registration, target: Surface, progress: Progress
) -> tuple[Array, tuple[float, float]]:
    """The 52 shapes (V, 3, 52), and what share of each eye's opening a blink leaves."""
    skin = np.zeros(len(target.vertices), bool)
    skin[target.triangles] = True
    confidence = np.where(skin, np.exp(-((registration.distance / _TRUSTED) ** 2)), 0.0)
    source = Correspondence(
        registration.source.vertices,
        registration.source.triangles,
        registration.onto,
        confidence,
    )
    order = [head.expression_names.index(name) for name in ARKIT_NAMES]
    shapes = head.expression_basis[:, :, order]
    arkit = transfer_shapes(source, shapes, target.vertices, target.triangles, progress)
    left = []
    for side, name in enumerate(("eyeBlinkLeft", "eyeBlinkRight")):
        k = ARKIT_NAMES.index(name)
        arkit[:, :, k], share = close_lids(target, arkit[:, :, k], side)
        left.append(share)
    return arkit, (left[0], left[1])


def _layout(
    flame: FlameFile,
    head: HeadModel,
    open_side: Side,
    flame_side: Side,
    balls: list[tuple[Eyeball, Eyeball] | None],
) -> tuple[Array, Index]:
    """Texture coordinates (3 T, 2), corners (T, 3): skin by registration, eyes by arc."""
    uv = np.zeros((len(flame.f), 3, 2))
    layout = triangle_uv(head)
    skin = flame_side.surface.triangles
    uv[_rows(flame.f, skin)] = carried_uv(layout[is_skin(head)], open_side, flame_side)
    for side, pair in zip("lr", balls, strict=True):
        if pair is not None:
            mine, other = pair
            points = flame.v_template[other.triangles].reshape(-1, 3)
            found = mine.find(head.template, other.onto(points, mine))
            at = layout[is_eyeball(head, side)][found.triangle]
            values = np.einsum("nk,nkc->nc", found.barycentric, at)
            uv[_rows(flame.f, other.triangles)] = values.reshape(-1, 3, 2)
    return uv.reshape(-1, 2), np.arange(3 * len(flame.f)).reshape(-1, 3)


def _rows(triangles: Index, some: Index) -> NDArray[np.intp]:
    """Where each of some triangles (n, 3) stands among all (T, 3)."""
    row = {tuple(t): i for i, t in enumerate(triangles.tolist())}
    return np.array([row[tuple(t)] for t in some.tolist()], dtype=np.intp)
