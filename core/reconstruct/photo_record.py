# SPDX-License-Identifier: GPL-3.0-or-later
"""PhotoRecord: one photo of a continuation, its landmarks and where its fit ended; no pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cues.screen_cues import ScreenCues
from ..cues.shape_cue import ShapeCue
from ..fitting.state import PhotoState
from ..geometry.rotation import matrix_from_vector, vector_from_matrix
from ..heads.face_landmarks import LANDMARK_COUNT
from ..photos.colour import FaceColours
from ..photos.photo import MAX_PIXELS
from .json_numbers import array, number, numbers, positive, short_text, vector

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PhotoRecord:
    """One photo as its predictor saw it, and the fit's unknowns for it.

    name and sha256 of the photo, width and height in pixels; landmarks (478, 2), depth (478,)
    and sigma (478,) as in ScreenCues; dense: the fit also had maps, which are not kept; focal
    (pixels, None if unknown) and focal_source as the fit was given; colours of skin and iris;
    landmarks_fit (478, 2) pixels, nan where the head has no such point, and state: where the
    fit ended, None before there was one; shape: what the photo's pixels said of the identity;
    detail and teeth_together as in ScreenCues.
    """

    name: str
    sha256: str
    width: int
    height: int
    predictor: str
    landmarks: Array
    depth: Array
    sigma: Array
    dense: bool
    focal: float | None
    focal_source: str
    colours: FaceColours
    landmarks_fit: Array
    state: PhotoState | None = None
    shape: ShapeCue | None = None
    detail: float = 1.0
    teeth_together: bool = False

    @property
    def cues(self) -> ScreenCues:
        """Without maps."""
        return ScreenCues(
            width=self.width,
            height=self.height,
            predictor=self.predictor,
            landmarks=self.landmarks,
            landmark_depth=self.depth,
            landmark_sigma=self.sigma,
            shape=self.shape,
            detail=self.detail,
            teeth_together=self.teeth_together,
        )

    def to_json(self) -> dict[str, Any]:
        """JSON-ready; ten thousandths of a pixel and nine digits of an unknown are kept.

        Raises ValueError for a photo without a fit.
        """
        if self.state is None:
            raise ValueError("a photo that was not fitted")
        fit = [
            None if not np.isfinite(row).all() else row.round(3).tolist()
            for row in self.landmarks_fit
        ]
        return {
            "name": self.name,
            "sha256": self.sha256,
            "width": self.width,
            "height": self.height,
            "predictor": self.predictor,
            "landmarks": self.landmarks.round(4).tolist(),
            "depth": self.depth.round(4).tolist(),
            "sigma": self.sigma.round(5).tolist(),
            "detail": round(self.detail, 3),
            "teeth_together": self.teeth_together,
            "dense": self.dense,
            "focal": self.focal,
            "focal_source": self.focal_source,
            "skin": [round(float(x), 6) for x in self.colours.skin],
            "iris": [round(float(x), 6) for x in self.colours.iris],
            "landmarks_fit": fit,
            "state": {
                "turn": numbers(vector_from_matrix(self.state.R)),
                "t": numbers(self.state.t),
                "log_focal": float(self.state.log_focal),
                "gaze": numbers(self.state.gaze),
                "expression": numbers(self.state.expression),
                "drift": numbers(self.state.drift),
            },
            "shape": None if self.shape is None else self.shape.to_json(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> PhotoRecord:
        """Inverse of to_json. Raises ValueError, TypeError, LookupError, ArithmeticError or
        FitError for what is damaged.
        """
        width, height, state = data["width"], data["height"], data["state"]
        if not (isinstance(width, int) and isinstance(height, int)):
            raise ValueError("size")
        if width < 1 or height < 1 or width * height > MAX_PIXELS:
            raise ValueError("size")
        none = [float("nan")] * 2
        fit = np.array([none if row is None else row for row in data["landmarks_fit"]], np.float64)
        if fit.shape != (LANDMARK_COUNT, 2) or (np.abs(fit) > 1e6).any():
            raise ValueError("landmarks_fit")
        sigma = array(data["sigma"], (LANDMARK_COUNT,))
        t = array(state["t"], (3,))
        log_focal = number(state["log_focal"])
        if (sigma < 0).any() or not t[2] > 1e-3 or abs(log_focal - 10) > 10:
            raise ValueError("state")
        return cls(
            name=short_text(data["name"]),
            sha256=short_text(data["sha256"]),
            width=width,
            height=height,
            predictor=short_text(data["predictor"]),
            landmarks=array(data["landmarks"], (LANDMARK_COUNT, 2)),
            depth=array(data["depth"], (LANDMARK_COUNT,)),
            sigma=sigma,
            detail=positive(data.get("detail", 1.0)),
            teeth_together=bool(data.get("teeth_together", False)),
            dense=bool(data["dense"]),
            focal=None if data["focal"] is None else positive(data["focal"]),
            focal_source=short_text(data["focal_source"]),
            colours=FaceColours(
                array(data["skin"], (3,)).astype(np.float32),
                array(data["iris"], (3,)).astype(np.float32),
            ),
            landmarks_fit=fit,
            state=PhotoState(
                R=matrix_from_vector(array(state["turn"], (3,))),
                t=t,
                log_focal=log_focal,
                gaze=array(state["gaze"], (4,)),
                expression=vector(state["expression"]),
                drift=vector(state["drift"]),
            ),
            # Heads of earlier versions have none.
            shape=None if data.get("shape") is None else ShapeCue.from_json(data["shape"]),
        )
