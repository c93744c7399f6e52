# SPDX-License-Identifier: GPL-3.0-or-later
"""Damped Gauss-Newton (Levenberg-Marquardt) over residual blocks, with bounds on the sliders.

Damping and acceptance follow Nielsen, "Damping parameter in Marquardt's method" (IMM-REP-1999-05);
bounds follow Bertsekas, "Projected Newton methods for optimization problems with simple
constraints" (SIAM J. Control, 1982): unknowns at a bound whose gradient points outward are held,
the others take the Newton step and are clipped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..errors import FitError
from .block import Block, adds_itself, robust_weights, shows_residuals
from .state import Layout, State

Array = NDArray[np.float64]

#: A matrix that takes long serves further steps, at most so many, while it foretells of each at
#: least this share of what the step gains.
REUSES, FORETOLD = 2, 0.7


@dataclass
class Trace:
    """What a solve did: total cost after each accepted step, and each block's final cost."""

    costs: list[float] = field(default_factory=list)
    by_block: dict[str, float] = field(default_factory=dict)
    steps: int = 0
    converged: bool = False


@dataclass(frozen=True, eq=False)
class Problem:
    """Blocks over a layout; ``free`` (size,) masks the unknowns that may move; lower and upper
    (E,) bound the sliders of every photo.
    """

    layout: Layout
    blocks: Sequence[Block]
    free: NDArray[np.bool_]
    lower: Array
    upper: Array

    def cost(self, state: State) -> float:
        """The robust cost, half a sum of squares where all is well."""
        return sum(self.block_costs(state).values())

    def block_costs(self, state: State) -> dict[str, float]:
        """Cost by block name."""
        out: dict[str, float] = {}
        for b in self.blocks:
            if adds_itself(b):
                cost = b.cost(state)
            else:
                assert shows_residuals(b)
                cost = robust_weights(b.residuals(state), b.group, b.robust_scale)[1]
            out[b.name] = out.get(b.name, 0.0) + cost
        return out

    def normal_equations(self, state: State) -> tuple[Array, Array, float]:
        """Gauss-Newton matrix (size, size), gradient (size,) and cost."""
        n = self.layout.size
        matrix, gradient, cost = np.zeros((n, n)), np.zeros(n), 0.0
        for b in self.blocks:
            if adds_itself(b):
                cost += b.accumulate(state, gradient, matrix)
                continue
            assert shows_residuals(b)
            r, jacobian = b.linearise(state)
            w, c = robust_weights(r, b.group, b.robust_scale)
            root = np.sqrt(w)
            # A matrix by its own transpose costs numpy half of what two matrices do.
            rows = jacobian * root[:, None]
            matrix[np.ix_(b.columns, b.columns)] += rows.T @ rows
            gradient[b.columns] += rows.T @ (root * r)
            cost += c
        return matrix, gradient, cost

    def gradient(self, state: State) -> tuple[Array, float]:
        """Gradient (size,) and cost."""
        gradient, cost = np.zeros(self.layout.size), 0.0
        for b in self.blocks:
            if adds_itself(b):
                cost += b.accumulate(state, gradient, None)
                continue
            assert shows_residuals(b)
            r, jacobian = b.linearise(state)
            w, c = robust_weights(r, b.group, b.robust_scale)
            gradient[b.columns] += jacobian.T @ (w * r)
            cost += c
        return gradient, cost

    @property
    def costly(self) -> bool:
        """Whether the matrix takes far longer than the gradient."""
        return any(adds_itself(b) for b in self.blocks)

    def reach(self, state: State) -> tuple[Array, Array]:
        """How far each unknown may step down and up, (size,) each; only sliders are bounded."""
        least = np.full(self.layout.size, -np.inf)
        most = np.full(self.layout.size, np.inf)
        for i, photo in enumerate(state.photos):
            at = self.layout.expression_columns(i)
            least[at] = np.minimum(self.lower - photo.expression, 0.0)
            most[at] = np.maximum(self.upper - photo.expression, 0.0)
        return least, most

    def held(self, state: State, gradient: Array) -> NDArray[np.bool_]:
        """Unknowns that may not move now: fixed ones, and sliders pressed against a bound."""
        held = ~self.free
        for i, photo in enumerate(state.photos):
            at = self.layout.expression_columns(i)
            e, g = photo.expression, gradient[at]
            held[at] |= ((e <= self.lower) & (g > 0)) | ((e >= self.upper) & (g < 0))
        return held


