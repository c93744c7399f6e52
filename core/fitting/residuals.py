# SPDX-License-Identifier: GPL-3.0-or-later
"""The residual blocks of a FitProblem around a state, all but those of dense maps.

Priors first, then what the pixels say of the shape, pins and landmarks. Bias, visibility and
weights of the blocks depend on the state, so they are made anew for each round of the fit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .block import Block
from .landmark_blocks import DepthBlock, LandmarkBlock
from .landmark_model import LandmarkModel
from .pins import overruled_on, pin_blocks
from .points import PointSet
from .prior_blocks import priors
from .problem import FitProblem, has_landmarks
from .shape_block import shape_blocks
from .state import Layout, State

Array = NDArray[np.float64]

#: Spread in pixels of what was detected where a person has set a pin.
OVERRULED = 1e6


def residual_blocks(
    problem: FitProblem, layout: Layout, model: LandmarkModel, state: State
) -> list[Block]:
    """Priors, shape, pins and landmarks. model: how the landmarks' predictor errs on this head."""
    head, cues = problem.head, problem.cues
    return [
        *priors(head, layout, cues, problem.focal),
        *shape_blocks(layout, cues),
        *pin_blocks(head, layout, cues, state, problem.pins),
        *_landmark_blocks(problem, layout, model, state),
    ]


def _landmark_blocks(
    problem: FitProblem, layout: Layout, model: LandmarkModel, state: State
) -> list[Block]:
    blocks: list[Block] = []
    if not any(has_landmarks(c) for c in problem.cues):
        return blocks
    ids = problem.head.landmark_ids
    unbiased = PointSet.of_landmarks(problem.head, ids, layout.identity_count)
    for i, (c, photo) in enumerate(zip(problem.cues, state.photos, strict=True)):
        if c.landmarks is None or c.landmark_depth is None:
            continue
        points = unbiased.seen(
            model.offset(photo.R)[ids].T,
            _of_this_head(model.identity[ids], layout.identity_count),
            np.moveaxis(model.habits[ids], 1, 0),
        )
        scale = photo.focal / photo.t[2]
        own = np.zeros(len(ids)) if c.landmark_sigma is None else c.landmark_sigma[ids]
        own = np.where(np.isin(ids, overruled_on(problem.head, problem.pins, i)), OVERRULED, own)
        sigma = np.hypot(model.sigma[ids] * scale, own)
        depth_sigma = np.hypot(model.depth_sigma[ids] * scale, own)
        centre = np.array([c.width / 2, c.height / 2])
        blocks += [
            LandmarkBlock(i, points, layout, c.landmarks[ids], sigma, centre),
            # A network's depth is its idea of a face more than what it sees: it is taken as it is.
            DepthBlock(i, unbiased, layout, c.landmark_depth[ids], depth_sigma),
        ]
    return blocks


def _of_this_head(basis: Array, count: int) -> Array:
    """(n, 3, k) measured on some head -> (3, n, count) for this one, zero beyond k."""
    out = np.zeros((3, len(basis), count))
    k = min(count, basis.shape[2])
    out[:, :, :k] = np.moveaxis(basis[:, :, :k], 1, 0)
    return out
