# SPDX-License-Identifier: GPL-3.0-or-later
"""What covers the head, for a batch: skin of all tones, brows, lids, lips, beard, hair, cloth,
eyes. As training.appearance, whose masks it uses; colours are linear RGB.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .dice import Dice
from .head_arrays import (
    BEARD,
    EYEBALL,
    FOLD,
    IRIS,
    LID,
    LIPS,
    MOUTH,
    NECK,
    PUPIL,
    RED,
    SKIN,
    SKY,
    TEETH,
    TONGUE,
    HeadArrays,
)
from .people import People
from .pixels import Pixels, mixed, noise, smooth

_PALE, _DARK = (0.68, 0.46, 0.36), (0.055, 0.028, 0.018)
#: What a pixel shows, as the network's maps say it.
LABELS = ("background", "skin", "hair", "brows", "beard", "glasses", "cover", "inside")
BACKGROUND, BARE, HAIR, BROWS, BEARDED, GLASSES, COVER, INSIDE = range(len(LABELS))


@dataclass(frozen=True)
class Coat:
    """color (n, S, S, 3); gloss, hairy and bare (n, S, S), the latter 1 where skin shows; sky
    (n, S, S) the share of the light from around that arrives; label (n, S, S), one of LABELS; hair
    and base (n, 1, 1, 3) the colours of hair and skin; age (n, 1, 1) in 0..1.
    """

    color: Tensor
    gloss: Tensor
    hairy: Tensor
    bare: Tensor
    sky: Tensor
    label: Tensor
    hair: Tensor
    base: Tensor
    age: Tensor


def coat(head: HeadArrays, people: People, at: Pixels, dice: Dice) -> Coat:
    """Of each pixel."""
    lips, beard, red = (at.vertex[..., k] for k in (LIPS, BEARD, RED))

    def uniform(low: float = 0.0, high: float = 1.0) -> Tensor:
        return dice.uniform(1, 1, low=low, high=high)

    def often(share: float) -> Tensor:
        return dice.chance(share, 1, 1)

    def grain(low: float, high: float, level: float) -> Tensor:
        return noise(head, at.uv, uniform(low, high), level, dice)

    base, age = _skin_tone(dice), uniform() ** 2
    tone = uniform(0, 0.08) * grain(0.5, 2, 0.1) + uniform(0, 0.07) * grain(1, 2.5, 0.5)
    tone = tone + uniform() ** 2 * 0.07 * grain(1, 3, 1.0)
    # Light that is baked into the skin: no photo's faces are of one albedo.
    tone = tone + 0.25 * uniform() ** 2 * grain(0.3, 0.8, 0.0)
    # Folds from the nose to the mouth, and bags under the eyes.
    cell = (at.uv * head.atlas.shape[-1]).long().clamp(0, head.atlas.shape[-1] - 1)
    brow, upper, lower = (layer[cell[..., 1], cell[..., 0]] for layer in head.atlas)
    fold = torch.exp(-((at.vertex[..., FOLD] / uniform(0.0015, 0.004)) ** 2))
    bags = torch.exp(-(((lower - uniform(0.007, 0.013)) / uniform(0.0015, 0.004)) ** 2))
    tone = tone - 0.5 * age * uniform() * fold - 0.4 * age * uniform() * bags
    out = base * torch.exp(tone)[..., None]
    blotch = red * uniform(-0.1, 0.5) + 0.3 * uniform() * grain(1.4, 1.6, 0.3)
    out = out * torch.exp(blotch[..., None] * dice.constant(0.12, -0.16, -0.10))
    freckles = (grain(2, 4, 1.0) - 1.2).clamp(0, 1.5) * uniform(0.2, 0.6) * often(0.25)
    out = mixed(out, base * dice.constant(0.6, 0.45, 0.35), freckles)
    painted = torch.stack([uniform(0.15, 0.6), uniform(0.01, 0.15), uniform(0.03, 0.2)], -1)
    painted = torch.where(often(0.2)[..., None] > 0, painted, base * dice.constant(0.9, 0.45, 0.5))
    tint = torch.where(often(0.35)[..., None] > 0, painted, base * dice.constant(0.85, 0.6, 0.6))
    out = mixed(out, tint, (lips * uniform(0.2, 1)).clamp(0, 1))
    hair = _hair_tone(age[..., 0], dice)
    streak = (0.75 + 0.3 * noise(head, at.uv, 3.0, 1.0, dice)).clamp(0, 1)
    brows = torch.exp(-((brow / uniform(0.7, 1.5)) ** 4)) * streak
    # Grey hair has darker brows as often as not.
    darker = hair * (1 - 0.7 * often(0.5)[..., None])
    brows = brows * uniform(0.2, 0.95) * often(0.95)
    out = mixed(out, darker, brows)
    lids = torch.exp(-((torch.minimum(upper, lower) / 0.006) ** 2)) * uniform(0, 0.6) * often(0.3)
    out = mixed(out, base * dice.uniform(1, 1, 3, low=0.4, high=1.1), lids)
    # Deep eyes lie in the shade of their brows, with or without a lamp.
    sockets = torch.exp(-((torch.minimum(upper, lower) / 0.012) ** 2)) * uniform(0, 0.5)
    out = mixed(out, base * 0.35, sockets * often(0.3))
    out = mixed(out, hair * 0.3, torch.exp(-((upper / 0.0014) ** 2)) * uniform(0.2, 1.0))
    out = mixed(out, hair * 0.4, torch.exp(-((lower / 0.001) ** 2)) * uniform(0, 0.6))
    ragged = (beard * 1.2 + 0.25 * grain(1, 2, 0.5) - 0.25).clamp(0, 1) * (beard > 0.02)
    # Shaved: darker and bluer; stubble and beards: hair.
    shaved = ragged * uniform(0, 0.5) * often(0.3)
    out = mixed(out, base * dice.constant(0.45, 0.47, 0.5), shaved)
    bearded = (people.beard[..., None] * (0.6 + 0.4 * streak) * ragged * uniform(0.7, 1.2)).clamp(
        0, 1
    )
    shades = torch.exp(0.35 * noise(head, at.uv, 2.5, 0.95, dice, 3.0, across=False))[..., None]
    out = mixed(out, darker * shades, bearded)
    hairy, above = _hairline(head, at, dice)
    strands = 0.3 * noise(head, at.uv, 2.0, 0.9, dice, 6.0, across=False) + 0.2 * grain(1, 2, 0.9)
    out = mixed(out, hair * torch.exp(strands * uniform(0.5, 1.5))[..., None], hairy)
    hat = people.hat[..., None] * ((above - uniform(-0.012, 0.02)) / 0.002).clamp(0, 1)
    knit = torch.exp(0.2 * uniform() * grain(2, 4, 1.0) + 0.15 * grain(1, 2, 0.2))[..., None]
    out = mixed(out, dice.uniform(1, 1, 3, low=0.01, high=0.8) ** 1.7 * knit, hat)
    hairy = hairy * (1 - hat)
    edge = uniform(-0.155, -0.115) + 0.2 * at.place[..., 2]
    cloth = ((at.vertex[..., NECK] > 0.5) & (at.place[..., 1] < edge)).float() * often(0.7)
    out = mixed(out, dice.uniform(1, 1, 3, low=0.01, high=0.8) ** 1.5, cloth)
    covered = torch.maximum(hat, cloth)
    gloss = 0.6 * uniform() ** 1.7 * (1 - 0.8 * hairy) * (1 - covered) * (1 - 0.9 * bearded)
    gloss = gloss * (1 + lips * uniform()) * (1 + 0.3 * red)
    skin = at.kind == SKIN
    bare = skin & (torch.maximum(hairy, covered) < 0.5)
    label = torch.where(bearded > 0.35, BEARDED, torch.where(brows > 0.3, BROWS, BARE))
    label = torch.where(covered > 0.5, COVER, torch.where(hairy > 0.5, HAIR, label))
    label = torch.where(at.seen, torch.where(skin, label, INSIDE), BACKGROUND)
    sky = at.vertex[..., SKY]
    # Lids and lashes shade the eye, above most of all.
    beneath = smooth((0.75 - at.vertex[..., LID]) / 1.2) * uniform(0.6, 1.0)
    sky = torch.where((at.kind == EYEBALL) | (at.kind == IRIS), beneath, sky)
    brim = people.hat[..., None] * often(0.5) * smooth((at.place[..., 1] - 0.01) / 0.05)
    sky = sky * (1 - 0.6 * brim)
    for kind, its, shine in _inner_parts(dice):
        these = at.kind == kind
        out = torch.where(these[..., None], its, out)
        gloss = torch.where(these, shine, gloss)
    return Coat(out.clamp(0.003, 0.95), gloss, hairy, bare.float(), sky, label, hair, base, age)


def _skin_tone(dice: Dice) -> Tensor:
    melanin, blood = dice.uniform(1) ** 1.2, dice.uniform(1)
    pale, dark = torch.log(dice.constant(*_PALE)), torch.log(dice.constant(*_DARK))
    reddened = torch.cat([torch.ones_like(blood), 1.05 - 0.18 * blood, 1.05 - 0.15 * blood], 1)
    tone = torch.exp((1 - melanin) * pale + melanin * dark) * reddened
    return (tone * dice.uniform(3, low=0.93, high=1.07))[:, None, None]


def _hair_tone(age: Tensor, dice: Dice) -> Tensor:
    """Of people of an age (n, 1)."""
    natural = dice.uniform(1) ** 2.5 * dice.constant(0.35, 0.24, 0.14)
    natural = natural + dice.constant(0.02, 0.014, 0.01)
    gray = dice.uniform(1, low=0.12, high=0.5) * dice.constant(1.0, 0.97, 0.92)
    return torch.where(dice.uniform(1) < 0.03 + 0.45 * age, gray, natural)[:, None, None]


def _hairline(head: HeadArrays, at: Pixels, dice: Dice) -> tuple[Tensor, Tensor]:
    """(n, S, S): in 0..1 scalp, fringe and long sides; and metres above the hairline."""
    x, y, z = at.place.unbind(-1)

    def uniform(low: float, high: float) -> Tensor:
        return dice.uniform(1, 1, low=low, high=high)

    def grain(scale: Tensor | float, level: float) -> Tensor:
        return noise(head, at.uv, scale, level, dice)

    line = (y - 0.1) + uniform(0.9, 1.3) * (0.08 - z) + uniform(-0.015, 0.012)
    above = line + 0.004 * grain(2.5, 0.8)
    # From a hard edge to hair that thins out.
    scalp = (above / uniform(0.003, 0.016)).clamp(0, 1) * uniform(0.75, 1.0)
    scalp = scalp * (x.abs() < uniform(0.072, 0.09)) * dice.chance(0.88, 1, 1)
    ragged = 0.010 * grain(uniform(1, 3), 0.4) + 0.03 * (x.abs() / 0.07) ** 2 * uniform(-1, 1)
    fringe = ((y - uniform(0.055, 0.09) + ragged) / 0.004).clamp(0, 1) * dice.chance(0.15, 1, 1)
    aside = (x.abs() - uniform(0.045, 0.07) + 0.004 * grain(uniform(1, 3), 0.4)) / 0.004
    aside = aside.clamp(0, 1) * dice.chance(0.25, 1, 1)
    return torch.stack([scalp, fringe, aside]).amax(0), line


def _inner_parts(dice: Dice) -> list[tuple[int, Tensor, float]]:
    """Kind, colour (n or 1, 1, 1, 3) and gloss."""

    def color(*values: float) -> Tensor:
        return dice.constant(*values)[None, None, None]

    iris = dice.uniform(1, 1, 1) ** 1.5 * 0.2 + dice.uniform(1, 1, 3, high=0.04) + 0.01
    return [
        (EYEBALL, color(1.0, 0.93, 0.9) * dice.uniform(1, 1, 1, low=0.1, high=0.4), 0.06),
        (IRIS, iris, 0.4),
        (PUPIL, color(0.01, 0.01, 0.01), 0.4),
        (TEETH, color(0.7, 0.66, 0.55) * dice.uniform(1, 1, 1, low=0.6, high=1.1), 0.8),
        (TONGUE, color(0.35, 0.12, 0.1), 0.3),
        (MOUTH, color(0.12, 0.03, 0.025), 0.2),
        (0, color(0.3, 0.1, 0.1), 0.3),
    ]
