# SPDX-License-Identifier: GPL-3.0-or-later
"""How much of each local network counts at a query, and how that changes.

MonoNPHM: the K nearest anchors and a global member at a fixed distance, with Gaussian weights
whose width is the distance of the eighth anchor over a constant. NPHM 2023: all anchors with one
Gaussian, against a background that is always outside. Weights are normalised.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .layout import MONONPHM, Sizes
from .local_networks import Floats, Index

#: MonoNPHM: which anchor's distance gives the width, the global member's distance, and what keeps
#: the weights' sum from zero. NPHM: variance, what is added to a distance, and to the sum; the
#: background's squared distance and value.
_EIGHTH, _FAR, _TINY = 8, np.float32(0.75), np.float32(1e-8)
_VARIANCE, _ADDED, _SMALL = np.float32(0.1**2), np.float32(1e-5), np.float32(1e-6)
_BACKGROUND, _OUTSIDE = np.float32(0.2), np.float32(1.0)


@dataclass(frozen=True, eq=False)
class Blend:
    """Of n queries and k members each: member (n, k), weight (n, k); ``constant`` (n,) is what
    the background adds. For derivatives: distance (n, k), sigma (n, 1), raw weights and their sum.
    """

    member: Index
    weight: Floats
    constant: Floats
    distance: Floats
    sigma: Floats
    raw: Floats
    total: Floats
    away: Floats
    fixed_width: bool = False
    ratio: float = 1.0

    def change(self, values: Floats, blended: Floats) -> tuple[Floats, Floats]:
        """Derivatives of the blended value (n,) through the weights: by the query's place (n, 3),
        and by each member's anchor (n, k, 3); values (n, k).
        """
        by_raw = (values - blended[:, None]) / self.total
        d, s = self.distance, self.sigma
        along = -by_raw * self.raw * d / s**2
        if not self.fixed_width:
            by_sigma = (by_raw * self.raw * d**2).sum(axis=1) / s[:, 0] ** 3
            along[:, -1] = 0.0  # the global member stands at no place
            along[:, _EIGHTH - 1] += by_sigma / self.ratio
        safe = np.maximum(d, np.float32(1e-9))
        by_anchor = (-(along / safe)[..., None] * self.away).astype(np.float32)
        return -by_anchor.sum(axis=1), by_anchor


def blend(query: Floats, anchors: Floats, sizes: Sizes) -> Blend:
    """query (n, 3), anchors (A, 3)."""
    away = query[:, None] - anchors
    square = np.einsum("nak,nak->na", away, away)
    if sizes.kind == MONONPHM:
        return _nearest(away, square, sizes)
    member = np.broadcast_to(np.arange(len(anchors)), square.shape)
    distance: Floats = (np.sqrt(square) + _ADDED).astype(np.float32)
    raw = np.exp(-(distance**2) / _VARIANCE)
    outside = np.exp(-_BACKGROUND / _VARIANCE)
    total = raw.sum(axis=1, keepdims=True) + outside + _SMALL
    constant = np.broadcast_to(_OUTSIDE * outside, (len(query),)) / total[:, 0]
    sigma: Floats = np.full((len(query), 1), (_VARIANCE / 2) ** 0.5).astype(np.float32)
    background = constant.astype(np.float32)
    return Blend(
        member, raw / total, background, distance, sigma, raw, total, away, fixed_width=True
    )


def _nearest(away: Floats, square: Floats, sizes: Sizes) -> Blend:
    k = sizes.nearest
    member = np.argpartition(square, k - 1, axis=1)[:, :k]
    near = np.take_along_axis(square, member, axis=1)
    order = np.argsort(near, axis=1, kind="stable")
    member = np.take_along_axis(member, order, axis=1)
    distance = np.sqrt(np.take_along_axis(near, order, axis=1))
    ratio = np.float32(sizes.blend)
    sigma: Floats = (distance[:, _EIGHTH - 1 : _EIGHTH] / ratio).astype(np.float32)
    n = len(square)
    member = np.concatenate([member, np.full((n, 1), sizes.anchors)], axis=1)
    distance = np.concatenate([distance, np.full((n, 1), _FAR, np.float32)], axis=1)
    raw = np.exp(np.float32(-0.5) * (distance / sigma) ** 2)
    total = raw.sum(axis=1, keepdims=True) + _TINY
    picked = np.take_along_axis(away, member[:, :k, None], axis=1)
    picked = np.concatenate([picked, np.zeros((n, 1, 3), np.float32)], axis=1)
    zero = np.zeros(n, np.float32)
    return Blend(member, raw / total, zero, distance, sigma, raw, total, picked, ratio=float(ratio))
