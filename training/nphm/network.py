# SPDX-License-Identifier: GPL-3.0-or-later
"""The decoder in torch: identity as 36 local networks around anchors, expression as a backward
deformation. Formulas and names of the weights as in core.nphm; sizes are free.

Pairs (query, anchor) are sorted by network and padded, so that 35 local networks are one batched
product a layer; what a network's first layer says of the codes is computed once an anchor.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

#: Coordinates beside x, y, z that an expression may move a query along; nearest anchors of a query;
#: those that set the blend's width; the global member's distance.
NEAREST, WIDTH_OF, FAR = 12, 8, 0.75
BETA, BLEND = 100.0, 3.75


@dataclass(frozen=True)
class Sizes:
    """As in a checkpoint's configuration; ``pairs`` symmetric ones among ``anchors``."""

    anchors: int = 65
    pairs: int = 30
    glob: int = 64
    local: int = 32
    hidden: int = 200
    layers: int = 4
    hyper: int = 2
    expression: int = 100
    compressed: int = 16
    deform: int = 400
    place: int = 64

    @property
    def geometry(self) -> int:
        """Length of the identity's code."""
        return self.glob + (self.anchors + 1) * self.local

    @property
    def networks(self) -> int:
        """Local networks and the global one."""
        return self.anchors - self.pairs + 1

    def to_json(self) -> dict[str, int]:
        """Plain."""
        return asdict(self)


SMALL = Sizes(glob=32, local=8, hidden=48, expression=32, deform=96)
#: For a processor: with a pool of heads and few of the population's components.
TRIAL = Sizes(glob=16, local=6, hidden=32, expression=12, deform=64)
TINY = Sizes(glob=8, local=4, hidden=16, expression=8, deform=24)


