# SPDX-License-Identifier: GPL-3.0-or-later
"""MediaPipe's face as ScreenCues."""

from __future__ import annotations

import numpy as np

from .mediapipe import MediaPipeFace
from .screen_cues import ScreenCues

#: Lids nearer to each other than this share of the eye's width hide the iris: its points are a
#: guess of the network and say nothing of the gaze.
CLOSED_EYE = 0.12

_EYES = (  # iris points, lid top, lid bottom, outer and inner corner; the subject's right, left
    (slice(468, 473), 159, 145, 33, 133),
    (slice(473, 478), 386, 374, 263, 362),
)


def cues_from_face(face: MediaPipeFace, width: int, height: int) -> ScreenCues:
    """One detected face in a photo of width x height pixels."""
    points = np.asarray(face.landmarks, dtype=np.float64)
    sigma = np.array(face.spread, dtype=np.float64)
    notes = []
    for iris, top, bottom, outer, inner in _EYES:
        across = np.linalg.norm(points[outer, :2] - points[inner, :2])
        if np.linalg.norm(points[top, :2] - points[bottom, :2]) < CLOSED_EYE * across:
            sigma[iris] += across
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
