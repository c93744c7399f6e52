# SPDX-License-Identifier: GPL-3.0-or-later
"""MediaPipe's face as ScreenCues."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .mediapipe import MediaPipeFace
from .screen_cues import ScreenCues

#: Lids nearer to each other than this share of the eye's width hide the iris: its points are a
#: guess of the network and say nothing of the gaze.
CLOSED_EYE = 0.12

_EYES = (  # the subject's side, iris points, lid top, lid bottom, outer and inner corner
    ("right", slice(468, 473), 159, 145, 33, 133),
    ("left", slice(473, 478), 386, 374, 263, 362),
)


def closed_eyes(landmarks: NDArray[np.float64]) -> tuple[str, ...]:
    """The subject's sides, "right" and "left", whose lids hide the iris; landmarks (478, 2..3)."""
    return tuple(
        side
        for side, _, top, bottom, outer, inner in _EYES
        if np.linalg.norm(landmarks[top, :2] - landmarks[bottom, :2])
        < CLOSED_EYE * np.linalg.norm(landmarks[outer, :2] - landmarks[inner, :2])
    )


def cues_from_face(face: MediaPipeFace, width: int, height: int) -> ScreenCues:
    """One detected face in a photo of width x height pixels."""
    points = np.asarray(face.landmarks, dtype=np.float64)
    sigma = np.array(face.spread, dtype=np.float64)
    notes = []
    closed = closed_eyes(points)
    for side, iris, _, _, outer, inner in _EYES:
        if side in closed:
            sigma[iris] += np.linalg.norm(points[outer, :2] - points[inner, :2])
            notes.append("An eye is closed, so its gaze follows the other eye.")
    return ScreenCues(
        width=width,
        height=height,
        predictor="mediapipe",
        landmarks=points[:, :2].copy(),
        landmark_depth=points[:, 2].copy(),
        landmark_sigma=sigma,
        notes=tuple(notes),
    )
