# SPDX-License-Identifier: GPL-3.0-or-later
"""From radiance to what a camera's file holds, for a batch: background, exposure, blur, noise,
tone curve.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, pad

from .dice import Dice
from .head_arrays import HeadArrays

_KERNEL = (0.0625, 0.25, 0.375, 0.25, 0.0625)


def background(head: HeadArrays, size: int, light: Tensor, dice: Dice) -> Tensor:
    """(n, size, size, 3): two colours that run into each other, noise, and edges now and then.
    light (n, 1, 1, 3): the radiance of the skin, near which it is as bright.
    """
    grid = (torch.arange(size, device=dice.device) + 0.5) / size * 2 - 1
    x, y = torch.meshgrid(grid, grid, indexing="xy")
    one, two = (dice.uniform(1, 1, 3) ** 1.8 for _ in range(2))
    angle = 2 * math.pi * dice.uniform(1, 1)
    share = (0.5 + 0.5 * (torch.cos(angle) * x + torch.sin(angle) * y)).clamp(0, 1)[..., None]
    out = share * one + (1 - share) * two
    count, cells = head.bank.shape[0], head.bank.shape[-1]
    layer, zoom = dice.whole(count)[:, None, None], (1 + dice.whole(3))[:, None, None]
    row, column = (((g + 1) / 2 * cells).long()[None] // zoom for g in (y, x))
    grain = head.bank[layer, row.clamp(0, cells - 1), column.clamp(0, cells - 1)]
    out = out * torch.exp(dice.uniform(1, 1, high=0.8) * grain)[..., None]
    for _ in range(3):
        side = dice.normal(2)
        side = side / side.norm(dim=1, keepdim=True)
        beyond = x * side[:, 0, None, None] + y * side[:, 1, None, None]
        beyond = (beyond > dice.uniform(1, 1, low=-0.2)) & (dice.chance(0.5, 1, 1) > 0)
        out = torch.where(beyond[..., None], dice.uniform(1, 1, 3) ** 1.8, out)
    out = out + (out.mean(-1, keepdim=True) - out) * dice.uniform(1, 1, 1, low=0.2)
    bright = torch.exp(0.6 * dice.normal(1, 1, 1)) * (light.mean(-1, keepdim=True) + 0.05) / 0.3
    return out * bright


def develop(radiance: Tensor, face: Tensor, grain: Tensor, dice: Dice) -> Tensor:
    """(n, 3, s, s) in 0..1 of radiance (n, 3, s, s); face (n, s, s): where exposure is metered;
    grain (n, 3, s, s) normal numbers.
    """
    bright = torch.where(face > 0.5, radiance.mean(1), torch.nan)
    # The mean of the brighter half, about as bright as the point that four fifths are below.
    mean = torch.nanmean(bright.flatten(1), 1)[:, None, None].nan_to_num(0.5)
    bright = torch.where(bright > mean, bright, torch.nan)
    metered = torch.nanmean(bright.flatten(1), 1).nan_to_num(0.5)[:, None, None, None]
    out = radiance * dice.uniform(1, 1, 1, low=0.2, high=0.8) / metered.clamp(min=1e-4)
    out = out * torch.exp(0.08 * dice.normal(3, 1, 1))
    out = _blurred(out, dice.uniform(1, 1, 1) ** 2 * 3)
    spread = 0.03 * dice.uniform(1, 1, 1) * out.clamp(min=0).sqrt() + 0.01 * dice.uniform(1, 1, 1)
    out = (out + grain * spread * dice.chance(0.5, 1, 1, 1)).clamp(min=0)
    knee = dice.uniform(1, 1, 1, low=0.6, high=0.9)
    rolled = knee + (1 - knee) * (1 - torch.exp(-(out - knee) / (1 - knee)))
    rolled = torch.where(out > knee, rolled, out)
    out = torch.where(dice.chance(0.6, 1, 1, 1) > 0, rolled, out).clamp(0, 1)
    out = torch.where(
        out <= 0.0031308, 12.92 * out, 1.055 * out.clamp(min=1e-6) ** (1 / 2.4) - 0.055
    )
    out = (0.5 + (1 + 0.1 * dice.normal(1, 1, 1)) * (out - 0.5)).clamp(0, 1)
    gray = out.mean(1, keepdim=True).expand_as(out)
    return torch.where(dice.chance(0.15, 1, 1, 1) > 0, gray, out)


def varied(image: Tensor, grain: Tensor, dice: Dice) -> Tensor:
    """Another development of finished pictures (n, 3, s, s), to learn from them again; grain (n, 3,
    s, s) normal numbers.
    """
    out = (image - 0.5) * (1 + 0.12 * dice.normal(1, 1, 1)) + 0.5 + 0.06 * dice.normal(1, 1, 1)
    out = out + 0.04 * dice.normal(3, 1, 1)
    out = out + grain * 0.02 * dice.uniform(1, 1, 1)
    uneven = interpolate(dice.normal(1, 4, 4), size=image.shape[-1], mode="bicubic")
    uneven = torch.exp(0.3 * dice.uniform(1, 1, 1) * uneven * dice.chance(0.5, 1, 1, 1))
    out = out * uneven
    # Some see local contrast alone, as after strong tone mapping.
    base = avg_pool2d(pad(out, (8,) * 4, mode="replicate"), 17, 1)
    local = 0.45 + (out - base) * dice.uniform(1, 1, 1, low=1.0, high=2.0)
    return torch.where(dice.chance(0.2, 1, 1, 1) > 0, local, out).clamp(0, 1)


def cut_off(image: Tensor, dice: Dice) -> Tensor:
    """Pictures (n, 3, s, s), some of which a photo's border crosses: beyond it the product repeats
    the pixels at the border.
    """
    count, _, high, wide = image.shape
    at = torch.arange(wide, device=image.device)[None]
    low = (dice.chance(0.06, 1) * dice.uniform(1, high=0.25) * wide).long()
    top = wide - 1 - (dice.chance(0.12, 1) * dice.uniform(1, high=0.25) * wide).long()
    column = torch.maximum(torch.minimum(at, top), low)
    above = (dice.chance(0.12, 1) * dice.uniform(1, high=0.25) * high).long()
    below = high - 1 - (dice.chance(0.06, 1) * dice.uniform(1, high=0.15) * high).long()
    row = torch.maximum(torch.minimum(at, below), above)
    who = torch.arange(count, device=image.device)[:, None, None]
    out = image.permute(0, 2, 3, 1)[who, row[:, :, None], column[:, None, :]]
    return out.permute(0, 3, 1, 2)


def _blurred(image: Tensor, amount: Tensor) -> Tensor:
    """amount 0..3: how often a binomial kernel has gone over it, with parts between."""
    steps = [image]
    for _ in range(3):
        last = pad(steps[-1], (2,) * 4, mode="replicate")
        high, wide = image.shape[-2:]
        last = sum(w * last[..., k : k + high, :] for k, w in enumerate(_KERNEL))
        steps.append(sum(w * last[..., k : k + wide] for k, w in enumerate(_KERNEL)))
    out = image
    for k in range(3):
        share = (amount - k).clamp(0, 1)
        out = out + (steps[k + 1] - steps[k]) * share
    return out
