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
    IRIS,
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
from .pixels import Pixels, mixed, noise

_PALE, _DARK = (0.68, 0.46, 0.36), (0.055, 0.028, 0.018)


@dataclass(frozen=True)
class Coat:
    """color (n, S, S, 3); gloss and bare (n, S, S), bare 1 where skin shows; sky (n, S, S) the
    share of the light from around that arrives; hair (n, 1, 1, 3) its colour.
    """

    color: Tensor
    gloss: Tensor
    bare: Tensor
    sky: Tensor
    hair: Tensor


def coat(head: HeadArrays, at: Pixels, dice: Dice) -> Coat:
    """Of each pixel."""
    lips, beard, red = (at.vertex[..., k] for k in (LIPS, BEARD, RED))

    def uniform(low: float = 0.0, high: float = 1.0) -> Tensor:
        return dice.uniform(1, 1, low=low, high=high)

    def often(share: float) -> Tensor:
        return dice.chance(share, 1, 1)

    def grain(low: float, high: float, level: float) -> Tensor:
        return noise(head, at.uv, uniform(low, high), level, dice)

    def color(*values: float) -> Tensor:
        return torch.tensor(values, device=dice.device)

    base = _skin_tone(dice)
    tone = uniform(0, 0.08) * grain(0.5, 2, 0.1) + uniform(0, 0.07) * grain(1, 2.5, 0.5)
    tone = tone + uniform() ** 2 * 0.07 * grain(1, 3, 1.0)
    # Light that is baked into the skin: no photo's faces are of one albedo.
    tone = tone + 0.25 * uniform() ** 2 * grain(0.3, 0.8, 0.0)
    out = base * torch.exp(tone)[..., None]
    blotch = red * uniform(-0.1, 0.5) + 0.3 * uniform() * grain(1.4, 1.6, 0.3)
    out = out * torch.exp(blotch[..., None] * color(0.12, -0.16, -0.10))
    freckles = (grain(2, 4, 1.0) - 1.2).clamp(0, 1.5) * uniform(0.2, 0.6) * often(0.25)
    out = mixed(out, base * color(0.6, 0.45, 0.35), freckles)
    painted = torch.stack([uniform(0.15, 0.6), uniform(0.01, 0.15), uniform(0.03, 0.2)], -1)
    tint = torch.where(often(0.3)[..., None] > 0, painted, base * color(0.9, 0.55, 0.55))
    out = mixed(out, tint, (lips * uniform(0.2, 1)).clamp(0, 1))
    hair = _hair_tone(dice)
    streak = (0.8 + 0.25 * noise(head, at.uv, 3.0, 1.0, dice)).clamp(0, 1)
    cell = (at.uv * head.atlas.shape[-1]).long().clamp(0, head.atlas.shape[-1] - 1)
    brow, upper, lower = (layer[cell[..., 1], cell[..., 0]] for layer in head.atlas)
    brows = torch.exp(-((brow / uniform(0.6, 1.2)) ** 4)) * streak
    out = mixed(out, hair, brows * uniform(0.2, 0.95) * often(0.95))
    lids = torch.exp(-((torch.minimum(upper, lower) / 0.006) ** 2)) * uniform(0, 0.6) * often(0.3)
    out = mixed(out, base * dice.uniform(1, 1, 3, low=0.4, high=1.1), lids)
    # Deep eyes lie in the shade of their brows, with or without a lamp.
    sockets = torch.exp(-((torch.minimum(upper, lower) / 0.012) ** 2)) * uniform(0, 0.5)
    out = mixed(out, base * 0.35, sockets * often(0.3))
    out = mixed(out, hair * 0.4, torch.exp(-((upper / 0.0014) ** 2)) * uniform(0.2, 1.0))
    out = mixed(out, hair * 0.4, torch.exp(-((lower / 0.001) ** 2)) * uniform(0, 0.6))
    stubble = beard * streak * uniform(0.6, 1.2) * uniform(0.1, 0.95) * often(0.4)
    out = mixed(out, hair, stubble.clamp(0, 1))
    hairy = _hairline(head, at, dice)
    out = mixed(out, hair * torch.exp(0.3 * noise(head, at.uv, 2.0, 0.9, dice))[..., None], hairy)
    edge = uniform(-0.155, -0.115) + 0.2 * at.place[..., 2]
    cloth = ((at.vertex[..., NECK] > 0.5) & (at.place[..., 1] < edge)).float() * often(0.7)
    out = mixed(out, dice.uniform(1, 1, 3, low=0.01, high=0.8) ** 1.5, cloth)
    gloss = 0.8 * uniform() ** 1.7 * (1 - hairy) * (1 - cloth) * (1 + lips * uniform())
    bare = (at.kind == SKIN) & (hairy < 0.5) & (cloth < 0.5)
    for kind, its, shine in _inner_parts(dice):
        these = at.kind == kind
        out = torch.where(these[..., None], its, out)
        gloss = torch.where(these, shine, gloss)
    return Coat(out.clamp(0.003, 0.95), gloss, bare.float(), at.vertex[..., SKY], hair)


