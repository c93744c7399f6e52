# SPDX-License-Identifier: GPL-3.0-or-later
"""The crop around a fitted face: a square, turned so that the head's vertical runs up."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import FitError
from ..geometry.camera import Camera
from ..heads.face_landmarks import SKIN_LANDMARKS
from ..heads.model import HeadModel
from .image_warp import Region

Array = NDArray[np.float64]

#: Side of the crop over the longer side of the box around the face's landmarks.
CROP_SCALE = 1.15


def face_region(
    head: HeadModel, vertices: Array, camera: Camera, scale: float = CROP_SCALE
) -> Region:
    """The crop's place in the photo, of vertices (V, 3) in the head frame. scale: its side over
    the longer side of the box around the face's landmarks.

    Raises FitError if the face is not in front of the camera.
    """
    ids = head.landmark_ids[head.landmark_ids < SKIN_LANDMARKS]
    points = camera.project(head.landmarks(vertices, ids))
    if not np.isfinite(points).all():
        raise FitError("The face is not in front of the camera: move the camera back.")
    up = camera.R[:, 1]
    # Seen from above the head's vertical is a point; its direction means nothing then.
    angle = float(np.arctan2(up[0], -up[1])) if np.hypot(up[0], up[1]) > 0.3 else 0.0
    turn = turned(angle)
    along = points @ turn
    low, high = along.min(axis=0), along.max(axis=0)
    return Region(turn @ ((low + high) / 2), scale * float((high - low).max()), angle)


def turned(angle: float) -> Array:
    """(2, 2): from the axes of a crop with an angle to the photo's."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s], [s, c]])