def bounded_step(
    matrix: Array,
    gradient: Array,
    damping: float,
    move: NDArray[np.intp],
    least: Array,
    most: Array,
) -> Array | None:
    """The damped Newton step (size,) within [least, most] (size,); None if it is not defined.

    Unknowns that would pass a bound are put on it and the others are solved again, so that they
    answer to where the bounded ones really go. A step that is merely clipped points elsewhere.
    """
    step = np.zeros(len(gradient))
    damped = matrix + np.diag(damping * np.maximum(np.diag(matrix), 1e-12))
    while len(move):
        pull = gradient[move] + damped[move] @ step
        try:
            found = -np.linalg.solve(damped[np.ix_(move, move)], pull)
        except np.linalg.LinAlgError:
            return None
        passed = (found < least[move]) | (found > most[move])
        if not passed.any():
            step[move] = found
            break
        stop = move[passed]
        step[stop] = np.clip(found[passed], least[stop], most[stop])
        move = move[~passed]
    return step


def solve(
    problem: Problem,
    state: State,
    *,
    max_steps: int = 40,
    tolerance: float = 1e-5,
    tick: Callable[[float], None] | None = None,
) -> tuple[State, Trace]:
    """Minimise; stops when a step lowers the cost by less than ``tolerance`` of itself.

    ``tick`` is called with the share of ``max_steps`` done and may raise to stop. Raises
    FitError if the residuals are not finite at the start.
    """
    trace, damping, growth, reused = Trace(), 1e-3, 2.0, 0
    matrix, gradient, cost = problem.normal_equations(state)
    if not (np.isfinite(cost) and np.isfinite(gradient).all() and np.isfinite(matrix).all()):
        raise FitError("The cues do not describe a face: their residuals are not finite.")
    trace.costs.append(cost)
    for i in range(max_steps):
        if tick is not None:
            tick(i / max_steps)
        trace.steps += 1
        move = np.nonzero(~problem.held(state, gradient))[0]
        step = bounded_step(matrix, gradient, damping, move, *problem.reach(state))
        if step is None:
            damping, growth = damping * growth, growth * 2
            continue
        candidate = problem.layout.moved(state, step, problem.upper, problem.lower)
        new_cost = problem.cost(candidate)
        predicted = -(gradient @ step) - 0.5 * step @ matrix @ step
        gain = (cost - new_cost) / max(float(predicted), 1e-300)
        if np.isfinite(new_cost) and new_cost < cost:
            done = cost - new_cost <= tolerance * cost
            state = candidate
            damping *= max(1 / 3, 1 - (2 * gain - 1) ** 3) if gain < 1 else 1 / 3
            growth = 2.0
            if problem.costly and reused < REUSES and FORETOLD < gain < 1 / FORETOLD:
                reused += 1
                gradient, cost = problem.gradient(state)
            else:
                reused = 0
                matrix, gradient, cost = problem.normal_equations(state)
            trace.costs.append(cost)
            if done:
                trace.converged = True
                break
        elif reused:
            reused = 0
            matrix, gradient, cost = problem.normal_equations(state)
        else:
            damping, growth = damping * growth, growth * 2
            if damping > 1e10:
                # No direction lowers the cost any more: that is a minimum to working precision.
                trace.converged = True
                break
    trace.by_block = problem.block_costs(state)
    return state, trace
