# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker's job "hair": hair of a style for a head, or the hair that it has under new sliders.

params {"source": .npz with vertices (V, 3) of the head at rest, head frame, and, to keep hair,
hair_guides, hair_root_triangle, hair_root_place and hair_density as in RiggedHead; "hair": the
hair's JSON, may be empty; "style": "photo" to keep what was grown, or one of core.hair.styles;
"adjust": {of core.hair.hair.Adjust}; "options": for the head model; "out": an existing folder}.
result {"hair": .npz of the fields of RiggedHead that start with hair_}.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import PersonError
from ..files.npz import read_npz
from ..hair.hair import Adjust, Hair, drawn, from_style, stored
from ..hair.styles import PHOTO
from ..progress import Progress
from ..reconstruct.outputs import write_together
from ..reconstruct.resources import load_head
from .parameters import Parameters, incomplete

STAGE = "Growing hair"
_MOST_BYTES = 200 << 20
_STORED = ("hair_guides", "hair_root_triangle", "hair_root_place", "hair_density")


def hair_job(
    params: Parameters, progress: Progress, before_naming: Callable[[], None]
) -> dict[str, Any]:
    """The result's fields. Raises PersonError; ``progress`` may raise Cancelled."""
    source, out, name = params.path("source"), params.path("out"), params.text("style")
    sliders, text = params.value("adjust", {}), params.text("hair")
    if not isinstance(sliders, Mapping):
        raise incomplete()
    adjust = Adjust.from_json(sliders)
    hair: Hair
    progress(STAGE, 0.0)
    head = load_head(params.options().head)
    try:
        arrays = read_npz(source, _MOST_BYTES, ["vertices", *_STORED])
        about = json.loads(text or "{}")
        vertices = arrays["vertices"].astype(np.float64)
    except (OSError, ValueError, KeyError) as error:
        raise incomplete() from error
    if vertices.shape != head.template.shape or "scalp" not in head.regions:
        raise PersonError(
            "Hair needs a head whose vertices are those of its head model: use one as it was "
            "reconstructed."
        )
    if name == PHOTO:
        if not all(field in arrays for field in _STORED):
            raise PersonError("This head has no hair to change: choose a style.")
        guides, triangle, place, density = (arrays[field] for field in _STORED)
        hair = stored(guides, triangle, place, density, about)
    else:
        pigments = (float(about.get("melanin", 0.6)), float(about.get("redness", 0.2)))
        hair = from_style(head, vertices, name, pigments, adjust.parting)
    progress(STAGE, 0.4)
    fields = drawn(head, vertices, hair, adjust)
    progress(STAGE, 0.9)
    path = out / "hair.npz"

    def write(aside: Path) -> None:
        with open(aside, "wb") as file:
            np.savez(file, **fields)

    write_together({path: write}, before_naming=before_naming)
    return {"hair": str(path)}
