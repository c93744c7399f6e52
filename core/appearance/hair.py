# SPDX-License-Identifier: GPL-3.0-or-later
"""A tint where hair is: a head without hair looks less shaven in its hair's colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..heads.model import HeadModel
from .atlas import Atlas
from .layers import Layer, region_share
from .spreading import blurred

Floats = NDArray[np.float32]

SCALP = "scalp"
#: Of the scalp that is seen, so much has to be of another colour than the skin.
_LEAST = 0.4
#: How much of the hair's colour the scalp gets.
STRENGTH = 0.8


def tinted_scalp(
    head: HeadModel, atlas: Atlas, albedo: Floats, known: Floats, colour: Floats
) -> Floats:
    """albedo (Q, Q, 3) with the hair's colour on the scalp where no skin is known (Q, Q)."""
    scalp = atlas.picture(region_share(head, atlas, (SCALP,)))
    soft = blurred(scalp, atlas.size // 60) * (1.0 - known)
    share = STRENGTH * np.clip(1.6 * soft - 0.3, 0.0, 1.0)[..., None]
    out: Floats = (albedo * (1 - share) + colour * share).astype(np.float32)
    return out


def without_scalp(head: HeadModel, atlas: Atlas, layer: Layer) -> Layer:
    """The layer with nothing to say of the scalp."""
    return replace(layer, weight=layer.weight * (1.0 - region_share(head, atlas, (SCALP,))))


def hair_colour(head: HeadModel, atlas: Atlas, layers: Sequence[Layer]) -> Floats | None:
    """Linear RGB (3,) of what covers the scalp in the photos; None for a bald or unseen one."""
    if SCALP not in head.regions:
        return None
    scalp = region_share(head, atlas, (SCALP,)) > 0.5
    hair, seen = [], 0
    for layer in layers:
        there = scalp & (layer.belief > 0.3)
        seen += int(there.sum())
        hair.append(layer.albedo[there & (layer.likeness < 0.3)])
    found = np.concatenate(hair)
    if len(found) < max(30, _LEAST * seen):
        return None
    colour: Floats = np.clip(np.median(found, axis=0), 0.0, 1.0).astype(np.float32)
    return colour
