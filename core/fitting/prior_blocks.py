# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known before the photo is seen: Gaussian priors on the unknowns."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .state import FOCAL, GAZE, Layout, State

Array = NDArray[np.float64]


class IdentityPrior:
    """identity / sigma; the coefficients are in sigma units, so that sigma is 1 where the
    head's statistics are believed.
    """

    name = "identity prior"
    group = 1
    robust_scale = None

    def __init__(self, layout: Layout, sigma: float | Array = 1.0) -> None:
        self.columns = np.arange(layout.identity_count)
        self.scale = 1.0 / np.broadcast_to(np.asarray(sigma, float), (layout.identity_count,))

    def residuals(self, state: State) -> Array:
        """(I,)."""
        return self.scale * state.identity

    def linearise(self, state: State) -> tuple[Array, Array]:
        """See ResidualBlock."""
        return self.residuals(state), np.diag(self.scale)


class ExpressionPrior:
    """(expression - mean) / sigma of one photo; mean and sigma (E,)."""

    name = "expression prior"
    group = 1
    robust_scale = None

    def __init__(self, photo: int, layout: Layout, sigma: Array, mean: Array | None = None) -> None:
        at = layout.expression_columns(photo)
        self.photo, self.columns = photo, np.arange(at.start, at.stop)
        self.scale = 1.0 / sigma
        self.mean = np.zeros_like(sigma) if mean is None else mean

    def residuals(self, state: State) -> Array:
        """(E,)."""
        return self.scale * (state.photos[self.photo].expression - self.mean)

    def linearise(self, state: State) -> tuple[Array, Array]:
        """See ResidualBlock."""
        return self.residuals(state), np.diag(self.scale)


class GazePrior:
    """Gaze near straight ahead, and both eyes turned alike.

    People look with both eyes: the difference between the eyes is far smaller than the gaze
    itself, which lets one hidden iris follow the other.
    """

    name = "gaze prior"
    group = 1
    robust_scale = None

    def __init__(
        self, photo: int, layout: Layout, sigma: float = 0.25, difference: float = 0.05
    ) -> None:
        start = layout.photo_start(photo) + GAZE.start
        self.photo, self.columns = photo, np.arange(start, start + 4)
        half = np.array([[0.5, 0.0, 0.5, 0.0], [0.0, 0.5, 0.0, 0.5]]) / sigma
        apart = np.array([[1.0, 0.0, -1.0, 0.0], [0.0, 1.0, 0.0, -1.0]]) / difference
        self.matrix = np.vstack([half, apart])

    def residuals(self, state: State) -> Array:
        """(4,)."""
        return self.matrix @ state.photos[self.photo].gaze

    def linearise(self, state: State) -> tuple[Array, Array]:
        """See ResidualBlock."""
        return self.residuals(state), self.matrix


class DriftPrior:
    """A predictor strays along its habits by a standard normal amount."""

    name = "drift prior"
    group = 1
    robust_scale = None

    def __init__(self, photo: int, layout: Layout) -> None:
        at = layout.drift_columns(photo)
        self.photo, self.columns = photo, np.arange(at.start, at.stop)

    def residuals(self, state: State) -> Array:
        """(D,)."""
        return state.photos[self.photo].drift

    def linearise(self, state: State) -> tuple[Array, Array]:
        """See ResidualBlock."""
        return self.residuals(state), np.eye(len(self.columns))


class FocalPrior:
    """(log focal - mean) / sigma of one photo."""

    name = "focal prior"
    group = 1
    robust_scale = None

    def __init__(self, photo: int, layout: Layout, mean: float, sigma: float) -> None:
        self.photo, self.mean, self.sigma = photo, mean, sigma
        self.columns = np.array([layout.photo_start(photo) + FOCAL.start])

    def residuals(self, state: State) -> Array:
        """(1,)."""
        return np.array([(state.photos[self.photo].log_focal - self.mean) / self.sigma])

    def linearise(self, state: State) -> tuple[Array, Array]:
        """See ResidualBlock."""
        return self.residuals(state), np.array([[1.0 / self.sigma]])
