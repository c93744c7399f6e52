# SPDX-License-Identifier: GPL-3.0-or-later
"""The unknowns of a fit and how a step moves them.

One identity is shared by all photos. Each photo has its own camera pose, focal length, gaze and
expression. A step is one flat vector::

    [ identity (I) | photo 0 | photo 1 | ... ]
    photo = [ turn (3) | shift (3) | log focal (1) | gaze (4) | expression (E) | drift (D) ]

``turn`` is a rotation vector in the camera frame that multiplies R from the left; ``gaze`` is
(pitch, yaw) of the left eye, then of the right, radians, pitch about +x (down) and yaw about
+y (to the subject's left), both about the eye's joint in the head frame. ``drift`` says how far
the predictor strayed along each of its known habits (see LandmarkModel), in sigma units.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..geometry.rotation import matrix_from_vector

Array = NDArray[np.float64]

TURN, SHIFT, FOCAL, GAZE = slice(0, 3), slice(3, 6), slice(6, 7), slice(7, 11)
POSE_SIZE = 11


@dataclass(frozen=True)
class PhotoState:
    """R (3, 3), t (3,) metres, log_focal (log pixels), gaze (4,), expression (E,), drift (D,)."""

    R: Array
    t: Array
    log_focal: float
    gaze: Array
    expression: Array
    drift: Array

    @property
    def focal(self) -> float:
        """Focal length in pixels."""
        return float(np.exp(self.log_focal))


@dataclass(frozen=True)
class State:
    """identity (I,) and the photos."""

    identity: Array
    photos: tuple[PhotoState, ...]


@dataclass(frozen=True)
class Layout:
    """Where each unknown lives in the flat step vector."""

    identity_count: int
    expression_count: int
    photo_count: int
    drift_count: int = 0

    @property
    def photo_size(self) -> int:
        """Unknowns of one photo."""
        return POSE_SIZE + self.expression_count + self.drift_count

    @property
    def size(self) -> int:
        """All unknowns."""
        return self.identity_count + self.photo_count * self.photo_size

    def photo_start(self, photo: int) -> int:
        """First index of a photo's unknowns."""
        return self.identity_count + photo * self.photo_size

    def columns(self, photo: int) -> NDArray[np.intp]:
        """Flat indices of [identity | photo], the columns of a photo's Jacobian."""
        start = self.photo_start(photo)
        return np.concatenate(
            [np.arange(self.identity_count), np.arange(start, start + self.photo_size)]
        )

    def expression_columns(self, photo: int) -> slice:
        """Flat indices of a photo's sliders."""
        start = self.photo_start(photo) + POSE_SIZE
        return slice(start, start + self.expression_count)

    def drift_columns(self, photo: int) -> slice:
        """Flat indices of a photo's drift."""
        stop = self.photo_start(photo) + self.photo_size
        return slice(stop - self.drift_count, stop)

    def moved(self, state: State, step: Array, upper: Array, lower: Array) -> State:
        """The state after a step; sliders are clipped to [lower, upper], each (E,)."""
        photos = []
        for i, p in enumerate(state.photos):
            start = self.photo_start(i)
            d = step[start : start + self.photo_size]
            sliders = d[POSE_SIZE : POSE_SIZE + self.expression_count]
            photos.append(
                replace(
                    p,
                    R=matrix_from_vector(d[TURN]) @ p.R,
                    t=p.t + d[SHIFT],
                    log_focal=p.log_focal + float(d[FOCAL][0]),
                    gaze=p.gaze + d[GAZE],
                    expression=np.clip(p.expression + sliders, lower, upper),
                    drift=p.drift + d[POSE_SIZE + self.expression_count :],
                )
            )
        return State(state.identity + step[: self.identity_count], tuple(photos))
