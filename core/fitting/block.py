# SPDX-License-Identifier: GPL-3.0-or-later
"""What the solver minimises: a sum of residual blocks, each with an analytic Jacobian."""

from __future__ import annotations

from typing import Protocol, TypeGuard

import numpy as np
from numpy.typing import NDArray

from .state import State

Array = NDArray[np.float64]


class ResidualBlock(Protocol):
    """Residuals in units of their own standard deviation, so that blocks can be added."""

    @property
    def name(self) -> str:
        """What the block measures, for the report."""

    @property
    def columns(self) -> NDArray[np.intp]:
        """The unknowns it depends on (c,), as indices of the flat step."""

    @property
    def group(self) -> int:
        """Residuals come in runs of this length that are weighted together: the two coordinates
        of a point are one observation.
        """

    @property
    def robust_scale(self) -> float | None:
        """The Cauchy loss's scale in standard deviations, or None for least squares."""

    def residuals(self, state: State) -> Array:
        """(m,), observations in runs of ``group``."""

    def linearise(self, state: State) -> tuple[Array, Array]:
        """Residuals (m,) and their Jacobian (m, c)."""


class EnergyBlock(Protocol):
    """A block that is better off adding up its own derivatives than showing its residuals."""

    name: str

    def cost(self, state: State) -> float:
        """Half a robust sum of squares, in the same units as a ResidualBlock's."""

    def accumulate(self, state: State, gradient: Array, matrix: Array | None) -> float:
        """Adds the gradient (size,) and, unless None, the Gauss-Newton matrix (size, size), which
        may be approximate; returns the cost.
        """


Block = ResidualBlock | EnergyBlock


def adds_itself(block: Block) -> TypeGuard[EnergyBlock]:
    """Whether it is an EnergyBlock; a tenth of the time of isinstance() with a protocol."""
    return hasattr(block, "accumulate")


def shows_residuals(block: Block) -> TypeGuard[ResidualBlock]:
    """Whether it is a ResidualBlock."""
    return not hasattr(block, "accumulate")


def robust_weights(residuals: Array, group: int, scale: float | None) -> tuple[Array, float]:
    """Weights (m,) of the normal equations and the cost of a block.

    Cauchy loss rho(s) = c^2 log(1 + s / c^2) of the squared length s of each observation, by
    iterative reweighting with rho'(s) (Triggs et al., "Bundle adjustment: a modern synthesis",
    2000, section 3.3, without the second-order term, which can make the matrix indefinite).
    """
    if scale is None:
        return np.ones_like(residuals), 0.5 * float(residuals @ residuals)
    s = (residuals.reshape(-1, group) ** 2).sum(axis=1) / scale**2
    cost = 0.5 * scale**2 * float(np.log1p(s).sum())
    return np.repeat(1.0 / (1.0 + s), group), cost
