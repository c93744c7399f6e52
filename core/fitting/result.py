# SPDX-License-Identifier: GPL-3.0-or-later
"""From a solved state to a Reconstruction: meshes, cameras, uncertainty and figures."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cues.screen_cues import ScreenCues
from ..geometry.camera import Camera
from ..geometry.rotation import vector_from_matrix
from ..heads.face_landmarks import LANDMARK_COUNT
from ..heads.lid_zone import away_from_lids
from ..heads.model import HeadModel
from ..reconstruction import PhotoFit, Reconstruction
from .closed_lids import closed_sides, with_closed_lids
from .closed_teeth import teeth_meet, with_teeth_together
from .landmark_blocks import LandmarkBlock
from .match_block import MatchBlock, match_report
from .pins import PinBlock, overruled_on
from .points import EYES, GazeMap, eye_rotation
from .problem import FitProblem, Solved
from .residual_shape import residual_shape
from .sanity import identity_warnings, photo_warnings
from .shape_block import shape_report
from .solver import Problem
from .state import PhotoState, State
from .uncertainty import evidence_report, identity_information, surface_spread

Array = NDArray[np.float64]


def assemble(problem: FitProblem, solved: Solved, *, uncertainty: bool = True) -> Reconstruction:
    """Everything that the rest of the pipeline needs of a solved fit. uncertainty: whether to say
    how sure it is, which takes time.
    """
    head, state, equations, trace = problem.head, solved.state, solved.problem, solved.trace
    neutral = head.neutral(state.identity)
    photos = tuple(
        _photo_fit(
            head,
            c,
            photo,
            neutral,
            _landmark_block(equations, i),
            _pin_block(equations, i),
            state,
            solved.dense.get(i),
            closed_sides(head, c, overruled_on(head, problem.pins, i)),
            teeth_meet(head, c, overruled_on(head, problem.pins, i)),
        )
        for i, (c, photo) in enumerate(zip(problem.cues, state.photos, strict=True))
    )
    rms = float(np.sqrt(np.mean(state.identity**2)))
    warnings = identity_warnings(rms)
    for i, p in enumerate(photos):
        warnings += photo_warnings(p.report, _landmark_block(equations, i), state)
    if not trace.converged:
        warnings.append("The fit stopped before it settled.")
    yaws = [float(p.report["pose_degrees"]["yaw"]) for p in photos]
    information = identity_information(equations, state) if uncertainty else None
    sure: dict[str, Any] = {}
    if information is not None:
        sure = evidence_report(head, equations, state, yaws, information)
        sure |= shape_report(head, equations, state, information)
    report: dict[str, Any] = {
        "solver": {
            "steps": trace.steps,
            "converged": trace.converged,
            "cost": {name: round(cost, 3) for name, cost in trace.by_block.items()},
        },
        "identity_rms_sigma": rms,
        **sure,
        **match_report([b for b in equations.blocks if isinstance(b, MatchBlock)], state),
        "warnings": warnings,
    }
    return Reconstruction(
        head_name=head.name,
        head_digest=head.digest,
        identity=state.identity,
        photos=photos,
        report=report,
        recipe={},
        uncertainty=None if information is None else surface_spread(head, information),
        information=information,
    )


def _landmark_block(problem: Problem, photo: int) -> LandmarkBlock | None:
    found = (b for b in problem.blocks if type(b) is LandmarkBlock and b.photo == photo)
    return next(found, None)


def _pin_block(problem: Problem, photo: int) -> PinBlock | None:
    found = (b for b in problem.blocks if isinstance(b, PinBlock) and b.photo == photo)
    return next(found, None)


def _photo_fit(
    head: HeadModel,
    cues: ScreenCues,
    photo: PhotoState,
    neutral: Array,
    block: LandmarkBlock | None,
    pins: PinBlock | None,
    state: State,
    dense: dict[str, Any] | None,
    closed: tuple[str, ...],
    teeth: bool,
) -> PhotoFit:
    expression = GazeMap.of(head).apply(photo.expression, photo.gaze)
    expression = with_closed_lids(head, neutral, expression, closed)
    kept = np.zeros_like(neutral)
    if teeth:
        expression, kept = with_teeth_together(head, expression)
    camera = Camera.with_focal(photo.focal, photo.R, photo.t, cues.width, cues.height)
    rotations = eye_rotations(head, photo.gaze)
    shaped = neutral + head.expression_basis @ expression + kept
    residual = np.zeros_like(shaped)
    # Dense cues shape the head everywhere; a few landmarks must not bend it after that.
    pulling = [b for b in (block if dense is None else None, pins) if b is not None]
    if pulling:
        residual = residual_shape(head, shaped, pulling, state, camera)
        # Nothing opens lids again that are shut.
        residual *= away_from_lids(head, shaped, closed)[:, None]
    vertices = head.skin(shaped + residual, head.joints(neutral), rotations)
    ids = head.landmark_ids
    projected = np.full((LANDMARK_COUNT, 2), np.nan)
    projected[ids] = camera.project(head.landmarks(vertices, ids))
    landmarks = projected if cues.landmarks is None else cues.landmarks
    return PhotoFit(
        expression=expression,
        rotations=rotations,
        camera=camera,
        residual=residual + kept,
        neutral=neutral,
        vertices=vertices,
        landmarks=landmarks,
        landmarks_fit=projected,
        report=photo_report(landmarks, block, state, camera, dense),
        gaze=photo.gaze,
        drift=photo.drift,
        solved=photo.expression,
        closed=closed,
        unseen=cues.unseen,
        detail=cues.detail * float(camera.t[2]) / camera.focal,
    )


def eye_rotations(head: HeadModel, gaze: Array) -> Array:
    """Joint rotation vectors (J, 3) of a gaze (4,): both eyes, all else at rest."""
    out = np.zeros((len(head.joint_names), 3))
    for side, name in enumerate(EYES):
        if name in head.joint_names:
            turn = eye_rotation(*gaze[2 * side : 2 * side + 2])[0]
            out[head.joint(name)] = vector_from_matrix(turn)
    return out


def photo_report(
    landmarks: Array,
    block: LandmarkBlock | None,
    state: State,
    camera: Camera,
    dense: dict[str, Any] | None,
) -> dict[str, Any]:
    """Figures of one photo: reprojection of the landmarks, or of the uv map where there are none,
    focal length and pose. landmarks (478, 2) in pixels.
    """
    if block is not None:
        r = block.residuals(state).reshape(-1, 2) * block.sigma[:, None]
        error = np.linalg.norm(r, axis=1)
        mean, median = float(error.mean()), float(np.median(error))
    else:
        assert dense is not None
        mean, median = dense["uv_residual_px"]["mean"], dense["uv_residual_px"]["median"]
    eyes = float(np.linalg.norm(landmarks[33] - landmarks[263]))
    # Zero when the head faces the camera; yaw turns to the subject's left, pitch down, and roll
    # toward the subject's right shoulder.
    facing = np.diag([1.0, -1.0, -1.0]) @ camera.R
    return {
        **({} if dense is None else {"dense": dense}),
        "reprojection_px": {"mean": mean, "median": median},
        "reprojection_percent_of_eye_distance": 100 * mean / max(eyes, 1e-9),
        "eye_distance_px": eyes,
        "focal_px": camera.focal,
        "focal_35mm": camera.focal_35mm,
        "pose_degrees": {
            "yaw": float(np.degrees(np.arctan2(facing[0, 2], facing[2, 2]))),
            "pitch": float(np.degrees(np.arcsin(np.clip(-facing[1, 2], -1, 1)))),
            "roll": float(np.degrees(np.arctan2(facing[1, 0], facing[1, 1]))),
        },
        "distance_m": float(camera.t[2]),
    }
