# SPDX-License-Identifier: GPL-3.0-or-later
"""One photo's opinion of the skin, at the coarse size in which layers are weighed and joined."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..cues.image_warp import shrink
from ..geometry.bilinear import bilinear
from ..heads.model import HeadModel
from ..photos.colour import linear_from_srgb
from ..photos.photo import Photo
from .atlas import Atlas, region_share
from .covering import Finds, look_for_cover
from .lighting import Light, fit_light
from .skin_tone import GLAZE, tone_of
from .views import Sight, View

Floats = NDArray[np.float32]

#: Regions whose skin is rarely covered, told from the light.
EVEN_SKIN = ("cheek_l", "cheek_r", "nose", "chin", "forehead")
UNEVEN = ("lips", "brow_l", "brow_r")
_SIDEWAYS = (0.35, 0.65)
#: How far the light is made brighter or dimmer on the whole, for what its model left over.
_GAIN = (0.7, 1.4)
#: Texels that the light is told from: at least, and about at most.
_FEWEST, _SAMPLES = 50, 10_000
_TABLE = linear_from_srgb(np.arange(256) / 255.0).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Source:
    """A photo's part with the head, linear RGB, shrunk to what the texture can hold."""

    linear: Floats
    corner: NDArray[np.float32]
    factor: int

    def at(self, pixels: Floats) -> Floats:
        """Linear RGB (n, 3) at pixels of the photo (n, 2)."""
        return bilinear(self.linear, (pixels - self.corner) / np.float32(self.factor))


def source_of(photo: Photo, view: View, texels_per_pixel: float) -> Source:
    """texels_per_pixel: of the texture on the face; the photo is averaged down to about that."""
    places = view.sight[:, :2]
    low = np.clip(np.floor(places.min(axis=0)) - 2, 0, [photo.width - 2, photo.height - 2])
    high = np.clip(np.ceil(places.max(axis=0)) + 2, low + 2, [photo.width, photo.height])
    (x0, y0), (x1, y1) = low.astype(int), high.astype(int)
    part = photo.pixels[y0:y1, x0:x1]
    factor = max(1, round(1.0 / max(texels_per_pixel, 1e-3)))
    if factor > 1:
        linear = linear_from_srgb(shrink(part, factor) / 255).astype(np.float32)
    else:
        linear = _TABLE[part]
    return Source(linear, low.astype(np.float32), factor)


@dataclass(frozen=True, eq=False)
class Layer:
    """pixels (n, 2): where the texels lie in the photo; albedo (n, 3) linear RGB without the
    photo's light, which is pixel / shading - offset; shading and offset (n, 3); belief (n,): how
    far each texel is seen; weight (n,): how far it is taken; likeness (n,): how far it is skin;
    finds: of what covers the skin; gain (3,): by which the light alone, without what is taken for
    shade, has to be brighter to show this albedo as bright as the photo does, on the whole.
    """

    pixels: Floats
    source: Source
    light: Light
    albedo: Floats
    shading: Floats
    offset: Floats
    belief: Floats
    weight: Floats
    likeness: Floats
    finds: Finds
    gain: Floats


def light_of(head: HeadModel, atlas: Atlas, view: View, source: Source) -> Light:
    """The light that a photo was taken in."""
    even = region_share(head, atlas, EVEN_SKIN) * (1 - region_share(head, atlas, UNEVEN))
    part = atlas.at(np.nonzero(even > 0.5)[0])
    sight = view.on(part)
    belief = view.belief(sight)
    known = np.nonzero(belief > 0.3)[0]
    if len(known) < _FEWEST:
        return Light.even(np.full(3, 0.4, np.float32))
    known = known[:: max(1, len(known) // _SAMPLES)]
    light = fit_light(
        source.at(sight.pixels[known]), part.at(known).spread(view.responses), belief[known]
    )
    tone = tone_of(light.colour, view.eye_white)
    return Light(light.strength * tone.light, tone.skin)


def layer_of(
    head: HeadModel,
    atlas: Atlas,
    view: View,
    sight: Sight,
    source: Source,
    light: Light,
    finds: Finds | None = None,
) -> Layer:
    """A photo on the coarse atlas; sight: the view's on it; light: the photo's; finds: of what
    covers the skin, if they are known.
    """
    belief = view.belief(sight)
    # Light is smooth between vertices.
    shading = atlas.spread(light.shading(view.responses))
    shown = source.at(sight.pixels)
    albedo, lit = shown / shading, shading.copy()
    finds = finds or look_for_cover(head, atlas, albedo, light.colour, belief)
    bare, gloss = (p.ravel()[atlas.texel] for p in (finds.bare, finds.gloss))
    shade = np.exp(finds.shade.reshape(-1, 3)[atlas.texel])
    shading *= shade
    offset = (gloss[:, None] / shade + GLAZE).astype(np.float32)
    albedo = np.maximum(albedo / shade - offset, 0.004)
    # What lies to the side of the face is where hair hangs.
    sideways = _over(sight.facing, *_SIDEWAYS)
    face = region_share(head, atlas, ("face",)) if "face" in head.regions else np.float32(1)
    bare = bare * np.maximum(face, sideways)
    weight = belief * bare
    known = weight @ shown, weight @ ((albedo + GLAZE) * lit)
    gain = np.ones(3, np.float32)
    if weight.sum() > 1:
        gain = np.clip(known[0] / np.maximum(known[1], 1e-6), *_GAIN).astype(np.float32)
    return Layer(
        sight.pixels, source, light, albedo, shading, offset, belief, weight, bare, finds, gain
    )


def _over(x: Floats, start: float, end: float) -> Floats:
    out: Floats = np.clip((x - start) / (end - start), 0.0, 1.0).astype(np.float32)
    return out
