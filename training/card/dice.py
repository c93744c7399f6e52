# SPDX-License-Identifier: GPL-3.0-or-later
"""Random numbers on a device: those of batch ``number`` of a seed are the same whenever drawn."""

from __future__ import annotations

import math

import torch
from torch import Tensor

#: So that neighbouring seeds share no batch.
_STRIDE = 1_000_003


class Dice:
    """Draws for ``count`` pictures. Shapes have the pictures first."""

    def __init__(self, seed: int, number: int, count: int, device: torch.device) -> None:
        self.count, self.device, self.seed = count, device, seed * _STRIDE + number
        self._generator = torch.Generator(device)
        self._generator.manual_seed(self.seed)

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        """(count, *shape)."""
        out = torch.rand(self.count, *shape, device=self.device, generator=self._generator)
        return low + (high - low) * out

    def normal(self, *shape: int) -> Tensor:
        """(count, *shape)."""
        return torch.randn(self.count, *shape, device=self.device, generator=self._generator)

    def spread(self, low: float, high: float, *shape: int) -> Tensor:
        """(count, *shape), even in the logarithm."""
        return torch.exp(self.uniform(*shape, low=math.log(low), high=math.log(high)))

    def chance(self, share: float, *shape: int) -> Tensor:
        """(count, *shape) of 1 in ``share`` of the cases, else 0."""
        return (self.uniform(*shape) < share).float()

    def whole(self, below: int, *shape: int) -> Tensor:
        """(count, *shape) whole numbers from 0."""
        size = (self.count, *shape)
        return torch.randint(below, size, device=self.device, generator=self._generator)
