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

from ..cues.eye_openings import RINGS
from ..cues.image_warp import Region, crop
from ..cues.model_files import mediapipe_dir
from ..cues.tensor_program import TensorProgram
from ..geometry.bilinear import bilinear
from ..heads.face_landmarks import SKIN_LANDMARKS
from ..photos.colour import linear_from_srgb

Array = NDArray[np.float64]
Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
Pixels = NDArray[np.uint8]

#: MediaPipe's points round the openings, in order.
OPENINGS = (
    RINGS["right"],
    RINGS["left"],
    (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191),
)
#: Openings are widened by this share of the distance between the eyes: lid edges and lashes.
_WIDER = 0.012
#: The net is shown a square this many times the face's height.
_VIEW = 2.6
_GRID = 256
#: Of places beside what covers a face, in distances of the eyes: by how much nearer they must be to
#: skin that is seen, and how far what covers it may go on where it has the same colour (natural
#: logarithms of linear light).
_MARGIN, _GOES_ON, _ALIKE = 0.04, 0.4, 0.2


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
        return bilinear(which[..., None], grid)[:, 0]


def look(pixels: Pixels, landmarks: Array, unseen: Mask | None = None) -> Trust:
    """pixels (H, W, 3) sRGB; landmarks (478, 2) in pixels; unseen (478,): landmarks that something
    covers, which is not taken for the person.
    """
    low, high = landmarks.min(axis=0), landmarks.max(axis=0)
    region = Region((low + high) / 2, _VIEW * float((high - low).max()))
    view = crop(pixels, region, _GRID, outside="edge") / np.float32(255)
    (mask,) = _segmentation()(view[None]).values()
    person = mask[0, :, :, 0]
    if unseen is not None and unseen[:SKIN_LANDMARKS].any():
        person = person * _bare(view, landmarks, unseen[:SKIN_LANDMARKS], region)
    return Trust(region, person, _openings(landmarks, region))


def _bare(view: Floats, landmarks: Array, unseen: Mask, region: Region) -> Floats:
    """(256, 256) over the region that view (256, 256, 3), 0..1, shows: 0 where a landmark of the
    skin that the photo does not show is about as near as one that it shows, and where what covers
    it goes on by its colour; 1 elsewhere.
    """
    scale = _GRID / region.side
    marks = ((landmarks[:SKIN_LANDMARKS] - (region.centre - region.side / 2)) * scale).astype(
        np.float32
    )
    eyes = float(np.linalg.norm(landmarks[33] - landmarks[263])) * scale
    hidden, shown = marks[unseen], marks[~unseen]
    across = np.arange(_GRID, dtype=np.float32) + np.float32(0.5)
    logs = np.log(linear_from_srgb(view) + 0.01)
    its = logs[tuple(np.clip(hidden[:, ::-1].astype(int), 0, _GRID - 1).T)]
    out = np.ones((_GRID, _GRID), np.float32)
    for row, y in enumerate(across):
        squares = [(across[:, None] - m[:, 0]) ** 2 + (y - m[:, 1]) ** 2 for m in (hidden, shown)]
        near = np.sqrt(squares[0].min(axis=1))
        seen = np.sqrt(squares[1].min(axis=1)) if len(shown) else np.inf
        alike = np.abs(logs[row] - its[squares[0].argmin(axis=1)]).max(axis=1) < _ALIKE
        covered = (near < seen + _MARGIN * eyes) | (alike & (near < _GOES_ON * eyes))
        out[row, covered] = 0.0
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
