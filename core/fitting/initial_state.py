# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a fit starts: an earlier fit's end, or each photo's pose in closed form."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..cues.screen_cues import ScreenCues
from ..heads.model import HeadModel
from .dense_stage import DensePhoto
from .landmark_model import LandmarkModel
from .pose import initial_pose
from .prior_blocks import typical_focal
from .problem import FitProblem, has_landmarks
from .state import PhotoState, State

#: Without irises the eyes start a little turned, radians: straight ahead is where the eyeLook
#: sliders have their kink, and nothing would ever move them from it.
GLANCE = 0.01


def initial_state(
    problem: FitProblem, model: LandmarkModel, dense: Mapping[int, DensePhoto]
) -> State:
    """The state before the first step. model: of the landmarks; dense: photos that have maps, by
    index. Raises FitError if a pose cannot be told.
    """
    photos = []
    for i, (c, f) in enumerate(zip(problem.cues, problem.focal, strict=True)):
        known = problem.start_of_photos[i]
        if known is not None:
            photos.append(known)
        elif c.uv is not None:
            photos.append(_from_dense(problem.head, c, f, model, dense[i]))
        else:
            photos.append(_from_landmarks(problem.head, c, f, model))
    return State(problem.start_of_identity, tuple(photos))


def _from_landmarks(
    head: HeadModel, cues: ScreenCues, focal: float | None, model: LandmarkModel
) -> PhotoState:
    assert cues.landmarks is not None and cues.landmark_depth is not None
    f, ids = focal or typical_focal(cues), head.landmark_ids
    r, t = initial_pose(
        head.landmarks(head.template, ids),
        cues.landmarks[ids],
        cues.landmark_depth[ids],
        model.sigma[ids],
        f,
        np.array([cues.width / 2, cues.height / 2]),
    )
    rest, drift = np.zeros(head.expression_count), np.zeros(model.habits.shape[2])
    return PhotoState(r, t, float(np.log(f)), np.zeros(4), rest, drift)


def _from_dense(
    head: HeadModel, cues: ScreenCues, focal: float | None, model: LandmarkModel, dense: DensePhoto
) -> PhotoState:
    f = focal or typical_focal(cues)
    r, t = dense.start_pose(f)
    gaze = np.full(4, 0.0 if has_landmarks(cues) else GLANCE)
    rest, drift = np.zeros(head.expression_count), np.zeros(model.habits.shape[2])
    return PhotoState(r, t, float(np.log(f)), gaze, rest, drift)
