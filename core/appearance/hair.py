# SPDX-License-Identifier: GPL-3.0-or-later
"""A tint where hair is: a head without hair looks less shaven in its hair's colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..heads.model import HeadModel
from .atlas import Atlas, region_share
from .layers import Layer
from .spreading import blurred, filled, stretched

Floats = NDArray[np.float32]

SCALP = "scalp"
#: Of the scalp that is seen, so much has to be of another colour than the skin.
_LEAST = 0.4
#: Skin of the scalp in another light is no hair: natural logarithm by which it is darker than the
#: face's at most, by which red gains on blue at least, and how much rougher it is at most.
_DARKER, _WARMER, _ROUGHER = 0.6, 0.15, 1.5
#: Radius in texels over which roughness is told.
_FINE = 3
#: How much of the hair's colour a hair has, that of the skin below shining through.
STRENGTH = 0.9
#: The hairline's width as a part of the layout, and tufts along the layout's side.
_HAIRLINE, _TUFTS = 34, 96


def hair_share(head: HeadModel, atlas: Atlas, known: Floats) -> Floats:
    """(Q, Q): how thick hair stands on the scalp where no skin is known (Q, Q); thinning out over
    the hairline.
    """
    scalp = atlas.picture(region_share(head, atlas, (SCALP,)))
    scalp = filled(scalp[..., None], atlas.covered().astype(np.float32))[..., 0]
    soft = blurred(scalp, atlas.size // _HAIRLINE)
    # A hairline is no drawn line: tufts stand before it, bays behind it.
    wave = stretched(_tufts(), atlas.size, atlas.size)
    out: Floats = np.clip(1.6 * soft - 0.5 + 0.3 * wave * soft, 0.0, 1.0)
    return out * (1.0 - known)


def hairy(surface: Floats, share: Floats, strand: Floats, colour: Floats) -> None:
    """Puts hairs of a colour on texels (n, 3): share (n,) of them, strand (n,) between 0 and 1 of
    each texel.
    """
    stand = np.clip(np.float32(3.0) * (np.float32(1.25) * share - strand) + 0.5, 0.0, 1.0)
    there = (np.float32(STRENGTH) * np.maximum(stand, np.float32(0.55) * share))[:, None]
    surface *= 1 - there
    surface += colour * (there * (0.65 + 0.7 * strand[:, None]))


@lru_cache(maxsize=1)
def _tufts() -> Floats:
    noise = np.random.default_rng(5).standard_normal((_TUFTS, _TUFTS), np.float32)
    return blurred(noise, 1) * np.float32(1.6)


def without_scalp(head: HeadModel, atlas: Atlas, layer: Layer) -> Layer:
    """The layer with nothing to say of the scalp."""
    return replace(layer, weight=layer.weight * (1.0 - region_share(head, atlas, (SCALP,))))


def hair_colour(head: HeadModel, atlas: Atlas, layers: Sequence[Layer]) -> Floats | None:
    """Linear RGB (3,) of what covers the scalp in the photos; None for a bald or unseen one."""
    if SCALP not in head.regions:
        return None
    scalp = region_share(head, atlas, (SCALP,)) > 0.5
    hair, skin, seen = [], 0, 0
    for layer in layers:
        there = scalp & (layer.belief > 0.3)
        seen += int(there.sum())
        found = there & (layer.likeness < 0.3)
        # Dark hair is hardly brighter than what skin mirrors, which is not taken off it.
        shown = layer.source.at(layer.pixels) / layer.shading
        hair.append(shown[found])
        if found.any() and _is_skin(atlas, layer, shown, found):
            skin += int(found.sum())
    colours = np.concatenate(hair)
    if len(colours) < max(30, _LEAST * seen) or 2 * skin > len(colours):
        return None
    colour: Floats = np.clip(np.median(colours, axis=0), 0.0, 1.0).astype(np.float32)
    return colour


def _is_skin(atlas: Atlas, layer: Layer, shown: Floats, found: NDArray[np.bool_]) -> bool:
    """Whether texels (n,) of a scalp, which shows colours (n, 3), are bare skin in another light:
    a little darker, more of the skin's hue, and as smooth as the face.
    """
    off = np.log(np.maximum(np.median(shown[found], axis=0), 1e-3) / layer.light.colour)
    if off.mean() < -_DARKER or off[0] - off[2] < _WARMER:
        return False
    bright = atlas.picture(np.log(np.maximum(shown.mean(axis=1), 3e-3)))
    rough = np.abs(bright - blurred(bright, _FINE, passes=1)).ravel()[atlas.texel]
    face = layer.weight > 0.5
    return bool(face.any() and np.median(rough[found]) < _ROUGHER * np.median(rough[face]))
