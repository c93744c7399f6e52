# SPDX-License-Identifier: GPL-3.0-or-later
"""A transformer that reads codes from front maps; trained on a decoder's own heads.

Codes are given as coordinates in bases of their statistics (see core.nphm.statistics): standard
normal for the identity. Losses: coordinates, weighed by how far each moves the surface; signed
distance that the codes give on the true surface; anchors.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from .front_maps import SIZE, disturbed, front_maps, grid
from .network import Decoder

PATCH, WIDTH, DEPTH, HEADS = 6, 96, 4, 4
CHANNELS = 5
#: Points of the true surface a head in the loss of signed distances.
POINTS = 192


class Block(nn.Module):
    """Pre-norm attention and a two-layer perceptron."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, width)."""
        q, k, v = self.qkv(self.norm1(x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        seen = nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        x = x + self.out(seen)
        return x + self.down(nn.functional.gelu(self.up(self.norm2(x))))


class Regressor(nn.Module):
    """(B, 5, SIZE, SIZE) -> identity (B, I) and expression (B, X) coordinates."""

    def __init__(self, identity: int, expression: int) -> None:
        super().__init__()
        tokens = (SIZE // PATCH) ** 2
        self.split = identity
        self.embed = nn.Linear(CHANNELS * PATCH * PATCH, WIDTH)
        self.place = nn.Parameter(torch.randn(tokens, WIDTH) * 0.02)
        self.blocks = nn.ModuleList(Block(WIDTH, HEADS) for _ in range(DEPTH))
        self.norm = nn.LayerNorm(2 * WIDTH)
        self.said = nn.Linear(2 * WIDTH, identity + expression)

    def forward(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        side = SIZE // PATCH
        x = maps.unflatten(3, (side, PATCH)).unflatten(2, (side, PATCH))
        x = x.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)
        x = self.embed(x) + self.place
        for block in self.blocks:
            x = block(x)
        said = self.said(self.norm(torch.cat([x.mean(1), x.amax(1)], -1)))
        return said[:, : self.split], said[:, self.split :]


@dataclass(frozen=True)
class Statistics:
    """codes = mean + coordinates @ basis.T, for identity and expression."""

    mean: Tensor
    basis: Tensor
    mean_exp: Tensor
    basis_exp: Tensor

    def codes(self, a: Tensor, e: Tensor) -> tuple[Tensor, Tensor]:
        """z_geo and z_exp."""
        return self.mean + a @ self.basis.T, self.mean_exp + e @ self.basis_exp.T


Draw = Callable[[int], tuple[Tensor, Tensor]]


def train_regressor(
    decoder: Decoder,
    statistics: Statistics,
    draw: Draw,
    seconds: float,
    say: Callable[[str], None],
    *,
    pool: int = 3000,
    batch: int = 64,
) -> Regressor:
    """draw(n) gives coordinates (n, I) and (n, X); a third of the time renders the pool."""
    device = statistics.mean.device
    generator = torch.Generator(device).manual_seed(3)
    start = time.monotonic()
    a, e, maps = _pool(decoder, statistics, draw, pool, start + seconds / 3)
    say(f"{len(maps)} heads rendered in {time.monotonic() - start:.1f} s")
    held = max(4, len(maps) // 20)
    net = Regressor(a.shape[1], e.shape[1]).to(device)
    worth = statistics.basis.norm(dim=0)
    worth = (worth / worth.max()).clamp(min=0.05)
    optimiser = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=0.01)
    flat = grid(device)
    begun, step = time.monotonic(), 0
    left = max(1.0, start + seconds - begun)
    for p in decoder.parameters():
        p.requires_grad_(False)
    while (spent := (time.monotonic() - begun) / left) < 1.0:
        for group in optimiser.param_groups:
            group["lr"] = (
                1e-3
                * min(1.0, (step + 1) / 50)
                * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * spent)))
            )
        rows = torch.randint(held, len(maps), (batch,), generator=generator, device=device)
        said_a, said_e = net(disturbed(maps[rows], generator))
        loss = ((said_a - a[rows]).square() * worth).mean() + 0.5 * (
            said_e - e[rows]
        ).square().mean()
        if step % 2:
            loss = loss + 30.0 * _surface(
                decoder, statistics, said_a, said_e, maps[rows], flat, generator
            )
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        step += 1
    net.eval()
    with torch.no_grad():
        said_a, said_e = net(disturbed(maps[:held], generator))
        wrong = _surface(decoder, statistics, said_a, said_e, maps[:held], flat, generator)
        mean = _surface(decoder, statistics, 0 * said_a, 0 * said_e, maps[:held], flat, generator)
        kept = 1 - ((said_a - a[:held]).square().mean(0) / a[:held].square().mean(0))
    say(f"{step} steps; held out: {wrong.item() * 250:.3f} mm on the surface (mean code "
        f"{mean.item() * 250:.3f}); of the first ten {kept[:10].mean():.2f} explained")  # fmt: skip
    return net


def _pool(
    decoder: Decoder, statistics: Statistics, draw: Draw, pool: int, until: float
) -> tuple[Tensor, Tensor, Tensor]:
    drawn = []
    while sum(len(m[2]) for m in drawn) < pool and (not drawn or time.monotonic() < until):
        a, e = draw(8)
        z_geo, z_exp = statistics.codes(a, e)
        drawn.append((a, e, front_maps(decoder, z_geo, z_exp)))
    a, e, maps = (torch.cat(part) for part in zip(*drawn, strict=True))
    return a, e, maps


def _surface(
    decoder: Decoder,
    statistics: Statistics,
    a: Tensor,
    e: Tensor,
    maps: Tensor,
    flat: Tensor,
    generator: torch.Generator,
) -> Tensor:
    """Mean distance, units, that the codes' fields give on the true surfaces."""
    seen = maps[:, 4].flatten(1)
    pixel = torch.multinomial(seen + 1e-6, POINTS, replacement=True, generator=generator)
    points = torch.cat([flat[pixel], maps[:, 3].flatten(1).gather(1, pixel)[..., None]], -1)
    z_geo, z_exp = statistics.codes(a, e)
    sdf = decoder(points, z_geo, z_exp)[0]
    shown = seen.gather(1, pixel)
    return (sdf.abs().clamp(max=0.1) * shown).sum() / shown.sum().clamp(min=1)


def write_regressor(net: Regressor, statistics: Statistics, out: Path) -> None:
    """Half precision, with the statistics its coordinates are in."""
    arrays = {k: v.detach().cpu().numpy().astype(np.float16) for k, v in net.state_dict().items()}
    for name in ("mean", "basis", "mean_exp", "basis_exp"):
        arrays[f"statistics.{name}"] = (
            getattr(statistics, name).detach().cpu().numpy().astype(np.float32)
        )
    np.savez_compressed(out, **arrays, heads=np.array(HEADS))
