# SPDX-License-Identifier: GPL-3.0-or-later
"""The network: a small residual net from a crop of the face to mean and spread of the identity.

The other outputs are further tasks that make it look at the picture: what training alone needs is
not exported. Batch norms are folded into the convolutions before them on export.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, relu

#: Side of the crop in pixels, and of the grids of the normals and of the maps.
SIZE, NORMAL_GRID, MAP_GRID = 128, 32, 64
#: Identity components that the network speaks of.
COMPONENTS = 100
#: Sliders, two rows of the head's rotation and the log of the focal length.
FURTHER = 52 + 6 + 1
WIDTHS = (48, 96, 192, 320)
#: What pixels in 0..1 are shifted and divided by.
MIDDLE, CONTRAST = 0.45, 0.25
#: Bounds of the log of a component's spread.
LEAST_LOG, MOST_LOG = -3.0, 1.0
_SQUEEZED, _HIDDEN, _NORMALS = 48, 512, 96
#: What a cell may show (skin.LABELS), and channels of the decoder that says it.
LABEL_COUNT, _DECODED = 8, 48


@dataclass(frozen=True)
class Said:
    """mean and log_sigma (n, COMPONENTS); further (n, FURTHER); normals (n, 4, NORMAL_GRID,
    NORMAL_GRID), of which the first three count, in the camera frame.
    """

    mean: Tensor
    log_sigma: Tensor
    further: Tensor
    normals: Tensor
    maps: Tensor


class Block(nn.Module):
    """Two convolutions beside a short cut; a stride halves the grid."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(outputs)
        self.short: nn.Module = nn.Identity()
        if stride > 1 or inputs != outputs:
            self.short = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, h, w) -> (n, outputs, h / stride, w / stride)."""
        y = relu(self.first_norm(self.first(x)))
        return relu(self.short(x) + self.second_norm(self.second(y)))


class Decoder(nn.Module):
    """Maps from what the body holds at each of its sizes, from coarse to fine."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.entries = nn.ModuleList(nn.Conv2d(w, _DECODED, 1) for w in reversed(widths))
        self.mixing = nn.ModuleList(nn.Conv2d(_DECODED, _DECODED, 3, 1, 1) for _ in widths)
        self.leave = nn.Conv2d(_DECODED, LABEL_COUNT, 1)

    def forward(self, held: list[Tensor]) -> Tensor:
        """held: (n, widths[k], h / 2**k, w / 2**k) each."""
        x: Tensor | None = None
        for entry, mix, y in zip(self.entries, self.mixing, reversed(held), strict=True):
            y = entry(y)
            x = relu(mix(relu(y if x is None else y + interpolate(x, scale_factor=2.0))))
        out: Tensor = self.leave(x)
        return out


class Network(nn.Module):
    """(n, 3, SIZE, SIZE) in 0..1 -> `Said`."""

    def __init__(self, components: int = COMPONENTS, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__()
        first, last = widths[0], widths[-1]
        self.enter = nn.Conv2d(3, first, 5, 2, 2, bias=False)
        self.enter_norm = nn.BatchNorm2d(first)
        blocks, before = [], first
        for k, width in enumerate(widths):
            blocks += [Block(before, width, 1 if k == 0 else 2), Block(width, width)]
            before = width
        self.body = nn.Sequential(*blocks)
        self.squeeze = nn.Conv2d(last, _SQUEEZED, 1)
        self.squeeze_norm = nn.BatchNorm2d(_SQUEEZED)
        side = SIZE // 2 ** len(widths)
        self.hidden = nn.Linear(_SQUEEZED * side * side, _HIDDEN)
        self.mean = nn.Linear(_HIDDEN, components)
        self.log_sigma = nn.Linear(_HIDDEN, components)
        self.further = nn.Linear(_HIDDEN, FURTHER)
        nn.init.zeros_(self.log_sigma.weight)
        nn.init.zeros_(self.log_sigma.bias)
        spread = NORMAL_GRID // side
        self.normals = nn.Sequential(
            nn.ConvTranspose2d(last, _NORMALS, spread, spread), nn.ReLU(), nn.Conv2d(_NORMALS, 4, 1)
        )
        self.maps = Decoder(widths)

    def forward(self, x: Tensor) -> Said:
        """See the class."""
        x = relu(self.enter_norm(self.enter((x - MIDDLE) / CONTRAST)))
        held = []
        for k, block in enumerate(self.body):
            x = block(x)
            if k % 2:
                held.append(x)
        h = relu(self.hidden(relu(self.squeeze_norm(self.squeeze(x))).flatten(1)))
        return Said(
            self.mean(h),
            torch.clamp(self.log_sigma(h), LEAST_LOG, MOST_LOG),
            self.further(h),
            self.normals(x),
            self.maps(held),
        )
