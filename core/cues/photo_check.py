# SPDX-License-Identifier: GPL-3.0-or-later
"""Photo check: what a photo shows of its faces, in words before any head is made from it, and in
figures for the fit.

Advice is never a refusal: each sentence says what was measured and what it will cost. The panel,
the command line and the report all take their sentences from here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..photos.photo import LUMINANCE
from .covered import covered_parts, landmarks_of
from .eye_openings import LIDS, closed_eyes, eye_opening
from .face_search import SURE
from .mediapipe import MediaPipeFace
from .teeth_seen import teeth_together

Array = NDArray[np.float64]
Pixels = NDArray[np.uint8]

#: Pixels from cheek to cheek under which the landmarks' own noise shows in the head.
SMALL_FACE = 100.0
#: The same, from which on proportions are good.
LARGE_FACE = 200.0
#: Degrees beyond which one cheek is hardly seen.
TURNED, TIPPED = 40.0, 30.0
#: Degrees from which on one cheek is seen less well than the other.
HALF_TURNED = 20.0
#: Gap between the lids, in shares of the eye's width, up to which an open eye is nearly shut:
#: squints and laughs have 0.11 and more, eyes at rest 0.25 and more.
NEARLY_SHUT = 0.17
#: Blur effect (0 sharp .. 1 blurred) of a face brought to BLUR_WIDTH pixels or somewhat more:
#: faces in focus have 0.35 to 0.7, and 0.82 to 0.9 after a blur by a fiftieth of their width.
BLURRED, BLUR_WIDTH = 0.8, 192
#: Mean brightness of the face, 0..255 as displayed.
DARK, BRIGHT = 50.0, 225.0
#: Between the darkest and the brightest twentieth, 0..255 as displayed.
FLAT = 40.0
#: Share of a face's pixels that are exactly as their neighbours: drawn areas are, skin is not; and
#: the same where something, which may be evenly coloured, covers a part of the face.
DRAWN, DRAWN_COVERED = 0.45, 0.7
#: Parts of the face's width that can be told apart in a photo that is blurred or badly lit, and in
#: a drawing, whose proportions are not a person's.
COARSE, ROUGH = 40.0, 8.0

NO_FACE = "No face was found: use a photo that shows the face larger, upright and from the front."

_CHEEKS, _TALL = (234, 454), (10, 152)


@dataclass(frozen=True, eq=False)
class CheckedFace:
    """box (4,): x0, y0, x1, y1 around the landmarks in pixels of the photo; advice: sentences;
    remarks: sentences too, on what will do and could be better; covered (478,): landmarks before
    which something lies; detail: pixels that the smallest thing that can be told apart measures;
    teeth_together: a smile shows teeth that meet.
    """

    box: Array
    advice: tuple[str, ...]
    covered: NDArray[np.bool_]
    remarks: tuple[str, ...] = ()
    detail: float = 1.0
    teeth_together: bool = False


def check_faces(pixels: Pixels, faces: Sequence[MediaPipeFace]) -> list[CheckedFace]:
    """What to know of each face, in their order; pixels (H, W, 3) the upright photo."""
    return [check_face(pixels, face) for face in faces]


def check_face(pixels: Pixels, face: MediaPipeFace) -> CheckedFace:
    """What to know of one face; pixels (H, W, 3) the upright photo."""
    xy = face.landmarks[:, :2]
    box = np.concatenate([xy.min(axis=0), xy.max(axis=0)])
    advice, remarks = [], []
    if face.score < SURE:
        advice.append(
            f"This is hardly seen to be a face ({100 * face.score:.0f} % sure): look where it lies."
        )
    width = float(np.linalg.norm(np.subtract(*face.landmarks[list(_CHEEKS)])))
    if width < SMALL_FACE:
        advice.append(
            f"The face is small ({width:.0f} pixels wide): proportions will be coarse, "
            "from 200 on they are good."
        )
    elif width < LARGE_FACE:
        remarks.append(
            f"The face is rather small ({width:.0f} pixels wide): from 200 on proportions are good."
        )
    turn, tip = view_angles(face.landmarks)
    if abs(turn) > TURNED:
        advice.append(
            f"The face is turned by {abs(turn):.0f} degrees: the far side will be guessed. "
            "Up to 40 is good."
        )
    elif abs(turn) > HALF_TURNED:
        remarks.append(
            f"The face is turned by {abs(turn):.0f} degrees: a second photo that shows the far "
            "side will help."
        )
    if abs(tip) > TIPPED:
        advice.append(
            f"The face is seen from {'above' if tip > 0 else 'below'} by {abs(tip):.0f} degrees: "
            "its length will be less certain."
        )
    coarse = _coarse(_grey(pixels, box))
    # Where hardly anything is told apart, lips do not stand out and eyes are flat in any case.
    hidden = () if coarse else covered_parts(pixels, face.landmarks)
    if hidden:
        advice.append(
            f"Covered or in the dark: {', '.join(hidden)}. What is not seen will be guessed."
        )
    closed = [s for s in closed_eyes(face.landmarks) if f"{s} eye" not in hidden]
    if closed:
        eyes = "Both eyes are" if len(closed) == 2 else f"The {closed[0]} eye is"
        advice.append(f"{eyes} closed: the gaze cannot be seen.")
    narrow = [
        side
        for side in LIDS
        if side not in closed
        and f"{side} eye" not in hidden
        and eye_opening(face.landmarks, side) < NEARLY_SHUT
    ]
    if narrow:
        eyes = "Both eyes are" if len(narrow) == 2 else f"The {narrow[0]} eye is"
        remarks.append(f"{eyes} nearly shut: lids and gaze will be less certain.")
    advice += coarse
    # What covers a face may be as evenly coloured as a drawing.
    drawn = drawn_share(pixels, box) > (DRAWN_COVERED if hidden else DRAWN)
    if drawn:
        advice.append(
            "The face looks drawn or painted: a drawing's proportions are not a person's, so "
            "expect to correct the head by hand."
        )
    parts = ROUGH if drawn else COARSE if coarse else np.inf
    bare = not coarse and not drawn and "mouth" not in hidden
    return CheckedFace(
        box,
        tuple(advice),
        landmarks_of(hidden),
        tuple(remarks),
        max(1.0, width / parts),
        bare and teeth_together(pixels, face.landmarks),
    )


def view_angles(landmarks: Array) -> tuple[float, float]:
    """Degrees that a face (478, 3) is turned to its own left, and seen from above.

    From the lines from cheek to cheek and from brow to chin, on the net's own depths.
    """
    across = np.subtract(*landmarks[list(_CHEEKS)[::-1]])
    down = np.subtract(*landmarks[list(_TALL)[::-1]])
    turn = np.degrees(np.arctan2(across[2], np.hypot(across[0], across[1])))
    tip = np.degrees(np.arctan2(down[2], np.hypot(down[0], down[1])))
    return float(turn), float(tip)


def _coarse(grey: Array) -> list[str]:
    """Why little can be told apart in a face, if that is so; grey (h, w) as of `_grey`."""
    if not grey.size:
        return []
    advice, blur = _light(grey), blur_effect(_shrunk(grey))
    if blur > BLURRED:
        advice.append(f"The face is blurred ({blur:.2f} of 1): lids and lips will be less certain.")
    return advice


def drawn_share(pixels: Pixels, box: Array) -> float:
    """Of the pixels in a box (4,) that are neither black nor white: those that are exactly as their
    right and lower neighbours.
    """
    part = _part(pixels, box).astype(np.int16)
    if min(part.shape[:2]) < 2:
        return 0.0
    here = part[:-1, :-1]
    same = ((here == part[:-1, 1:]) & (here == part[1:, :-1])).all(axis=2)
    light = here.mean(axis=2)
    counted = (light > 12) & (light < 243)
    return float(same[counted].mean()) if counted.sum() > same.size / 4 else 0.0


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
    out: Array = _part(pixels, box).astype(np.float64) @ LUMINANCE
    return out


def _part(pixels: Pixels, box: Array) -> Pixels:
    """The pixels in a box; empty outside the photo."""
    height, width = pixels.shape[:2]
    x0, y0 = np.maximum(np.floor(box[:2]), 0).astype(int)
    x1, y1 = np.minimum(np.ceil(box[2:]), [width, height]).astype(int)
    return pixels[y0 : max(y1, y0), x0 : max(x1, x0)]


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
