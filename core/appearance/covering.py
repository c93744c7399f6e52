# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies before the skin in a photo (strands and fringes, glasses, collars, hats), and what the
light's model could not explain, told on the skin's layout, where it is known what a face has where.

Skin changes slowly from place to place. What departs from the skin around it and is no brow, lash,
lip, nostril or beard covers it; such a find grows into its paler fringes (hysteresis: Canny, "A
computational approach to edge detection", PAMI 1986). What is left of slow changes of brightness
is shade, from whatever threw it, and highlights are told from skin by their lack of its colour
(Shafer, "Using color to separate reflection components", Color Research and Application 10, 1985).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..heads.model import HeadModel
from .atlas import Atlas, region_share
from .spreading import blurred, doubled, filled, halved

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

#: Parts with dark places of their own, and by how many texels of 512 they reach beyond.
_DARK = ((("brow_l", "brow_r"), 7), (("eye_l", "eye_r"), 6), (("lips",), 6))
#: Where beards grow, and how far a full one may go on from there.
_BEARD = (("lips",), 34), (("chin",), 4), (("jaw",), 3)
_FULL_BEARD = (("lips",), 60), (("chin",), 40), (("jaw",), 30)
#: Natural logarithms by which skin is darker or of other colour than the skin around it: what
#: nothing but cover explains, and what belongs to it where it touches such.
_SURE, _WRINKLED, _FRINGE = (0.42, 0.34), 0.7, (0.16, 0.15)
#: Skin in the light may differ so much from the person's median: darker, lighter, in colour.
_ANYWHERE = (0.75, 0.7, 0.5)
#: One side of a face is darker than the other by no more than this; skin with a beard is darker by
#: the first over at least the second share of where beards grow.
_UNLIKE, _BEARDED = 0.4, (0.28, 0.45)
#: Light things beside the face, as cloth and paper are.
_PALE = 0.45
#: Steps by which a find grows, and by which it is widened in the end; texels of 512.
_GROWTH, _WIDER = 12, 4
#: Steps by which a beard may go on.
_GROWS_ON = 60
#: How much of what is taken for shade, and for its tint, is taken away; the radius over which
#: both change.
SHADE, TINT, _SLOW = 0.85, 0.6, 10
_GLOSS = 0.85


@dataclass(frozen=True, eq=False)
class Finds:
    """bare (Q, Q), 1 where skin is seen bare; shade (Q, Q, 3), natural logarithm of the light that
    the model of it left over; gloss (Q, Q), what a highlight adds to the
    colour of skin (a share of white).
    """

    bare: Floats
    shade: Floats
    gloss: Floats

    def mirrored(self, atlas: Atlas) -> Finds | None:
        """For the photo's mirror image; None in a layout that is not its own mirror image."""
        if not _symmetric(atlas):
            return None
        return Finds(*(picture[:, ::-1] for picture in (self.bare, self.shade, self.gloss)))


def look_for_cover(
    head: HeadModel, atlas: Atlas, albedo: Floats, skin: Floats, seen: Floats
) -> Finds:
    """albedo (n, 3) at the atlas' texels, skin (3,) the person's, both linear RGB in the same
    light; seen (n,): how far the photo shows a texel at all.
    """
    tone = np.log(np.maximum(albedo, 2e-3) / np.maximum(skin, 2e-3))
    bright, hue = atlas.picture(tone.mean(axis=1)), atlas.picture(tone - tone.mean(axis=1)[:, None])
    known = atlas.picture(seen)
    zones = _zones(head, atlas)
    typical = (
        known
        * (np.abs(bright + 0.05) < 0.5)
        * (np.linalg.norm(hue, axis=2) < _ANYWHERE[2])
        * (1 - zones.dark)
    )
    slow_bright, slow_hue = _around(bright, hue, typical)
    for _ in range(2):
        off = (np.abs(bright - slow_bright) / 0.2) ** 2
        off += (np.linalg.norm(hue - slow_hue, axis=2) / 0.15) ** 2
        slow_bright, slow_hue = _around(bright, hue, typical / (1 + off * off))
    darker = slow_bright - bright
    dyed = np.linalg.norm(hue - slow_hue, axis=2)
    lips = zones.lips
    beard = _beard(darker, known, zones)
    free = 1 - np.maximum(zones.dark, beard)
    far = (bright < -_ANYWHERE[0]) | (np.linalg.norm(hue, axis=2) > _ANYWHERE[2])
    # Wrinkles of the lower face are deep.
    depth = _SURE[0] + (_WRINKLED - _SURE[0]) * zones.beard
    sure = ((darker > depth) | far | (bright > _ANYWHERE[1])) & (free > 0.5)
    # Hair of a beard has a colour of its own.
    hair = (beard > 0.5) & (darker > _FRINGE[0])
    sure |= (dyed > _SURE[1]) & (np.maximum(zones.dark, lips) < 0.5) & ~hair
    sure |= (bright > _PALE) & (zones.side > 0.5)
    if zones.symmetric:
        # A lock of hair or a shadow on one brow is not on the other.
        other = np.where(known[:, ::-1] > 0.2, darker[:, ::-1], 9.0)
        unlike = darker - np.maximum(blurred(other, 5, passes=1), 0) > _UNLIKE
        sure |= unlike & (lips < 0.5) & ~hair
    fringe = ((darker > _FRINGE[0]) | (dyed > _FRINGE[1])) & (free > 0.3)
    there = known > 0.02
    found = grown(sure & there, fringe & there, _GROWTH)
    # A single texel is a pore or a mole.
    found = grown(blurred(found.astype(np.float32), 1, passes=1) > 0.45, found, 4)
    covered = blurred(widened(found, _WIDER).astype(np.float32), 1)
    typical = np.asarray(typical, np.float32)
    shade = SHADE * (slow_bright - _level(slow_bright, typical))[..., None] + TINT * slow_hue
    # Of what is not seen, nothing is known.
    shade *= np.clip(3 * blurred(typical, atlas.size // 24), 0, 1)[..., None]
    return Finds(1 - covered, shade.astype(np.float32), _gloss(atlas, albedo, skin, slow_bright))


@dataclass(frozen=True, eq=False)
class _Zones:
    """(Q, Q) each: where a face has dark places of its own, beards, full beards, lips; and what is
    no face. symmetric: whether the layout is its own mirror image.
    """

    dark: Floats
    beard: Floats
    full_beard: Floats
    lips: Floats
    side: Floats
    symmetric: bool


@lru_cache(maxsize=2)
def _zones(head: HeadModel, atlas: Atlas) -> _Zones:
    scale = atlas.size / 512

    def zone(parts: tuple[tuple[tuple[str, ...], int], ...]) -> Floats:
        out = np.zeros((atlas.size, atlas.size), np.float32)
        for names, reach in parts:
            share = atlas.picture(region_share(head, atlas, names))
            wide = np.clip(3 * blurred(share, max(1, round(reach * scale))), 0, 1)
            out = np.maximum(out, wide)
        return out

    dark = zone(_DARK)
    nose = atlas.picture(region_share(head, atlas, ("nose",)))
    rows = np.flatnonzero(nose.max(axis=1) > 0.5)
    if len(rows):  # nostrils: its lower half
        nose[: int(rows.mean())] = 0.0
        dark = np.maximum(dark, np.clip(3 * blurred(nose, 1), 0, 1))
    face = atlas.picture(region_share(head, atlas, ("face",))) if "face" in head.regions else 1.0
    lips = zone(((("lips",), 5),))
    side = 1 - np.asarray(face, np.float32)
    # Below the jaw, what is dark is shade or a collar as well.
    neck = zone(((("neck",), 1),)) if "neck" in head.regions else np.float32(0)
    full = zone(_FULL_BEARD) * (1 - neck)
    return _Zones(dark, zone(_BEARD), full, lips, side, _symmetric(atlas))


@lru_cache(maxsize=4)
def _symmetric(atlas: Atlas) -> bool:
    covered = atlas.covered()
    return bool((covered == covered[:, ::-1]).mean() > 0.98)


def _beard(darker: Floats, known: Floats, zones: _Zones) -> Floats:
    """(Q, Q) 1 where a beard may be: nowhere, unless much of where beards grow is darker than the
    skin around it; and beyond, as far as what is darker goes on.
    """
    there = (zones.beard > 0.5) & (zones.lips < 0.5) & (known > 0.3)
    dark = darker > _BEARDED[0]
    if there.sum() <= 50 or dark[there].mean() <= _BEARDED[1]:
        return np.zeros_like(darker)
    within = (zones.full_beard > 0.3) & (darker > _FRINGE[0]) & (known > 0.02)
    wide = grown(there & dark, within, _GROWS_ON)
    soft = np.clip(2 * blurred(widened(wide, 2).astype(np.float32), 2, passes=1), 0, 1)
    return np.maximum(zones.beard, soft)


def _around(bright: Floats, hue: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Brightness and colour of the skin around each texel, changing slowly; at half the size."""
    values = halved(np.concatenate([bright[..., None], hue], axis=2) * weight[..., None])
    share = halved(np.asarray(weight, np.float32))
    radius = max(1, round(_SLOW * len(share) / 512))
    values, share = blurred(values, radius), blurred(share, radius)
    out = doubled(
        filled(
            (values / np.maximum(share, 1e-4)[..., None]).astype(np.float32),
            np.clip(8 * share, 0, 1),
        )
    )
    return out[..., 0], out[..., 1:]


def _level(logs: Floats, weight: Floats) -> float:
    """Natural logarithm of the mean of what the logarithms (h, w) stand for."""
    total = float(weight.sum())
    return float(np.log((weight * np.exp(logs)).sum() / total)) if total > 1 else 0.0


def _gloss(atlas: Atlas, albedo: Floats, skin: Floats, slow_bright: Floats) -> Floats:
    """White light on skin raises blue by a larger share than red. No more is taken than what
    makes the place brighter than the skin around it.
    """
    blue, red = (albedo[:, k] / max(float(skin[k]), 1e-3) for k in (2, 0))
    gain = 1 / max(float(skin[2]), 1e-3) - 1 / max(float(skin[0]), 1e-3)
    if gain < 0.3:
        return np.zeros((atlas.size, atlas.size), np.float32)
    level = np.exp(slow_bright.ravel()[atlas.texel])
    mean = float(skin.mean())
    excess = np.maximum(albedo.mean(axis=1) - mean * level * 1.04, 0)
    found = np.minimum(np.maximum(blue - np.maximum(red, level) - 0.05, 0) / gain, excess)
    return blurred(atlas.picture(_GLOSS * found.astype(np.float32)), 1, passes=1)


def grown(seeds: Mask, within: Mask, steps: int) -> Mask:
    """Seeds (h, w) and what can be reached from them inside of ``within``."""
    out = seeds
    for _ in range(steps):
        new = seeds | (widened(out, 1) & within)
        if new.sum() == out.sum():
            break
        out = new
    return out


def widened(mask: Mask, texels: int) -> Mask:
    """Everything within so many texels, in a square about it."""
    out = mask
    for _ in range(texels):
        for axis in (0, 1):
            one = np.moveaxis(out, axis, 0)
            both = one.copy()
            both[1:] |= one[:-1]
            both[:-1] |= one[1:]
            out = np.moveaxis(both, 0, axis)
    return out