def _skin_tone(dice: Dice) -> Tensor:
    melanin, blood = dice.uniform(1) ** 1.2, dice.uniform(1)
    pale, dark = (torch.log(torch.tensor(c, device=dice.device)) for c in (_PALE, _DARK))
    reddened = torch.cat([torch.ones_like(blood), 1.05 - 0.18 * blood, 1.05 - 0.15 * blood], 1)
    tone = torch.exp((1 - melanin) * pale + melanin * dark) * reddened
    return (tone * dice.uniform(3, low=0.9, high=1.1))[:, None, None]


def _hair_tone(dice: Dice) -> Tensor:
    black, more = (0.02, 0.014, 0.01), (0.35, 0.26, 0.16)
    natural = torch.tensor(black, device=dice.device)
    natural = natural + dice.uniform(1) ** 2.5 * torch.tensor(more, device=dice.device)
    gray = dice.uniform(1, low=0.15, high=0.5).expand(-1, 3)
    return torch.where(dice.chance(0.12, 1) > 0, gray, natural)[:, None, None]


def _hairline(head: HeadArrays, at: Pixels, dice: Dice) -> Tensor:
    """(n, S, S) in 0..1: scalp, fringe and long sides."""
    x, y, z = at.place.unbind(-1)

    def uniform(low: float, high: float) -> Tensor:
        return dice.uniform(1, 1, low=low, high=high)

    def grain(scale: Tensor | float, level: float) -> Tensor:
        return noise(head, at.uv, scale, level, dice)

    above = (y - 0.1) + uniform(0.9, 1.3) * (0.08 - z) + uniform(-0.015, 0.012)
    above = above + 0.004 * grain(2.5, 0.8)
    scalp = (above / 0.006).clamp(0, 1) * (x.abs() < uniform(0.072, 0.09)) * uniform(0.85, 1.0)
    scalp = scalp * dice.chance(0.85, 1, 1)
    ragged = 0.010 * grain(uniform(1, 3), 0.4) + 0.03 * (x.abs() / 0.07) ** 2 * uniform(-1, 1)
    fringe = ((y - uniform(0.055, 0.09) + ragged) / 0.004).clamp(0, 1) * dice.chance(0.22, 1, 1)
    aside = (x.abs() - uniform(0.045, 0.07) + 0.004 * grain(uniform(1, 3), 0.4)) / 0.004
    return torch.stack([scalp, fringe, aside.clamp(0, 1) * dice.chance(0.25, 1, 1)]).amax(0)


def _inner_parts(dice: Dice) -> list[tuple[int, Tensor, float]]:
    """Kind, colour (n or 1, 1, 1, 3) and gloss."""

    def color(*values: float) -> Tensor:
        return torch.tensor(values, device=dice.device).expand(1, 1, 1, 3)

    return [
        (EYEBALL, color(1.0, 0.93, 0.9) * dice.uniform(1, 1, 1, low=0.15, high=0.6), 0.6),
        (IRIS, dice.uniform(1, 1, 3, low=0.02, high=0.2), 2.0),
        (PUPIL, color(0.01, 0.01, 0.01), 2.0),
        (TEETH, color(0.7, 0.66, 0.55) * dice.uniform(1, 1, 1, low=0.6, high=1.1), 0.8),
        (TONGUE, color(0.35, 0.12, 0.1), 0.3),
        (MOUTH, color(0.12, 0.03, 0.025), 0.2),
        (0, color(0.3, 0.1, 0.1), 0.3),
    ]
