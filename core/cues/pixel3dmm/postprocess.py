# SPDX-License-Identifier: GPL-3.0-or-later
"""From the networks' raw maps to cues: ranges, frames, flip averaging, confidence.

Conventions of Pixel3DMM's outputs stand here and nowhere else:

* uv, raw in about [-1, 1]: (raw + 1) / 2 is (u, 1 - v) of FLAME's texture coordinates, so the
  first runs to the subject's left and the second downward.
* normals, raw (x, y, z) of any length: the unit vector (x, -z, -y) lies in the head frame, with
  the head's and the neck's rotation removed.

A face mirrored in the photo has its uv mirrored about the layout's axis, u -> 2 axis - u, and the
x of its normals negated. The published inference mirrors about 0.50375; the midline of FLAME's
layout lies at 0.4964, the value used here.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.float32]

#: u of the midline in FLAME's texture layout.
MIRROR_AXIS = 0.4964
#: Disagreement of a pixel with its mirrored self at which its confidence is exp(-1/2): in units
#: of uv (a fiftieth of the layout, some four millimetres on the face) and in radians.
UV_TOLERANCE = 0.02
NORMAL_TOLERANCE = np.deg2rad(20.0)


def unflip_uv(raw: Map, axis: float = MIRROR_AXIS) -> Map:
    """Raw uv (H, W, 2) of the flipped image, brought back to the image's own pixels."""
    back = raw[:, ::-1].copy()
    back[..., 0] = np.float32(4.0 * axis - 2.0) - back[..., 0]
    return back


def unflip_normals(raw: Map) -> Map:
    """Raw normals (H, W, 3) of the flipped image, brought back to the image's own pixels."""
    back = raw[:, ::-1].copy()
    back[..., 0] *= -1
    return back


def uv_from_raw(raw: Map) -> Map:
    """Texture coordinates (u, 1 - v) in [0, 1], (H, W, 2)."""
    return np.clip((raw + 1) / 2, 0, 1)


def normals_from_raw(raw: Map) -> Map:
    """Unit normals in the head frame, (H, W, 3); zero where the network gives no direction."""
    unit = _unit(raw)
    return np.stack([unit[..., 0], -unit[..., 2], -unit[..., 1]], axis=-1)


def uv_disagreement(raw: Map, unflipped: Map) -> Map:
    """Distance of the two predictions in units of uv, (H, W)."""
    result: Map = np.linalg.norm(raw - unflipped, axis=-1) / 2
    return result


def normal_disagreement(raw: Map, unflipped: Map) -> Map:
    """Angle between the two predictions in radians, (H, W); pi where one has no direction."""
    a, b = _unit(raw), _unit(unflipped)
    # The chord gives small angles without the loss that an arc cosine has near 1.
    angle = 2 * np.arcsin(np.clip(np.linalg.norm(a - b, axis=-1) / 2, 0, 1))
    known = np.any(a, axis=-1) & np.any(b, axis=-1)
    result: Map = np.where(known, angle, np.pi).astype(np.float32)
    return result


def agreement(disagreement: Map, tolerance: float) -> Map:
    """Confidence in [0, 1] of a disagreement, by a normal distribution's falling off."""
    result: Map = np.exp(-0.5 * np.square(disagreement / np.float32(tolerance)))
    return result


def _unit(raw: Map) -> Map:
    length = np.linalg.norm(raw, axis=-1, keepdims=True)
    result: Map = raw / np.maximum(length, np.float32(1e-12))
    return result
