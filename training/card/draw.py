# SPDX-License-Identifier: GPL-3.0-or-later
"""A batch: crops of people whom nobody has seen, and what is true of them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, normalize

from .dice import Dice
from .head_arrays import SKIN, HeadArrays
from .light import shade
from .network import NORMAL_GRID, SIZE
from .people import draw_cameras, draw_people
from .picture import background, develop
from .pixels import look
from .skin import coat
from .things import cover

#: Pictures are drawn so many times finer and averaged.
OVER = 2


@dataclass(frozen=True)
class Batch:
    """image (n, 3, SIZE, SIZE) in 0..1; identity (n, COMPONENTS); expression (n, E); rotation
    (n, 3, 3); log_focal (n,), of 640 pixels; yaw (n,) degrees; normals (n, 3, g, g), camera frame,
    and surely (n, g, g), 1 where they count.
    """

    image: Tensor
    identity: Tensor
    expression: Tensor
    rotation: Tensor
    log_focal: Tensor
    yaw: Tensor
    normals: Tensor
    surely: Tensor


@torch.no_grad()
def draw(head: HeadArrays, seed: int, number: int, count: int) -> Batch:
    """Batch ``number`` of a seed: the same on the same machine, however often it is drawn."""
    dice = Dice(seed, number, count, head.template.device)
    people = draw_people(head, dice)
    cameras = draw_cameras(head, people, dice)
    at = look(head, people, cameras, SIZE * OVER)
    worn = coat(head, at, dice)
    radiance = shade(head, people, cameras, at, worn, dice)
    bare = worn.bare[..., None]
    light = (radiance * bare).sum((1, 2), keepdim=True) / (bare.sum((1, 2), keepdim=True) + 1e-3)
    behind = background(head, at.size, light, dice)
    image = torch.where(at.seen[..., None], radiance, behind)
    image = cover(head, people, cameras, at, image, light, worn.hair, dice)
    small = avg_pool2d(image.permute(0, 3, 1, 2), OVER)
    face = avg_pool2d(worn.bare[:, None], OVER)[:, 0]
    normals, surely = _normals(at.normal, cameras.R, (at.kind >= SKIN) & at.seen)
    return Batch(
        image=develop(small, face, dice),
        identity=people.identity,
        expression=people.expression,
        rotation=cameras.R,
        log_focal=torch.log(cameras.focal / 640),
        yaw=cameras.yaw,
        normals=normals,
        surely=surely,
    )


def _normals(normal: Tensor, rotation: Tensor, there: Tensor) -> tuple[Tensor, Tensor]:
    """On the network's grid, from normals (n, S, S, 3) in the head frame."""
    seen = torch.einsum("nhwc,nkc->nhwk", normal, rotation) * there[..., None]
    cells = normal.shape[1] // NORMAL_GRID
    mean = avg_pool2d(seen.permute(0, 3, 1, 2), cells)
    share = avg_pool2d(there[:, None].float(), cells)[:, 0]
    return normalize(mean, dim=1), (share > 0.5).float()
