# SPDX-License-Identifier: GPL-3.0-or-later
"""Light on a batch of heads: from around, and up to three lamps, two of which cast shadows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from .dice import Dice
from .head_arrays import HeadArrays
from .people import Cameras, People
from .pixels import Pixels, dot, noise, smooth
from .raster import rasterise
from .skin import Coat

#: Cells along the side of a shadow map, and metres by which a point must lie behind another.
_SHADOW, _BIAS = 96, 0.004
_LAMPS = 3


@dataclass(frozen=True)
class Lamps:
    """toward (_LAMPS, n, 3), head frame; strength (_LAMPS, n, 1, 1, 3); harder (2, n, 1, 1): how
    dark the shadows are. shadows: axes (n, 2, 3), corner (n, 2), scale (n,) and depth (n, s, s) of
    each shadow map; the first two are the first lamp's.
    """

    toward: tuple[Tensor, ...]
    strength: tuple[Tensor, ...]
    harder: tuple[Tensor, ...]
    shadows: tuple[tuple[Tensor, Tensor, Tensor, Tensor], ...]


def hang(head: HeadArrays, people: People, cameras: Cameras, dice: Dice) -> Lamps:
    """Lamps before or above most faces, and their shadow maps."""
    middle = dice.constant(0.0, 0.0, 0.06)
    viewer, up = normalize(cameras.centre - middle, dim=-1), -cameras.R[:, 1]
    sun, lamps = dice.chance(0.25, 1, 1, 1), 1 + dice.whole(_LAMPS)
    # Light from straight above leaves the eyes in the shadow of their brows.
    high = dice.chance(0.2, 1)
    toward, strength = [], []
    for k in range(_LAMPS):
        lamp = normalize(dice.normal(3), dim=-1) + dice.uniform(1, low=0.1, high=1.1) * viewer
        lamp = lamp + (0.7 * dice.uniform(1) + (1.6 * high if k == 0 else 0)) * up
        toward.append(normalize(lamp, dim=-1))
        power = torch.exp(0.1 * dice.normal(1, 1, 3)) * torch.exp(0.4 * dice.normal(1, 1, 1))
        if k == 0:
            power = power * dice.uniform(1, 1, 1, low=1.0, high=3.5) * (1 + 0.5 * sun)
        else:
            power = power * dice.uniform(1, 1, 1, low=0.1, high=1.0)
        strength.append(power * (lamps > k).float()[:, None, None, None])
    soft = normalize(toward[0] + 0.06 * dice.normal(3), dim=-1)
    shadows = [_shadow(head, people, aim) for aim in (toward[0], soft, toward[1])]
    harder = tuple(dice.chance(0.75, 1, 1) * dice.uniform(1, 1, low=0.6) for _ in range(2))
    return Lamps(tuple(toward), tuple(strength), harder, tuple(shadows))


def shade(
    head: HeadArrays, cameras: Cameras, at: Pixels, worn: Coat, lamps: Lamps, dice: Dice
) -> Tensor:
    """(n, S, S, 3) linear radiance of the head."""
    normal = _uneven(head, at, worn, dice)
    view = normalize(cameras.centre[:, None, None] - at.position, dim=-1)
    arriving = worn.sky.clamp(0, 1) ** dice.uniform(1, 1, low=0.7, high=1.5)
    radiance = _around(normal, -cameras.R[:, 1], dice) * arriving[..., None] * worn.color
    wrap = dice.uniform(1, 1, 1, high=0.35) * dice.constant(1.0, 0.45, 0.3)
    for k in range(_LAMPS):
        lamp, arrives = lamps.toward[k], 1.0
        if k < 2:
            maps = lamps.shadows[:2] if k == 0 else lamps.shadows[2:]
            open_ = sum(_lit(at, normal, shadow) for shadow in maps) / len(maps)
            arrives = (1 - lamps.harder[k] * (1 - open_))[..., None]
        cosine = dot(normal, lamp)
        diffuse = ((cosine[..., None] + wrap) / (1 + wrap)).clamp(min=0) * worn.color * 2 / math.pi
        # What light from around hardly reaches, lamps reach less as well.
        diffuse = diffuse * (0.35 + 0.65 * worn.sky.clamp(0, 1))[..., None]
        shine = worn.gloss * _gloss(normal, view, lamp, dice) * cosine.clamp(min=0)
        radiance = radiance + lamps.strength[k] * arrives * (diffuse + shine[..., None])
    return radiance


def _uneven(head: HeadArrays, at: Pixels, worn: Coat, dice: Dice) -> Tensor:
    """Normals with pores, unevenness, lines that run across as those of age do, and hair."""
    normal = at.normal
    old = worn.age[..., None]
    for scale, level, most, stretch in (
        (1.5, 0.55, 0.05, 1.0),
        (2.5, 1.0, 0.07, 1.0),
        (2.0, 0.75, 0.09, 4.0),
    ):
        share = dice.uniform(1, 1, 1) ** 1.5 if stretch == 1.0 else old * dice.uniform(1, 1, 1)
        bumps = [noise(head, at.uv, scale, level, dice, stretch) for _ in range(3)]
        normal = normalize(normal + most * share * torch.stack(bumps, -1), dim=-1)
    strands = torch.stack(
        [noise(head, at.uv, s, 0.9, dice, 7.0, across=False) for s in (2.0, 3.0, 2.0)], -1
    )
    hairy = (worn.hairy * dice.uniform(1, 1, low=0.1, high=0.5))[..., None]
    return normalize(normal + hairy * strands, dim=-1)


def _around(normal: Tensor, up: Tensor, dice: Dice) -> Tensor:
    """(n, S, S, 3): light from a sky and a floor, with a slope and curvature of its own."""
    level = torch.exp(-0.9 + 0.7 * dice.normal(1, 1, 1))
    sky = torch.exp(0.15 * dice.normal(1, 1, 3))
    floor = torch.exp(-0.6 + 0.4 * dice.normal(1, 1, 1)) * torch.exp(0.15 * dice.normal(1, 1, 3))
    tilt = normalize(up + 0.6 * dice.normal(3), dim=-1)
    share = (0.5 + 0.5 * dot(normal, tilt))[..., None]
    x, y, z = normal.unbind(-1)
    curved = torch.stack([x * y, y * z, x * z, x * x - y * y, 3 * z * z - 1], -1)
    sloped = dot(normal, 0.2 * dice.normal(3)) + dot(curved, 0.08 * dice.normal(5))
    lit = (share * sky + (1 - share) * floor) * (1 + sloped[..., None])
    return level * lit.clamp(min=0.02)


def _gloss(normal: Tensor, view: Tensor, lamp: Tensor, dice: Dice) -> Tensor:
    """Blinn's lobe with Schlick's Fresnel term."""
    half = normalize(view + lamp[:, None, None], dim=-1)
    power = dice.uniform(1, 1, low=8, high=60)
    lobe = (normal * half).sum(-1).clamp(min=1e-4) ** power * (power + 2) / 8
    return lobe * (0.04 + 0.96 * (1 - (view * half).sum(-1).clamp(0, 1)) ** 5)


def _shadow(
    head: HeadArrays, people: People, lamp: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The map of a lamp far away along lamp (n, 3); see `Lamps`."""
    off = torch.zeros_like(lamp)
    off[:, 1], off[:, 2] = 1.0, 0.1
    across = normalize(torch.linalg.cross(lamp, off, dim=-1), dim=-1)
    axes = torch.stack([across, torch.linalg.cross(lamp, across, dim=-1)], 1)
    flat = people.surface @ axes.transpose(1, 2)
    corner = flat.amin(1)
    scale = (_SHADOW - 1) / (flat.amax(1) - corner).amax(1)
    away = 1 - (people.surface @ lamp[..., None])[..., 0]
    points = torch.cat([(flat - corner[:, None]) * scale[:, None, None], away[..., None]], -1)
    return axes, corner, scale, rasterise(points, head.triangles, _SHADOW, both_sides=True).depth


