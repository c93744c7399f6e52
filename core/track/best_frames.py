# SPDX-License-Identifier: GPL-3.0-or-later
"""Of a clip without a head: the frames to make one from, at rest, facing the camera, sharp."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..cues.mediapipe import MediaPipePredictor
from ..errors import NoFaceError
from ..photos.photo import Photo
from ..progress import Progress, silent
from .contacts import LIDS, LIPS, opening
from .video import Clip

Array = NDArray[np.float64]

#: Frames that are looked at, and of which a head is made.
LOOKED_AT, CHOSEN = 24, 2
LOOKING = "Choosing frames for the head"
#: Landmarks left and right of the nose's tip, by which a face is seen to be turned.
_NOSE, _RIGHT_CHEEK, _LEFT_CHEEK, _BROW, _CHIN = 1, 234, 454, 10, 152


@dataclass(frozen=True, eq=False)
class _Candidate:
    score: float
    index: int
    pixels: NDArray[np.uint8]


def best_photos(
    clip: Clip, predictor: MediaPipePredictor, *, progress: Progress = silent
) -> list[Photo]:
    """A few frames as photos, the best first. Raises NoFaceError if no frame shows a face."""
    every = max(1, clip.count // LOOKED_AT)
    kept: list[_Candidate] = []
    for frame in clip.frames():
        progress(LOOKING, min(frame.index / max(clip.count, 1), 1.0))
        if frame.index % every or frame.pixels is None:
            continue
        faces = predictor.upright(frame.pixels)
        if not faces:
            continue
        score = faced(faces[0].landmarks) + 0.2 * np.log(sharpness(frame.pixels, faces[0].box))
        kept.append(_Candidate(float(score), frame.index, frame.pixels))
        kept = sorted(kept, key=lambda c: -c.score)[:CHOSEN]
    if not kept:
        raise NoFaceError(
            f"No face was found in {clip.name}: choose a clip that shows the face larger and from "
            "the front, or give the head that it is."
        )
    return [Photo(c.pixels, f"{clip.name}-{c.index}") for c in kept]


def faced(landmarks: Array) -> float:
    """Large for a face at rest that looks at the camera, eyes open, mouth closed."""
    nose, right, left = (landmarks[i, :2] for i in (_NOSE, _RIGHT_CHEEK, _LEFT_CHEEK))
    across = np.linalg.norm(left - right)
    turned = abs(float((nose - (left + right) / 2) @ (left - right))) / max(
        float(across) ** 2, 1e-9
    )
    eyes = min(opening(landmarks, edges) for edges in LIDS.values())
    return -6 * turned - 4 * opening(landmarks, LIPS) + 3 * min(eyes, 0.3)


def sharpness(pixels: NDArray[np.uint8], box: Array) -> float:
    """How much neighbouring pixels of the face differ in brightness, grey levels."""
    height, width = pixels.shape[:2]
    x0, y0, x1, y1 = np.clip(box, 0, [width, height, width, height]).astype(int)
    grey = pixels[y0:y1, x0:x1].mean(axis=2)
    if min(grey.shape) < 3:
        return 1e-3
    return float(np.abs(np.diff(grey, n=2, axis=1)).mean()) + 1e-3
