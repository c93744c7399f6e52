# SPDX-License-Identifier: GPL-3.0-or-later
"""Random numbers on a device: those of batch ``number`` of a seed are the same whenever drawn.

All numbers of a batch are drawn at once and handed out in order, so that the code that uses them
has no generator in it and can be compiled.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

#: So that neighbouring seeds share no batch.
_STRIDE = 1_000_003
#: Numbers of each kind for a picture.
_EVEN, _BELL = 2048, 1536


class Dice:
    """Draws for ``count`` pictures. Shapes have the pictures first."""

    def __init__(self, seed: int, number: int, count: int, device: torch.device) -> None:
        self.count, self.device, self.seed = count, device, seed * _STRIDE + number
        self.generator = torch.Generator(device)
        self.generator.manual_seed(self.seed)
        self._even = torch.rand(count, _EVEN, device=device, generator=self.generator)
        self._bell = torch.randn(count, _BELL, device=device, generator=self.generator)
        self._evens = self._bells = 0

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        """(count, *shape)."""
        first, self._evens = self._evens, self._evens + math.prod(shape)
        out = self._even[:, first : self._evens].reshape(self.count, *shape)
        return low + (high - low) * out

    def normal(self, *shape: int) -> Tensor:
        """(count, *shape)."""
        first, self._bells = self._bells, self._bells + math.prod(shape)
        return self._bell[:, first : self._bells].reshape(self.count, *shape)

    def grain(self, *shape: int) -> Tensor:
        """(count, *shape) normal numbers, for as many as a picture has pixels."""
        return torch.randn(self.count, *shape, device=self.device, generator=self.generator)

    def spread(self, low: float, high: float, *shape: int) -> Tensor:
        """(count, *shape), even in the logarithm."""
        return torch.exp(self.uniform(*shape, low=math.log(low), high=math.log(high)))

    def chance(self, share: float, *shape: int) -> Tensor:
        """(count, *shape) of 1 in ``share`` of the cases, else 0."""
        return (self.uniform(*shape) < share).float()

    def whole(self, below: int, *shape: int) -> Tensor:
        """(count, *shape) whole numbers from 0."""
        return (self.uniform(*shape) * below).long().clamp(max=below - 1)

    def constant(self, *values: float) -> Tensor:
        """(k,), filled in on the device: a copy to it would wait for all its work so far."""
        return torch.stack([torch.full((), value, device=self.device) for value in values])
