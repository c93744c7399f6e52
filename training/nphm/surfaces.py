# SPDX-License-Identifier: GPL-3.0-or-later
"""Heads drawn from the population, and signed distances to them, on a device.

The nearest triangle is looked for in two rings around the nearest vertex; the sign is that of the
normal blended over the triangle (Baerentzen and Aanaes, "Signed distance computation using the
angle weighted pseudonormal", 2005), exact at vertices, and farther off that of the winding number.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

Random = torch.Generator
#: Share of heads at rest; most sliders of a drawn expression; how far samples leave the surface.
AT_REST, SLIDERS = 0.25, 8
SPREADS = (0.0, 0.004, 0.015, 0.06)
_RING = 40
#: By products a card would round distances to millimetres.
_EXACT = "donot_use_mm_for_euclid_dist"
#: Farther than this, units (3 mm), the sign is told by the winding number.
_CLOSE = 0.012
_BOX = ((-0.5, -0.62, -0.55), (0.5, 0.62, 0.6))


@dataclass(frozen=True, eq=False)
class People:
    """template (V, 3); identity (3V, I); expression (3V, E); triangles (T, 3); anchors (A,)
    vertices; ring (V, k) triangles around a vertex; sides (E,) the slider across the face.
    """

    template: Tensor
    identity: Tensor
    expression: Tensor
    triangles: Tensor
    anchors: Tensor
    ring: Tensor
    sides: Tensor

    @classmethod
    def load(cls, path: Path, device: str) -> People:
        """As people.write_people wrote it."""
        with np.load(path, allow_pickle=False) as z:
            a = {name: z[name] for name in z.files}
        names = [str(n) for n in a["expression_names"]]
        swap = {
            n: n.replace("Left", "Right") if "Left" in n else n.replace("Right", "Left")
            for n in names
        }
        tensors = (
            a["template"],
            a["identity"].astype(np.float32).reshape(-1, a["identity"].shape[2]),
            a["expression"].astype(np.float32).reshape(-1, a["expression"].shape[2]),
            a["triangles"].astype(np.int64),
            a["anchors"].astype(np.int64),
            _rings(a["triangles"], len(a["template"])),
            np.array(
                [names.index(swap[n]) if swap[n] in names else i for i, n in enumerate(names)]
            ),
        )
        return cls(*(torch.as_tensor(t, device=device) for t in tensors))

    def draw(self, count: int, generator: Random, kept: int = 0) -> tuple[Tensor, Tensor]:
        """Coefficients (count, I) in sigma units and sliders (count, E); ``kept``: coefficients
        that are not zero, 0 for all.
        """
        device = self.template.device
        a = torch.randn(count, self.identity.shape[1], generator=generator, device=device)
        if kept:
            a[:, kept:] = 0.0
        n = self.expression.shape[1]
        wanted = torch.rand(count, 1, generator=generator, device=device) * SLIDERS / n
        on = torch.rand(count, n, generator=generator, device=device) < wanted
        e = torch.rand(count, n, generator=generator, device=device) * on
        both = torch.rand(count, n, generator=generator, device=device) < 0.5
        e = torch.where(both, torch.maximum(e, e[:, self.sides]), e)
        moved = torch.rand(count, 1, generator=generator, device=device) > AT_REST
        return a, e * moved

    def shapes(self, a: Tensor, e: Tensor) -> tuple[Tensor, Tensor]:
        """Neutral and posed vertices, each (B, V, 3)."""
        neutral = self.template + (a @ self.identity.T).unflatten(1, (-1, 3))
        return neutral, neutral + (e @ self.expression.T).unflatten(1, (-1, 3))


@dataclass(frozen=True, eq=False)
class Samples:
    """points (B, N, 3), their signed distance (B, N), the outward direction at the nearest point,
    and what leads from the posed nearest point to where it lies at rest.
    """

    points: Tensor
    distance: Tensor
    normal: Tensor
    back: Tensor

    def parts(self, count: int) -> list[Samples]:
        """Every ``count``-th point of each head."""
        every = (self.points, self.distance, self.normal, self.back)
        return [Samples(*(t[:, i::count] for t in every)) for i in range(count)]


def sample(
    people: People, neutral: Tensor, posed: Tensor, count: int, generator: torch.Generator
) -> Samples:
    """``count`` points a head: on the surface, near it, and a tenth anywhere in the box."""
    corners = posed[:, people.triangles]
    cross = torch.cross(
        corners[:, :, 1] - corners[:, :, 0], corners[:, :, 2] - corners[:, :, 0], -1
    )
    normals = vertex_normals(people, posed, cross, corners)
    # Small triangles stand where detail is: they are drawn more often than their area says.
    share = cross.norm(dim=-1).clamp(min=1e-9) ** 0.65
    chosen = torch.multinomial(share, count, replacement=True, generator=generator)
    row = torch.arange(len(posed), device=posed.device)[:, None]
    uvw = torch.rand(len(posed), count, 3, generator=generator, device=posed.device)
    uvw = -torch.log(uvw.clamp(min=1e-9))
    uvw = uvw / uvw.sum(-1, keepdim=True)
    at = (corners[row, chosen] * uvw[..., None]).sum(2)
    spread = torch.tensor(SPREADS, device=posed.device)
    spread = spread[torch.randint(len(SPREADS), (count,), generator=generator, device=posed.device)]
    noise = torch.randn(at.shape, generator=generator, device=posed.device)
    points = at + noise * spread[:, None]
    low, high = (torch.tensor(b, device=posed.device) for b in _BOX)
    anywhere = low + (high - low) * torch.rand(at.shape, generator=generator, device=posed.device)
    tenth = torch.rand(count, generator=generator, device=posed.device) < 0.1
    points = torch.where(tenth[:, None], anywhere, points)
    return measured(people, neutral, posed, normals, points)


def measured(
    people: People, neutral: Tensor, posed: Tensor, normals: Tensor, points: Tensor
) -> Samples:
    """Points (B, N, 3) against posed surfaces."""
    apart_from = torch.cdist(points, posed, compute_mode=_EXACT)
    nearest = apart_from.argmin(-1)
    winding = _winding(people, posed, points, apart_from)
    del apart_from
    row = torch.arange(len(posed), device=posed.device)[:, None, None]
    candidates = people.triangles[people.ring[nearest]]
    closest, uvw = closest_on_triangles(points[:, :, None], posed[row[..., None], candidates])
    best = ((points[:, :, None] - closest) ** 2).sum(-1).argmin(-1)
    pick = best[..., None, None].expand(-1, -1, 1, 3)
    closest = closest.gather(2, pick)[:, :, 0]
    uvw = uvw.gather(2, pick)[:, :, 0]
    ids = candidates.gather(2, pick)[:, :, 0]
    normal = normalize((normals[row, ids] * uvw[..., None]).sum(2), dim=-1)
    apart = points - closest
    distance = apart.norm(dim=-1)
    inside = torch.where(distance < _CLOSE, (apart * normal).sum(-1) < 0, winding > 0.5)
    sign = torch.where(inside, -1.0, 1.0)
    back = ((neutral - posed)[row, ids] * uvw[..., None]).sum(2)
    return Samples(points, distance * sign, normal, back)


def _winding(people: People, posed: Tensor, points: Tensor, apart: Tensor) -> Tensor:
    """(B, N): how often the surface goes around a point, each vertex a dipole (Barill et al., "Fast
    winding numbers for soups and clouds", 2018); good some way off the surface, holes or not.
    """
    corners = posed[:, people.triangles]
    area = torch.cross(corners[:, :, 1] - corners[:, :, 0], corners[:, :, 2] - corners[:, :, 0], -1)
    dipole = torch.zeros_like(posed)
    for i in range(3):
        dipole.index_add_(1, people.triangles[:, i], area / 6)
    strength = (dipole * posed).sum(-1)[:, None] - points @ dipole.transpose(1, 2)
    return (strength / apart.clamp(min=1e-4).pow_(3)).sum(-1) / (4 * torch.pi)


def vertex_normals(people: People, posed: Tensor, cross: Tensor, corners: Tensor) -> Tensor:
    """Angle-weighted, (B, V, 3)."""
    face = normalize(cross, dim=-1)
    out = torch.zeros_like(posed)
    for i in range(3):
        a = normalize(corners[:, :, (i + 1) % 3] - corners[:, :, i], dim=-1)
        b = normalize(corners[:, :, (i + 2) % 3] - corners[:, :, i], dim=-1)
        angle = torch.acos((a * b).sum(-1).clamp(-1, 1))
        out.index_add_(1, people.triangles[:, i], face * angle[..., None])
    return normalize(out, dim=-1)


def closest_on_triangles(p: Tensor, corners: Tensor) -> tuple[Tensor, Tensor]:
    """Closest points (..., 3) and their weights (..., 3); corners (..., 3, 3).

    Ericson, "Real-Time Collision Detection", section 5.1.5.
    """
    a, b, c = corners.unbind(-2)
    ab, ac, ap, bp, cp = b - a, c - a, p - a, p - b, p - c
    d1, d2 = (ab * ap).sum(-1), (ac * ap).sum(-1)
    d3, d4 = (ab * bp).sum(-1), (ac * bp).sum(-1)
    d5, d6 = (ab * cp).sum(-1), (ac * cp).sum(-1)
    va, vb, vc = d3 * d6 - d5 * d4, d5 * d2 - d1 * d6, d1 * d4 - d3 * d2
    total = (va + vb + vc).clamp(min=1e-20)
    v, w = vb / total, vc / total
    zero, one = torch.zeros_like(v), torch.ones_like(v)

    def ratio(x: Tensor, y: Tensor) -> Tensor:
        return (x / torch.where(y.abs() < 1e-20, one, y)).clamp(0, 1)

    bc = ratio(d4 - d3, (d4 - d3) + (d5 - d6))
    for inside, v_, w_ in (
        ((va <= 0) & (d4 - d3 >= 0) & (d5 - d6 >= 0), 1 - bc, bc),
        ((vb <= 0) & (d2 >= 0) & (d6 <= 0), zero, ratio(d2, d2 - d6)),
        ((vc <= 0) & (d1 >= 0) & (d3 <= 0), ratio(d1, d1 - d3), zero),
        ((d6 >= 0) & (d5 <= d6), zero, one),
        ((d3 >= 0) & (d4 <= d3), one, zero),
        ((d1 <= 0) & (d2 <= 0), zero, zero),
    ):
        v, w = torch.where(inside, v_, v), torch.where(inside, w_, w)
    uvw = torch.stack([1 - v - w, v, w], -1)
    return (uvw[..., None] * corners).sum(-2), uvw


def _rings(triangles: np.ndarray, count: int) -> np.ndarray:
    """(V, k): triangles that touch a vertex or its neighbours, the first repeated as filling."""
    touching: list[set[int]] = [set() for _ in range(count)]
    for t, corners in enumerate(triangles):
        for v in corners:
            touching[v].add(t)
    out = np.zeros((count, _RING), np.int64)
    for v in range(count):
        own = sorted(touching[v])
        wide = own + sorted(
            {t for u in {int(u) for t in own for u in triangles[t]} for t in touching[u]} - set(own)
        )
        wide = wide[:_RING] or [0]
        out[v] = wide + [wide[0]] * (_RING - len(wide))
    return out
