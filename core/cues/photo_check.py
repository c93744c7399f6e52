# SPDX-License-Identifier: GPL-3.0-or-later
"""Photo check: the faces of a photo, and advice in words before any head is made from it.

Advice is never a refusal: each sentence says what was measured and what it will cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..photos.photo import LUMINANCE
from .mediapipe import MediaPipeFace
from .mediapipe_cues import closed_eyes

Array = NDArray[np.float64]
Pixels = NDArray[np.uint8]

#: Pixels from cheek to cheek under which the landmarks' own noise shows in the head.
SMALL_FACE = 100.0
#: Degrees beyond which one cheek is hardly seen.
TURNED, TIPPED = 40.0, 30.0
#: Blur effect (0 sharp .. 1 blurred) of a face brought to BLUR_WIDTH pixels or somewhat more:
#: faces in focus have 0.35 to 0.7, and 0.82 to 0.9 after a blur by a fiftieth of their width.
BLURRED, BLUR_WIDTH = 0.8, 192
#: Mean brightness of the face, 0..255 as displayed.
DARK, BRIGHT = 50.0, 225.0
#: Between the darkest and the brightest twentieth, 0..255 as displayed.
FLAT = 40.0

NO_FACE = "No face was found: use a photo that shows the face larger, upright and from the front."

_CHEEKS, _TALL = (234, 454), (10, 152)


@dataclass(frozen=True, eq=False)
class CheckedFace:
    """box (4,): x0, y0, x1, y1 around the landmarks in pixels of the photo; advice: sentences."""

    box: Array
    advice: tuple[str, ...]


def check_faces(pixels: Pixels, faces: Sequence[MediaPipeFace]) -> list[CheckedFace]:
    """What to know of each face, in their order; pixels (H, W, 3) the upright photo."""
    return [_checked(pixels, face) for face in faces]


def _checked(pixels: Pixels, face: MediaPipeFace) -> CheckedFace:
    xy = face.landmarks[:, :2]
    box = np.concatenate([xy.min(axis=0), xy.max(axis=0)])
    advice = []
    width = float(np.linalg.norm(np.subtract(*face.landmarks[list(_CHEEKS)])))
    if width < SMALL_FACE:
        advice.append(
            f"The face is small ({width:.0f} pixels wide): proportions will be coarse, "
            "from 200 on they are good."
        )
    turn, tip = view_angles(face.landmarks)
    if abs(turn) > TURNED:
        advice.append(
            f"The face is turned by {abs(turn):.0f} degrees: the far side will be guessed. "
            "Up to 40 is good."
        )
    if abs(tip) > TIPPED:
        advice.append(
            f"The face is seen from {'above' if tip > 0 else 'below'} by {abs(tip):.0f} degrees: "
            "its length will be less certain."
        )
    closed = closed_eyes(face.landmarks)
    if closed:
        eyes = "Both eyes are" if len(closed) == 2 else f"The {closed[0]} eye is"
        advice.append(f"{eyes} closed: the gaze cannot be seen.")
    grey = _grey(pixels, box)
    if grey.size:
        advice += _light(grey)
        blur = blur_effect(_shrunk(grey))
        if blur > BLURRED:
            advice.append(
                f"The face is blurred ({blur:.2f} of 1): lids and lips will be less certain."
            )
    return CheckedFace(box, tuple(advice))


def view_angles(landmarks: Array) -> tuple[float, float]:
    """Degrees that a face (478, 3) is turned to its own left, and seen from above.

    From the lines from cheek to cheek and from brow to chin, on the net's own depths.
    """
    across = np.subtract(*landmarks[list(_CHEEKS)[::-1]])
    down = np.subtract(*landmarks[list(_TALL)[::-1]])
    turn = np.degrees(np.arctan2(across[2], np.hypot(across[0], across[1])))
    tip = np.degrees(np.arctan2(down[2], np.hypot(down[0], down[1])))
    return float(turn), float(tip)


def _light(grey: Array) -> list[str]:
    mean = float(grey.mean())
    low, high = np.percentile(grey, [5, 95])
    if mean < DARK:
        return [
            f"The face is dark ({mean / 2.55:.0f} % bright): brighten the photo or take another."
        ]
    if mean > BRIGHT:
        return [f"The face is overexposed ({mean / 2.55:.0f} % bright): take a darker photo."]
    if high - low < FLAT:
        return ["The face has little contrast: lids and lips will be less certain."]
    return []


def _grey(pixels: Pixels, box: Array) -> Array:
    """Display-referred brightness of the pixels in a box; empty outside the photo."""
    height, width = pixels.shape[:2]
    x0, y0 = np.maximum(np.floor(box[:2]), 0).astype(int)
    x1, y1 = np.minimum(np.ceil(box[2:]), [width, height]).astype(int)
    out: Array = pixels[y0:y1, x0:x1].astype(np.float64) @ LUMINANCE
    return out


def _shrunk(grey: Array) -> Array:
    """Means of blocks, so that a face is about BLUR_WIDTH wide: finer detail does not matter."""
    block = max(int(grey.shape[1] // BLUR_WIDTH), 1)
    h, w = (side // block for side in grey.shape)
    return grey[: h * block, : w * block].reshape(h, block, w, block).mean(axis=(1, 3))


def blur_effect(grey: Array) -> float:
    """0 (sharp) .. 1 (blurred): how little is lost by blurring once more, the worse direction.

    Crete et al., "The blur effect: perception and estimation with a new no-reference perceptual
    blur metric", Human Vision and Electronic Imaging XII, 2007, section 2.
    """
    if min(grey.shape) < 12:
        return 0.0
    worst = 0.0
    for image in (grey, grey.T):
        padded = np.pad(image, ((4, 4), (0, 0)), mode="edge")
        sums = np.cumsum(np.vstack([np.zeros((1, image.shape[1])), padded]), axis=0)
        blurred = (sums[9:] - sums[:-9]) / 9
        sharp = np.abs(np.diff(image, axis=0))
        lost = np.maximum(sharp - np.abs(np.diff(blurred, axis=0)), 0)
        total = sharp.sum()
        if total > 0:
            worst = max(worst, float((total - lost.sum()) / total))
    return worst
