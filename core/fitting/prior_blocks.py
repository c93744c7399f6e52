# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known before the photo is seen: Gaussian priors on the unknowns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..cues.screen_cues import ScreenCues
from ..geometry.camera import focal_from_35mm
from ..heads.model import HeadModel
from .block import Block
from .state import FOCAL, GAZE, Layout, State

Array = NDArray[np.float64]

#: Without EXIF: the middle of what portraits are taken with, from a phone's front camera
#: (about 24 mm) to a portrait lens (about 85 mm), as 35 mm equivalent, and its spread.
TYPICAL_FOCAL_MM, TYPICAL_FOCAL_SIGMA = 45.0, 0.35
#: With EXIF: makers round, and a photo may have been cropped a little.
KNOWN_FOCAL_SIGMA = 0.02


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
        """Residuals (I,) and their Jacobian (I, I)."""
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
        """Residuals (E,) and their Jacobian (E, E)."""
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
        """Residuals (4,) and their Jacobian (4, 4)."""
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
        """Residuals (D,) and their Jacobian (D, D)."""
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
        """Residuals (1,) and their Jacobian (1, 1)."""
        return self.residuals(state), np.array([[1.0 / self.sigma]])


def priors(
    head: HeadModel, layout: Layout, cues: Sequence[ScreenCues], focal: Sequence[float | None]
) -> list[Block]:
    """On everything that the photos' cues are fitted with; focal: pixels where they are known."""
    blocks: list[Block] = [IdentityPrior(layout)]
    for i, (c, f) in enumerate(zip(cues, focal, strict=True)):
        spread = KNOWN_FOCAL_SIGMA if f else TYPICAL_FOCAL_SIGMA
        blocks += [
            ExpressionPrior(i, layout, expression_sigma(head)),
            GazePrior(i, layout),
            DriftPrior(i, layout),
            FocalPrior(i, layout, float(np.log(f or typical_focal(c))), spread),
        ]
    return blocks


def expression_sigma(head: HeadModel) -> Array:
    """(E,) spread of each slider around rest. Named sliders run from 0 to 1 and rarely pass a
    third in a portrait; components without names are in sigma units already.
    """
    return np.full(head.expression_count, 0.33 if head.expression_names else 1.0)


def typical_focal(cues: ScreenCues) -> float:
    """Pixels, of a photo of which nothing is known."""
    return focal_from_35mm(TYPICAL_FOCAL_MM, cues.width, cues.height)


def slider_bounds(head: HeadModel) -> tuple[Array, Array]:
    """(E,), (E,): named sliders run from 0 to 1; nameless components are free within 4 sigma."""
    if head.expression_names:
        return np.zeros(head.expression_count), np.ones(head.expression_count)
    wide = np.full(head.expression_count, 4.0)
    return -wide, wide
