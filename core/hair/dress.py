# SPDX-License-Identifier: GPL-3.0-or-later
"""A rigged head with hair, in fields that cross to the scene."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ..heads.model import HeadModel
from ..photos.photo import Photo
from ..reconstruction import PhotoFit
from ..rigged_head import RiggedHead
from .hair import Adjust, drawn, from_photo, from_style
from .styles import NONE, PHOTO

NO_SCALP = "This head model does not say where its scalp is, so that it gets no hair."


def with_hair(
    head: HeadModel, rigged: RiggedHead, fit: PhotoFit, photo: Photo, choice: str
) -> RiggedHead:
    """The head with the hair of its photo, or of a style in the photo's colour; ``choice`` as
    core.options.Options.hair. What was guessed stands in the report.
    """
    if choice == NONE:
        return rigged
    if "scalp" not in head.regions:
        return _reported(rigged, {"from": choice, "style": NONE, "warnings": [NO_SCALP]})
    hair, report = from_photo(head, fit, photo, rigged.skin_color)
    vertices = rigged.basis.astype(np.float64)
    if choice != PHOTO:
        pigments = () if hair is None else ((hair.melanin, hair.redness),)
        hair = from_style(head, vertices, choice, *pigments)
        report = {"from": "style", "style": choice, "warnings": []}
    if hair is None:
        return _reported(rigged, report)
    dressed = replace(rigged, **drawn(head, vertices, hair, Adjust()))
    return _reported(dressed, {**report, "strands": len(dressed.hair_strands)})


def _reported(rigged: RiggedHead, figures: Mapping[str, Any]) -> RiggedHead:
    report = {**rigged.report, "hair": dict(figures)}
    return replace(rigged, report_json=json.dumps(report, sort_keys=True))