def _lit(at: Pixels, normal: Tensor, shadow: tuple[Tensor, Tensor, Tensor, Tensor]) -> Tensor:
    """(n, S, S) 1 where the lamp reaches; between cells of the map the share of the four about."""
    axes, corner, scale, depth = shadow
    lamp = torch.linalg.cross(axes[:, 0], axes[:, 1], dim=-1)
    raised = at.position + 0.002 * normal
    behind = 1 - dot(raised, lamp)
    who = torch.arange(len(lamp), device=lamp.device)[:, None, None]
    x = ((dot(raised, axes[:, 0]) - corner[:, None, None, 0]) * scale[:, None, None]) - 0.5
    y = ((dot(raised, axes[:, 1]) - corner[:, None, None, 1]) * scale[:, None, None]) - 0.5
    left, top = torch.floor(x), torch.floor(y)
    open_ = torch.zeros_like(behind)
    for dx in range(2):
        for dy in range(2):
            cell = depth[
                who,
                (top + dy).long().clamp(0, _SHADOW - 1),
                (left + dx).long().clamp(0, _SHADOW - 1),
            ]
            share = (1 - (x - left - dx).abs()) * (1 - (y - top - dy).abs())
            open_ = open_ + share * (behind < cell + _BIAS).float()
    return smooth(open_)
