# SPDX-License-Identifier: GPL-3.0-or-later
"""fit_head(): from cues to a head, in the order in which the unknowns become knowable.

1. pose in closed form from uv or from landmarks with depth, at the photo's or a typical focal
   length;
2. pose from landmarks refined with identity and expression at rest;
3. everything together: identity, and for each photo pose, focal length, gaze and expression. Where
   there are dense cues this is done in rounds, each of which believes them as far as the one before
   could explain them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cues.photo_matches import PhotoMatches
from ..cues.screen_cues import ScreenCues
from ..errors import FitError
from ..heads.model import HeadModel
from ..progress import Progress, part, silent
from ..reconstruction import Reconstruction
from .block import Block
from .dense_block import DenseBlock
from .dense_report import dense_report
from .dense_stage import DensePhoto
from .landmark_blocks import DepthBlock, LandmarkBlock
from .landmark_model import LandmarkModel, load_landmark_model
from .match_block import match_blocks
from .pins import Pin, pin_blocks, pinned
from .points import GazeMap, PointSet
from .pose import initial_pose
from .prior_blocks import priors, slider_bounds, typical_focal
from .result import assemble
from .silhouette_block import SilhouetteBlock
from .solver import Problem, Trace, solve
from .state import POSE_SIZE, SHIFT, TURN, Layout, PhotoState, State

Array = NDArray[np.float64]

#: Most steps and tolerance of the rounds over everything, with dense cues and without. The first
#: ROUGH of them look at some of the pixels only; those after the next are for cues that turn out
#: to be far better than could be known before.
DENSE_ROUNDS, ROUGH = ((6, 1e-2), (6, 1e-2), (60, 1e-4), (60, 1e-4), (60, 1e-4)), 2
LANDMARK_ROUNDS = ((40, 1e-5),)
#: With matches between photos, which begins where the landmarks alone have led.
MATCHED_ROUNDS = ((40, 1e-4),)
#: For a fit that goes on from where an earlier one ended; and for one that stays there.
AGAIN, STILL = ((12, 1e-3),), ((0, 1.0),)

#: Without irises the eyes start a little turned, radians: straight ahead is where the eyeLook
#: sliders have their kink, and nothing would ever move them from it.
GLANCE = 0.01

#: Spread in pixels of what was detected where a person has set a pin.
OVERRULED = 1e6

STAGE = "Fitting the head"


@dataclass(frozen=True, eq=False)
class Start:
    """Where an earlier fit ended: identity (I,), or (0,) for none, and the photos' unknowns, None
    for photos that are new. The drifts are of the length of this landmark model's habits.
    """

    identity: Array
    photos: tuple[PhotoState | None, ...]


@dataclass(frozen=True, eq=False)
class Solved:
    """Where a fit ended: the unknowns, the last round's problem and trace, and the figures of the
    photos that have dense cues.
    """

    state: State
    problem: Problem
    trace: Trace
    dense: dict[int, dict[str, Any]]


def fit_head(
    head: HeadModel,
    cues: Sequence[ScreenCues],
    *,
    focal: Sequence[float | None] | None = None,
    landmark_model: LandmarkModel | None = None,
    identity_count: int = 100,
    progress: Progress = silent,
    pins: Sequence[Pin] = (),
    start: Start | None = None,
    matches: Sequence[PhotoMatches] = (),
    uncertainty: bool = True,
) -> Reconstruction:
    """One person from one or more photos.

    focal: pixels for each photo, None where unknown. pins: where a person says landmarks are.
    start: where an earlier fit ended. matches: between the photos. uncertainty: whether to say how
    sure the head is, which takes time. Raises FitError if the cues do not determine a head.
    """
    focal = [None] * len(cues) if focal is None else list(focal)
    end = solve_head(
        head,
        cues,
        focal,
        landmark_model,
        identity_count,
        progress,
        pins,
        start,
        matches=matches,
    )
    result = assemble(
        head, cues, end.state, end.problem, end.trace, end.dense, uncertainty=uncertainty
    )
    progress(STAGE, 1.0)
    return result


def solve_head(
    head: HeadModel,
    cues: Sequence[ScreenCues],
    focal: Sequence[float | None],
    landmark_model: LandmarkModel | None,
    identity_count: int,
    progress: Progress,
    pins: Sequence[Pin] = (),
    known: Start | None = None,
    still: bool = False,
    matches: Sequence[PhotoMatches] = (),
) -> Solved:
    """The unknowns of :func:`fit_head`; known: its ``start``, from which nothing moves if it is to
    stay ``still``.
    """
    for c in cues:
        if c.uv is None and not _has_landmarks(c):
            raise FitError(f"The {c.predictor} predictor gave nothing to start from.")
        if c.uv is None and not len(head.landmark_ids):
            raise FitError(
                f"The head model {head.name} has no places for face landmarks: choose another head "
                "model, or a predictor that reads every pixel."
            )
    if landmark_model is not None:
        model = landmark_model
    elif any(_has_landmarks(c) for c in cues):
        model = load_landmark_model()
    else:
        model = LandmarkModel.uninformed()
    model = model.for_head(head)
    progress(STAGE, 0.0)
    layout = Layout(
        min(identity_count, head.identity_count),
        head.expression_count,
        len(cues),
        model.habits.shape[2],
    )
    ids = head.landmark_ids
    dense = {i: DensePhoto(head, layout, i, c) for i, c in enumerate(cues) if c.dense}
    known = known or Start(np.zeros(0), (None,) * len(cues))
    start = []
    for i, (c, f) in enumerate(zip(cues, focal, strict=True)):
        there = known.photos[i]
        if there is not None:
            start.append(there)
        elif c.uv is not None:
            start.append(_dense_start(head, c, f, model, dense[i]))
        else:
            start.append(_start(head, c, f, model, ids))
    identity = np.zeros(layout.identity_count)
    identity[: len(known.identity)] = known.identity[: layout.identity_count]
    state = State(identity, tuple(start))
    lower, upper = slider_bounds(head)

    blocks = priors(head, layout, cues, focal)
    blocks += _landmarks(head, layout, cues, state, model, ids, pins)
    free = np.zeros(layout.size, bool)
    for i, c in enumerate(cues):
        at = layout.photo_start(i)
        free[at + TURN.start : at + SHIFT.stop] = c.uv is None and known.photos[i] is None
    if free.any():
        state, _ = solve(Problem(layout, blocks, free, lower, upper), state, max_steps=6)
    progress(STAGE, 0.2)

    free[:] = True
    for i in range(len(cues)):
        free[layout.photo_start(i) + POSE_SIZE + GazeMap.of(head).columns] = False
    outlines = [
        SilhouetteBlock(head, i, layout, c) for i, c in enumerate(cues) if c.background is not None
    ]
    rounds = _rounds(bool(dense), None not in known.photos, still, bool(matches) and not pins)
    shown: dict[int, DenseBlock] = {}
    for k, (most, tolerance) in enumerate(rounds):
        fresh = {i: d.block(state, rough=k < ROUGH) for i, d in dense.items()}
        if k > ROUGH and not any(fresh[i].far_sharper_than(shown[i]) for i in dense):
            break
        shown = fresh
        # Bias, visibility and what dense cues are worth depend on what is known by now.
        blocks = priors(head, layout, cues, focal)
        blocks += _landmarks(head, layout, cues, state, model, ids, pins)
        pairs = match_blocks(head, layout, cues, state, matches)
        every = [*blocks, *outlines, *shown.values(), *pairs]
        problem = Problem(layout, every, free, lower, upper)
        share = partial(part(progress, *_share(k, len(rounds))), STAGE)
        state, trace = solve(problem, state, max_steps=most, tolerance=tolerance, tick=share)
    figures = {i: dense_report(d, shown[i], state) for i, d in dense.items()}
    return Solved(state, problem, trace, figures)


def _rounds(dense: bool, again: bool, still: bool, matched: bool) -> tuple[tuple[int, float], ...]:
    """Most steps and tolerance of each round."""
    if dense:
        return DENSE_ROUNDS
    if still:
        return STILL
    if matched:
        return MATCHED_ROUNDS
    return AGAIN if again else LANDMARK_ROUNDS


def _share(done: int, of: int) -> tuple[float, float]:
    """The part of the progress that one round of several is."""
    return 0.2 + 0.7 * done / of, 0.2 + 0.7 * (done + 1) / of


def _has_landmarks(cues: ScreenCues) -> bool:
    return cues.landmarks is not None and cues.landmark_depth is not None


def _start(
    head: HeadModel,
    cues: ScreenCues,
    focal: float | None,
    model: LandmarkModel,
    ids: NDArray[np.int32],
) -> PhotoState:
    assert cues.landmarks is not None and cues.landmark_depth is not None
    f = focal or typical_focal(cues)
    r, t = initial_pose(
        head.landmarks(head.template, ids),
        cues.landmarks[ids],
        cues.landmark_depth[ids],
        model.sigma[ids],
        f,
        np.array([cues.width / 2, cues.height / 2]),
    )
    return PhotoState(
        r,
        t,
        float(np.log(f)),
        np.zeros(4),
        np.zeros(head.expression_count),
        np.zeros(model.habits.shape[2]),
    )


def _dense_start(
    head: HeadModel, cues: ScreenCues, focal: float | None, model: LandmarkModel, dense: DensePhoto
) -> PhotoState:
    f = focal or typical_focal(cues)
    r, t = dense.start_pose(f)
    gaze = np.full(4, 0.0 if _has_landmarks(cues) else GLANCE)
    rest, drift = np.zeros(head.expression_count), np.zeros(model.habits.shape[2])
    return PhotoState(r, t, float(np.log(f)), gaze, rest, drift)


def _landmarks(
    head: HeadModel,
    layout: Layout,
    cues: Sequence[ScreenCues],
    state: State,
    model: LandmarkModel,
    ids: NDArray[np.int32],
    pins: Sequence[Pin],
) -> list[Block]:
    blocks: list[Block] = [*pin_blocks(head, layout, cues, state, pins)]
    if not any(_has_landmarks(c) for c in cues):
        return blocks
    plain = PointSet.of_landmarks(head, ids, layout.identity_count)
    for i, (c, photo) in enumerate(zip(cues, state.photos, strict=True)):
        if c.landmarks is None or c.landmark_depth is None:
            continue
        points = plain.seen(
            model.offset(photo.R)[ids].T,
            _fitting(model.identity[ids], layout.identity_count),
            np.moveaxis(model.habits[ids], 1, 0),
        )
        scale = photo.focal / photo.t[2]
        own = np.zeros(len(ids)) if c.landmark_sigma is None else c.landmark_sigma[ids]
        own = np.where(np.isin(ids, pinned(pins, i)), OVERRULED, own)
        sigma = np.hypot(model.sigma[ids] * scale, own)
        depth_sigma = np.hypot(model.depth_sigma[ids] * scale, own)
        centre = np.array([c.width / 2, c.height / 2])
        blocks += [
            LandmarkBlock(i, points, layout, c.landmarks[ids], sigma, centre),
            # A network's depth is its idea of a face more than what it sees: it is taken as it is.
            DepthBlock(i, plain, layout, c.landmark_depth[ids], depth_sigma),
        ]
    return blocks


def _fitting(basis: Array, count: int) -> Array:
    """(n, 3, k) measured on some head -> (3, n, count) for this one, zero beyond k."""
    out = np.zeros((3, len(basis), count))
    k = min(count, basis.shape[2])
    out[:, :, :k] = np.moveaxis(basis[:, :, :k], 1, 0)
    return out
