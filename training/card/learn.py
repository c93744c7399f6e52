# SPDX-License-Identifier: GPL-3.0-or-later
"""What the network is asked to do, and how well it does it on people whom it has not seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import mse_loss, normalize

from .draw import Batch
from .network import Network, Said

#: How far a component's own spread weighs its likelihood (Seitzer et al., "On the pitfalls of
#: heteroscedastic uncertainty estimation", ICLR 2022), and shares of the losses.
BETA, SURFACE, FURTHER, NORMALS, MAPS = 0.5, 0.15, 0.3, 0.5, 0.15
#: Degrees of yaw from which the covariance of errors is measured anew.
YAW_FROM = (0, 15, 35)


def loss(said: Said, batch: Batch, metric: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """The sum that is minimised, and its parts. metric: HeadArrays.metric."""
    off = said.mean.float() - batch.identity
    log_sigma = said.log_sigma.float()
    variance = torch.exp(2 * log_sigma)
    likelihood = 0.5 * off**2 / variance + log_sigma
    likelihood = (likelihood * variance.detach() ** BETA).mean()
    surface = torch.einsum("ni,ij,nj->n", off, metric, off).mean()
    more, sliders = said.further.float(), batch.expression.shape[1]
    rows = batch.rotation[:, :2].flatten(1)
    further = 2 * mse_loss(more[:, :sliders], batch.expression)
    further = further + mse_loss(more[:, sliders : sliders + 6], rows)
    further = further + mse_loss(more[:, sliders + 6], batch.log_focal)
    apart = ((normalize(said.normals.float()[:, :3], dim=1) - batch.normals) ** 2).sum(1)
    normals = (apart * batch.surely).sum() / batch.surely.sum().clamp(min=1)
    maps = -(torch.log_softmax(said.maps.float(), 1) * batch.maps).sum(1).mean()
    total = likelihood + SURFACE * surface + FURTHER * further + NORMALS * normals + MAPS * maps
    parts = {
        "likelihood": likelihood,
        "surface_mm2": surface,
        "further": further,
        "normals": normals,
        "maps": maps,
    }
    return total, {name: value.detach() for name, value in parts.items()}


@dataclass(frozen=True)
class HeldOut:
    """Of people held out. surface_mm2 and average_mm2: mean squared distance of the neutral face
    from what the network says and from the average face; calibration: mean square of errors in
    units of the network's own spread, one if that is right; covariance (b, I, I) of errors in
    those units from YAW_FROM on; rows: (degrees from, people, mm^2 said, mm^2 average).
    """

    surface_mm2: float
    average_mm2: float
    calibration: float
    covariance: Tensor
    rows: list[tuple[int, int, float, float]]

    def table(self) -> str:
        """As text."""
        lines = ["yaw from   people   network mm^2   average face mm^2"]
        lines += [f"{d:8d} {n:8d} {a:14.2f} {b:19.2f}" for d, n, a, b in self.rows]
        count = sum(n for _, n, _, _ in self.rows)
        lines.append(f"{'all':>8} {count:8d} {self.surface_mm2:14.2f} {self.average_mm2:19.2f}")
        lines.append(f"errors in the network's own spreads, mean square: {self.calibration:.3f}")
        return "\n".join(lines)


@torch.no_grad()
def measure(network: Network, batches: Sequence[Batch], metric: Tensor) -> HeldOut:
    """Mean and spread against truth; the network is left in evaluation mode."""
    network.eval()
    # One pass each: not worth a search for the fastest convolutions.
    with torch.backends.cudnn.flags(benchmark=False, deterministic=False):
        said = [network(b.image.to(metric.device)) for b in batches]
    true = torch.cat([b.identity.to(metric.device) for b in batches])
    yaw = torch.cat([b.yaw.to(metric.device) for b in batches]).abs()
    off = torch.cat([s.mean for s in said]) - true
    scaled = off / torch.exp(torch.cat([s.log_sigma for s in said]))
    square = torch.einsum("ni,ij,nj->n", off, metric, off)
    average = torch.einsum("ni,ij,nj->n", true, metric, true)
    rows, covariance = [], []
    for low, high in zip(YAW_FROM, (*YAW_FROM[1:], 181), strict=True):
        of = (yaw >= low) & (yaw < high)
        count = int(of.sum())
        rows.append((low, count, float(square[of].mean()), float(average[of].mean())))
        # Few people say little of how errors go together: towards independence.
        few = true.shape[1]
        seen = (scaled[of].T @ scaled[of] + few * torch.eye(few, device=off.device)) / (count + few)
        covariance.append(seen)
    return HeldOut(
        float(square.mean()), float(average.mean()), float((scaled**2).mean()),
        torch.stack(covariance), rows,
    )  # fmt: skip
