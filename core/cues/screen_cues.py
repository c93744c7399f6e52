# SPDX-License-Identifier: GPL-3.0-or-later
"""ScreenCues: what a predictor says of one face in one photo, in a form any fit understands.

A predictor fills what it has. Landmarks are the 478 points of MediaPipe's attention mesh (the
order is the contract between predictors and head models); dense maps live in a square crop
whose place in the photo is ``crop_to_photo``.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..errors import FitError
from ..heads.face_landmarks import LANDMARK_COUNT
from .shape_cue import ShapeCue

Array = NDArray[np.float64]
Map = NDArray[np.float32]

#: See `ScreenCues.unseen`.
UNSEEN = 0.25


@dataclass(frozen=True)
class ScreenCues:
    """Cues of one face.

    width, height: size of the photo in pixels.
    predictor: name of who speaks, for the report.
    landmarks: (478, 2) pixels of the photo.
    landmark_depth: (478,) relative depth in pixels at the face's scale, growing away from the
        camera; its zero is arbitrary.
    landmark_sigma: (478,) standard deviation in pixels as the predictor believes it.
    metric_landmarks: (468, 3) metres in the head frame's orientation, as a predictor that knows
        metric geometry sees the face (pose removed); origin and scale are its own.
    uv: (h, w, 2) in [0, 1], the head model's texture coordinates, v downward.
    normal: (h, w, 3) unit vectors in the head frame, neck and root rotation removed.
    confidence: (h, w) in [0, 1]; 0 where the maps say nothing.
    background: (h, w) in [0, 1]; 1 where the photo surely shows nothing of the head.
    crop_to_photo: (2, 3) affine map from the crop's pixels to the photo's.
    shape: what the photo's pixels say of the open head's identity.
    detail: pixels of the photo that the smallest thing it resolves on the face measures; 1 in
        focus and in good light.
    teeth_together: between the lips the photo shows teeth that meet.
    notes: sentences for the person.
    """

    width: int
    height: int
    predictor: str
    landmarks: Array | None = None
    landmark_depth: Array | None = None
    landmark_sigma: Array | None = None
    metric_landmarks: Array | None = None
    uv: Map | None = None
    normal: Map | None = None
    confidence: Map | None = None
    crop_to_photo: Array | None = None
    background: Map | None = None
    shape: ShapeCue | None = None
    detail: float = 1.0
    teeth_together: bool = False
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        """Shapes are checked once, here, so that no solver has to. Raises FitError."""
        n = LANDMARK_COUNT
        self._check("landmarks", self.landmarks, (n, 2))
        self._check("landmark_depth", self.landmark_depth, (n,))
        self._check("landmark_sigma", self.landmark_sigma, (n,))
        self._check("metric_landmarks", self.metric_landmarks, (468, 3))
        self._check("crop_to_photo", self.crop_to_photo, (2, 3))
        maps = {
            "uv": (self.uv, 2),
            "normal": (self.normal, 3),
            "confidence": (self.confidence, 0),
            "background": (self.background, 0),
        }
        sizes = {m.shape[:2] for m, _ in maps.values() if m is not None}
        if len(sizes) > 1:
            raise FitError(f"The {self.predictor} cues have maps of different sizes.")
        for name, (value, channels) in maps.items():
            if value is not None:
                size = next(iter(sizes))
                self._check(name, value, size + ((channels,) if channels else ()), finite=False)
        if sizes and (self.crop_to_photo is None or self.confidence is None):
            raise FitError(f"The {self.predictor} cues have maps without crop or confidence.")

    def _check(
        self,
        name: str,
        value: NDArray[np.floating] | None,
        shape: tuple[int, ...],
        *,
        finite: bool = True,
    ) -> None:
        if value is None:
            return
        if value.shape != shape:
            raise FitError(
                f"The {self.predictor} cues are damaged: {name} has shape {value.shape}, "
                f"not {shape}."
            )
        if finite and not np.isfinite(value).all():
            raise FitError(f"The {self.predictor} cues hold {name} that are not numbers.")

    @property
    def unseen(self) -> NDArray[np.bool_]:
        """(478,) landmarks that the predictor places without seeing them: those whose spread is
        beyond `UNSEEN` of the distance between the eyes' outer corners.
        """
        if self.landmarks is None or self.landmark_sigma is None:
            return np.zeros(LANDMARK_COUNT, bool)
        eyes = float(np.linalg.norm(self.landmarks[33] - self.landmarks[263]))
        return np.asarray(self.landmark_sigma > UNSEEN * eyes, dtype=bool)

    @property
    def dense(self) -> bool:
        """True if there are per-pixel maps."""
        return self.uv is not None or self.normal is not None
