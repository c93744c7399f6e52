# SPDX-License-Identifier: GPL-3.0-or-later
"""paint(): the photos unprojected into the skin's texture, and what none shows made up for.

    photo pixels -> light divided out -> weighed (seen? facing? the person? skin?) -> joined in
    two bands -> the other half's mirror image -> the rest continued in the person's tone

All of that is decided at 512 x 512; only the photos' fine detail is sampled at full size, in
strips, so that memory stays small. Two bands: broad colour is blended over soft borders, detail
is taken from whoever sees best (Burt and Adelson, "A multiresolution spline", TOG 1983). The
mirrored half is first shifted to the tone of what it meets, as gradient-domain blending does
(Perez et al., "Poisson image editing", SIGGRAPH 2003), by filling in the difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..heads.model import HeadModel
from ..options import SIZES
from ..photos.colour import srgb_bytes
from ..photos.photo import Photo
from ..reconstruction import PhotoFit
from .atlas import Atlas, region_share, skin_atlas
from .hair import hair_colour, hair_share, without_scalp
from .layers import Layer, layer_of, light_of, source_of
from .lighting import Light, surroundings
from .skin_detail import make_up, own_detail
from .skin_tone import GLAZE, without_glaze
from .spreading import blurred, filled, stretched
from .views import view_of

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]

_AUTO_LARGEST = SIZES["2k"]
COARSE = 512
#: Weight from which on a photo is taken at its word.
_SURE = 0.35
#: Rows of the full texture that are worked on at once.
_STRIP = 256
#: numpy lets other threads run while it works on large arrays.
_THREADS = 2
#: What a texel is, in the coverage picture: made up, from the other half of the face, or seen.
FILLED, REFLECTED, SHOWN = 0, 128, 255


@dataclass(frozen=True, eq=False)
class Skin:
    """photo (N, N, 3) sRGB as the photo is lit; albedo (N, N, 3) sRGB without the photo's light;
    coverage (512, 512): SHOWN, REFLECTED or FILLED; measured, mirrored: shares of the
    face's area; tone (3,) linear RGB of the skin; lights: of each photo, as radiance around the
    head (see :func:`.lighting.surroundings`).
    """

    photo: Pixels
    albedo: Pixels
    coverage: Pixels
    measured: float
    mirrored: float
    tone: Floats
    lights: tuple[Floats, ...] = ()


def paint(
    head: HeadModel, fits: Sequence[PhotoFit], photos: Sequence[Photo], size: str = "auto"
) -> Skin:
    """The skin of one person whom one or several photos show; size: of TEXTURES, not "off"."""
    with ThreadPoolExecutor(_THREADS) as pool:
        return _paint(head, fits, photos, size, pool)


def _paint(
    head: HeadModel, fits: Sequence[PhotoFit], photos: Sequence[Photo], size: str, pool: Executor
) -> Skin:
    coarse = skin_atlas(head, COARSE)
    views = list(pool.map(lambda pair: view_of(head, *pair), zip(fits, photos, strict=True)))
    mirror = head.mirror
    if mirror is not None:
        views += [view.mirrored(mirror) for view in views]
    sights = list(pool.map(lambda view: view.on(coarse), views))
    density = [_pixels_per_texel(head, coarse, sight.pixels) for sight in sights[: len(fits)]]
    full = SIZES.get(size) or _fitting_size(max(density))
    sources = [
        source_of(photo, view, full / COARSE / max(step, 1e-6))
        for view, photo, step in zip(views, photos, density, strict=False)
    ]
    sharpness = [min(1.0, step / max(max(density), 1e-9)) for step in density]
    seen_lights = pool.map(
        lambda pair: light_of(head, coarse, *pair), zip(views, sources, strict=False)
    )
    lights = _of_one_person(list(seen_lights))
    every = list(zip(views, sights, sources * 2, lights * 2, strict=False))
    layers = list(pool.map(lambda parts: layer_of(head, coarse, *parts), every[: len(fits)]))
    finds = [layer.finds.mirrored(coarse) for layer in layers]
    others = [(*parts, its) for parts, its in zip(every[len(fits) :], finds, strict=False)]
    layers += pool.map(lambda parts: layer_of(head, coarse, *parts), others)
    weighed = list(zip(layers, sharpness * 2, strict=False))
    seen, mirrored = weighed[: len(fits)], weighed[len(fits) :]
    broad = _broad(head, coarse, seen, mirrored, pool)
    skin = _at_full_size(coarse, broad, [*seen, *mirrored], full, pool)
    return replace(skin, lights=tuple(surroundings(layer.light) * layer.gain for layer, _ in seen))


def _of_one_person(lights: list[Light]) -> list[Light]:
    """The same lights on the same skin: the mean of what each of the photos takes it for."""
    skin = np.exp(np.mean([np.log(light.colour) for light in lights], axis=0)).astype(np.float32)
    return [Light(light.strength * (light.colour / skin), skin) for light in lights]


@dataclass(frozen=True, eq=False)
class _Broad:
    """Pictures at the coarse size: albedo, shading (of the first photo), how far each layer's
    detail counts (one picture a layer, seen ones first), and the layers' own blurred albedo;
    unknown, 1 where no layer knows the skin; hairs, their share and colour.
    """

    albedo: Floats
    shading: Floats
    shares: list[Floats]
    blurred: list[Floats]
    coverage: Pixels
    measured: float
    mirrored: float
    tone: Floats
    unknown: Floats
    hairs: tuple[Floats, Floats] | None


Weighed = list[tuple[Layer, float]]


def _broad(
    head: HeadModel, atlas: Atlas, seen: Weighed, mirrored: Weighed, pool: Executor
) -> _Broad:
    hair = hair_colour(head, atlas, [layer for layer, _ in seen])
    if hair is not None:
        # Bright strands pass for skin: where there is hair, no part of the scalp is skin.
        seen, mirrored = (
            [(without_scalp(head, atlas, layer), sharp) for layer, sharp in group]
            for group in (seen, mirrored)
        )
    broad = list(pool.map(lambda pair: _low_band(atlas, pair[0]), [*seen, *mirrored]))
    own, own_weight, own_shares = _joined(atlas, seen, broad)
    sure = np.clip(own_weight / _SURE, 0.0, 1.0)
    tone = without_glaze(np.average([layer.light.colour for layer, _ in seen], axis=0))
    known, known_weight = own, sure
    other_share = np.zeros_like(sure)
    other_shares: list[Floats] = []
    if mirrored:
        other, other_weight, other_shares = _joined(atlas, mirrored, broad[len(seen) :])
        other_sure = np.clip(other_weight / _SURE, 0.0, 1.0)
        shift = filled(own - other, sure * other_sure)
        other = np.clip(other + shift, 0.0, None)
        other_share = (1 - sure) * other_sure
        known_weight = sure + other_share
        known = (own * sure[..., None] + other * other_share[..., None]) / np.maximum(
            known_weight, 1e-6
        )[..., None]
    good = np.maximum.reduce(
        [atlas.picture(layer.weight * layer.likeness) for layer, _ in [*seen, *mirrored]]
    )
    albedo = _continued(atlas, known, known_weight, good, tone)
    hairs = None
    if hair is not None:
        hairs = hair_share(head, atlas, known_weight), hair
    shares = [sure[..., None] * s[..., None] for s in own_shares]
    shares += [other_share[..., None] * s[..., None] for s in other_shares]
    shading = filled(atlas.picture(seen[0][0].shading), atlas.covered().astype(np.float32))
    coverage = np.full(sure.shape, FILLED, np.uint8)
    coverage[other_share > 0.5] = REFLECTED
    coverage[sure > 0.5] = SHOWN
    face = atlas.picture(region_share(head, atlas, ("face",))) if "face" in head.regions else (
        atlas.covered().astype(np.float32)
    )  # fmt: skip
    area = max(float(face.sum()), 1e-9)
    return _Broad(
        albedo, shading, shares, broad, coverage,
        float((face * (coverage == SHOWN)).sum() / area),
        float((face * (coverage == REFLECTED)).sum() / area), tone, 1 - known_weight, hairs,
    )  # fmt: skip


def _joined(
    atlas: Atlas, layers: Weighed, low_bands: Sequence[Floats]
) -> tuple[Floats, Floats, list[Floats]]:
    """Broad albedo (Q, Q, 3), the best weight (Q, Q), and each layer's share of the detail.

    low_bands: of each layer, and maybe more.
    """
    weights = [_feathered(atlas, layer.weight) * sharp for layer, sharp in layers]
    total = np.maximum(np.sum(weights, axis=0), 1e-6)
    albedo = np.zeros((atlas.size, atlas.size, 3), np.float32)
    for low, w in zip(low_bands, weights, strict=False):
        albedo += low * (w / total)[..., None]
    # Two photos that are both a little off blur each other: detail comes from the better one.
    powers = [w**4 for w in weights]
    sum_of_powers = np.maximum(np.sum(powers, axis=0), 1e-12)
    best = np.maximum.reduce(weights)
    return albedo, best, [p / sum_of_powers for p in powers]


def _feathered(atlas: Atlas, weight: Floats) -> Floats:
    """A weight that fades out inside its own border, so that no seam is hard."""
    picture = atlas.picture(weight)
    soft = blurred(picture, 5)
    return np.clip(picture * (2.0 * soft - 0.6) / 0.9, 0.0, 1.0)


def _low_band(atlas: Atlas, layer: Layer) -> Floats:
    """The layer's albedo blurred over what it is believed for, continued beyond that."""
    weight = atlas.picture(layer.weight)
    values = filled(atlas.picture(layer.albedo), weight)
    return blurred(values, 2, passes=1)