class Decoder(nn.Module):
    """sdf(x) of codes; all lengths in NPHM's units, negative inside."""

    def __init__(self, sizes: Sizes, anchors: Tensor) -> None:
        super().__init__()
        self.sizes = s = sizes
        self.register_buffer("anchors", anchors.float())
        member = torch.arange(s.anchors)
        self.register_buffer(
            "network", torch.where(member < 2 * s.pairs, member // 2, member - s.pairs)
        )
        self.register_buffer("flipped", (member < 2 * s.pairs) & (member % 2 == 1))
        width = s.glob + s.local + 3 + s.hyper
        shapes = [(s.hidden, width)] + [(s.hidden, s.hidden)] * (s.layers - 1) + [(1, s.hidden)]
        self.weights = nn.ParameterList(_stacked(s.networks, *shape) for shape in shapes)
        self.biases = nn.ParameterList(
            nn.Parameter(torch.zeros(s.networks, shape[0])) for shape in shapes
        )
        self.mlp_pos = nn.Sequential(
            nn.Linear(s.glob, s.place), nn.ReLU(), nn.Linear(s.place, s.place), nn.ReLU(),
            nn.Linear(s.place, 3 * s.anchors),
        )  # fmt: skip
        self.compressor = nn.Linear(s.geometry + 3 * s.anchors, s.compressed)
        inner = 3 + s.compressed + s.expression
        sides = [inner, s.deform, s.deform, s.deform + inner, s.deform, s.deform, s.deform]
        outs = [s.deform] * 6 + [3 + s.hyper]
        self.deform = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sides, outs, strict=True))
        with torch.no_grad():
            for layer in (self.mlp_pos[-1], self.deform[-1]):
                layer.weight.mul_(0.1)
                layer.bias.zero_()

    @torch.no_grad()
    def begin_with_planes(self, normals: Tensor) -> None:
        """Each local network begins as the plane through its anchor, normals (A, 3): its first two
        units are x and -x, of which softplus(x) - softplus(-x) is x again, layer by layer.
        """
        s = self.sizes
        member = torch.arange(s.networks - 1, device=normals.device)
        member = torch.where(member < s.pairs, 2 * member, member + s.pairs)
        at = s.glob + s.local
        first = self.weights[0]
        first[:-1, :2] = 0.0
        first[:-1, 0, at : at + 3], first[:-1, 1, at : at + 3] = normals[member], -normals[member]
        for weight in self.weights[1:-1]:
            weight[:-1, :2] = 0.0
            weight[:-1, 0, 0] = weight[:-1, 1, 1] = 1.0
            weight[:-1, 0, 1] = weight[:-1, 1, 0] = -1.0
        last = self.weights[-1]
        last.mul_(0.05)
        last[:-1, 0, 0], last[:-1, 0, 1] = 1.0, -1.0

    def places(self, z_geo: Tensor) -> Tensor:
        """Anchors (B, A, 3) of codes (B, G)."""
        return self.anchors + self.mlp_pos(z_geo[:, : self.sizes.glob]).unflatten(1, (-1, 3))

    def canonical(self, x: Tensor, z_geo: Tensor, z_exp: Tensor, anchors: Tensor) -> Tensor:
        """Posed queries (B, N, 3) -> (B, N, 3 + hyper)."""
        said = self.compressor(torch.cat([z_geo, anchors.flatten(1)], 1))
        code = torch.cat([said, z_exp], 1)[:, None].expand(-1, x.shape[1], -1)
        inner = torch.cat([x, code], -1)
        h = inner
        for i, layer in enumerate(self.deform):
            if i == 3:
                h = torch.cat([h, inner], -1) / 2**0.5
            h = layer(h)
            if i < 6:
                h = softplus(h, BETA)
        return torch.cat([x + h[..., :3], h[..., 3:]], -1)

    def identity(self, query: Tensor, z_geo: Tensor, anchors: Tensor) -> Tensor:
        """Canonical queries (B, N, 3 + hyper) -> signed distance (B, N)."""
        s = self.sizes
        count, each = query.shape[:2]
        distance = torch.cdist(query[..., :3], anchors, compute_mode="donot_use_mm_for_euclid_dist")
        near, member = distance.topk(NEAREST, largest=False)
        sigma = near[..., WIDTH_OF - 1 : WIDTH_OF] / BLEND
        far = torch.full_like(near[..., :1], FAR)
        weight = torch.exp(-0.5 * (torch.cat([near, far], -1) / sigma) ** 2)
        weight = weight / (weight.sum(-1, keepdim=True) + 1e-8)
        # Constants of the first layer, a member.
        network = torch.cat([self.network, self.network.new_tensor([s.networks - 1])])
        local = z_geo[:, s.glob :].unflatten(1, (-1, s.local))
        codes = torch.cat([z_geo[:, None, : s.glob].expand(-1, s.anchors + 1, -1), local], -1)
        first = self.weights[0]
        of_codes = first[network][:, :, : codes.shape[-1]]
        constant = torch.einsum("bmi,mhi->bmh", codes, of_codes) + self.biases[0][network]
        flat = constant.flatten(0, 1)
        of_place = first[:, :, codes.shape[-1] :]
        # The local members, in one padded batch.
        row = torch.arange(count, device=query.device)[:, None, None]
        there = anchors[row, member]
        delta = query[..., None, :3] - there
        turn = torch.where(self.flipped[member], -1.0, 1.0)
        delta = torch.cat(
            [delta[..., :1] * turn[..., None], delta[..., 1:],
             query[..., None, 3:].expand(-1, -1, NEAREST, -1)], -1,
        ).flatten(0, 2)  # fmt: skip
        which = self.network[member].flatten()
        place = (row * (s.anchors + 1) + member).flatten()
        order = torch.argsort(which)
        counts = torch.bincount(which, minlength=s.networks - 1)
        starts = counts.cumsum(0) - counts
        most = int(counts.max())
        lane = torch.arange(most, device=query.device)
        table = order[(starts[:, None] + lane).clamp(max=len(order) - 1)]
        h = flat[place[table]] + delta[table] @ of_place[:-1].transpose(1, 2)
        h = self._rest(h, slice(0, s.networks - 1))
        rank = torch.empty_like(order)
        rank[order] = torch.arange(len(order), device=query.device)
        slot = which * most + rank - starts[which]
        said = h.flatten()[slot].view(count, each, NEAREST)
        # The global member, anchored at the origin.
        h = constant[:, -1:] + query @ of_place[-1].T
        whole = self._rest(h.flatten(0, 1)[None], slice(s.networks - 1, s.networks))
        said = torch.cat([said, whole.view(count, each, 1)], -1)
        return (weight * said).sum(-1)

    def _rest(self, h: Tensor, which: slice) -> Tensor:
        """Layers after the first, (n, M, hidden) -> (n, M, 1)."""
        for weight, bias in zip(self.weights[1:], self.biases[1:], strict=True):
            h = torch.baddbmm(bias[which, None], softplus(h, BETA), weight[which].transpose(1, 2))
        return h

    def forward(self, x: Tensor, z_geo: Tensor, z_exp: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Posed queries -> signed distance (B, N), canonical queries, anchors."""
        anchors = self.places(z_geo)
        query = self.canonical(x, z_geo, z_exp, anchors)
        return self.identity(query, z_geo, anchors), query, anchors

    def published(self) -> dict[str, dict[str, Tensor]]:
        """The weights under the names of a checkpoint's two state dicts."""
        identity = {f"mlp_pos.{k}": v for k, v in self.mlp_pos.state_dict().items()}
        for i in range(self.sizes.networks):
            for j, (w, b) in enumerate(zip(self.weights, self.biases, strict=True)):
                name = f"deepSDFensemble.layers.{i}.layers.{2 * j}"
                identity[f"{name}.weight"], identity[f"{name}.bias"] = w[i].detach(), b[i].detach()
        expression = {f"compressor.0.{k}": v for k, v in self.compressor.state_dict().items()}
        for i, layer in enumerate(self.deform):
            expression |= {f"defDeepSDF.lin{i}.{k}": v for k, v in layer.state_dict().items()}
        return {"id_decoder": identity, "ex_decoder": expression}


def _stacked(count: int, out: int, into: int) -> nn.Parameter:
    return nn.Parameter(torch.randn(count, out, into) * (1.6 / into) ** 0.5)
