# SPDX-License-Identifier: GPL-3.0-or-later
"""Which pixels of a photo may become skin: the person's, and not the eyes' or the mouth's inside.

A person's outline comes from MediaPipe's selfie segmentation net (256 x 256). It counts hair as
the person; what is hair is told apart later, by colour, on the head's surface.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..cues.image_warp import Region, crop
from ..cues.model_files import mediapipe_dir
from ..cues.tensor_program import TensorProgram
from ..reconstruction import BareSkin

Array = NDArray[np.float64]
Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]

#: MediaPipe's points round the openings, in order.
OPENINGS = (
    (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246),
    (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466),
    (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191),
)
#: Openings are widened by this share of the distance between the eyes: lid edges and lashes.
_WIDER = 0.012
#: The net is shown a square this many times the face's height.
_VIEW = 2.6
#: Shares of bare skin between which a place is taken for covered and for bare.
_COVERED = (0.3, 0.65)
_GRID = 256


@dataclass(frozen=True, eq=False)
class Trust:
    """person and opening (256, 256) over the square ``region`` of the photo, both 0..1."""

    region: Region
    person: Floats
    opening: Floats

    def at(self, points: NDArray[np.floating], which: Floats) -> Floats:
        """One of the maps at pixels of the photo (n, 2), linear in between; the edge is held."""
        low = self.region.centre - self.region.side / 2
        grid = (np.asarray(points, np.float32) - np.float32(low)) * np.float32(
            which.shape[0] / self.region.side
        )
        return sample(which[..., None], grid)[:, 0]


def look(pixels: Pixels, landmarks: Array, bare: BareSkin | None = None) -> Trust:
    """pixels (H, W, 3) sRGB; landmarks (478, 2) in pixels; bare: where bare skin is seen, if known:
    what covers it is not taken for the person.
    """
    low, high = landmarks.min(axis=0), landmarks.max(axis=0)
    region = Region((low + high) / 2, _VIEW * float((high - low).max()))
    view = crop(pixels, region, _GRID, outside="edge") / np.float32(255)
    (mask,) = _segmentation()(view[None]).values()
    person = mask[0, :, :, 0]
    if bare is not None:
        person = person * _uncovered(bare, region)
    return Trust(region, person, _openings(landmarks, region))


def _uncovered(bare: BareSkin, region: Region) -> Floats:
    """(256, 256) over the region: 0 where the crop shows something before the skin, and 1 outside
    of the crop, of which nothing is known.
    """
    corner = region.centre - region.side / 2
    at = corner[:, None] + (np.arange(_GRID) + 0.5) * (region.side / _GRID)
    places = np.stack(np.meshgrid(*at), axis=-1).reshape(-1, 2)
    linear, offset = bare.crop_to_photo[:, :2], bare.crop_to_photo[:, 2]
    inner = (places - offset) @ np.linalg.inv(linear).T
    height, width = bare.share.shape
    known = ((inner > 0) & (inner < [width, height])).all(axis=1)
    share = sample(bare.share[..., None], inner.astype(np.float32))[:, 0]
    sure = np.clip((share - _COVERED[0]) / (_COVERED[1] - _COVERED[0]), 0, 1)
    out: Floats = np.where(known, sure, 1).astype(np.float32).reshape(_GRID, _GRID)
    return out


@lru_cache(maxsize=1)
def _segmentation() -> TensorProgram:
    return TensorProgram(mediapipe_dir() / "selfie_segmentation.npz")


def _openings(landmarks: Array, region: Region) -> Floats:
    """1 inside of the eyes and the mouth; on a grid four times as fine as the net's."""
    size = 4 * _GRID
    low = region.centre - region.side / 2
    wider = _WIDER * float(np.linalg.norm(landmarks[33] - landmarks[263]))
    out = np.zeros((size, size), np.float32)
    for ring in OPENINGS:
        points = landmarks[list(ring)]
        outward = points - points.mean(axis=0)
        length = np.maximum(np.linalg.norm(outward, axis=1, keepdims=True), 1e-9)
        points = points + outward / length * wider
        _fill((points - low) * (size / region.side), out)
    return out


def _fill(ring: Array, picture: Floats) -> None:
    """1 in the pixels (size, size) whose centres lie inside of a closed line (k, 2)."""
    size = len(picture)
    low = np.clip(np.floor(ring.min(axis=0)).astype(int), 0, size)
    high = np.clip(np.ceil(ring.max(axis=0)).astype(int), 0, size)
    picture[low[1] : high[1], low[0] : high[0]][inside_ring(ring, low, high)] = 1.0


def inside_ring(ring: Array, low: NDArray[np.intp], high: NDArray[np.intp]) -> NDArray[np.bool_]:
    """(h, w) of the pixels from ``low`` to before ``high``: which have their centres inside of a
    closed line (k, 2).
    """
    x, y = np.arange(low[0], high[0]) + 0.5, np.arange(low[1], high[1])[:, None] + 0.5
    inside = np.zeros((len(y), len(x)), bool)
    # A line from a point inside to the left crosses the ring an odd number of times.
    for (ax, ay), (bx, by) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
        if ay != by:
            inside ^= ((ay > y) != (by > y)) & (x < ax + (y - ay) * ((bx - ax) / (by - ay)))
    return inside


def sample(picture: NDArray[np.generic], points: NDArray[np.floating]) -> Floats:
    """Values of a picture (h, w, c) at places (n, 2), linear in between; the edge is held.

    The centre of the top-left pixel is (0.5, 0.5).
    """
    height, width, channels = picture.shape
    flat = picture.reshape(-1, channels)
    x = np.clip(points[:, 0] - 0.5, 0, width - 1).astype(np.float32)
    y = np.clip(points[:, 1] - 0.5, 0, height - 1).astype(np.float32)
    x0, y0 = x.astype(np.int32), y.astype(np.int32)
    fx, fy = (x - x0)[:, None], (y - y0)[:, None]
    right = (x0 < width - 1).astype(np.int32)
    start = y0 * np.int32(width) + x0
    below = np.where(y0 < height - 1, np.int32(width), np.int32(0))
    out: Floats = flat[start] * ((1 - fx) * (1 - fy))
    out += flat[start + right] * (fx * (1 - fy))
    out += flat[start + below] * ((1 - fx) * fy)
    out += flat[start + right + below] * (fx * fy)
    return out
