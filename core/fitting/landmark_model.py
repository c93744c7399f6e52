# SPDX-License-Identifier: GPL-3.0-or-later
"""How a predictor's landmarks relate to the points embedded in a head: bias and spread.

A detector's notion of "corner of the brow" differs from the head model's by millimetres, and
differs by the direction from which the face is seen. Both were measured once by running the
detector on renders of the open head itself, whose true points are known; never on the heads of
a benchmark.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelFileError
from ..heads.face_landmarks import LANDMARK_COUNT
from ..heads.model import HeadModel

Array = NDArray[np.float64]

VENDOR = Path(__file__).resolve().parents[2] / "vendor" / "calibration" / "landmarks.npz"


@dataclass(frozen=True, eq=False)
class LandmarkModel:
    """A linear Gaussian model of what a predictor reports of a head's points.

    In the head frame, a point x of a face with identity a, seen with rotation R, is reported at::

        x + bias @ view_features(R) + identity @ a + habits @ d + noise

    bias (478, 3, 6); identity (478, 3, I): a network pulls every face toward its own mean, so
    that it under-reports some of what makes a face; habits (478, 3, D) with d standard normal:
    errors that come together, such as an outline drawn too wide; noise independent, sigma (478,)
    in the image plane. Reported depth has no bias here and depth_sigma (478,). Metres. head: name
    of the head model it was measured on, in whose components ``identity`` is.
    """

    head: str
    bias: Array
    identity: Array
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
        return cls("", np.zeros((n, 3, 6)), none, none, np.full(n, 2.5e-3), np.full(n, 6e-3))

    def for_head(self, head: HeadModel) -> LandmarkModel:
        """The model for another head: without what is said in the first one's components."""
        if head.name == self.head:
            return self
        return replace(self, head=head.name, identity=self.identity[:, :, :0])


def view_features(R: Array) -> Array:
    """(6,): 1, x, y, x^2, xy, y^2 of the direction to the camera in the head frame."""
    x, y, _ = -R.T @ np.array([0.0, 0.0, 1.0])
    return np.array([1.0, x, y, x * x, x * y, y * y])


@lru_cache(maxsize=1)
def load_landmark_model(path: Path = VENDOR) -> LandmarkModel:
    """The measured model. Raises ModelFileError if its file is missing or damaged."""
    try:
        with np.load(path, allow_pickle=False) as z:
            arrays = {f.name: z[f.name] for f in fields(LandmarkModel)}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ModelFileError(
            f"The calibration ({path.name}) is missing or damaged: reinstall the extension."
        ) from error
    head = str(arrays.pop("head"))
    return LandmarkModel(head, **{name: a.astype(np.float64) for name, a in arrays.items()})
