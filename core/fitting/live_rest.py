# SPDX-License-Identifier: GPL-3.0-or-later
"""RestBlock: all that a solved fit knows beside one photo's landmarks and pins, as one Gaussian.

Around the solution the other blocks (priors, depth, what pixels say of the shape, other photos and
their pins) are quadratic to a good approximation; the other photos' own unknowns are marginalised
(a Schur complement, Triggs et al., "Bundle adjustment: a modern synthesis", 2000, section 6.1).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..geometry.rotation import vector_from_matrix
from .block import Block
from .solver import Problem
from .state import State

Array = NDArray[np.float64]


@dataclass(eq=False)
class RestBlock:
    """An EnergyBlock over [identity | one photo], n unknowns: cost + gradient d + d matrix d / 2,
    d (n,) from the state ``around``; matrix (n, n), gradient (n,).
    """

    around: State
    matrix: Array
    gradient: Array
    at_rest: float
    name: str = "rest"

    def cost(self, state: State) -> float:
        """As EnergyBlock.cost."""
        d = moved_from(self.around, state)
        return self.at_rest + float(self.gradient @ d + 0.5 * d @ self.matrix @ d)

    def accumulate(self, state: State, gradient: Array, matrix: Array | None) -> float:
        """As EnergyBlock.accumulate."""
        d = moved_from(self.around, state)
        pull = self.matrix @ d
        gradient += self.gradient + pull
        if matrix is not None:
            matrix += self.matrix
        return self.at_rest + float(self.gradient @ d + 0.5 * d @ pull)


def moved_from(around: State, state: State) -> Array:
    """(n,) the step from one state of a single photo to another, as Layout.moved takes it."""
    (was,), (now,) = around.photos, state.photos
    return np.concatenate(
        [
            state.identity - around.identity,
            vector_from_matrix(now.R @ was.R.T),
            now.t - was.t,
            [now.log_focal - was.log_focal],
            now.gaze - was.gaze,
            now.expression - was.expression,
            now.drift - was.drift,
        ]
    )


def rest_of(problem: Problem, state: State, photo: int, without: Collection[Block]) -> RestBlock:
    """What a solved problem knows of [identity | photo] without some of its blocks."""
    layout = problem.layout
    held = problem.held(state, problem.gradient(state)[0])
    known = replace(problem, blocks=[b for b in problem.blocks if b not in without])
    matrix, gradient, cost = known.normal_equations(state)
    own = layout.columns(photo)
    others = np.setdiff1d(np.arange(layout.size), own)
    others = others[~held[others] & (np.diag(matrix)[others] > 0)]
    inner, pull = matrix[np.ix_(own, own)], gradient[own]
    if len(others):
        across, outer = matrix[np.ix_(own, others)], matrix[np.ix_(others, others)]
        outer = outer + 1e-9 * np.diag(np.diag(outer))
        solved = np.linalg.solve(outer, np.column_stack([across.T, gradient[others]]))
        inner = inner - across @ solved[:, :-1]
        pull = pull - across @ solved[:, -1]
    alone = State(state.identity, (state.photos[photo],))
    return RestBlock(alone, (inner + inner.T) / 2, pull, cost)
