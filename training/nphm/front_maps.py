# SPDX-License-Identifier: GPL-3.0-or-later
"""Front views of a decoder's heads: normals and depth on a square grid, seen along -z.

Such a map has no camera in it: whatever shows the face (a photo's normals on a fitted head) can be
laid into the same grid.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, normalize

from .network import Decoder

#: Pixels a side, the grid's half sides and the depths between which a surface is looked for, units.
SIZE, HALF, NEAR, FAR = 48, (0.42, 0.54), 0.62, -0.15
CENTRE = (0.0, -0.05)
STEPS = 22
#: What a real map gets wrong: normals (radians, fine and coarse), depth (units, coarse).
NOISE = (0.08, 0.08, 0.008)


def grid(device: str | torch.device) -> Tensor:
    """(SIZE * SIZE, 2) x and y of the pixels, rows from the top."""
    t = (torch.arange(SIZE, device=device) + 0.5) / SIZE * 2 - 1
    y, x = torch.meshgrid(-t, t, indexing="ij")
    return torch.stack([x * HALF[0] + CENTRE[0], y * HALF[1] + CENTRE[1]], -1).flatten(0, 1)


@torch.no_grad()
def front_maps(decoder: Decoder, z_geo: Tensor, z_exp: Tensor) -> Tensor:
    """(B, 5, SIZE, SIZE): normal, depth z and 1 where the face is; zeros elsewhere."""
    flat = grid(z_geo.device)
    points = torch.cat([flat, torch.full_like(flat[:, :1], NEAR)], -1).expand(len(z_geo), -1, -1)
    points = points.clone()
    for _ in range(STEPS):
        distance = decoder(points, z_geo, z_exp)[0]
        points[..., 2] = (points[..., 2] - 0.9 * distance).clamp(FAR - 0.05, NEAR)
    hit = (decoder(points, z_geo, z_exp)[0].abs() < 0.004) & (points[..., 2] > FAR)
    step = 3e-3
    rows = []
    for axis in torch.eye(3, device=z_geo.device):
        high = decoder(points + step * axis, z_geo, z_exp)[0]
        rows.append(high - decoder(points - step * axis, z_geo, z_exp)[0])
    normal = normalize(torch.stack(rows, -1), dim=-1)
    said = torch.cat([normal, points[..., 2:], torch.ones_like(points[..., 2:])], -1)
    said = said * hit[..., None]
    return said.transpose(1, 2).unflatten(2, (SIZE, SIZE))


def disturbed(maps: Tensor, generator: torch.Generator) -> Tensor:
    """Maps with noise, and with up to a third of the face hidden."""
    count, device = len(maps), maps.device

    def noise(channels: int, cells: int) -> Tensor:
        rough = torch.randn(count, channels, cells, cells, generator=generator, device=device)
        return interpolate(rough, size=(SIZE, SIZE), mode="bilinear", align_corners=False)

    fine, coarse, depth = NOISE
    normal = normalize(maps[:, :3] + fine * noise(3, SIZE) + coarse * noise(3, 6), dim=1)
    z = (
        maps[:, 3:4]
        + depth * noise(1, 5)
        + depth * torch.randn(count, 1, 1, 1, generator=generator, device=device)
    )
    seen = maps[:, 4:]
    at = torch.rand(count, 2, 1, 1, generator=generator, device=device) * 2 - 1
    size = 0.1 + 0.5 * torch.rand(count, 2, 1, 1, generator=generator, device=device)
    t = (torch.arange(SIZE, device=device) + 0.5) / SIZE * 2 - 1
    inside = ((t - at[:, 0]).abs()[:, None, :, :] < size[:, :1]) & (
        (t[:, None] - at[:, 1]).abs()[:, None] < size[:, 1:]
    )
    hides = torch.rand(count, 1, 1, 1, generator=generator, device=device) < 0.6
    seen = seen * ~(inside & hides)
    return torch.cat([normal, z, torch.ones_like(z)], 1) * seen


def coverage(maps: Tensor, patch: int) -> Tensor:
    """(B, tokens): share of a patch that shows the face."""
    return avg_pool2d(maps[:, 4:], patch).flatten(1)
