# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands before faces, for a batch: glasses as lenses in space, locks of hair, and blobs that
may be hands, cups or microphones.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from .dice import Dice
from .head_arrays import HeadArrays
from .people import Cameras, People
from .pixels import Pixels, mixed

#: Outer and inner corners of the subject's right and left eye, and points along the hairline.
_EYES = ((33, 133), (263, 362))
_HAIRLINE = (10, 109, 67, 103, 54, 21, 338, 297, 332, 284, 251)
#: Metres from the eyes' corners to the lenses.
_BEFORE = (0.012, 0.022)
#: Locks at most, points along each, and how much coarser than the picture they are drawn.
_LOCKS, _ALONG, _COARSE = 8, 6, 2


def cover(
    head: HeadArrays,
    people: People,
    cameras: Cameras,
    at: Pixels,
    image: Tensor,
    light: Tensor,
    hair: Tensor,
    dice: Dice,
) -> Tensor:
    """image (n, S, S, 3) with things before it; light (n, 1, 1, 3): the radiance of the skin."""
    marks = head.marks(people.vertices)
    image = _with_locks(marks, cameras, at, image, light, hair, dice)
    image = _with_glasses(marks, cameras, at, image, light, dice)
    return _with_blobs(at, image, light, dice)


def _with_glasses(
    marks: Tensor, cameras: Cameras, at: Pixels, image: Tensor, light: Tensor, dice: Dice
) -> Tensor:
    """Both lenses lie in one plane before the eyes, which rays meet in true perspective; what of
    the face stands out further, such as a nose from the side, hides them.
    """
    corners = marks[:, [i for pair in _EYES for i in pair]]
    middle = corners.mean(1)
    tilt = dice.uniform(1, low=-0.05, high=0.12)
    facing = torch.cat([torch.zeros_like(tilt), -torch.sin(tilt), torch.cos(tilt)], 1)
    up = torch.cat([torch.zeros_like(tilt), torch.cos(tilt), torch.sin(tilt)], 1)
    deep = (corners * facing[:, None]).sum(-1).amax(1, keepdim=True)
    level = deep + dice.uniform(1, low=_BEFORE[0], high=_BEFORE[1])
    ray, eye = cameras.rays(at.size), cameras.centre
    along = (level - (eye * facing).sum(1, keepdim=True))[:, None] / (
        (ray * facing[:, None, None]).sum(-1).clamp(max=-1e-4)
    )
    meets = eye[:, None, None] + along[..., None] * ray
    # A ray's last component in the camera frame is one, so that `along` is a depth.
    before = ((along > 0) & (along < at.depth)).float()
    x, y = meets[..., 0], ((meets - middle[:, None, None]) * up[:, None, None]).sum(-1)
    wide, high = dice.uniform(1, 1, low=0.020, high=0.029), dice.uniform(1, 1, low=0.6, high=1.0)
    power, rim = dice.uniform(1, 1, low=2, high=5), dice.uniform(1, 1, low=0.0008, high=0.004)
    frame, glass = torch.zeros_like(x), torch.zeros_like(x)
    for pair in range(2):
        centre = corners[:, 2 * pair : 2 * pair + 2, 0].mean(1)[:, None, None]
        from_centre = ((x - centre).abs() / wide) ** power
        from_centre = from_centre + ((y + 0.004).abs() / (wide * high)) ** power
        from_centre = from_centre ** (1 / power)
        frame = torch.maximum(frame, ((from_centre - 1).abs() * wide * high < rim).float())
        glass = torch.maximum(glass, (from_centre < 1).float())
    inner = corners[:, [1, 3], 0].abs().amin(1)[:, None, None]
    bridge = (x.abs() < inner) & ((y - 0.002).abs() < rim)
    frame = torch.maximum(frame, bridge.float())
    some = dice.chance(0.2, 1, 1) * before
    color = dice.uniform(1, 1, 3) ** 2 * light.mean(-1, keepdim=True)
    color = color * dice.uniform(1, 1, 1, low=0.05, high=1.2)
    tinted = glass * dice.uniform(1, 1) ** 3 * 0.8 * dice.chance(0.3, 1, 1)
    image = mixed(image, color, tinted * some)
    # A window or a lamp in the glass: a slanted stripe of light.
    slant, place = dice.normal(1, 1), dice.uniform(1, 1, low=-0.05, high=0.05)
    stripe = ((x + slant * y - place).abs() < dice.uniform(1, 1, high=0.012)).float() * glass
    bright = light.amax(-1, keepdim=True) * dice.uniform(1, 1, 1, low=0.5, high=2.5)
    image = mixed(image, bright, stripe * some * 0.5 * dice.chance(0.35, 1, 1))
    return mixed(image, color, frame * some)


