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

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..camera import focal_from_35mm
from ..cues.screen_cues import ScreenCues
from ..errors import FitError
from ..heads.model import HeadModel
from ..reconstruction import Reconstruction
from .block import Block
from .dense_block import DenseBlock
from .dense_report import dense_report
from .dense_stage import DensePhoto
from .landmark_blocks import DepthBlock, LandmarkBlock
from .landmark_model import LandmarkModel, load_landmark_model
from .pins import Pin, pin_blocks, pinned
from .points import GazeMap, PointSet
from .pose import initial_pose
from .prior_blocks import DriftPrior, ExpressionPrior, FocalPrior, GazePrior, IdentityPrior
from .result import assemble
from .silhouette_block import SilhouetteBlock
from .solver import Problem, Trace, solve
from .state import POSE_SIZE, SHIFT, TURN, Layout, PhotoState, State

Array = NDArray[np.float64]
Progress = Callable[[str, float], None]

#: Without EXIF: the middle of what portraits are taken with, from a phone's front camera
#: (about 24 mm) to a portrait lens (about 85 mm), as 35 mm equivalent, and its spread.
TYPICAL_FOCAL_MM, TYPICAL_FOCAL_SIGMA = 45.0, 0.35
#: With EXIF: makers round, and a photo may have been cropped a little.
KNOWN_FOCAL_SIGMA = 0.02

#: Most steps and tolerance of the rounds over everything, with dense cues and without. The first
#: ROUGH of them look at some of the pixels only; those after the next are for cues that turn out
#: to be far better than could be known before.
DENSE_ROUNDS, ROUGH = ((6, 1e-2), (6, 1e-2), (60, 1e-4), (60, 1e-4), (60, 1e-4)), 2
LANDMARK_ROUNDS = ((40, 1e-5),)
#: For a fit that goes on from where an earlier one ended; and for one that stays there.
AGAIN, STILL = ((12, 1e-3),), ((0, 1.0),)

#: Without irises the eyes start a little turned, radians: straight ahead is where the eyeLook
#: sliders have their kink, and nothing would ever move them from it.
GLANCE = 0.01

#: How far people are asymmetric, in the open head's sigma units.
ASYMMETRY_SIGMA = 0.4

#: Spread in pixels of what was detected where a person has set a pin.
OVERRULED = 1e6

STAGE = "Fitting the head"


def silent(stage: str, fraction: float) -> None:
    """A progress callback that says nothing."""


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
) -> Reconstruction:
    """One person from one or more photos.

    focal: pixels for each photo, None where unknown. pins: where a person says landmarks are.
    start: where an earlier fit ended. Raises FitError if the cues do not determine a head.
    """
    focal = [None] * len(cues) if focal is None else list(focal)
    end = solve_head(head, cues, focal, landmark_model, identity_count, progress, pins, start)
    result = assemble(head, cues, end.state, end.problem, end.trace, end.dense)
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

    blocks = _priors(head, layout, cues, focal)
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
    rounds = DENSE_ROUNDS if dense else LANDMARK_ROUNDS
    if not dense and None not in known.photos:
        rounds = STILL if still else AGAIN
    shown: dict[int, DenseBlock] = {}
    for k, (most, tolerance) in enumerate(rounds):
        fresh = {i: d.block(state, rough=k < ROUGH) for i, d in dense.items()}
        if k > ROUGH and not any(fresh[i].far_sharper_than(shown[i]) for i in dense):
            break
        shown = fresh
        # Bias, visibility and what dense cues are worth depend on what is known by now.
        blocks = _priors(head, layout, cues, focal)
        blocks += _landmarks(head, layout, cues, state, model, ids, pins)
        every = [*blocks, *outlines, *shown.values()]
        problem = Problem(layout, every, free, lower, upper)
        part = partial(_share, progress, k, len(rounds))
        state, trace = solve(problem, state, max_steps=most, tolerance=tolerance, tick=part)
    figures = {i: dense_report(d, shown[i], state) for i, d in dense.items()}
    return Solved(state, problem, trace, figures)


def _share(progress: Progress, done: int, of: int, fraction: float) -> None:
    """Reports the progress of one round of several."""
    progress(STAGE, 0.2 + 0.7 * (done + fraction) / of)


def _has_landmarks(cues: ScreenCues) -> bool:
    return cues.landmarks is not None and cues.landmark_depth is not None


def slider_bounds(head: HeadModel) -> tuple[Array, Array]:
    """(E,), (E,): named sliders run from 0 to 1; nameless components are free within 4 sigma."""
    if head.expression_names:
        return np.zeros(head.expression_count), np.ones(head.expression_count)
    wide = np.full(head.expression_count, 4.0)
    return -wide, wide


def _start(
    head: HeadModel,
    cues: ScreenCues,
    focal: float | None,
    model: LandmarkModel,
    ids: NDArray[np.int32],
) -> PhotoState:
    assert cues.landmarks is not None and cues.landmark_depth is not None
    f = focal or focal_from_35mm(TYPICAL_FOCAL_MM, cues.width, cues.height)
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
    f = focal or focal_from_35mm(TYPICAL_FOCAL_MM, cues.width, cues.height)
    r, t = dense.start_pose(f)
    gaze = np.full(4, 0.0 if _has_landmarks(cues) else GLANCE)
    rest, drift = np.zeros(head.expression_count), np.zeros(model.habits.shape[2])
    return PhotoState(r, t, float(np.log(f)), gaze, rest, drift)


def _priors(
    head: HeadModel, layout: Layout, cues: Sequence[ScreenCues], focal: Sequence[float | None]
) -> list[Block]:
    blocks: list[Block] = [IdentityPrior(layout, identity_sigma(head, layout.identity_count))]
    for i, (c, f) in enumerate(zip(cues, focal, strict=True)):
        typical = focal_from_35mm(TYPICAL_FOCAL_MM, c.width, c.height)
        spread = KNOWN_FOCAL_SIGMA if f else TYPICAL_FOCAL_SIGMA
        blocks += [
            ExpressionPrior(i, layout, expression_sigma(head)),
            GazePrior(i, layout),
            DriftPrior(i, layout),
            FocalPrior(i, layout, float(np.log(f or typical)), spread),
        ]
    return blocks


@lru_cache(maxsize=4)
def identity_sigma(head: HeadModel, count: int) -> Array:
    """(count,) spread of each identity component around the average face; not to be written to.

    Components that are odd under the mirror are asymmetries, of which people have less than the
    open head's sampled population; the symmetry of the identity leaves expressions alone.
    """
    out = np.ones(count)
    if head.mirror is None:
        return out
    basis = head.identity_basis[:, :, :count]
    mirrored = basis[head.mirror] * np.array([-1.0, 1.0, 1.0])[:, None]
    even = (basis * mirrored).sum(axis=(0, 1)) / (basis**2).sum(axis=(0, 1))
    return np.where(even < -0.5, ASYMMETRY_SIGMA, out)


def expression_sigma(head: HeadModel) -> Array:
    """(E,) spread of each slider around rest. Named sliders run from 0 to 1 and rarely pass a
    third in a portrait; components without names are in sigma units already.
    """
    return np.full(head.expression_count, 0.33 if head.expression_names else 1.0)


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
