# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a photo shows hair on the scalp, which way its strands run, and in which colour.

What is the person's and is neither skin nor cloth is hair. The fitted head says where skin is
sure (below the brows) and where hair would be (around the skull); each of the four gets a mixture
of colours that is learnt from such places and asked everywhere else (after Rother, Kolmogorov and
Blake, "GrabCut", SIGGRAPH 2004, with a guided filter (He, Sun and Tang, ECCV 2010) in place of the
cut). Directions are those of the structure tensor (Bigun and Granlund, ICCV 1987).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..appearance.photo_trust import Trust, look
from ..appearance.spreading import blurred, widened
from ..cues.image_warp import Region, crop
from ..geometry.bilinear import bilinear
from ..geometry.raster import rasterise
from ..heads.model import HeadModel
from ..photos.colour import linear_from_srgb
from ..photos.photo import Photo
from ..reconstruction import PhotoFit

Array = NDArray[np.float64]
Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

_GRID = 256
#: Colours of each mixture.
_MIX = {"hair": 3, "skin": 3, "back": 5, "cloth": 3}
#: Pixels of the grid a mixture is learnt from, at most.
_MOST = 4000
#: Shares of the scalp that faces the camera: less hair than this is a bald head.
BALD = 0.22
#: Pixels over which directions are gathered.
_SMOOTH = 3


@dataclass(frozen=True, eq=False)
class Sight:
    """On a grid (256, 256) over the square ``region`` of the photo: hair 0..1; free, 1 where
    neither hair nor the head is seen; direction (256, 256, 2), cosine and sine of twice the angle
    from the photo's +x to its +y, times how sure it is. colour (3,) linear RGB of hair as the
    photo shows it, skin (3,) of the face in the same light; scalp: share of the scalp that the
    camera sees that is hair; cut: whether hair goes on beyond the photo's border; alike: how like
    the background hair is, 0..1.
    """

    region: Region
    hair: Floats
    free: Floats
    direction: Floats
    colour: Floats
    skin: Floats
    scalp: float
    cut: bool
    alike: float

    @property
    def bald(self) -> bool:
        """Whether there is too little to speak of."""
        return self.scalp < BALD

    def at(self, pixels: Array, which: Floats) -> Array:
        """One of the maps (256, 256, c) at pixels of the photo (n, 2): (n, c)."""
        low = self.region.centre - self.region.side / 2
        grid = (pixels - low) * (_GRID / self.region.side)
        return bilinear(which, grid).astype(np.float64)


