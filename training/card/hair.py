# SPDX-License-Identifier: GPL-3.0-or-later
"""Hair that hangs: masses behind the head and beside the neck, and fringes and sides before the
face, with locks at their edges and strands along them. All of it lies in the picture, about the
face's landmarks, and has no depth.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .dice import Dice
from .head_arrays import NECK, HeadArrays
from .pixels import Pixels, smooth
from .skin import Coat

#: Landmarks: top of the forehead, chin, and the face's two sides.
_TOP, _CHIN, _SIDES = 10, 152, (127, 356)


@dataclass(frozen=True)
class Hanging:
    """Shares (n, S, S) of hair behind and before the head, the shadow that it casts, and its
    radiance (n, S, S, 3).
    """

    behind: Tensor
    before: Tensor
    shadow: Tensor
    radiance: Tensor


def hang_hair(
    head: HeadArrays, marks: Tensor, at: Pixels, worn: Coat, hat: Tensor, lit: Tensor, dice: Dice
) -> Hanging:
    """marks (n, 468, 3): pixels of the picture; hat (n, 1); lit (n, 1, 1, 3): light on the face."""
    u, v, half = _across_and_down(marks, at.size)

    def uniform(low: float, high: float) -> Tensor:
        return dice.uniform(1, 1, low=low, high=high)

    bank = head.bank
    count, cells = bank.shape[0], bank.shape[-1]

    def locks(along: Tensor, level: float) -> Tensor:
        """(n, S, S) noise that changes across alone."""
        row = dice.whole(cells)[:, None, None]
        column = ((along * cells).long() % cells).clamp(0, cells - 1)
        return bank[round(level * (count - 1))][row, column]

    lean = uniform(-0.5, 0.5)
    sheared = u + lean * v
    # A fringe to somewhere between hairline and brows, higher in the middle or at one side.
    parting = uniform(-0.6, 0.6)
    low_to = uniform(0.02, 0.3) + uniform(-0.25, 0.4) * (u - parting).abs()
    low_to = low_to + 0.05 * locks(sheared * 0.25, 0.35) + 0.05 * locks(sheared * 0.5, 0.75)
    fringe = smooth((low_to - v) / uniform(0.01, 0.05) + 0.5) * (u.abs() < half * 1.25)
    fringe = fringe * (v > -0.3) * dice.chance(0.22, 1, 1) * (1 - hat[..., None])
    # Sides before the cheeks.
    inner = half * uniform(0.72, 1.05) + 0.25 * (v - 0.4).clamp(min=0) * uniform(-0.3, 1.0)
    inner = inner + 0.03 * locks(v * 0.3 + u * 0.5, 0.3) + 0.02 * locks(v * 0.2 + u, 0.7)
    outer = half * uniform(1.1, 1.7)
    end = uniform(0.5, 1.6) + 0.08 * locks(u * 0.6, 0.6)
    side = smooth((u.abs() - inner) / uniform(0.01, 0.05) + 0.5) * (u.abs() < outer)
    side = side * smooth((end - v) / 0.08) * smooth((v - uniform(-0.15, 0.1)) / 0.1)
    long = dice.chance(0.35, 1, 1)
    one = (u * (dice.chance(0.5, 1, 1) - 0.5) > 0) | (dice.chance(0.7, 1, 1) > 0)
    side = side * long * dice.chance(0.7, 1, 1) * one
    # Behind the head, down to the neck or the shoulders.
    wide = half * uniform(1.05, 1.8) + 0.04 * locks(v * 0.4, 0.4)
    crown = ((v - 0.35).clamp(max=0) / uniform(0.6, 0.95)) ** 2
    mass = smooth((wide * (1 - crown).clamp(min=0).sqrt() - u.abs()) / 0.04)
    mass = mass * smooth((end + 0.1 - v) / 0.1)
    neck = (at.vertex[..., NECK] > 0.5) & (u.abs() > half * uniform(0.4, 0.8))
    behind = mass * torch.maximum(long, dice.chance(0.15, 1, 1))
    behind = behind * (~at.seen | neck).float()
    strands = 0.35 * locks(sheared * 0.7, 0.9) + 0.25 * locks(u * 0.4 + 0.1 * v, 0.6)
    sheen = uniform(0, 1) * torch.exp(-(((v - uniform(-0.2, 0.6)) / 0.15) ** 2))
    tone = torch.exp(strands * uniform(0.5, 1.3) + 0.5 * sheen) * (1 - 0.35 * behind)
    radiance = worn.hair * lit * tone[..., None] * torch.exp(0.4 * dice.normal(1, 1, 1))
    before = torch.maximum(fringe, side) * uniform(0.8, 1.0)
    step = at.size // 64
    shadow = torch.roll(before, (step, 0), (1, 2)) * uniform(0, 0.5)
    return Hanging(behind, before, shadow, radiance)


def _across_and_down(marks: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """(n, S, S): across the face from its middle and down from the top of the forehead, in face
    heights; and half the face's width (n, 1, 1), so far as it is seen.
    """
    top, down = marks[:, _TOP, :2], marks[:, _CHIN, :2] - marks[:, _TOP, :2]
    high = (down**2).sum(-1).clamp(min=1.0)[:, None, None]
    grid = torch.arange(size, device=marks.device) + 0.5
    x = grid[None, None, :] - top[:, 0, None, None]
    y = grid[None, :, None] - top[:, 1, None, None]
    dx, dy = down[:, 0, None, None], down[:, 1, None, None]
    u, v = (x * dy - y * dx) / high, (x * dx + y * dy) / high
    sides = marks[:, list(_SIDES), :2] - top[:, None]
    at = (sides[..., 0] * down[:, 1:] - sides[..., 1] * down[:, :1]) / high[:, 0]
    half = ((at[:, 1] - at[:, 0]).abs() / 2).clamp(min=0.35)[:, None, None]
    return u - at.mean(1)[:, None, None], v, half
