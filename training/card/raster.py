# SPDX-License-Identifier: GPL-3.0-or-later
"""A z-buffer for whole batches: on a card a kernel of our own (raster_kernel), else in torch alone:
the boxes of all triangles are laid out in flat arrays, and each pixel keeps the least of the depths
that reach it.

As core.geometry.raster: pixels are sampled at their centres, the first at (0.5, 0.5).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .raster_kernel import nearest

#: Metres in front of the camera nearer than which nothing is drawn.
NEAR = 1e-6
#: Where nothing is seen.
FAR = 9.0
_EMPTY = (1 << 63) - 1
#: Pixels of boxes that are laid out at once; bounds the memory, not the result.
_AT_ONCE = 1 << 25


@dataclass(frozen=True)
class Seen:
    """triangle (n, S, S), -1 where nothing is seen; depth (n, S, S), FAR there."""

    triangle: Tensor
    depth: Tensor


@torch.compiler.disable
def rasterise(
    points: Tensor, triangles: Tensor, size: int, *, both_sides: bool = False, plain: bool = False
) -> Seen:
    """points (n, V, 3): pixels and depth; triangles (T, 3). plain: in torch, on a card too."""
    if points.is_cuda and not plain:
        keys = nearest(points, triangles, size, _EMPTY, both_sides=both_sides)
    else:
        keys = _laid_out(points, triangles, size, both_sides=both_sides)
    empty = keys == _EMPTY
    depth = (keys >> 32).to(torch.int32).view(torch.float32)
    return Seen(
        torch.where(empty, -1, keys & 0xFFFFFFFF),
        torch.where(empty, torch.full_like(depth, FAR), depth),
    )


def _laid_out(points: Tensor, triangles: Tensor, size: int, *, both_sides: bool) -> Tensor:
    """(n, size, size) keys, as raster_kernel's."""
    count = len(points)
    keys = torch.full((count * size * size,), _EMPTY, dtype=torch.int64, device=points.device)
    corners = points[:, triangles].reshape(-1, 3, 3)
    x, y, z = corners.unbind(-1)
    area = (x[:, 1] - x[:, 0]) * (y[:, 2] - y[:, 0]) - (y[:, 1] - y[:, 0]) * (x[:, 2] - x[:, 0])
    drawn = (z > NEAR).all(1) & ((area != 0) if both_sides else (area < 0))
    left = torch.clamp(torch.ceil(x.amin(1) - 0.5), 0, size).long()
    right = torch.clamp(torch.floor(x.amax(1) - 0.5), -1, size - 1).long()
    top = torch.clamp(torch.ceil(y.amin(1) - 0.5), 0, size).long()
    bottom = torch.clamp(torch.floor(y.amax(1) - 0.5), -1, size - 1).long()
    wide, high = (right - left + 1).clamp(min=0), (bottom - top + 1).clamp(min=0)
    boxes = torch.where(drawn, wide * high, 0)
    some = torch.nonzero(boxes)[:, 0]
    ends = torch.cumsum(boxes[some], 0)
    for part in _parts(some, ends):
        owner = part.repeat_interleave(boxes[part])
        first = torch.cumsum(boxes[part], 0) - boxes[part]
        place = torch.arange(len(owner), device=owner.device)
        place = place - first.repeat_interleave(boxes[part])
        row, column = top[owner] + place // wide[owner], left[owner] + place % wide[owner]
        px, py = column + 0.5 - x[owner, 0], row + 0.5 - y[owner, 0]
        ux, uy = x[owner, 1] - x[owner, 0], y[owner, 1] - y[owner, 0]
        vx, vy = x[owner, 2] - x[owner, 0], y[owner, 2] - y[owner, 0]
        second = (px * vy - py * vx) / area[owner]
        third = (ux * py - uy * px) / area[owner]
        one = 1 - second - third
        inside = (one >= 0) & (second >= 0) & (third >= 0)
        near = one / z[owner, 0] + second / z[owner, 1] + third / z[owner, 2]
        owner, depth = owner[inside], (1 / near[inside]).float()
        cell = (owner // len(triangles)) * size * size + row[inside] * size + column[inside]
        # Depths are positive, so that their bits grow as they do.
        key = depth.view(torch.int32).long() << 32 | owner % len(triangles)
        keys.scatter_reduce_(0, cell, key, "amin")
    return keys.reshape(count, size, size)


def _parts(some: Tensor, ends: Tensor) -> list[Tensor]:
    """Runs of triangles whose boxes have about _AT_ONCE pixels together."""
    if not len(some):
        return []
    bounds = torch.arange(_AT_ONCE, int(ends[-1]) + _AT_ONCE, _AT_ONCE, device=ends.device)
    stops = torch.searchsorted(ends, bounds, right=True).tolist()
    starts = [0, *stops[:-1]]
    stops[-1] = len(some)
    return [some[a:b] for a, b in zip(starts, stops, strict=True) if b > a]


def weights_of(corners: Tensor, seen: Seen) -> Tensor:
    """(n, S, S, 3) perspective-correct barycentric weights, zero where nothing is seen; corners
    (n, S, S, 3, 3): of each pixel's triangle, pixels and depth.
    """
    size = seen.triangle.shape[-1]
    x, y, z = corners.unbind(-1)
    at = torch.arange(size, device=corners.device) + 0.5
    px, py = at[None, None, :] - x[..., 0], at[None, :, None] - y[..., 0]
    ux, uy = x[..., 1] - x[..., 0], y[..., 1] - y[..., 0]
    vx, vy = x[..., 2] - x[..., 0], y[..., 2] - y[..., 0]
    area = ux * vy - uy * vx
    area = torch.where(area == 0, torch.ones_like(area), area)
    second, third = (px * vy - py * vx) / area, (ux * py - uy * px) / area
    weights = torch.stack([1 - second - third, second, third], -1) / z
    weights = weights / weights.sum(-1, keepdim=True)
    return torch.where((seen.triangle >= 0)[..., None], weights, 0.0).clamp(0, 1)
