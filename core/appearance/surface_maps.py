# SPDX-License-Identifier: GPL-3.0-or-later
"""Roughness and fine relief of skin, as pictures that suit the painted texture.

Roughness by part of the face: lips and the middle of the face shine, cheeks less, a scalp with
hair not at all. Relief from the photo: what is darker than its surroundings lies deeper, which
holds for pores, stubble and wrinkles (the "dark is deep" rule: Langer and Buelthoff, "Depth
discrimination from shading under diffuse lighting", Perception 2000). It is an impression of
relief, not a measurement.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..heads.model import HeadModel
from ..photos.colour import linear_from_srgb
from .atlas import Atlas
from .spreading import blurred, enlarged, stretched

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]

#: Roughness of Principled BSDF by region; of what lies in none of them, the first.
ROUGHNESS = {"": 0.55, "face": 0.5, "forehead": 0.44, "nose": 0.42, "lips": 0.33, "scalp": 0.75}
#: Pixels on a side of the relief, at most.
RELIEF = 1024
#: Texels over which detail is told from broad colour, and the slope that a contrast of 1 makes.
_BROAD, _DEPTH = 6, 2.2
#: Slopes beyond this are hair or the edge of something.
_STEEPEST = 0.45
_TABLE = np.log(np.maximum(linear_from_srgb(np.arange(256) / 255.0), 0.003)).astype(np.float32)


def roughness(head: HeadModel, atlas: Atlas) -> Pixels:
    """(Q, Q) grey, 255 is a roughness of 1; the same for every photo."""
    values = np.full(head.vertex_count, ROUGHNESS[""], np.float32)
    for region, value in ROUGHNESS.items():
        if region in head.regions:
            values[head.regions[region]] = value
    picture = atlas.picture(atlas.spread(values), ROUGHNESS[""])
    out: Pixels = np.round(255 * blurred(picture, atlas.size // 100)).astype(np.uint8)
    return out


def relief(albedo: Pixels, measured: Floats) -> Pixels:
    """Tangent-space normals (n, n, 3), +x right, +y up, as OpenGL and Blender have them.

    albedo (N, N, 3) sRGB; measured (Q, Q), 1 where a photo shows the skin: elsewhere it is flat.
    """
    step = max(1, albedo.shape[0] // RELIEF)
    tone = _TABLE[albedo[::step, ::step, 1]]
    if step > 1:
        # The means of blocks, so that detail finer than the relief does not flicker.
        size = albedo.shape[0] // step
        tone = _TABLE[albedo[..., 1]].reshape(size, step, size, step).mean(axis=(1, 3))
    height = blurred(tone, 1, passes=1) - blurred(tone, _BROAD)
    there = enlarged(np.clip(3.0 * blurred(measured, 4) - 2.0, 0.0, 1.0), len(height))
    height *= _DEPTH * there
    out = np.empty((*height.shape, 3), np.float32)
    # Rows run downwards, the layout's v upwards.
    out[..., 0] = np.clip(-_slope(height, 1), -_STEEPEST, _STEEPEST)
    out[..., 1] = np.clip(_slope(height, 0), -_STEEPEST, _STEEPEST)
    out[..., 2] = 1.0
    out /= np.linalg.norm(out, axis=2, keepdims=True)
    pixels: Pixels = np.round(127.5 + 127.5 * out).astype(np.uint8)
    return pixels


def over(relief: Pixels, under: Pixels | None) -> Pixels:
    """Tangent-space normals (n, n, 3) with those of a coarser map (m, m, 3) under them.

    Slopes add up, as in "whiteout" blending (Barre-Brisebois and Hill, "Blending in detail", 2012).
    """
    if under is None:
        return relief
    coarse = stretched(under.astype(np.float32), *relief.shape[:2]) / 127.5 - 1.0
    fine = relief.astype(np.float32) / 127.5 - 1.0
    both = np.stack(
        [
            fine[..., 0] + coarse[..., 0],
            fine[..., 1] + coarse[..., 1],
            fine[..., 2] * coarse[..., 2],
        ],
        axis=2,
    )
    both /= np.maximum(np.linalg.norm(both, axis=2, keepdims=True), 1e-6)
    pixels: Pixels = np.round(127.5 + 127.5 * both).astype(np.uint8)
    return pixels


def _slope(height: Floats, axis: int) -> Floats:
    wide = np.moveaxis(np.pad(height, 1, mode="edge"), axis, 0)
    slope = (wide[2:] - wide[:-2])[:, 1:-1] * np.float32(0.5)
    return np.moveaxis(slope, 0, axis)
