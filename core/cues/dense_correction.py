# SPDX-License-Identifier: GPL-3.0-or-later
"""What our own dense network adds to one photo's landmarks, or why it adds nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..errors import FitError
from ..heads.model import HeadModel
from ..photos.photo import Photo
from ..reconstruction import BareSkin, Reconstruction
from .dense_predictor import DensePredictor
from .face_maps import with_maps, without_maps
from .screen_cues import ScreenCues


def corrected(
    network: DensePredictor,
    head: HeadModel,
    landmark_fit: Reconstruction,
    index: int,
    photo: Photo,
    landmarks: ScreenCues,
) -> tuple[ScreenCues, tuple[str, ...]]:
    """Cues with the network's maps of photo ``index`` of a fit to landmarks, and notes.

    Where the network can say nothing the landmarks stay alone, and a note says so.
    """
    try:
        maps = network.cues(photo.pixels, head, landmark_fit, index)
    except FitError as error:
        return landmarks, (
            f"The dense network was left out in {photo.name}, whose head follows the landmarks "
            f"alone ({str(error).rstrip('.')}).",
        )
    # Its normals make the fit worse (docs/dense.md), so that its uv alone is used.
    return with_maps(landmarks, without_maps(maps, uv=False)), ()


def with_bare_skin(fit: Reconstruction, cues: Sequence[ScreenCues]) -> Reconstruction:
    """A fit whose photos know where the network saw bare skin, if the fit believed its maps."""
    photos = []
    for photo, c in zip(fit.photos, cues, strict=True):
        believed = photo.report.get("maps", {}).get("used")
        if believed and c.skin is not None and c.crop_to_photo is not None:
            photo = replace(photo, bare_skin=BareSkin(c.skin, c.crop_to_photo))
        photos.append(photo)
    return replace(fit, photos=tuple(photos))
