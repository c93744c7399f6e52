# SPDX-License-Identifier: GPL-3.0-or-later
"""A picture read between its pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


def bilinear(
    picture: NDArray[Any], places: NDArray[np.floating], dtype: DTypeLike = np.float32
) -> NDArray[Any]:
    """Values (..., c) of a picture (h, w, c), or (...) of one (h, w), at places (..., 2), linear in
    between; the edge is held. The centre of the top-left pixel is (0.5, 0.5).

    dtype: of what comes out, and of the shares that are reckoned with.
    """
    height, width = picture.shape[:2]
    flat = picture.reshape(height * width, *picture.shape[2:])
    x = np.clip(places[..., 0] - 0.5, 0, width - 1).astype(dtype)
    y = np.clip(places[..., 1] - 0.5, 0, height - 1).astype(dtype)
    x0, y0 = x.astype(np.int32), y.astype(np.int32)
    right = (x0 < width - 1).astype(np.int32)
    below = np.where(y0 < height - 1, np.int32(width), np.int32(0))
    start = y0 * np.int32(width) + x0
    fx, fy = x - x0.astype(dtype), y - y0.astype(dtype)
    if picture.ndim == 3:
        fx, fy = fx[..., None], fy[..., None]
    out: NDArray[Any] = flat[start] * ((1 - fx) * (1 - fy))
    out += flat[start + right] * (fx * (1 - fy))
    out += flat[start + below] * ((1 - fx) * fy)
    out += flat[start + right + below] * (fx * fy)
    return out
