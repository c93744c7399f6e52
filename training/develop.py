# SPDX-License-Identifier: GPL-3.0-or-later
"""From linear radiance to what a camera's file holds: background, exposure, colour, blur, noise,
tone curve and JPEG. Crops (s, s, 3).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def background(size: int, bank: NDArray[np.float32], rng: np.random.Generator) -> Array:
    """Two colours that run into each other, with noise of some grain and now and then edges."""
    a, b = rng.random((2, 3)) ** 1.8
    angle = rng.uniform(0, 2 * np.pi)
    x, y = np.meshgrid(*(np.linspace(-1, 1, size),) * 2)
    share = np.clip(0.5 + 0.5 * (np.cos(angle) * x + np.sin(angle) * y), 0, 1)[..., None]
    out = share * a + (1 - share) * b
    if rng.random() < 0.7:
        grain = bank[rng.integers(len(bank))]
        zoom = int(rng.integers(1, 4))
        part = cv2.resize(grain[: 256 // zoom, : 256 // zoom], (size, size))
        out = out * np.exp(rng.uniform(0, 0.8) * part)[..., None]
    for _ in range(int(rng.integers(0, 4))):
        corners = np.round(rng.uniform(0, size, (4, 2))).astype(np.int32)
        cv2.fillPoly(out, [cv2.convexHull(corners)], tuple(rng.random(3) ** 1.8))
    return cv2.GaussianBlur(out, (0, 0), rng.uniform(0.5, 4))


def develop(
    radiance: Array, face: NDArray[np.bool_], rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Display-referred pixels. face (s, s): where the exposure is metered."""
    out = radiance.astype(np.float32)
    metered = np.quantile(out[face].mean(axis=1), 0.8) if face.any() else 0.5
    out *= rng.uniform(0.3, 0.95) / max(float(metered), 1e-4)
    out *= np.exp(rng.normal(0, 0.08, 3)).astype(np.float32)  # white balance
    out = cv2.GaussianBlur(out, (0, 0), 0.35 + 0.9 * rng.random() ** 2)
    if rng.random() < 0.5:
        shot = rng.uniform(0.0, 0.03)
        sigma = shot * np.sqrt(np.maximum(out, 0)) + rng.uniform(0, 0.01)
        noise = rng.normal(size=out.shape).astype(np.float32)
        out = out + sigma * (
            cv2.GaussianBlur(noise, (0, 0), 0.6) * 2 if rng.random() < 0.5 else noise
        )
    out = np.clip(out, 0, None)
    if rng.random() < 0.6:  # a shoulder, so that highlights roll off
        knee = rng.uniform(0.6, 0.9)
        high = out > knee
        out[high] = knee + (1 - knee) * (1 - np.exp(-(out[high] - knee) / (1 - knee)))
    out = np.clip(out, 0, 1)
    shown = np.where(out <= 0.0031308, 12.92 * out, 1.055 * out ** (1 / 2.4) - 0.055)
    contrast = rng.normal(1, 0.1)
    shown = np.clip(0.5 + contrast * (shown - 0.5), 0, 1)
    if rng.random() < 0.1:
        shown = np.repeat(shown.mean(axis=2, keepdims=True), 3, axis=2)
    pixels = np.round(shown * 255).astype(np.uint8)
    if rng.random() < 0.5:
        quality = int(rng.integers(40, 96))
        done, packed = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
        if done:
            pixels = cv2.imdecode(packed, cv2.IMREAD_COLOR)
    return pixels
