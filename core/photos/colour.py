# SPDX-License-Identifier: GPL-3.0-or-later
"""Colours of skin and iris as the photo shows them, as linear RGB for a material."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: Landmarks on skin that is rarely covered: both cheeks, the nose's bridge and sides, forehead.
SKIN_POINTS = (50, 101, 118, 205, 280, 330, 347, 425, 6, 197, 195, 5, 9, 151, 108, 337)
DEFAULT_IRIS = np.array([0.10, 0.055, 0.03], dtype=np.float32)
_IRISES = ((468, (469, 471)), (473, (474, 476)))


@dataclass(frozen=True, eq=False)
class FaceColours:
    """skin and iris (3,), linear RGB."""

    skin: NDArray[np.float32]
    iris: NDArray[np.float32]


def face_colours(
    pixels: NDArray[np.uint8], landmarks: Array, unseen: NDArray[np.bool_] | None = None
) -> FaceColours:
    """Of a photo (H, W, 3) sRGB; landmarks (478, 2) in pixels; unseen (478,): those where the photo
    shows something else than the face.
    """
    hidden = np.zeros(len(landmarks), bool) if unseen is None else unseen
    return FaceColours(skin_color(pixels, landmarks, hidden), iris_color(pixels, landmarks, hidden))


def linear_from_srgb(value: NDArray[np.floating[Any]]) -> Array:
    """sRGB in [0, 1] to linear light (IEC 61966-2-1)."""
    v = np.asarray(value, dtype=np.float64)
    out: Array = np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)
    return out


def srgb_from_linear(value: Array) -> Array:
    """Inverse of :func:`linear_from_srgb`."""
    v = np.asarray(value, dtype=np.float64)
    out: Array = np.where(
        v <= 0.0031308, 12.92 * v, 1.055 * np.maximum(v, 0.0031308) ** (1 / 2.4) - 0.055
    )
    return out


def srgb_bytes(linear: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    """Linear light, clipped to [0, 1], as 8-bit sRGB; by a table, since powers take long."""
    index = (np.clip(linear, 0.0, 1.0) * (len(_BYTES) - 1) + 0.5).astype(np.uint16)
    out: NDArray[np.uint8] = _BYTES[index]
    return out


_BYTES = np.round(255 * srgb_from_linear(np.arange(4096) / 4095.0)).astype(np.uint8)


def mixed(first: NDArray[np.float32], second: NDArray[np.float32], share: float) -> Array:
    """sRGB pictures in [0, 1] blended in linear light, as a renderer does; share: the second's."""
    linear = linear_from_srgb(first) * (1.0 - share) + linear_from_srgb(second) * share
    return srgb_from_linear(linear)


def skin_color(
    pixels: NDArray[np.uint8], landmarks: Array, unseen: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Median colour around the skin landmarks that are seen, (3,) linear RGB; a middle tone where
    there are none. Arguments as of `face_colours`.
    """
    eyes = float(np.linalg.norm(landmarks[33] - landmarks[263]))
    disc = _disc(max(1.0, 0.05 * eyes))
    shown = [i for i in SKIN_POINTS if not unseen[i]]
    samples = np.concatenate(
        [np.zeros((0, 3)), *(_sample(pixels, landmarks[i] + disc) for i in shown)]
    )
    if not len(samples):
        return np.array([0.5, 0.35, 0.28], dtype=np.float32)
    out: NDArray[np.float32] = linear_from_srgb(np.median(samples, axis=0) / 255).astype(np.float32)
    return out


def iris_color(
    pixels: NDArray[np.uint8], landmarks: Array, unseen: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Median colour of the ring between pupil and limbus, (3,) linear RGB.

    A dark brown where the irises are not seen, or are under 3 pixels in radius and hold no colour
    to speak of. Arguments as of `face_colours`.
    """
    samples = []
    for centre, (left, right) in _IRISES:
        radius = float(np.linalg.norm(landmarks[left] - landmarks[right])) / 2
        if radius >= 3 and not unseen[centre]:
            # The lower half: lashes shade the upper one, and the lid covers its top.
            angle = np.linspace(0.1 * np.pi, 0.9 * np.pi, 24)
            ring = np.column_stack([np.cos(angle), np.sin(angle)])
            for share in (0.55, 0.65, 0.75):
                samples.append(_sample(pixels, landmarks[centre] + share * radius * ring))
    found = np.concatenate(samples) if samples else np.zeros((0, 3))
    if not len(found):
        return DEFAULT_IRIS.copy()
    out: NDArray[np.float32] = linear_from_srgb(np.median(found, axis=0) / 255).astype(np.float32)
    return out


def _disc(radius: float) -> Array:
    steps = np.linspace(-radius, radius, 5)
    grid = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
    out: Array = grid[(grid**2).sum(axis=1) <= radius**2 + 1e-9]
    return out


def _sample(pixels: NDArray[np.uint8], points: Array) -> Array:
    """Nearest pixels at the points that lie inside the photo, (n, 3)."""
    h, w = pixels.shape[:2]
    at = np.floor(points).astype(int)
    inside = (at >= 0).all(axis=1) & (at[:, 0] < w) & (at[:, 1] < h)
    out: Array = pixels[at[inside, 1], at[inside, 0]].astype(np.float64)
    return out
