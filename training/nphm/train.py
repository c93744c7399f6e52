# SPDX-License-Identifier: GPL-3.0-or-later
"""Fits the decoder to drawn heads for a stated time, and says how far off it is.

Codes are linear in the population's coefficients (z = W a), so that every step teaches all of it
and the codes' statistics are known: a is standard normal. Losses: signed distance, clamped; where a
posed point lies at rest; anchors; size of the hyper coordinates and of the codes.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .network import Decoder, Sizes
from .surfaces import People, Samples, sample, vertex_normals

#: Signed distances count up to here, in units (25 mm); weights of the other losses.
CLAMP, BACK, ANCHORS, HYPER, CODES = 0.1, 0.5, 1.0, 1e-3, 1e-5
#: Steps that share one draw of heads.
STEPS_A_DRAW = 3
#: Codes in the book that is written beside the weights.
BOOK = 96
#: Millimetres a unit.
MM = 250.0


@dataclass(frozen=True)
class Plan:
    """How long and how large; ``batch`` heads of ``points`` each a step."""

    seconds: float = 90.0
    batch: int = 24
    points: int = 1600
    rate: float = 3e-3
    device: str = "cuda"
    seed: int = 1
    #: Heads that are drawn once and used again, 0 for ever new ones; components that vary.
    pool: int = 0
    components: int = 0


class Trained(nn.Module):
    """The decoder and the two maps that make its codes."""

    def __init__(self, people: People, sizes: Sizes) -> None:
        super().__init__()
        self.decoder = Decoder(sizes, people.template[people.anchors])
        mean = people.template[None]
        corners = mean[:, people.triangles]
        cross = torch.cross(
            corners[:, :, 1] - corners[:, :, 0], corners[:, :, 2] - corners[:, :, 0], -1
        )
        normals = vertex_normals(people, mean, cross, corners)[0]
        self.decoder.begin_with_planes(normals[people.anchors])
        self.geometry = nn.Parameter(_first_codes(people, sizes))
        self.expression = nn.Parameter(
            torch.randn(sizes.expression, people.expression.shape[1]) * 0.3
        )

    def codes(self, a: Tensor, e: Tensor) -> tuple[Tensor, Tensor]:
        """z_geo (B, G) and z_exp (B, X) of coefficients and sliders."""
        return a @ self.geometry.T, e @ self.expression.T


def _first_codes(people: People, sizes: Sizes) -> Tensor:
    """(G, I): to begin with, the global code says what moves the anchors, and each anchor's own
    what moves the vertices around it, most of it first.
    """
    count = people.identity.shape[1]
    moves = people.identity.unflatten(0, (-1, 3))

    def spread(rows: Tensor, length: int) -> Tensor:
        _, _, vectors = torch.linalg.svd(moves[rows].flatten(0, 1).double(), full_matrices=False)
        out = torch.zeros(length, count, dtype=torch.double, device=rows.device)
        out[: min(length, len(vectors))] = vectors[:length]
        return 0.5 * out

    parts = [spread(people.anchors, sizes.glob)]
    near = torch.cdist(people.template[people.anchors], people.template).topk(60, largest=False)[1]
    parts += [spread(rows, sizes.local) for rows in near]
    parts.append(spread(torch.arange(0, len(people.template), 20, device=near.device), sizes.local))
    return torch.cat(parts).float()


def train(people: People, sizes: Sizes, plan: Plan, say: Callable[[str], None]) -> Trained:
    """Trains for ``plan.seconds``."""
    device = plan.device
    torch.manual_seed(plan.seed)
    generator = torch.Generator(device).manual_seed(plan.seed)
    model = Trained(people, sizes).to(device)
    optimiser = torch.optim.Adam(model.parameters(), lr=plan.rate)
    start, step, shown = time.monotonic(), 0, 0.0
    draw = _Draws(people, plan, generator)
    waiting: list[Drawn] = []
    start = time.monotonic()
    while (spent := (time.monotonic() - start) / plan.seconds) < 1.0:
        rate = (
            plan.rate
            * min(1.0, (step + 1) / 100)
            * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * spent)))
        )
        for group in optimiser.param_groups:
            group["lr"] = rate
        if not len(waiting):
            # Drawing costs more than a step: what is drawn at once serves for several.
            waiting = draw()
        loss, terms = losses(model, people, *waiting.pop())
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        step += 1
        if spent >= shown:
            said = ", ".join(f"{name} {value.item() * MM:.3f}" for name, value in terms.items())
            say(f"{spent * plan.seconds:6.1f} s step {step}: {said} mm")
            shown += 0.1
    say(f"{step} steps of {plan.batch} x {plan.points} points")
    return model.eval()


Drawn = tuple[Tensor, Tensor, Tensor, Samples]


class _Draws:
    """Batches of heads with samples: new ones at every call, or from a pool."""

    def __init__(self, people: People, plan: Plan, generator: torch.Generator) -> None:
        self.people, self.plan, self.generator = people, plan, generator
        self.pool = [self._new(4, 4000) for _ in range(plan.pool // 4)]

    def __call__(self) -> list[Drawn]:
        """For STEPS_A_DRAW steps."""
        plan = self.plan
        if self.pool:
            return [self._from_pool() for _ in range(STEPS_A_DRAW)]
        a, e, neutral, drawn = self._new(plan.batch, plan.points * STEPS_A_DRAW)
        return [(a, e, neutral, part) for part in drawn.parts(STEPS_A_DRAW)]

    @torch.no_grad()
    def _new(self, heads: int, points: int) -> Drawn:
        a, e = self.people.draw(heads, self.generator, self.plan.components)
        neutral, posed = self.people.shapes(a, e)
        return a, e, neutral, sample(self.people, neutral, posed, points, self.generator)

    def _from_pool(self) -> Drawn:
        groups = torch.randint(len(self.pool), (self.plan.batch // 4,), generator=self.generator)
        parts = []
        for group in groups.tolist():
            a, e, neutral, s = self.pool[group]
            rows = torch.randint(s.points.shape[1], (self.plan.points,), generator=self.generator)
            every = (s.points, s.distance, s.normal, s.back)
            parts.append((a, e, neutral, *(t[:, rows] for t in every)))
        a, e, neutral, *every = (torch.cat(t) for t in zip(*parts, strict=True))
        return a, e, neutral, Samples(*every)


def losses(
    model: Trained, people: People, a: Tensor, e: Tensor, neutral: Tensor, target: Samples
) -> tuple[Tensor, dict[str, Tensor]]:
    """The loss, and what it is made of in units."""
    z_geo, z_exp = model.codes(a, e)
    sdf, query, anchors = model.decoder(target.points, z_geo, z_exp)
    truth = target.distance.clamp(-CLAMP, CLAMP)
    # What is deep inside only has to stay inside: nobody sees the surfaces that are there.
    weight = 1.0 / (1.0 + 20.0 * truth.abs())
    distance = ((sdf.clamp(-CLAMP, CLAMP) - truth).abs() * weight).mean()
    near = (target.distance.abs() < 0.03).float()
    apart = (query[..., :3] - target.points - target.back).abs().sum(-1)
    back = (apart * near).sum() / near.sum().clamp(min=1)
    placed = (anchors - neutral[:, people.anchors]).abs().sum(-1).mean()
    small = HYPER * query[..., 3:].square().mean()
    codes = CODES * (z_geo.square().sum(-1).mean() + z_exp.square().sum(-1).mean())
    terms = {"sdf": distance, "back": back, "anchors": placed}
    return distance + BACK * back + ANCHORS * placed + small + codes, terms


@torch.no_grad()
def judged(
    model: Trained, people: People, device: str, heads: int = 32, components: int = 0
) -> dict[str, float]:
    """Errors on heads that were not trained on, in millimetres and degrees."""
    generator = torch.Generator(device).manual_seed(90_001)
    found: dict[str, list[Tensor]] = {"on": [], "near": [], "back": [], "anchors": [], "turn": []}
    for _ in range(heads // 8):
        a, e = people.draw(8, generator, components)
        neutral, posed = people.shapes(a, e)
        target = sample(people, neutral, posed, 4000, generator)
        z_geo, z_exp = model.codes(a, e)
        sdf, query, anchors = model.decoder(target.points, z_geo, z_exp)
        wrong = (sdf - target.distance).abs()
        distance = target.distance.abs()
        found["on"].append(wrong[distance < 1e-5])
        found["near"].append(wrong[distance < 0.02])
        back = (query[..., :3] - target.points - target.back).norm(dim=-1)
        found["back"].append(back[distance < 0.02])
        found["anchors"].append((anchors - neutral[:, people.anchors]).norm(dim=-1).flatten())
        found["turn"].append(_turned(model, z_geo, z_exp, target))
    out = {
        f"{name}_mm": float(torch.cat(v).mean()) * MM for name, v in found.items() if name != "turn"
    }
    out["on_p95_mm"] = float(np.percentile(torch.cat(found["on"]).cpu().numpy(), 95)) * MM
    out["normal_median_deg"] = float(torch.cat(found["turn"]).median())
    return out


def _turned(model: Trained, z_geo: Tensor, z_exp: Tensor, target: Samples) -> Tensor:
    """Degrees between the field's gradient and the normal, on the surface."""
    step = 2e-3
    rows = []
    for axis in torch.eye(3, device=z_geo.device):
        high = model.decoder(target.points + step * axis, z_geo, z_exp)[0]
        rows.append(high - model.decoder(target.points - step * axis, z_geo, z_exp)[0])
    gradient = nn.functional.normalize(torch.stack(rows, -1), dim=-1)
    cosine = (gradient * target.normal).sum(-1).clamp(-1, 1)
    return torch.rad2deg(torch.acos(cosine))[target.distance.abs() < 1e-5]


@torch.no_grad()
def write_weights(model: Trained, people: People, facts: dict[str, Any], out: Path) -> None:
    """Half precision, names as published; ``W`` and ``E`` make codes of coefficients."""
    generator = torch.Generator(people.template.device).manual_seed(7)
    a, e = people.draw(BOOK, generator)
    arrays: dict[str, Any] = {
        f"{part}/{name}": value.cpu().numpy().astype(np.float16)
        for part, weights in model.decoder.published().items()
        for name, value in weights.items()
    }
    arrays |= {
        "anchors": model.decoder.anchors.cpu().numpy(),
        "W": model.geometry.cpu().numpy().astype(np.float16),
        "E": model.expression.cpu().numpy().astype(np.float16),
        "book_a": a.cpu().numpy().astype(np.float16),
        "book_e": e.cpu().numpy().astype(np.float16),
    }
    names = np.array([f"{k}={v}" for k, v in (model.decoder.sizes.to_json() | facts).items()])
    np.savez_compressed(out, **arrays, facts=names)
