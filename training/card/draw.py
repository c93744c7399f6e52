# SPDX-License-Identifier: GPL-3.0-or-later
"""A batch: crops of people whom nobody has seen, and what is true of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, normalize

from .dice import Dice
from .hair import hang_hair
from .head_arrays import SKIN, HeadArrays
from .light import Lamps, hang, shade
from .network import MAP_GRID, NORMAL_GRID, SIZE
from .people import Cameras, People, draw_cameras, draw_people
from .picture import background, cut_off, develop
from .pixels import look
from .raster import Seen, rasterise
from .skin import HAIR, LABELS, coat
from .things import Scene, cover

#: Pictures are drawn so many times finer and averaged.
OVER = 2


@dataclass(frozen=True)
class Batch:
    """image (n, 3, SIZE, SIZE) in 0..1; identity (n, COMPONENTS); expression (n, E); rotation
    (n, 3, 3); log_focal (n,), of 640 pixels; yaw (n,) degrees; normals (n, 3, g, g), camera frame,
    and surely (n, g, g), 1 where they count; maps (n, len(LABELS), m, m): share of each label.
    """

    image: Tensor
    identity: Tensor
    expression: Tensor
    rotation: Tensor
    log_focal: Tensor
    yaw: Tensor
    normals: Tensor
    surely: Tensor
    maps: Tensor


@torch.no_grad()
def draw(head: HeadArrays, seed: int, number: int, count: int, *, compiled: bool = False) -> Batch:
    """Batch ``number`` of a seed: the same on the same machine, however often it is drawn.
    compiled: in fewer, larger kernels; some rounding differs.
    """
    dice = Dice(seed, number, count, head.template.device)
    people = draw_people(head, dice)
    cameras = draw_cameras(head, people, dice)
    points = cameras.seen(people.surface, SIZE * OVER)
    seen = rasterise(points, head.triangles, SIZE * OVER)
    lamps = hang(head, people, cameras, dice)
    paint = _compiled() if compiled else painted
    grain = dice.grain(3, SIZE, SIZE)
    image, normals, surely, maps = paint(head, people, cameras, points, seen, lamps, grain, dice)
    return Batch(
        image=image,
        identity=people.identity,
        expression=people.expression,
        rotation=cameras.R,
        log_focal=torch.log(cameras.focal / 640),
        yaw=cameras.yaw,
        normals=normals,
        surely=surely,
        maps=maps,
    )


def painted(
    head: HeadArrays,
    people: People,
    cameras: Cameras,
    points: Tensor,
    seen: Seen,
    lamps: Lamps,
    grain: Tensor,
    dice: Dice,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """All that is done a pixel: a batch's image, normals, surely and maps."""
    at = look(head, people, points, seen)
    worn = coat(head, people, at, dice)
    radiance = shade(head, cameras, at, worn, lamps, dice)
    bare = worn.bare[..., None]
    light = (radiance * bare).sum((1, 2), keepdim=True) / (bare.sum((1, 2), keepdim=True) + 1e-3)
    marks = head.marks(people.vertices)
    flat = cameras.seen(marks, at.size)
    lit = light / worn.base.clamp(min=0.02)
    hanging = hang_hair(head, flat, at, worn, people.hat, lit, dice)
    behind = background(head, at.size, light, dice)
    scene = Scene(torch.where(at.seen[..., None], radiance, behind), worn.label)
    scene = scene.covered(hanging.radiance, hanging.behind, HAIR)
    scene = cover(cameras, at, scene, hanging, light, marks, dice)
    small = avg_pool2d(scene.image.permute(0, 3, 1, 2), OVER)
    face = avg_pool2d(worn.bare[:, None], OVER)[:, 0]
    normals, surely = _normals(at.normal, cameras.R, (at.kind >= SKIN) & at.seen)
    cells = at.size // MAP_GRID
    shares = [(scene.label == k).float() for k in range(len(LABELS))]
    maps = avg_pool2d(torch.stack(shares, 1), cells)
    return cut_off(develop(small, face, grain, dice), dice), normals, surely, maps


@lru_cache(maxsize=1)
def _compiled() -> Callable[..., tuple[Tensor, Tensor, Tensor, Tensor]]:
    return torch.compile(painted, dynamic=False)


def _normals(normal: Tensor, rotation: Tensor, there: Tensor) -> tuple[Tensor, Tensor]:
    """On the network's grid, from normals (n, S, S, 3) in the head frame."""
    seen = (normal[..., None, :] * rotation[:, None, None]).sum(-1) * there[..., None]
    cells = normal.shape[1] // NORMAL_GRID
    mean = avg_pool2d(seen.permute(0, 3, 1, 2), cells)
    share = avg_pool2d(there[:, None].float(), cells)[:, 0]
    return normalize(mean, dim=1), (share > 0.5).float()
