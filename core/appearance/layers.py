# SPDX-License-Identifier: GPL-3.0-or-later
"""One photo's opinion of the skin, at the coarse size in which layers are weighed and joined."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..cues.image_warp import shrink
from ..heads.model import HeadModel
from ..photos.colour import linear_from_srgb
from ..photos.photo import Photo
from .atlas import Atlas
from .lighting import Light, fit_light
from .photo_trust import sample
from .spreading import blurred
from .views import Sight, View, unit

Floats = NDArray[np.float32]

#: Regions whose skin is rarely covered, told from the light; and those that are believed
#: whatever their colour, since brows, lips, nostrils, stubble and beards belong to the face.
EVEN_SKIN = ("cheek_l", "cheek_r", "nose", "chin", "forehead")
FEATURES = ("lips", "nose", "brow_l", "brow_r", "eye_l", "eye_r")
UNEVEN = ("lips", "brow_l", "brow_r")
OWN_COLOURS = ("nose", "lips", "chin", "jaw", "cheek_l", "cheek_r", "brow_l", "brow_r", "eye_l",
               "eye_r")  # fmt: skip
#: How far skin's colour strays: brightness in natural logarithms (down, up), and redness.
_DARKER, _LIGHTER, _HUE = (0.4, 0.8), (0.4, 0.7), (0.15, 0.3)
#: From here on it is no part of a face either, unless one that is painted or wet.
_WHITE, _DYED = (0.65, 0.95), (0.5, 0.8)
_SIDEWAYS = (0.35, 0.65)
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
        return sample(self.linear, (pixels - self.corner) / np.float32(self.factor))


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
    photo's light; shading (n, 3); belief (n,): how far each texel is seen; weight (n,): how far
    it is taken; likeness (n,): how much its colour is this person's skin.
    """

    pixels: Floats
    source: Source
    light: Light
    albedo: Floats
    shading: Floats
    belief: Floats
    weight: Floats
    likeness: Floats


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
    normals = unit(part.at(known).spread(view.normals))
    return fit_light(source.at(sight.pixels[known]), normals, belief[known])


def layer_of(
    head: HeadModel, atlas: Atlas, view: View, sight: Sight, source: Source, light: Light
) -> Layer:
    """A photo on the coarse atlas; sight: the view's on it; light: the photo's."""
    belief = view.belief(sight)
    # Normals are smooth: between vertices so is the light on them.
    shading = atlas.spread(light.shading(view.normals))
    albedo = source.at(sight.pixels) / shading
    likeness, possible = _like_skin(atlas, albedo, light, belief)
    # What lies to the side of the face is where hair hangs.
    own = region_share(head, atlas, OWN_COLOURS) * _over(sight.facing, *_SIDEWAYS)
    features = region_share(head, atlas, FEATURES)
    own = np.maximum(np.minimum(own, possible), np.minimum(own, features))
    weight = belief * np.maximum(likeness, own)
    return Layer(sight.pixels, source, light, albedo, shading, belief, weight, likeness)


def _like_skin(atlas: Atlas, albedo: Floats, light: Light, belief: Floats) -> tuple[Floats, Floats]:
    """(n,) each: 1 where the colour is this person's skin's, 0 where it is far off or beside such;
    and 1 where it may be that of stubble or a beard, 0 where it is a collar's or a scarf's.
    """
    tone = np.log(np.maximum(albedo, 2e-3) / np.maximum(light.colour, 2e-3))
    bright = tone.mean(axis=1)
    hue = np.linalg.norm(tone - bright[:, None], axis=1)
    strange = np.maximum.reduce(
        [_over(-bright, *_DARKER), _over(bright, *_LIGHTER), _over(hue, *_HUE)]
    )
    cloth = np.maximum(_over(bright, *_WHITE), _over(hue, *_DYED))
    seen = (belief > 0.05).astype(np.float32)
    return 1.0 - _widened(atlas, strange * seen, strange), 1.0 - _widened(
        atlas, cloth * seen, cloth
    )


def _widened(atlas: Atlas, values: Floats, least: Floats) -> Floats:
    """Values (n,) that reach a little beyond their borders, and at least ``least``.

    Strands are thin: what lies between two of them is no skin either.
    """
    picture = blurred(atlas.picture(values), max(1, atlas.size // 64))
    near = np.clip(4.0 * picture.ravel()[atlas.texel] - 0.2, 0.0, 1.0)
    out: Floats = np.maximum(near, least)
    return out


@lru_cache(maxsize=16)
def region_share(head: HeadModel, atlas: Atlas, names: tuple[str, ...]) -> Floats:
    """1 inside of the named regions (those that the head has), with a soft edge; (n,). Kept, since
    it is the same for every photo: not to be written to.
    """
    inside = np.zeros(head.vertex_count, np.float32)
    for name in names:
        if name in head.regions:
            inside[head.regions[name]] = 1.0
    return atlas.spread(inside)


def _over(x: Floats, start: float, end: float) -> Floats:
    out: Floats = np.clip((x - start) / (end - start), 0.0, 1.0).astype(np.float32)
    return out
