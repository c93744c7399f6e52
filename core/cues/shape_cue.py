# SPDX-License-Identifier: GPL-3.0-or-later
"""What a photo's pixels say of a person's identity: a Gaussian likelihood beside the prior.

The prior that the network was trained with is taken out of it, so that what several photos say
adds up and the prior is counted once.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FitError

Array = NDArray[np.float64]

#: More components than any head has, and how many directions among them are kept at most: what
#: the network knows of the others is less than the error with which its errors were measured.
MOST_COMPONENTS, DIRECTIONS = 200, 32
#: Directions in which a network knows less than this share beyond the prior say nothing.
LEAST = 0.02
#: No likelihood of ours is as sharp: a hundredth of a sigma, and places as far off.
_SHARPEST, _FARTHEST = 100.0, 1e4


@dataclass(frozen=True, eq=False)
class ShapeCue:
    """The likelihood's residuals, in units of their spread, are ``matrix @ identity - goal``.

    matrix (r, k) over the first k identity components, goal (r,). trust in [0, 1] is how far the
    network was believed, which they contain. Raises FitError for what is none.
    """

    matrix: Array
    goal: Array
    trust: float = 1.0

    def __post_init__(self) -> None:
        r, k = self.matrix.shape
        if self.goal.shape != (r,) or not (r <= DIRECTIONS and 0 < k <= MOST_COMPONENTS):
            raise FitError("What the photo says of the face's shape has the wrong size.")
        # Also false for nan.
        fits = (np.abs(self.matrix) < _SHARPEST).all() and (np.abs(self.goal) < _FARTHEST).all()
        if not (fits and 0 <= self.trust <= 1):
            raise FitError("What the photo says of the face's shape is not finite.")

    @classmethod
    def of_posterior(
        cls, mean: Array, covariance: Array, *, believed: float = 1.0, trust: float = 1.0
    ) -> ShapeCue:
        """From a posterior whose prior is standard normal: mean (k,), covariance (k, k).

        What it knows beyond the prior counts ``believed * trust`` times. Of directions in which it
        knows something the DIRECTIONS best known are kept, with the digits that `to_json` keeps.
        """
        precision = np.linalg.inv(covariance)
        values, axes = np.linalg.eigh((precision + precision.T) / 2)
        best = np.argsort(-values)[:DIRECTIONS]
        best = best[values[best] > 1 + LEAST]
        gain = values[best] - 1
        root = np.sqrt(gain * believed * trust)
        # Where the likelihood lies along each direction: the posterior's mean without the pull
        # of the prior.
        places = values[best] / gain * (axes[:, best].T @ mean)
        matrix = (root[:, None] * axes[:, best].T).astype(np.float16).astype(np.float64)
        goal = (root * places).astype(np.float32).astype(np.float64)
        return cls(matrix, goal, float(trust))

    @property
    def information(self) -> Array:
        """(k, k) what it adds to the inverse covariance of the identity."""
        return self.matrix.T @ self.matrix

    def to_json(self) -> dict[str, Any]:
        """Little-endian halves of the matrix and singles of the goal, base64."""
        return {
            "size": list(self.matrix.shape),
            "matrix": _packed(self.matrix, "<f2"),
            "goal": _packed(self.goal, "<f4"),
            "trust": round(self.trust, 6),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ShapeCue:
        """Raises ValueError, LookupError, TypeError or FitError for what is none."""
        (r, k), trust = data["size"], data["trust"]
        if not (type(r) is int and type(k) is int and type(trust) in (int, float)):
            raise ValueError("shape")
        if not (0 <= r <= DIRECTIONS and 0 < k <= MOST_COMPONENTS):
            raise ValueError("shape")
        matrix = _unpacked(data["matrix"], "<f2", r * k).reshape(r, k)
        return cls(matrix, _unpacked(data["goal"], "<f4", r), float(trust))


def _packed(values: Array, kind: str) -> str:
    return base64.b64encode(values.astype(kind).tobytes()).decode("ascii")


def _unpacked(text: object, kind: str, count: int) -> Array:
    size = count * np.dtype(kind).itemsize
    if not isinstance(text, str) or len(text) > 2 * size + 4:
        raise ValueError("shape")
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ValueError("shape") from error
    if len(data) != size:
        raise ValueError("shape")
    return np.frombuffer(data, kind).astype(np.float64)
