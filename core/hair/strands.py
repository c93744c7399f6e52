# SPDX-License-Identifier: GPL-3.0-or-later
"""Strands between guides: what is drawn, tens of thousands of them.

A strand goes as the guides around its root go, joins the lock of the nearest one towards its tip,
curls with its lock, and strays a little from it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..geometry.smooth_step import smooth_step
from .grow import Roots

Array = NDArray[np.float64]
Floats = NDArray[np.float32]

_NEAREST = 3
#: Guides whose directions differ by more than this cosine lie on either side of a parting.
_SAME_WAY = 0.5
#: Strands that share a small lock within a guide's.
_WISP = 14


@dataclass(frozen=True)
class Look:
    """What is changed after growing. length, density, volume, curl, frizz: factors, 1 as it was
    seen; wave, curl_radius, stray: metres; clump: 0..1.
    """

    curl_radius: float = 0.0
    wave: float = 0.05
    stray: float = 0.0015
    clump: float = 0.55


def strands(
    guides: Array, guide_roots: Array, roots: Roots, look: Look, rng: np.random.Generator
) -> Floats:
    """(n, points, 3) head frame; guides (G, P, 3), their roots (G, 3) and roots of n strands."""
    n, points = len(roots.points), guides.shape[1]
    if look.curl_radius > 0:
        length = float(np.median(np.linalg.norm(np.diff(guides, axis=1), axis=2).sum(axis=1)))
        points = int(np.clip(8 * length / look.wave, points, 48))
    curves = _longer(guides, points)
    nearest, weight = _around(roots.points, guide_roots, curves)
    first = nearest[:, 0]
    shape = curves - guide_roots[:, None]
    path = roots.points[:, None] + np.einsum("nk,nkpc->npc", weight, shape[nearest])
    along = np.linspace(0, 1, points)
    if look.clump > 0:
        lock = curves[first]
        # Two sizes of locks: a guide's, and wisps of a few strands within it.
        wisp = _wisps(first, rng)
        pull = look.clump * along[None] ** 0.9 * rng.uniform(0.5, 1.0, (n, 1))
        inner = path[wisp] - path
        inner -= inner[:, :1]
        path = path + (0.75 * along[None] ** 0.6)[..., None] * inner * (
            look.clump * rng.uniform(0.6, 1.0, (n, 1, 1))
        )
        path += pull[..., None] * (lock - path) * 0.65
    path += _curls(path, first, look, rng) + _strays(path, look, rng)
    # Tips are not cut with one knife.
    return _cut(path, 1 - 0.16 * rng.random(n) ** 2).astype(np.float32)


def _longer(guides: Array, points: int) -> Array:
    """Guides (G, points, 3), linear in between and rounded."""
    if points == guides.shape[1]:
        return guides
    where = np.linspace(0, guides.shape[1] - 1, points)
    low = np.minimum(where.astype(np.intp), guides.shape[1] - 2)
    share = (where - low)[None, :, None]
    out: Array = guides[:, low] * (1 - share) + guides[:, low + 1] * share
    out[:, 1:-1] = (out[:, :-2] + 2 * out[:, 1:-1] + out[:, 2:]) / 4
    return out


def _around(points: Array, guide_roots: Array, curves: Array) -> tuple[NDArray[np.intp], Array]:
    """Nearest guides (n, 3) of roots, and their weights (n, 3), which sum to one."""
    nearest = np.empty((len(points), _NEAREST), np.intp)
    away = np.empty((len(points), _NEAREST))
    for start in range(0, len(points), 4096):
        part = slice(start, start + 4096)
        gaps = ((points[part, None] - guide_roots[None]) ** 2).sum(axis=2)
        few = np.argpartition(gaps, _NEAREST, axis=1)[:, :_NEAREST]
        order = np.argsort(np.take_along_axis(gaps, few, 1), axis=1)
        nearest[part] = np.take_along_axis(few, order, 1)
        away[part] = np.take_along_axis(gaps, nearest[part], 1)
    weight = 1 / (away + 1e-6)
    middle = curves[:, curves.shape[1] // 2] - guide_roots
    middle /= np.maximum(np.linalg.norm(middle, axis=1, keepdims=True), 1e-9)
    alike = np.einsum("nc,nkc->nk", middle[nearest[:, 0]], middle[nearest])
    weight *= smooth_step(alike, _SAME_WAY, 0.9)
    weight[:, 0] = np.maximum(weight[:, 0], 1e-3)
    return nearest, weight / weight.sum(axis=1, keepdims=True)


def _wisps(first: NDArray[np.intp], rng: np.random.Generator) -> NDArray[np.intp]:
    """(n,) the strand that leads each one's wisp, of the same guide."""
    order = np.lexsort((rng.random(len(first)), first))
    start = (np.arange(len(first)) // _WISP) * _WISP
    leader = np.empty(len(first), np.intp)
    leads = order[start]
    same = first[leads] == first[order]
    leader[order] = np.where(same, leads, order)
    return leader


def _curls(path: Array, first: NDArray[np.intp], look: Look, rng: np.random.Generator) -> Array:
    if look.curl_radius <= 0:
        return np.zeros_like(path)
    n, points = path.shape[:2]
    tangent = np.gradient(path, axis=1)
    tangent /= np.maximum(np.linalg.norm(tangent, axis=2, keepdims=True), 1e-9)
    helper = np.where(np.abs(tangent[..., 1:2]) > 0.7, [[[1.0, 0, 0]]], [[[0.0, 1.0, 0]]])
    one = np.cross(tangent, helper)
    one /= np.maximum(np.linalg.norm(one, axis=2, keepdims=True), 1e-9)
    two = np.cross(tangent, one)
    arc = np.zeros((n, points))
    arc[:, 1:] = np.cumsum(np.linalg.norm(np.diff(path, axis=1), axis=2), axis=1)
    locks = int(first.max()) + 1
    phase = rng.uniform(0, 2 * np.pi, locks)[first] + rng.normal(0, 0.5, n)
    wave = look.wave * rng.uniform(0.8, 1.25, locks)[first] * rng.uniform(0.95, 1.05, n)
    turn = 2 * np.pi * arc / wave[:, None] + phase[:, None]
    radius: Array = np.asarray(look.curl_radius * rng.uniform(0.7, 1.2, n))
    size: Array = radius[:, None] * smooth_step(arc, 0.003, 0.03 + look.wave)
    start = np.cos(turn)[..., None] * one + 0.8 * np.sin(turn)[..., None] * two
    out: Array = size[..., None] * start
    return out


def _strays(path: Array, look: Look, rng: np.random.Generator) -> Array:
    if look.stray <= 0:
        return np.zeros_like(path)
    n, points = path.shape[:2]
    along = np.linspace(0, 1, points)
    total: Array = np.zeros((n, points, 3))
    for waves in (1.0, 2.3):
        phase = rng.uniform(0, 2 * np.pi, (n, 1, 3))
        total += rng.normal(0, 1 / waves, (n, 1, 3)) * (
            np.sin(2 * np.pi * waves * along[None, :, None] + phase) - np.sin(phase)
        )
    # A few stand out by much.
    wild = np.where(rng.random(n) < 0.04, 3.0, 1.0)
    out: Array = look.stray * 0.7 * wild[:, None, None] * along[None, :, None] * total
    return out


def _cut(path: Array, share: Array) -> Array:
    """Curves (n, points, 3) shortened to a share (n,) of themselves."""
    points = path.shape[1]
    where = np.linspace(0, 1, points)[None] * share[:, None] * (points - 1)
    low = np.minimum(where.astype(np.intp), points - 2)
    part = (where - low)[..., None]
    strand = np.arange(len(path))[:, None]
    out: Array = path[strand, low] * (1 - part) + path[strand, low + 1] * part
    return out
