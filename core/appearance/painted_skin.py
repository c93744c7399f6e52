# SPDX-License-Identifier: GPL-3.0-or-later
"""A painted skin as a rigged head carries it: PNG files, and figures for the report."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..files.png import encode_png
from ..heads.model import HeadModel
from ..photos.photo import Photo
from ..reconstruction import PhotoFit
from .atlas import skin_atlas
from .surface_maps import over, relief, roughness
from .texture import COARSE, FILLED, paint

#: zlib's effort: a quarter larger than the smallest, and five times as quick.
_EFFORT = 1


@dataclass(frozen=True, eq=False)
class PaintedSkin:
    """fields: of RiggedHead, by name; tone (3,) linear RGB; report: JSON-ready; lights: of each
    photo, as RiggedHead.photo_light.
    """

    fields: dict[str, Any]
    tone: NDArray[np.float32]
    report: dict[str, Any]
    lights: tuple[NDArray[np.float32], ...] = ()


def painted_skin(
    head: HeadModel,
    fits: Sequence[PhotoFit],
    photos: Sequence[Photo],
    size: str,
    *,
    under: NDArray[np.uint8] | None = None,
) -> PaintedSkin:
    """The skin of the person in the photos; arguments as of :func:`.texture.paint`. under: normals
    (n, n, 3) of what is coarser than the photo's relief.
    """
    skin = paint(head, fits, photos, size)
    seen = (skin.coverage != FILLED).astype(np.float32)
    pictures = {
        "skin_photo": lambda: skin.photo,
        "skin_albedo": lambda: skin.albedo,
        "skin_relief": lambda: over(relief(skin.albedo, seen), under),
    }
    with ThreadPoolExecutor(2) as pool:
        files = pool.map(lambda make: encode_png(make(), effort=_EFFORT), pictures.values())
        fields: dict[str, Any] = {
            name: np.frombuffer(data, np.uint8) for name, data in zip(pictures, files, strict=True)
        }
    figures = {
        "size": int(skin.photo.shape[0]),
        "face_measured": round(skin.measured, 4),
        "face_mirrored": round(skin.mirrored, 4),
        "face_inferred": round(max(0.0, 1.0 - skin.measured - skin.mirrored), 4),
    }
    fields["skin_roughness"] = np.frombuffer(_roughness_file(head), np.uint8)
    fields["skin_coverage"] = skin.coverage
    return PaintedSkin(fields, skin.tone, {"texture": figures}, skin.lights)


@lru_cache(maxsize=2)
def _roughness_file(head: HeadModel) -> bytes:
    return encode_png(roughness(head, skin_atlas(head, COARSE)), effort=_EFFORT)
