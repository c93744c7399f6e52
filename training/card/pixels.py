# SPDX-License-Identifier: GPL-3.0-or-later
"""What each pixel of a batch sees of its head, and the noise that paint is made of."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from .dice import Dice
from .head_arrays import HeadArrays
from .people import People
from .raster import Seen, weights_of


@dataclass(frozen=True)
class Pixels:
    """All (n, S, S, ...): seen; kind, -1 where nothing is; position and normal, head frame; place
    on the average head; uv, v downward; vertex: values interpolated from HeadArrays.vertex.
    """

    seen: Tensor
    kind: Tensor
    position: Tensor
    normal: Tensor
    place: Tensor
    uv: Tensor
    vertex: Tensor
    depth: Tensor

    @property
    def size(self) -> int:
        """S."""
        return int(self.seen.shape[-1])


def look(head: HeadArrays, people: People, points: Tensor, seen: Seen) -> Pixels:
    """What a raster of points (n, V, 3), pixels and depth, has seen."""
    triangle = seen.triangle.clamp(min=0)
    corners = head.triangles[triangle]
    who = torch.arange(len(points), device=points.device)[:, None, None, None]
    weights = weights_of(points[who, corners], seen)

    def between(values: Tensor) -> Tensor:
        return (weights[..., None] * values).sum(-2)

    there = seen.triangle >= 0
    return Pixels(
        seen=there,
        kind=torch.where(there, head.kind[triangle], -1),
        position=between(people.surface[who, corners]),
        normal=normalize(between(people.normals[who, corners]), dim=-1),
        place=between(head.template[corners]),
        uv=between(head.uv[triangle]),
        vertex=between(head.vertex[corners]),
        depth=seen.depth,
    )


def noise(
    head: HeadArrays,
    uv: Tensor,
    scale: Tensor | float,
    level: float,
    dice: Dice,
    stretch: float = 1.0,
    across: bool = True,
) -> Tensor:
    """(n, S, S) of unit variance over uv (n, S, S, 2), turned and shifted; level 0..1 from coarse
    to fine; stretch: how much longer it is across, or else down.
    """
    angle, shift = 2 * math.pi * dice.uniform(1, 1), dice.uniform(2, 1, 1)
    if stretch != 1.0:
        angle = 0.1 * (angle - math.pi)
    c, s = torch.cos(angle), torch.sin(angle)
    u, v = uv.unbind(-1)
    x = ((u * c - v * s) * scale / (stretch if across else 1.0) + shift[:, 0]) % 1
    y = ((u * s + v * c) * scale / (1.0 if across else stretch) + shift[:, 1]) % 1
    count, size = head.bank.shape[0], head.bank.shape[-1]
    layer = head.bank[round(level * (count - 1))]
    return layer[(y * size).long().clamp(0, size - 1), (x * size).long().clamp(0, size - 1)]


def dot(field: Tensor, direction: Tensor) -> Tensor:
    """(n, S, S) of a field (n, S, S, k) and one direction (n, k) for each picture."""
    return (field * direction[:, None, None]).sum(-1)


def smooth(values: Tensor) -> Tensor:
    """From 0 at 0 to 1 at 1, with no slope there."""
    t = values.clamp(0, 1)
    return t * t * (3 - 2 * t)


def mixed(image: Tensor, color: Tensor, weight: Tensor) -> Tensor:
    """image (n, S, S, 3) with a colour in place of it as far as weight (n, S, S) says."""
    return image + weight[..., None] * (color - image)
