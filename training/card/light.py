# SPDX-License-Identifier: GPL-3.0-or-later
"""Light on a batch of heads: from around, and up to three lamps, two of which cast shadows."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import normalize

from .dice import Dice
from .head_arrays import HeadArrays
from .people import Cameras, People
from .pixels import Pixels, noise
from .raster import rasterise
from .skin import Coat

#: Cells along the side of a shadow map, and metres by which a point must lie behind another.
_SHADOW, _BIAS = 96, 0.004
_LAMPS = 3


def shade(
    head: HeadArrays, people: People, cameras: Cameras, at: Pixels, worn: Coat, dice: Dice
) -> Tensor:
    """(n, S, S, 3) linear radiance of the head."""
    normal = _wrinkled(head, at, dice)
    centre = cameras.centre
    view = normalize(centre[:, None, None] - at.position, dim=-1)
    toward = normalize(centre - torch.tensor([0.0, 0.0, 0.06], device=dice.device), dim=-1)
    up = -cameras.R[:, 1]
    arriving = worn.sky.clamp(0, 1) ** dice.uniform(1, 1, low=0.7, high=1.5)
    radiance = _around(normal, up, dice) * arriving[..., None] * worn.color
    red = torch.tensor([1.0, 0.45, 0.3], device=dice.device)
    wrap = dice.uniform(1, 1, 1, high=0.35) * red
    sun, lamps = dice.chance(0.25, 1, 1, 1), 1 + dice.whole(_LAMPS)
    for k in range(_LAMPS):
        lit = (lamps > k).float()[:, None, None, None]
        lamp = normalize(dice.normal(3), dim=-1) + dice.uniform(1, low=0.1, high=1.1) * toward
        lamp = normalize(lamp + 0.7 * dice.uniform(1) * up, dim=-1)
        strength = torch.exp(0.1 * dice.normal(1, 1, 3)) * torch.exp(0.4 * dice.normal(1, 1, 1))
        if k == 0:
            strength = strength * dice.uniform(1, 1, 1, low=1.0, high=3.5) * (1 + 0.5 * sun)
        else:
            strength = strength * dice.uniform(1, 1, 1, low=0.1, high=1.0)
        arrives = torch.ones_like(worn.gloss)
        if k < 2:
            soft = normalize(lamp + 0.06 * dice.normal(3), dim=-1)
            aims = [lamp, soft] if k == 0 else [lamp]
            open_ = sum(_lit(head, people, at, normal, a) for a in aims) / len(aims)
            arrives = 1 - dice.chance(0.75, 1, 1) * (1 - open_)
        cosine = torch.einsum("nhwc,nc->nhw", normal, lamp)
        diffuse = ((cosine[..., None] + wrap) / (1 + wrap)).clamp(min=0) * worn.color * 2 / math.pi
        shine = worn.gloss * _gloss(normal, view, lamp, dice) * cosine.clamp(min=0)
        radiance = radiance + strength * lit * arrives[..., None] * (diffuse + shine[..., None])
    return radiance


def _wrinkled(head: HeadArrays, at: Pixels, dice: Dice) -> Tensor:
    """Normals with pores, unevenness, and lines that run across as those of age do."""
    normal = at.normal
    for scale, level, most, stretch in (
        (1.5, 0.55, 0.05, 1.0),
        (2.5, 1.0, 0.07, 1.0),
        (2.0, 0.75, 0.10, 5.0),
    ):
        amount = (dice.uniform(1, 1, 1) ** (1.5 if stretch == 1.0 else 3.0)) * most
        bumps = [noise(head, at.uv, scale, level, dice, stretch) for _ in range(3)]
        normal = normalize(normal + amount * torch.stack(bumps, -1), dim=-1)
    return normal


def _around(normal: Tensor, up: Tensor, dice: Dice) -> Tensor:
    """(n, S, S, 3): light from a sky and a floor, with a slope and curvature of its own."""
    level = torch.exp(-0.9 + 0.7 * dice.normal(1, 1, 1))
    sky = torch.exp(0.15 * dice.normal(1, 1, 3))
    floor = torch.exp(-0.6 + 0.4 * dice.normal(1, 1, 1)) * torch.exp(0.15 * dice.normal(1, 1, 3))
    tilt = normalize(up + 0.6 * dice.normal(3), dim=-1)
    share = (0.5 + 0.5 * torch.einsum("nhwc,nc->nhw", normal, tilt))[..., None]
    x, y, z = normal.unbind(-1)
    curved = torch.stack([x * y, y * z, x * z, x * x - y * y, 3 * z * z - 1], -1)
    sloped = torch.einsum("nhwc,nc->nhw", normal, 0.2 * dice.normal(3))
    sloped = sloped + torch.einsum("nhwk,nk->nhw", curved, 0.08 * dice.normal(5))
    lit = (share * sky + (1 - share) * floor) * (1 + sloped[..., None])
    return level * lit.clamp(min=0.02)


def _gloss(normal: Tensor, view: Tensor, lamp: Tensor, dice: Dice) -> Tensor:
    """Blinn's lobe with Schlick's Fresnel term."""
    half = normalize(view + lamp[:, None, None], dim=-1)
    power = dice.uniform(1, 1, low=8, high=60)
    lobe = (normal * half).sum(-1).clamp(min=0) ** power * (power + 2) / 8
    return lobe * (0.04 + 0.96 * (1 - (view * half).sum(-1).clamp(0, 1)) ** 5)


def _lit(head: HeadArrays, people: People, at: Pixels, normal: Tensor, lamp: Tensor) -> Tensor:
    """(n, S, S) 1 where a lamp far away along lamp (n, 3) reaches, by a shadow map."""
    off = torch.tensor([[0.0, 1.0, 0.1]], device=lamp.device).expand(len(lamp), 3)
    across = normalize(torch.cross(lamp, off, dim=-1), dim=-1)
    axes = torch.stack([across, torch.cross(lamp, across, dim=-1)], 1)
    flat = people.surface @ axes.transpose(1, 2)
    corner = flat.amin(1)
    scale = (_SHADOW - 1) / (flat.amax(1) - corner).amax(1)
    away = 1 - torch.einsum("nvc,nc->nv", people.surface, lamp)
    points = torch.cat([(flat - corner[:, None]) * scale[:, None, None], away[..., None]], -1)
    nearest = rasterise(points, head.triangles, _SHADOW, both_sides=True).depth
    raised = at.position + 0.002 * normal
    cell = torch.einsum("nhwc,nkc->nhwk", raised, axes) - corner[:, None, None]
    cell = (cell * scale[:, None, None, None]).long().clamp(0, _SHADOW - 1)
    who = torch.arange(len(lamp), device=lamp.device)[:, None, None]
    behind = 1 - torch.einsum("nhwc,nc->nhw", raised, lamp)
    return (behind < nearest[who, cell[..., 1], cell[..., 0]] + _BIAS).float()