def _continued(atlas: Atlas, known: Floats, weight: Floats, good: Floats, tone: Floats) -> Floats:
    """Known albedo where it is known; from there on, that of good skin (Q, Q) nearby, and ever
    more the person's tone.
    """
    soft = filled(known, weight * good)
    near = np.clip(blurred(np.asarray(weight, np.float32), atlas.size // 10) * 2.0, 0.0, 1.0)
    beyond = near[..., None] * soft + (1 - near[..., None]) * tone
    return weight[..., None] * known + (1 - weight[..., None]) * beyond


def _at_full_size(coarse: Atlas, broad: _Broad, layers: Weighed, size: int, pool: Executor) -> Skin:
    """Broad colour plus each layer's detail; both are affine in the photo's colour, so that the
    coarse pictures are joined first and enlarged after that.
    """
    base = broad.albedo.copy()
    details = []
    everywhere = coarse.covered().astype(np.float32)
    for (layer, _), share, low in zip(layers, broad.shares, broad.blurred, strict=True):
        base -= share * (low + filled(coarse.picture(layer.offset), everywhere))
        # Of the same texel: what the photo's light does there differs in a mirror.
        light = filled(coarse.picture(layer.shading), everywhere)
        details.append((layer.source, _places(coarse, layer.pixels), share / light))
    detail = own_detail(coarse, layers[0][0], size)
    photo = np.empty((size, size, 3), np.uint8)
    albedo = np.empty((size, size, 3), np.uint8)

    def work(top: int) -> None:
        strip = top, min(top + _STRIP, size)
        surface = stretched(base, size, size, strip)
        for source, places, gain in details:
            nearby = slice(max(top * COARSE // size - 1, 0), -(-strip[1] * COARSE // size) + 1)
            if gain[nearby].any():
                gains = stretched(gain, size, size, strip).reshape(-1, 3)
                at = np.nonzero(gains[:, 1] > 0.004)[0]
                pixels = stretched(places, size, size, strip).reshape(-1, 2)[at]
                surface.reshape(-1, 3)[at] += gains[at] * source.at(pixels)
        make_up(surface, strip, detail, broad.unknown, broad.hairs)
        albedo[slice(*strip)] = srgb_bytes(surface)
        surface += np.float32(GLAZE)
        surface *= stretched(broad.shading, size, size, strip)
        photo[slice(*strip)] = srgb_bytes(surface)

    list(pool.map(work, range(0, size, _STRIP)))
    return Skin(photo, albedo, broad.coverage, broad.measured, broad.mirrored, broad.tone)


def _places(atlas: Atlas, pixels: Floats) -> Floats:
    """Where the texels lie in the photo, continued past the layout's borders."""
    return filled(atlas.picture(pixels), atlas.covered().astype(np.float32))


def _pixels_per_texel(head: HeadModel, atlas: Atlas, pixels: Floats) -> float:
    """Pixels of the photo along one texel of the coarse atlas, on the face."""
    face = region_share(head, atlas, ("face",)) > 0.5 if "face" in head.regions else slice(None)
    picture = atlas.picture(pixels, np.nan)
    steps = [np.linalg.norm(np.diff(picture, axis=axis), axis=2) for axis in (0, 1)]
    rows, columns = np.divmod(atlas.texel[face], atlas.size)
    inner = (rows < atlas.size - 1) & (columns < atlas.size - 1)
    both = steps[0][rows[inner], columns[inner]] * steps[1][rows[inner], columns[inner]]
    found = np.nanpercentile(np.sqrt(both), 80) if len(both) else np.nan
    return float(found) if np.isfinite(found) else 1.0


def _fitting_size(pixels_per_texel: float) -> int:
    wanted = COARSE * pixels_per_texel
    fitting = [size for size in sorted(SIZES.values()) if size >= wanted]
    return min(fitting[0] if fitting else _AUTO_LARGEST, _AUTO_LARGEST)