def _with_locks(
    marks: Tensor,
    cameras: Cameras,
    at: Pixels,
    image: Tensor,
    light: Tensor,
    hair: Tensor,
    dice: Dice,
) -> Tensor:
    """Locks hang from the hairline as tapering curves on the picture, with streaks along them."""
    size = at.size // _COARSE
    points = cameras.seen(marks, size)[..., :2]
    line = torch.tensor(_HAIRLINE, device=dice.device)
    starts = points.gather(1, line[dice.whole(len(line), _LOCKS)][..., None].expand(-1, -1, 2))
    down = points[:, 152] - points[:, 10]
    aside = torch.stack([-down[:, 1], down[:, 0]], 1)
    t = torch.linspace(0, 1, _ALONG, device=dice.device)
    sway, bend = 0.25 * dice.normal(1), dice.normal(_LOCKS) * 0.12
    length = dice.uniform(_LOCKS, low=0.15, high=0.7)
    fall = length[..., None] * t
    drift = sway[..., None] * fall + bend[..., None] * t**2
    curve = starts[:, :, None] + fall[..., None] * down[:, None, None]
    curve = curve + drift[..., None] * aside[:, None, None]
    grid = torch.arange(size, device=dice.device) + 0.5
    place = torch.stack(torch.meshgrid(grid, grid, indexing="xy"), -1)
    width = dice.uniform(_LOCKS, low=0.008, high=0.05) * down.norm(dim=1, keepdim=True)
    covered = torch.zeros(dice.count, size, size, device=dice.device)
    streak = torch.zeros_like(covered)
    for k in range(_ALONG - 1):
        a, b = curve[:, :, k], curve[:, :, k + 1]
        ab = b - a
        off = place[None, None] - a[:, :, None, None]
        share = (off * ab[:, :, None, None]).sum(-1) / (ab * ab).sum(-1).clamp(min=1e-6)[
            ..., None, None
        ]
        share = share.clamp(0, 1)
        distance = (off - share[..., None] * ab[:, :, None, None]).norm(dim=-1)
        taper = 1 - 0.7 * (k + share) / (_ALONG - 1)
        near = distance / (width[..., None, None] * taper)
        inside = ((1 - near) * 4).clamp(0, 1)
        line_of, which = inside.max(1)
        waves = torch.sin(9 * near.gather(1, which[:, None])[:, 0] + which)
        streak = torch.where(line_of > covered, waves, streak)
        covered = torch.maximum(covered, line_of)
    some = dice.chance(0.25, 1, 1) * dice.uniform(1, 1, low=0.5, high=1.0)

    def fine(values: Tensor) -> Tensor:
        return interpolate(values[:, None], scale_factor=_COARSE, mode="bilinear")[:, 0]

    shaded = hair * light * 2 * torch.exp(0.25 * fine(streak))[..., None]
    # Beneath a lock its shadow lies on the skin.
    shadow = torch.roll(fine(covered), (_COARSE * 2, _COARSE), (1, 2))
    image = image * (1 - 0.4 * (shadow * some)[..., None])
    return mixed(image, shaded, fine(covered) * some)


def _with_blobs(at: Pixels, image: Tensor, light: Tensor, dice: Dice) -> Tensor:
    """Ellipses of skin or of anything, near the border more often than not."""
    size = at.size
    grid = torch.arange(size, device=dice.device) + 0.5
    x, y = torch.meshgrid(grid, grid, indexing="xy")
    for _ in range(2):
        middle = dice.uniform(2) * size
        radius = dice.uniform(1, 1, low=0.05, high=0.22) * size
        angle = dice.uniform(1, 1, high=math.pi)
        dx, dy = x - middle[:, 0, None, None], y - middle[:, 1, None, None]
        p = dx * torch.cos(angle) + dy * torch.sin(angle)
        q = dy * torch.cos(angle) - dx * torch.sin(angle)
        flat = radius * dice.uniform(1, 1, low=0.3)
        far = (p / radius) ** 2 + (q / flat) ** 2
        skin = light * torch.exp(0.2 * dice.normal(1, 1, 3)) * (1.2 - 0.5 * far)[..., None]
        other = dice.uniform(1, 1, 3) ** 1.5 * light.mean(-1, keepdim=True) * 2
        color = torch.where(dice.chance(0.5, 1, 1, 1) > 0, skin.clamp(min=0), other)
        image = mixed(image, color, (far < 1).float() * dice.chance(0.12, 1, 1))
    return image