def see_hair(head: HeadModel, fit: PhotoFit, photo: Photo) -> Sight:
    """What one photo shows of a fitted head's hair."""
    trust = look(photo.pixels, fit.landmarks, fit.unseen)
    region = trust.region
    srgb = crop(photo.pixels, region, _GRID) / np.float32(255)
    fine = crop(photo.pixels, region, 2 * _GRID) / np.float32(255)
    inside = _inside(photo, region)
    places = _Places.of(head, fit, trust)
    features = _features(srgb)
    share = _hair_share(features, srgb, places, trust.person * inside, inside)
    linear = linear_from_srgb(srgb).astype(np.float32)
    skin = np.median(linear[places.sure_skin & inside], axis=0) if (
        places.sure_skin & inside
    ).any() else np.full(3, 0.4)  # fmt: skip
    scalp = places.scalp & inside
    seen = float((share[scalp] > 0.5).mean()) if scalp.sum() > 60 else 0.0
    strong = share > 0.8
    found = linear[strong] if strong.sum() > 30 else linear[share > 0.5]
    colour = np.median(found, axis=0) if len(found) else np.asarray(skin)
    back = linear[(trust.person < 0.2) & inside]
    alike = 0.0
    if len(back) and len(found):
        apart = np.linalg.norm(np.sqrt(np.median(back, axis=0)) - np.sqrt(colour))
        alike = float(np.clip(1 - apart / 0.15, 0, 1))
    edge = ~inside
    near = blurred(edge.astype(np.float32), 2) > 0.05
    cut = bool((strong & near & inside).sum() > 12)
    wide = blurred(np.maximum(share, places.head).astype(np.float32), 2)
    free = np.where(inside, np.clip(1 - 4 * wide, 0, 1), 0).astype(np.float32)
    return Sight(
        region, share, free, _directions(fine, share), colour.astype(np.float32),
        np.asarray(skin, np.float32), seen, cut, alike,
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Places:
    """(256, 256) each: what the fitted head says of the grid's pixels. below: pixels below the
    chin's height; reach: distance outside of the skull's picture, in widths of the head.
    """

    sure_skin: Mask
    face: Mask
    brow: Mask
    neck: Mask
    scalp: Mask
    head: Mask
    reach: Floats
    below: Floats

    @classmethod
    def of(cls, head: HeadModel, fit: PhotoFit, trust: Trust) -> _Places:
        region = trust.region
        scale = _GRID / region.side
        points = (fit.camera.project(fit.vertices) - (region.centre - region.side / 2)) * scale
        depth = fit.camera.to_camera(fit.vertices)[:, 2]
        raster = rasterise(points, depth, head.triangles, _GRID, _GRID)
        seen = raster.triangle >= 0

        def shows(*names: str) -> Mask:
            part = np.zeros(len(points))
            for name in names:
                if name in head.regions:
                    part = np.maximum(part, head.regions[name])
            return raster.interpolate(part[head.triangles][..., None])[..., 0] > 0.5

        scalp = shows("scalp")
        neck = shows("neck") & ~scalp
        face = seen & ~scalp & ~neck
        rows, columns = np.mgrid[:_GRID, :_GRID] + 0.5
        cap = points[head.regions["scalp"]]
        middle, half = (cap.min(axis=0) + cap.max(axis=0)) / 2, np.ptp(cap, axis=0) / 2
        width = max(float(half[0]), 1.0)
        away = np.hypot(columns - middle[0], np.minimum(rows - middle[1], 0)) / width - 1
        chin = points[head.regions["chin"], 1].max() if "chin" in head.regions else middle[1]
        sure = shows("cheek_l", "cheek_r", "nose", "chin") & ~shows("lips")
        brow = shows("brow_l", "brow_r", "eye_l", "eye_r")
        return cls(
            sure, face, brow, neck, scalp, seen, away.astype(np.float32),
            ((rows - chin) / width).astype(np.float32),
        )  # fmt: skip


def _inside(photo: Photo, region: Region) -> Mask:
    low = region.centre - region.side / 2
    at = low + (np.arange(_GRID)[:, None] + 0.5) * (region.side / _GRID)
    across = (at[:, 0] > 1) & (at[:, 0] < photo.width - 1)
    down = (at[:, 1] > 1) & (at[:, 1] < photo.height - 1)
    return down[:, None] & across[None]


def _features(srgb: Floats) -> Floats:
    """(256, 256, 4): lightness, two opponent colours, and how rough the place is."""
    light = srgb.mean(axis=2)
    mean = blurred(light, 2, passes=1)
    rough = np.sqrt(np.maximum(blurred((light - mean) ** 2, 2, passes=1), 0))
    red, blue = srgb[..., 0] - srgb[..., 1], srgb[..., 2] - srgb[..., 1]
    # Relative to lightness: shade does not change what a thing is.
    floor = light + np.float32(0.15)
    return np.stack([light, 0.9 * red / floor, 0.9 * blue / floor, 2.0 * rough], axis=-1)


def _hair_share(
    features: Floats, srgb: Floats, places: _Places, person: Floats, inside: Mask
) -> Floats:
    reach, below = places.reach, places.below
    around = (reach < 0.55) & (below < 0.1) & (~places.face)
    # How likely each is by place alone.
    beside = np.clip(1.2 - np.maximum(reach, 0) / 0.8, 0.03, 1)
    hair = np.where(places.face, 0.12, np.where(places.scalp, 0.75, 0.6 * beside))
    hair = np.where(places.brow, 0.002, hair)
    hair = np.where(places.neck, 0.15, hair) * np.where(below > 0, np.exp(-below / 0.9), 1)
    skin = np.where(places.face, 0.8, np.where(places.scalp, 0.25, 0.04))
    skin = np.where(places.neck, 0.6, skin)
    cloth = np.where(below > 0, np.clip(0.25 + 0.5 * below, 0.25, 0.8), 0.02)
    cloth = np.where(places.head & ~places.neck, 0.01, cloth)
    who = np.clip(person, 0.02, 0.98)
    prior = {"hair": hair * who, "skin": skin * who, "cloth": cloth * who, "back": 1 - who}
    seeds = {
        "hair": around & (person > 0.7) & (places.scalp | (reach > -0.1)) & (below < -0.2),
        "skin": places.sure_skin & (person > 0.5),
        "cloth": (below > 0.7) & (person > 0.7) & ~places.neck,
        "back": (person < 0.1) & inside,
    }
    # What lies over the skull in the colour of this very face is skin.
    skin_model = _mixture(features[seeds["skin"] & inside], _MIX["skin"])
    if skin_model is None:
        return np.zeros_like(person)
    likely_skin = _log_odds(features, skin_model) > -7.0
    seeds["hair"] &= ~likely_skin
    share = np.zeros_like(person)
    for _ in range(3):
        logs = {}
        for name, seed in seeds.items():
            model = _mixture(features[seed & inside], _MIX[name])
            fits = np.full(person.shape, -9.0) if model is None else _log_odds(features, model)
            # A mixture never knows all: everything has a little chance.
            logs[name] = np.log(np.exp(np.maximum(fits, -30)) + 2e-4) + np.log(prior[name] + 1e-5)
        top = np.max(list(logs.values()), axis=0)
        odds = {name: np.exp(value - top) for name, value in logs.items()}
        share = (odds["hair"] / np.sum(list(odds.values()), axis=0)).astype(np.float32)
        share = _guided(srgb.mean(axis=2), share * inside, 3, 1e-3)
        seeds["hair"] = (share > 0.75) & (below < 0.5)
    return _joined(share, places)


def _joined(share: Floats, places: _Places) -> Floats:
    """Only what hangs together with the skull."""
    there = share > 0.45
    # A collar touches hair by a thread, which is not followed.
    core = blurred(there.astype(np.float32), 2, passes=1) > 0.55
    grown = core & (places.reach < 0.25) & (places.below < -0.45)
    for _ in range(200):
        wide = widened(grown) & core
        if wide.sum() == grown.sum():
            break
        grown = wide
    near = blurred(grown.astype(np.float32), 3, passes=1) > 0
    return np.where(near, share, 0).astype(np.float32)


def _mixture(values: Floats, count: int) -> tuple[Array, Array, Array] | None:
    """Means (k, d), inverse roots of covariances (k, d, d), and logarithms of weights (k,)."""
    if len(values) < 40:
        return None
    values = values[:: max(1, len(values) // _MOST)].astype(np.float64)
    order = np.argsort(values[:, 0])
    starts = order[((np.arange(count) + 0.5) / count * len(order)).astype(int)]
    means = values[starts]
    scale = values.std(axis=0) + 0.01
    for _ in range(8):
        gaps = (((values[:, None] - means[None]) / scale) ** 2).sum(axis=2)
        nearest = gaps.argmin(axis=1)
        for k in range(count):
            if (nearest == k).sum() > 5:
                means[k] = values[nearest == k].mean(axis=0)
    roots, weights = [], []
    for k in range(count):
        own = values[nearest == k]
        spread = np.cov(own.T) if len(own) > 12 else np.diag(scale**2)
        spread = spread + np.diag([4e-4, 4e-4, 4e-4, 4e-4])
        roots.append(np.linalg.inv(np.linalg.cholesky(spread)))
        weights.append(np.log(max(len(own), 1) / len(values)))
    return means, np.array(roots), np.array(weights)


def _log_odds(features: Floats, model: tuple[Array, Array, Array]) -> Array:
    """(256, 256) logarithm of the density, less a constant that all mixtures share."""
    flat = features.reshape(-1, features.shape[-1]).astype(np.float64)
    best = np.full(len(flat), -np.inf)
    for mean, root, weight in zip(*model, strict=True):
        gaps = (flat - mean) @ root.T
        value = weight + np.log(np.diag(root)).sum() - 0.5 * (gaps**2).sum(axis=1)
        best = np.maximum(best, value)
    out: Array = best.reshape(features.shape[:2]) - 12.0
    return out


def _guided(guide: Floats, share: Floats, radius: int, eps: float) -> Floats:
    mean, target = blurred(guide, radius, passes=1), blurred(share, radius, passes=1)
    cross = blurred(guide * share, radius, passes=1) - mean * target
    spread = blurred(guide * guide, radius, passes=1) - mean * mean
    slope = (cross / (spread + eps)).astype(np.float32)
    rest = (target - slope * mean).astype(np.float32)
    out = blurred(slope, radius, passes=1) * guide + blurred(rest, radius, passes=1)
    return np.clip(out, 0, 1).astype(np.float32)


def _directions(fine: Floats, share: Floats) -> Floats:
    """Of a picture (512, 512, 3): (256, 256, 2)."""
    light: Floats = np.log(fine.mean(axis=2) + 0.03).astype(np.float32)
    light = np.asarray(light - blurred(light, 9), np.float32)
    down, across = np.gradient(blurred(light, 1, passes=1))
    parts = [across * across, down * down, across * down]
    weight = np.repeat(np.repeat(share, 2, axis=0), 2, axis=1)
    weight = (weight > 0.7).astype(np.float32)
    aa, dd, ad = (blurred((p * weight).astype(np.float32), 2 * _SMOOTH) for p in parts)
    aa, dd, ad = (p.reshape(_GRID, 2, _GRID, 2).mean(axis=(1, 3)) for p in (aa, dd, ad))
    total = aa + dd
    # Strands run across the gradient: twice the angle turns by pi.
    cosine, sine = -(aa - dd) / (total + 1e-9), -2 * ad / (total + 1e-9)
    strength = np.hypot(cosine, sine)
    sure = np.clip((strength - 0.15) / 0.5, 0, 1) * np.clip(total / 4e-4, 0, 1)
    sure *= np.clip(2 * share - 0.8, 0, 1)
    unit = np.stack([cosine, sine], axis=-1) / np.maximum(strength, 1e-6)[..., None]
    return (unit * sure[..., None]).astype(np.float32)
