# SPDX-License-Identifier: GPL-3.0-or-later
"""A small picture of a photo with a numbered box around every face, to choose one by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Pixels = NDArray[np.uint8]

#: Longest side of the picture, pixels: twice as large as a panel shows it.
LONGEST = 512
#: What is shown around the faces, in sides of the largest one.
_AROUND = 0.8

_FRAME, _DIGIT = (255, 196, 0), (20, 20, 20)
#: Five rows of three pixels a digit, a row an octal number.
_DIGITS = ("75557", "26227", "71747", "71717", "55711", "74717", "74757", "71111", "75757", "75717")


def face_picture(pixels: Pixels, boxes: Sequence[Array]) -> Pixels:
    """(h, w, 3) what of the photo (H, W, 3) has faces, smaller; boxes (4,) in the photo's pixels
    are numbered from 1.
    """
    left, top, right, bottom = _around(boxes, pixels.shape[1], pixels.shape[0])
    out, scale = small(pixels[top:bottom, left:right])
    height, width = out.shape[:2]
    # Digits that can be read at a third of the size, which is what a narrow panel makes of it.
    size = max(max(height, width) // 100, 2)
    for number, box in enumerate(boxes, start=1):
        corner = np.array([left, top, left, top])
        x0, y0, x1, y1 = (round(float(v) * scale) for v in np.asarray(box) - corner)
        x0, x1 = (min(max(x, 0), width - 1) for x in (x0, x1))
        y0, y1 = (min(max(y, 0), height - 1) for y in (y0, y1))
        for rows, columns in (
            (slice(y0, y0 + size), slice(x0, x1)),
            (slice(max(y1 - size, 0), y1), slice(x0, x1)),
            (slice(y0, y1), slice(x0, x0 + size)),
            (slice(y0, y1), slice(max(x1 - size, 0), x1)),
        ):
            out[rows, columns] = _FRAME
        # Above the face, where there is room: a plate hides much of a small one.
        _write(out, str(number), x0, y0 - 6 * size, size)
    return out


def _around(boxes: Sequence[Array], width: int, height: int) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of a part of the photo with all faces in it, as square as the
    photo allows, since a panel gives a picture a square.
    """
    if not len(boxes):
        return 0, 0, width, height
    every = np.asarray(boxes, np.float64)
    margin = _AROUND * float((every[:, 2:] - every[:, :2]).max())
    low, high = every[:, :2].min(axis=0) - margin, every[:, 2:].max(axis=0) + margin
    limit = np.array([width, height], np.float64)
    side = np.minimum(float((high - low).max()), limit)
    start = np.clip((low + high - side) / 2, 0, limit - side)
    left, top = (int(v) for v in start)
    right, bottom = (int(v) for v in np.ceil(start + side))
    return left, top, min(right, width), min(bottom, height)


def small(pixels: Pixels) -> tuple[Pixels, float]:
    """The photo with its longest side at most LONGEST, and by how much it was scaled."""
    height, width = pixels.shape[:2]
    scale = min(LONGEST / max(height, width), 1.0)
    rows = _bins(height, max(round(height * scale), 1))
    columns = _bins(width, max(round(width * scale), 1))
    sums = np.add.reduceat(pixels.astype(np.uint32), rows, axis=0)
    sums = np.add.reduceat(sums, columns, axis=1)
    count = np.diff([*rows, height])[:, None] * np.diff([*columns, width])
    return (sums // count[..., None]).astype(np.uint8), scale


def _bins(length: int, count: int) -> NDArray[np.intp]:
    return np.arange(count) * length // count


def _write(picture: Pixels, text: str, x: int, y: int, size: int) -> None:
    """Digits on a plate whose top left corner is (x, y), moved into the picture."""
    plate = np.zeros((7, 4 * len(text) + 1), bool)
    for place, digit in enumerate(text):
        rows = np.array([int(row) for row in _DIGITS[int(digit)]])
        plate[1:6, 4 * place + 1 : 4 * place + 4] = (rows[:, None] >> np.array([2, 1, 0])) & 1
    plate = plate.repeat(size, axis=0).repeat(size, axis=1)
    height, width = picture.shape[:2]
    y, x = max(min(y, height - plate.shape[0]), 0), max(min(x, width - plate.shape[1]), 0)
    there = picture[y : y + plate.shape[0], x : x + plate.shape[1]]
    there[...] = np.where(plate[: there.shape[0], : there.shape[1], None], _DIGIT, _FRAME)
