# SPDX-License-Identifier: GPL-3.0-or-later
"""The example photo, spoilt as photos of people are: masks, dark glasses, hands, boards, drawings,
closed eyes.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Array = NDArray[np.float64]

#: The face's lower half from below the eyes, as landmarks of MediaPipe's mesh.
_MASK = (227, 118, 6, 347, 447, 361, 288, 397, 365, 379, 378, 400, 152, 176, 149, 150, 136, 172, 58,
         132)  # fmt: skip
_EYES = ((33, 133), (362, 263))


def as_taken(pixels: Pixels, seed: int = 0) -> Pixels:
    """With a camera's noise and JPEG's losses, so that nothing is drawn flat."""
    noise = np.random.default_rng(seed).normal(0, 3, pixels.shape)
    noisy = np.clip(pixels + cv2.GaussianBlur(noise, (0, 0), 0.7), 0, 255).astype(np.uint8)
    _, file = cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, 90])
    return np.asarray(cv2.imdecode(file, cv2.IMREAD_COLOR), np.uint8)


def masked(pixels: Pixels, landmarks: Array, colour: tuple[int, int, int]) -> Pixels:
    """With a cloth before nose, mouth and chin. pixels (H, W, 3) RGB; landmarks (478, 2..3)."""
    out = pixels.copy()
    outline = cv2.convexHull(np.round(landmarks[list(_MASK), :2]).astype(np.int32))
    cv2.fillPoly(out, [outline], colour, cv2.LINE_AA)
    return as_taken(out)


def in_dark_glasses(pixels: Pixels, landmarks: Array) -> Pixels:
    """With black glasses before both eyes."""
    out, black = pixels.copy(), (12, 12, 12)
    for outer, inner in _EYES:
        a, b = landmarks[outer, :2], landmarks[inner, :2]
        width = float(np.linalg.norm(a - b))
        centre = tuple(int(x) for x in (a + b) / 2)
        size = (int(width * 0.85), int(width * 0.62))
        cv2.ellipse(out, centre, size, 0, 0, 360, black, -1, cv2.LINE_AA)
    return as_taken(out)


def behind_a_hand(pixels: Pixels, landmarks: Array) -> Pixels:
    """With four fingers of the skin's colour before mouth and chin."""
    out = pixels.copy()
    eyes = float(np.linalg.norm(landmarks[33, :2] - landmarks[263, :2]))
    tone = 0.85 * np.median([pixels[int(y), int(x)] for x, y in landmarks[[50, 280, 205], :2]], 0)
    for k in range(4):
        foot = landmarks[14, :2] + [(k - 1.5) * 0.27 * eyes, 0.9 * eyes]
        tip = foot - [-0.15 * eyes, (1.05 - 0.05 * abs(k - 1.5)) * eyes]
        ends = [tuple(int(x) for x in end) for end in (foot, tip)]
        shade = tuple(float(c) for c in tone * (1 - 0.04 * k))
        cv2.line(out, *ends, shade, int(0.24 * eyes), cv2.LINE_AA)
    return as_taken(out)


def half_hidden(pixels: Pixels, landmarks: Array) -> Pixels:
    """Behind a brown board from the nose to the picture's right."""
    out = pixels.copy()
    out[:, int(landmarks[1, 0]) :] = (60, 50, 40)
    return as_taken(out)


def winking(pixels: Pixels, landmarks: Array, open_share: float) -> Pixels:
    """The subject's left eye closed to a share of its opening, by squeezing the photo's rows about
    the lids' meeting line; 0.0 draws skin over it, with a dark line of lashes.
    """
    lids, (outer, inner) = landmarks[[386, 374], :2], landmarks[[263, 362], :2]
    half = float(np.linalg.norm(lids[0] - lids[1])) / 2
    width, middle = float(np.linalg.norm(outer - inner)), (outer + inner) / 2
    rows, columns = np.mgrid[: len(pixels), : pixels.shape[1]].astype(np.float32)
    off = rows - lids.mean(axis=0)[1]
    # Within the eye's width; beyond three halves of the opening nothing moves.
    across = np.clip(1.6 - np.abs(columns - middle[0]) / (0.5 * width), 0, 1)
    inside, reach = max(open_share, 0.02) * half, 3 * half
    squeezed = np.where(
        np.abs(off) < inside,
        off * half / inside,
        np.sign(off) * (half + (np.abs(off) - inside) * (reach - half) / (reach - inside)),
    )
    moved = np.where(np.abs(off) < reach, across * squeezed + (1 - across) * off, off)
    at = (rows + (moved - off)).astype(np.float32)
    return np.asarray(cv2.remap(pixels, columns, at, cv2.INTER_CUBIC), np.uint8)


def drawing(size: int = 600) -> Pixels:
    """A face drawn in flat colours with lines around them."""
    out = np.full((size, size, 3), 235, np.uint8)
    line, ink = cv2.LINE_AA, (40, 40, 40)
    for colour, thick in (((245, 215, 190), -1), (ink, 4)):
        cv2.ellipse(out, (300, 310), (170, 220), 0, 0, 360, colour, thick, line)
    for x in (230, 370):
        cv2.ellipse(out, (x, 270), (48, 58), 0, 0, 360, (255, 255, 255), -1, line)
        cv2.ellipse(out, (x, 270), (48, 58), 0, 0, 360, ink, 4, line)
        cv2.circle(out, (x, 278), 26, (30, 80, 150), -1, line)
        cv2.circle(out, (x, 278), 12, (0, 0, 0), -1, line)
        cv2.ellipse(out, (x, 195), (50, 14), 0, 180, 360, ink, 8, line)
    nose = np.array([[300, 310], [288, 365], [308, 368]])
    cv2.polylines(out, [nose], False, (120, 80, 60), 4, line)
    cv2.ellipse(out, (300, 420), (70, 40), 0, 0, 180, (200, 60, 60), -1, line)
    return out
