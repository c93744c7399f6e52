# SPDX-License-Identifier: GPL-3.0-or-later
"""How a predictor's landmarks relate to the points embedded in a head: bias and spread.

A detector's notion of "corner of the brow" differs from the head model's by millimetres, and
differs by the direction from which the face is seen. Both were measured once by running the
detector on renders of the open head itself, whose true points are known; never on the heads of
a benchmark.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..cues.screen_cues import LANDMARK_COUNT
from ..errors import ModelFileError

Array = NDArray[np.float64]

VENDOR = Path(__file__).resolve().parents[2] / "vendor" / "calibration" / "landmarks.npz"


@dataclass(frozen=True, eq=False)
class LandmarkModel:
    """A linear Gaussian model of what a predictor reports of a head's points.

    In the head frame, a point x of a face with identity a and expression e, seen with rotation
    R, is reported at::

        x + bias @ view_features(R) + identity @ a + expression @ e + habits @ d + noise

    bias (478, 3, 6); identity (478, 3, I) and expression (478, 3, E): a network pulls every face
    toward its own mean, so that it under-reports some of what makes a face; habits (478, 3, D)
    with d standard normal: errors that come together, such as an outline drawn too wide; noise
    independent, sigma (478,) in the image plane and depth_sigma (478,) along the view. Metres.
    """

    bias: Array
    identity: Array
    expression: Array
    habits: Array
    sigma: Array
    depth_sigma: Array

    def offset(self, R: Array) -> Array:
        """What to add to the head's points (478, 3) when the head is seen with rotation R."""
        return self.bias @ view_features(R)

    @classmethod
    def uninformed(cls) -> LandmarkModel:
        """No bias, and the same spread everywhere."""
        n, none = LANDMARK_COUNT, np.zeros((LANDMARK_COUNT, 3, 0))
        return cls(np.zeros((n, 3, 6)), none, none, none, np.full(n, 2.5e-3), np.full(n, 6e-3))


def view_features(R: Array) -> Array:
    """(6,): 1, x, y, x^2, xy, y^2 of the direction to the camera in the head frame."""
    x, y, _ = -R.T @ np.array([0.0, 0.0, 1.0])
    return np.array([1.0, x, y, x * x, x * y, y * y])


@lru_cache(maxsize=1)
def load_landmark_model(path: Path = VENDOR) -> LandmarkModel:
    """The measured model. Raises ModelFileError if its file is missing or damaged."""
    try:
        with np.load(path, allow_pickle=False) as z:
            a = {f.name: z[f.name].astype(np.float64) for f in fields(LandmarkModel)}
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise ModelFileError(
            f"The calibration ({path.name}) is missing or damaged: reinstall the extension."
        ) from error
    return LandmarkModel(**a)
