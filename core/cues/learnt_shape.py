# SPDX-License-Identifier: GPL-3.0-or-later
"""What the shape network adds to photos' landmarks, around a fit to these; or why it adds nothing.

It speaks of the open head alone. Where its weights are missing or damaged, or it is not believed
of a photo, the head follows landmarks and statistics there, and a note says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from ..errors import FitError, ModelFileError
from ..heads.model import HeadModel
from ..heads.open_head import OPEN_HEAD_NAME
from ..photos.photo import Photo
from ..reconstruction import Reconstruction
from .screen_cues import ScreenCues
from .shape_network import LEAST_TRUST, Doubt, ShapeNetwork

#: Trust below which a person is told of it.
TOLD = 0.75


@lru_cache(maxsize=1)
def load_shape_network() -> ShapeNetwork:
    """The network that comes with this package, loaded once a process."""
    return ShapeNetwork()


def with_shape(
    head: HeadModel,
    fit: Reconstruction,
    cues: Sequence[ScreenCues],
    photos: Sequence[Photo | None],
) -> tuple[list[ScreenCues], tuple[str, ...]]:
    """The cues with what the network says of each photo of a fit, and notes.

    photos: None where the pixels are not at hand; what its cues say already stays.
    """
    if head.name != OPEN_HEAD_NAME or all(photo is None for photo in photos):
        return list(cues), ()
    try:
        network = load_shape_network()
        network.check_head(head)
    except ModelFileError as error:
        return list(cues), (_left_out(error),)
    out: list[ScreenCues] = []
    notes: list[str] = []
    for c, photo, fitted in zip(cues, photos, fit.photos, strict=True):
        if photo is not None:
            try:
                shape, doubt = network.cue(photo.pixels, head, fitted)
            except ModelFileError as error:
                return list(cues), (_left_out(error),)
            except FitError as error:
                shape, doubt = None, Doubt(0.0, (str(error).rstrip("."),))
            c = replace(c, shape=shape)
            notes += _doubted(photo.name, doubt)
        out.append(c)
    return out, tuple(notes)


def _left_out(error: ModelFileError) -> str:
    return f"The shape network was left out, so the head follows the landmarks alone. {error}"


def _doubted(name: str, doubt: Doubt) -> list[str]:
    if doubt.trust >= TOLD:
        return []
    how = "was not used" if doubt.trust < LEAST_TRUST else f"counts {100 * doubt.trust:.0f} %"
    why = " and ".join(doubt.reasons)
    return [
        f"The shape network {how} in {name}, since {why}: the head follows the landmarks and the "
        "average there."
    ]
