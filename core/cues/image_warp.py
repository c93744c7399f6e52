# SPDX-License-Identifier: GPL-3.0-or-later
"""Crops of a photo as network input: a rotated square, resampled bilinearly.

Coordinates of the photo are the package's: the centre of the top-left pixel is (0.5, 0.5).
A crop of n x n samples maps its sample (i, j) to the square's point (i / n, j / n), measured
from the square's corner, and reads the photo there in *index* coordinates (top-left pixel's
centre at 0). That is half a pixel of the photo and half a sample off what the geometry says,
but it is how MediaPipe's processor path feeds its nets (OpenCV's warpPerspective), so the nets'
answers agree with the original's only this way. `centring` gives the shift that is right.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Image = NDArray[np.uint8]


@dataclass(frozen=True)
class Region:
    """A square in a photo: centre (2,) and side in pixels, angle of its top edge in radians.

    A positive angle turns the square's +x axis towards the photo's +y, clockwise to the eye.
    """

    centre: Array
    side: float
    angle: float = 0.0

    def matrix(self, samples: int) -> Array:
        """The affine map (2, 3) from sample coordinates to the photo's pixels."""
        c, s = np.cos(self.angle), np.sin(self.angle)
        scale = np.array([[c, -s], [s, c]]) * (self.side / samples)
        return np.column_stack([scale, self.centre - scale @ np.full(2, samples / 2)])

    def centring(self, samples: int) -> Array:
        """What to add to ``matrix @ (x, y, 1)`` for a geometrically true place in the photo.

        (x, y) a place in the crop whose borders are 0 and ``samples``, as the nets mean it:
        minus half a sample, plus half a pixel of the photo. (That they mean it so shows in the
        mirror test: mirrored crops give ``samples - x``, not ``samples - 1 - x``.)
        """
        shift: Array = 0.5 - self.matrix(samples)[:, :2] @ np.full(2, 0.5)
        return shift


def crop(
    image: Image, region: Region, samples: int, *, outside: str = "edge", reach: int = 1
) -> NDArray[np.float32]:
    """Sample ``region`` of ``image`` (H, W, 3) as float32 (samples, samples, 3), range 0..255.

    ``outside``: "edge" holds the photo's border, "zero" is black beyond it. Where the samples
    lie 2 x ``reach`` pixels apart or more, the photo is shrunk by block means first, to less
    than that, so that fine detail does not alias.
    """
    matrix = region.matrix(samples)
    factor = int(region.side // (samples * reach))
    if factor < 2:
        return _bilinear(image, matrix, samples, outside)
    return _bilinear(*_shrunk(image, matrix, samples, factor), samples, outside)


def _bilinear(
    image: Image | NDArray[np.float32], matrix: Array, samples: int, outside: str
) -> NDArray[np.float32]:
    """Sample at ``matrix @ (i, j, 1)``, whole numbers being the centres of pixels."""
    height, width = image.shape[:2]
    i = np.arange(samples)
    x = matrix[0, 0] * i[None, :] + matrix[0, 1] * i[:, None] + matrix[0, 2]
    y = matrix[1, 0] * i[None, :] + matrix[1, 1] * i[:, None] + matrix[1, 2]
    (x0, x1, wx0, wx1), (y0, y1, wy0, wy1) = (
        _taps(x, width, outside),
        _taps(y, height, outside),
    )
    pixels = image.reshape(-1, image.shape[2])
    result = np.zeros((samples, samples, image.shape[2]), np.float32)
    for row, weight_y in ((y0, wy0), (y1, wy1)):
        for column, weight_x in ((x0, wx0), (x1, wx1)):
            taken = pixels.take((row * width + column).ravel(), axis=0)
            result += taken.reshape(result.shape) * (weight_y * weight_x)[..., None]
    return result


def _taps(at: Array, size: int, outside: str) -> tuple[Any, Any, Any, Any]:
    """Indices and weights of the two neighbours along one axis."""
    low = np.floor(at)
    fraction = (at - low).astype(np.float32)
    first = low.astype(np.intp)
    weights = [1 - fraction, fraction]
    indices = []
    for k in (0, 1):
        index = first + k
        clipped = np.clip(index, 0, size - 1)
        if outside == "zero":
            weights[k] = weights[k] * (clipped == index)
        indices.append(clipped)
    return indices[0], indices[1], weights[0], weights[1]


def _shrunk(
    image: Image, matrix: Array, samples: int, factor: int
) -> tuple[NDArray[np.float32], Array]:
    """The part of the photo that a crop needs, in means of factor x factor pixels.

    Returns it with the matrix that samples it at the same places. Blocks lie on multiples of
    ``factor`` from the photo's corner; the last ones may be partly outside: the edge is held.
    """
    height, width = image.shape[:2]
    corners = matrix @ np.array(
        [[0, samples, 0, samples], [0, 0, samples, samples], [1, 1, 1, 1]], float
    )
    low = np.floor(corners.min(axis=1) / factor).astype(int) - 1
    high = np.ceil(corners.max(axis=1) / factor).astype(int) + 1
    limit = np.array([-(-width // factor), -(-height // factor)])
    (bx0, by0), (bx1, by1) = np.clip(low, 0, limit - 1), np.clip(high, 1, limit)
    part = shrink(image[by0 * factor : by1 * factor, bx0 * factor : bx1 * factor], factor)
    moved = matrix / factor
    moved[:, 2] -= np.array([bx0, by0]) + (factor - 1) / (2 * factor)
    return part, moved


def shrink(image: Image, factor: int) -> NDArray[np.float32]:
    """Means of factor x factor pixels; the edge is held where the size does not divide."""
    height, width, channels = image.shape
    rows, columns = -(-height // factor), -(-width // factor)
    result = np.empty((rows, columns, channels), np.float32)
    spare = columns * factor - width
    for r in range(rows):
        strip = image[r * factor : (r + 1) * factor]
        missing = factor - len(strip)
        line = strip.sum(axis=0, dtype=np.uint32)
        if missing:
            line += np.uint32(missing) * strip[-1]
        if spare:
            line = np.concatenate([line, np.repeat(line[-1:], spare, axis=0)])
        result[r] = line.reshape(columns, factor, channels).sum(axis=1)
    result /= factor * factor
    return result
