# SPDX-License-Identifier: GPL-3.0-or-later
"""What a frame shows around the face, as small grey crops whose light and contrast are evened out.

A crop follows the landmarks, so that a face has the same size in all of them. It is kept as bytes;
for fitting it becomes two pictures, a coarse and a fine one: the crop less its local mean, over its
local spread (Brown, Winder and Szeliski, "Multi-image matching using multi-scale oriented patches",
2005), so that a shadow that moves on changes little.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..cues.face_mesh import region_of_landmarks
from ..cues.image_warp import Region, crop

Array = NDArray[np.float64]
Floats = NDArray[np.float32]
Image = NDArray[np.uint8]

#: Samples along a crop's side, and the side over that of the landmarks' box.
SIDE, AROUND = 192, 1.2
#: The net's own square is so many times the box.
_NET = 1.5
#: Of the two pictures, coarse then fine: samples of the blur, and of what is taken for local.
BLURS = ((2.6, 20), (1.3, 13))
#: Grey levels below which a neighbourhood counts as even.
_EVEN = 2.5
_GREY = np.array([0.3, 0.59, 0.11], np.float32)


@dataclass(frozen=True, eq=False)
class Crop:
    """grey (SIDE, SIDE); matrix (2, 3) from its samples, (0, 0) the first one's centre, to the
    frame's pixels, whose first centre is (0.5, 0.5).
    """

    grey: Image
    matrix: Array

    def levels(self) -> list[Level]:
        """The coarse and the fine picture."""
        grey = self.grey.astype(np.float32)
        return [_evened(grey, blur, reach) for blur, reach in BLURS]

    def samples(self, pixels: Array) -> tuple[Array, Array]:
        """Pixels (n, 2) of the frame as samples of the crop, and the matrix (2, 2) that did it."""
        inverse: Array = np.linalg.inv(self.matrix[:, :2]).astype(np.float64)
        return (pixels - self.matrix[:, 2]) @ inverse.T, inverse


@dataclass(frozen=True, eq=False)
class Level:
    """value, dx, dy (SIDE, SIDE), in standard deviations and those a sample."""

    stack: Floats

    def at(self, samples: Array) -> Floats:
        """(n, 3) value and its slopes at places (n, 2), the border held."""
        last = SIDE - 1.001
        x, y = np.clip(samples[:, 0], 0, last), np.clip(samples[:, 1], 0, last)
        column, row = x.astype(np.intp), y.astype(np.intp)
        u, v = (x - column).astype(np.float32)[:, None], (y - row).astype(np.float32)[:, None]
        first = row * SIDE + column
        flat = self.stack
        above = flat[first] * (1 - u) + flat[first + 1] * u
        below = flat[first + SIDE] * (1 - u) + flat[first + SIDE + 1] * u
        out: Floats = above * (1 - v) + below * v
        return out


def face_crop(pixels: Image, landmarks: Array) -> Crop:
    """Around landmarks (478, 3) of a frame (H, W, 3)."""
    region = region_of_landmarks(landmarks)
    region = Region(region.centre, max(region.side / _NET * AROUND, 8.0), region.angle)
    grey = crop(pixels, region, SIDE) @ _GREY
    matrix = region.matrix(SIDE)
    matrix[:, 2] += 0.5
    return Crop(np.clip(grey + 0.5, 0, 255).astype(np.uint8), matrix)


def _evened(grey: Floats, blur: float, reach: int) -> Level:
    soft = _blurred(grey, blur)
    detail = soft - _local(soft, reach)
    value = detail / np.sqrt(_local(detail * detail, reach) + np.float32(_EVEN**2))
    dx, dy = np.zeros_like(value), np.zeros_like(value)
    dx[:, 1:-1] = (value[:, 2:] - value[:, :-2]) / 2
    dy[1:-1] = (value[2:] - value[:-2]) / 2
    return Level(np.stack([value, dx, dy], axis=-1).reshape(-1, 3))


def _blurred(grey: Floats, sigma: float) -> Floats:
    """By a normal kernel, the border held."""
    half = int(np.ceil(3 * sigma))
    taps = np.exp(-0.5 * (np.arange(-half, half + 1) / sigma) ** 2)
    taps = (taps / taps.sum()).astype(np.float32)
    for _ in range(2):
        wide = np.pad(grey, ((half, half), (0, 0)), mode="edge")
        total = np.zeros_like(grey)
        for i, tap in enumerate(taps):
            total += tap * wide[i : i + SIDE]
        grey = np.ascontiguousarray(total.T)
    return grey


def _local(values: Floats, reach: int) -> Floats:
    """Means over squares of 2 reach + 1 samples, twice: nearly a normal kernel."""
    for _ in range(4):
        wide = np.pad(values, ((reach + 1, reach), (0, 0)), mode="edge")
        total = np.cumsum(wide, axis=0, dtype=np.float64)
        means = (total[2 * reach + 1 :] - total[: -2 * reach - 1]) / (2 * reach + 1)
        values = np.ascontiguousarray(means.T, dtype=np.float32)
    return values
