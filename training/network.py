# SPDX-License-Identifier: GPL-3.0-or-later
"""The network: a U-Net of plain convolutions on the 64 x 64 grid, with operations that the numpy
runtime has: convolutions, sums, ReLU, transposed convolutions whose kernel is their stride.

Output channels, all on the grid: flow (2, in cells / FLOW_UNIT), normal residual (3), log scales
of both (2), logit of bare skin (1).
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from core.cues.dense_input import CHANNELS
from core.cues.dense_output import OUTPUTS

WIDTHS = (32, 64, 96, 128, 160)


class Block(nn.Module):
    """Two convolutions, the second beside a short cut; stride 2 halves the grid.

    Padding is the runtime's SAME: with stride 2 all of it lies after the last row and column.
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride
        self.first = nn.Conv2d(inputs, outputs, 3, stride, 0 if stride == 2 else 1)
        self.second = nn.Conv2d(outputs, outputs, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, h, w) -> (n, outputs, h / stride, w / stride)."""
        if self.stride == 2:
            x = pad(x, (0, 1, 0, 1))
        x = torch.relu(self.first(x))
        return torch.relu(x + self.second(x))


class Up(nn.Module):
    """Twice the grid by a transposed convolution, joined with the finer map."""

    def __init__(self, coarse: int, fine: int) -> None:
        super().__init__()
        self.spread = nn.ConvTranspose2d(coarse, fine, 2, 2)
        self.block = Block(2 * fine, fine)

    def forward(self, x: Tensor, finer: Tensor) -> Tensor:
        """(n, coarse, h, w) and (n, fine, 2 h, 2 w) -> (n, fine, 2 h, 2 w)."""
        return self.block(torch.cat([self.spread(x), finer], dim=1))


class Network(nn.Module):
    """(n, CHANNELS, GRID, GRID) -> (n, OUTPUTS, GRID, GRID)."""

    def __init__(self, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__()
        self.enter = Block(CHANNELS, widths[0])
        pairs = list(pairwise(widths))
        self.down = nn.ModuleList(Block(a, b, 2) for a, b in pairs)
        self.up = nn.ModuleList(Up(b, a) for a, b in reversed(pairs))
        self.leave = nn.Conv2d(widths[0], OUTPUTS, 1)
        with torch.no_grad():  # at first the fit itself is what is said, with some doubt
            self.leave.weight.mul_(0.1)
            self.leave.bias.zero_()

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        maps = [self.enter(x)]
        for down in self.down:
            maps.append(down(maps[-1]))
        x = maps.pop()
        for up in self.up:
            x = up(x, maps.pop())
        return self.leave(x)
