# SPDX-License-Identifier: GPL-3.0-or-later
"""The square of a photo that the networks look at: place, and resampling to their size.

The published rule is kept where it frames the face (Pixel3DMM, preprocessing: the face's box made
square, then enlarged by 1.42). Where that square leaves the photo it is padded with the photo's
border and not moved, so that a face near the border is framed as any other and never distorted;
each photo has a crop of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import NoFaceError
from .layout import IMAGE_SIZE

#: Side of the crop over the longer side of the face's box.
CROP_SCALE = 1.42
_SMALLEST_FACE = 8.0


@dataclass(frozen=True)
class Crop:
    """A square of the photo: left, top and side in pixels, fractions allowed, may stick out."""

    left: float
    top: float
    side: float

    @property
    def crop_to_photo(self) -> NDArray[np.float64]:
        """(2, 3) affine map from the pixels of the 512 x 512 crop to the photo's."""
        scale = self.side / IMAGE_SIZE
        return np.array([[scale, 0.0, self.left], [0.0, scale, self.top]])

    def cut(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The crop (512, 512, 3) of the photo (H, W, 3), its border repeated where it ends."""
        rows = _resample(pixels, self.top, self.side)
        columns = _resample(rows.transpose(1, 0, 2), self.left, self.side)
        return np.clip(np.rint(columns.transpose(1, 0, 2)), 0, 255).astype(np.uint8)

    def inside(self, width: int, height: int) -> NDArray[np.bool_]:
        """(512, 512): True where a pixel's centre lies in the photo."""
        centres = (np.arange(IMAGE_SIZE) + 0.5) * (self.side / IMAGE_SIZE)
        x, y = self.left + centres, self.top + centres
        inside: NDArray[np.bool_] = ((y >= 0) & (y < height))[:, None] & ((x >= 0) & (x < width))
        return inside


def face_crop(box: tuple[float, float, float, float], scale: float = CROP_SCALE) -> Crop:
    """The crop around a face.

    box: left, top, right, bottom in pixels of the photo, from forehead to chin and from cheek to
    cheek, such as the bounds of MediaPipe's landmarks.
    Raises NoFaceError if the box is not a box, or too small to hold a face.
    """
    left, top, right, bottom = map(float, box)
    longest = max(right - left, bottom - top)
    if not (np.isfinite([left, top, right, bottom]).all() and longest >= _SMALLEST_FACE):
        raise NoFaceError(
            "The face is too small for Pixel3DMM: choose a larger photo or mark the face's box."
        )
    side = longest * scale
    return Crop((left + right - side) / 2, (top + bottom - side) / 2, side)


def _resample(pixels: NDArray[np.generic], start: float, side: float) -> NDArray[np.float32]:
    """The first axis at 512 places of ``start`` .. ``start + side``: (512, ...).

    A triangle filter over the neighbours, as wide as a target pixel when shrinking, so that fine
    detail is averaged and not skipped; linear interpolation when enlarging.
    """
    step = side / IMAGE_SIZE
    radius = max(1.0, step)
    centres = start + (np.arange(IMAGE_SIZE) + 0.5) * step
    first = np.floor(centres - radius + 0.5).astype(np.int64)
    taps = first[:, None] + np.arange(int(np.ceil(2 * radius)) + 1)
    weights = np.maximum(0.0, 1.0 - np.abs(taps + 0.5 - centres[:, None]) / radius)
    weights = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    taps = np.clip(taps, 0, len(pixels) - 1)
    result = np.zeros((IMAGE_SIZE, *pixels.shape[1:]), np.float32)
    for tap, weight in zip(taps.T, weights.T, strict=True):
        result += weight.reshape(-1, 1, 1) * pixels[tap]
    return result
