# SPDX-License-Identifier: GPL-3.0-or-later
"""MediaPipe's face as ScreenCues."""

from __future__ import annotations

import numpy as np

from .eye_openings import LIDS, closed_eyes
from .mediapipe import MediaPipeFace
from .photo_check import CheckedFace
from .screen_cues import ScreenCues


def cues_from_face(
    face: MediaPipeFace, width: int, height: int, checked: CheckedFace | None = None
) -> ScreenCues:
    """One detected face in a photo of width x height pixels; checked: what the photo shows of it,
    without which all of it counts as seen.
    """
    points = np.asarray(face.landmarks, dtype=np.float64)
    sigma = np.array(face.spread, dtype=np.float64)
    for side in closed_eyes(points):
        outer, inner = (points[i, :2] for i in LIDS[side].corners)
        sigma[LIDS[side].iris] += np.linalg.norm(outer - inner)
    if checked is not None:
        # The net draws what it does not see: as much as nothing is known there.
        sigma[checked.covered] += np.linalg.norm(points[33, :2] - points[263, :2])
    return ScreenCues(
        width=width,
        height=height,
        predictor="mediapipe",
        landmarks=points[:, :2].copy(),
        landmark_depth=points[:, 2].copy(),
        landmark_sigma=sigma,
        detail=1.0 if checked is None else checked.detail,
        teeth_together=checked is not None and checked.teeth_together,
        notes=() if checked is None else checked.advice,
    )
