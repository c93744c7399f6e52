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

from functools import partial

import numpy as np

from ..progress import FITTING, Progress, part, silent
from ..reconstruction import Reconstruction
from .dense_block import DenseBlock
from .dense_report import dense_report
from .dense_stage import DensePhoto
from .initial_state import initial_state
from .match_block import match_blocks
from .points import GazeMap
from .prior_blocks import slider_bounds
from .problem import FitProblem, Solved
from .residuals import residual_blocks
from .result import assemble
from .silhouette_block import SilhouetteBlock
from .solver import Problem, solve
from .state import POSE_SIZE, SHIFT, TURN

#: Most steps and tolerance of the rounds over everything, with dense cues and without. The first
#: ROUGH of them look at some of the pixels only; those after the next are for cues that turn out
#: to be far better than could be known before.
DENSE_ROUNDS, ROUGH = ((6, 1e-2), (6, 1e-2), (60, 1e-4), (60, 1e-4), (60, 1e-4)), 2
LANDMARK_ROUNDS = ((80, 1e-5),)
#: With matches between photos, which begins where the landmarks alone have led.
MATCHED_ROUNDS = ((40, 1e-4),)
#: With what a network says of the shape, which begins there too: the depths of a face are the
#: directions in which the landmarks' fit is slow.
SHAPED_ROUNDS = ((20, 1e-4),)
#: For a fit that goes on from where an earlier one ended; and for one that stays there.
AGAIN, STILL = ((12, 1e-3),), ((0, 1.0),)


def fit_head(
    problem: FitProblem, *, progress: Progress = silent, uncertainty: bool = True
) -> Reconstruction:
    """One person's head. uncertainty: whether to say how sure it is, which takes time.

    Raises FitError if the cues do not determine a head.
    """
    solved = solve_head(problem, progress)
    result = assemble(problem, solved, uncertainty=uncertainty)
    progress(FITTING, 1.0)
    return result


def solve_head(problem: FitProblem, progress: Progress = silent, *, still: bool = False) -> Solved:
    """The unknowns of :func:`fit_head`. still: nothing moves from where the problem starts."""
    problem.check()
    head, cues = problem.head, problem.cues
    model = problem.model_of_landmarks()
    progress(FITTING, 0.0)
    layout = problem.layout(model)
    dense = {i: DensePhoto(head, layout, i, c) for i, c in enumerate(cues) if c.dense}
    state = initial_state(problem, model, dense)
    lower, upper = slider_bounds(head)

    blocks = residual_blocks(problem, layout, model, state)
    free = np.zeros(layout.size, bool)
    for i, c in enumerate(cues):
        at, new = layout.photo_start(i), problem.start_of_photos[i] is None
        free[at + TURN.start : at + SHIFT.stop] = c.uv is None and new
    if free.any():
        state, _ = solve(Problem(layout, blocks, free, lower, upper), state, max_steps=6)
    progress(FITTING, 0.2)

    free[:] = True
    for i in range(len(cues)):
        free[layout.photo_start(i) + POSE_SIZE + GazeMap.of(head).columns] = False
    outlines = [
        SilhouetteBlock(head, i, layout, c) for i, c in enumerate(cues) if c.background is not None
    ]
    rounds = _rounds(problem, still)
    shown: dict[int, DenseBlock] = {}
    for k, (most, tolerance) in enumerate(rounds):
        fresh = {i: d.block(state, rough=k < ROUGH) for i, d in dense.items()}
        if k > ROUGH and not any(fresh[i].far_sharper_than(shown[i]) for i in dense):
            break
        shown = fresh
        # Bias, visibility and what dense cues are worth depend on what is known by now.
        blocks = residual_blocks(problem, layout, model, state)
        pairs = match_blocks(head, layout, cues, state, problem.matches)
        every = [*blocks, *outlines, *shown.values(), *pairs]
        equations = Problem(layout, every, free, lower, upper)
        share = partial(part(progress, *_share(k, len(rounds))), FITTING)
        state, trace = solve(equations, state, max_steps=most, tolerance=tolerance, tick=share)
    figures = {i: dense_report(d, shown[i], state) for i, d in dense.items()}
    return Solved(state, equations, trace, figures)


def _rounds(problem: FitProblem, still: bool) -> tuple[tuple[int, float], ...]:
    """Most steps and tolerance of each round."""
    if any(c.dense for c in problem.cues):
        return DENSE_ROUNDS
    if still:
        return STILL
    if problem.matches and not problem.pins:
        return MATCHED_ROUNDS
    again = None not in problem.start_of_photos
    if again and not problem.pins and any(c.shape is not None for c in problem.cues):
        return SHAPED_ROUNDS
    return AGAIN if again else LANDMARK_ROUNDS


def _share(done: int, of: int) -> tuple[float, float]:
    """The part of the progress that one round of several is."""
    return 0.2 + 0.7 * done / of, 0.2 + 0.7 * (done + 1) / of
