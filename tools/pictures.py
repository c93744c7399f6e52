# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures as arrays, in and out of Blender's images: (H, W, 4) as displayed, rows from the top."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np

Pixels = np.ndarray


def load_pixels(image: bpy.types.Image) -> Pixels:
    """(H, W, 4) floats as displayed, rows from the top."""
    width, height = image.size
    buffer = np.empty(width * height * image.channels, np.float32)
    image.pixels.foreach_get(buffer)
    pixels = buffer.reshape(height, width, image.channels)[::-1]
    if image.is_float:
        low = pixels[..., :3] <= 0.0031308
        curved = 1.055 * np.clip(pixels[..., :3], 0.0031308, 1) ** (1 / 2.4) - 0.055
        pixels = np.where(low, pixels[..., :3] * 12.92, curved)
    if pixels.shape[2] < 3:
        pixels = np.repeat(pixels[..., :1], 3, axis=2)
    if pixels.shape[2] == 3:
        pixels = np.concatenate([pixels, np.ones((*pixels.shape[:2], 1), np.float32)], axis=2)
    return pixels


def resample(
    picture: Pixels, window: tuple[float, float, float], size: tuple[int, int], outside: float
) -> Pixels:
    """The window (left, top, height) of a picture at a size (width, height), bilinear.

    Averaged first where the picture is much finer; ``outside`` is the grey beyond its borders.
    """
    left, top, tall = window
    scale = tall / size[1]
    coarse = max(int(scale), 1)
    if coarse > 1:
        high, wide = (side // coarse * coarse for side in picture.shape[:2])
        blocks = picture[:high, :wide].reshape(high // coarse, coarse, wide // coarse, coarse, -1)
        picture = blocks.mean(axis=(1, 3))
    x = (left + (np.arange(size[0]) + 0.5) * scale) / coarse - 0.5
    y = (top + (np.arange(size[1]) + 0.5) * scale) / coarse - 0.5
    x0, y0 = np.floor(x).astype(int), np.floor(y).astype(int)
    fx, fy = (x - x0)[None, :, None], (y - y0)[:, None, None]
    high, wide = picture.shape[:2]

    def at(rows: np.ndarray, columns: np.ndarray) -> Pixels:
        return picture[np.clip(rows, 0, high - 1)][:, np.clip(columns, 0, wide - 1)]

    upper = at(y0, x0) * (1 - fx) + at(y0, x0 + 1) * fx
    lower = at(y0 + 1, x0) * (1 - fx) + at(y0 + 1, x0 + 1) * fx
    inside = ((y0 >= 0) & (y0 < high - 1))[:, None] & ((x0 >= 0) & (x0 < wide - 1))
    grey = np.full(4, outside)
    return np.where(inside[..., None], upper * (1 - fy) + lower * fy, grey)


def over(front: Pixels, back: Pixels, opacity: float) -> Pixels:
    """``front`` with its alpha times ``opacity`` laid over ``back``."""
    alpha = front[..., 3:] * opacity
    return front * alpha + back * (1 - alpha)


def save_pixels(pixels: Pixels, path: Path) -> None:
    """(H, W, 3) in 0..1 as PNG."""
    height, width = pixels.shape[:2]
    image = bpy.data.images.new("Preview", width, height)
    rgba = np.ones((height, width, 4), np.float32)
    rgba[..., :3] = np.clip(pixels[::-1], 0, 1)
    image.pixels.foreach_set(rgba.reshape(-1))
    image.file_format = "PNG"
    image.save(filepath=str(path))
    bpy.data.images.remove(image)
