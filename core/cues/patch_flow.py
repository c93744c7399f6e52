# SPDX-License-Identifier: GPL-3.0-or-later
"""Where small patches of one picture lie in another that is nearly aligned with it.

Zero-mean normalised cross-correlation of square patches (Lewis, "Fast normalized
cross-correlation", Vision Interface 1995), which does not mind how bright the light is, from a
coarse picture to the fine one, with parabolas through the best score's neighbours for what lies
between pixels. Pictures are luminance (h, w) and come with a mask of where they say something.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry.bilinear import bilinear

Array = NDArray[np.float64]
Single = NDArray[np.float32]
Mask = NDArray[np.bool_]

#: Halvings of the pictures; pixels searched each way on the coarsest and on the others.
LEVELS, FAR, NEAR = 3, 3, 2
#: Half of a patch's side, pixels.
RADIUS = 5
#: Pixels over which light and shade are taken out: they differ from photo to photo.
SHADE = 5
#: Least share of a patch within the mask.
WITHIN = 0.75
#: Least variance of a patch's luminance, below which it is one plain tone.
SMALLEST = 1e-7
#: Least score of a patch that its neighbours follow.
FOLLOWED = 0.3


@dataclass(frozen=True, eq=False)
class Flow:
    """shift (h, w, 2): a pixel's place in the other picture less its own; score (h, w) in [-1, 1]
    of its patch; found (h, w): whether the patch has a best place; slopes (h, w, 3): the patch's
    mean products of slopes by x x, x y and y y; left (h, w): what stands for the noise in the same
    units, the mean square that the shift does not explain times ``_area``.
    """

    shift: Array
    score: Single
    found: Mask
    slopes: Array
    left: Array

    def covariance(self, where: Mask) -> Array:
        """(n, 2, 2) pixels squared of the shifts at ``where`` (h, w), but for a common factor.

        Least squares on what is left in the patch (Foerstner, "Reliability analysis of parameter
        estimation in linear models with applications to mensuration problems in computer vision",
        CVGIP 1987): sure across an edge, unsure along it.
        """
        xx, xy, yy = self.slopes[where].T
        inverse = np.stack([yy, -xy, -xy, xx], axis=-1).reshape(-1, 2, 2)
        size = np.maximum(xx * yy - xy**2, 1e-3 * (xx + yy) ** 2 + 1e-16)
        return np.asarray((self.left[where] / size)[:, None, None] * inverse)


def patch_flow(first: Array, second: Array, mask: Mask) -> Flow:
    """From the first to the second picture, (h, w) each, within the mask (h, w) of both."""
    share = mask.astype(np.float32)
    levels = [(_flattened(first, share), _flattened(second, share), share)]
    for _ in range(LEVELS - 1):
        a, b, m = levels[-1]
        levels.append((_half(a, m), _half(b, m), (_half(m, np.ones_like(m)) > 0.5) * np.float32(1)))
    guess = np.zeros((*levels[-1][0].shape, 2))
    for k, (a, b, m) in reversed(list(enumerate(levels))):
        if k < LEVELS - 1:
            guess = _smoothed(_doubled(guess, m.shape), m, 1)
        places = pixel_centres(*m.shape) + guess
        there = bilinear(m, places, np.float64) > 0.99
        reach = FAR if k == LEVELS - 1 else NEAR
        drawn = np.where(there, bilinear(b, places, np.float64), 0).astype(np.float32)
        flow = _search(a, drawn, m * there, reach)
        if k:
            trust = np.clip(flow.score - FOLLOWED, 0, None) ** 2 * flow.found + 1e-6
            guess = guess + _smoothed(flow.shift, trust * m, RADIUS)
    return replace(flow, shift=guess + flow.shift, found=flow.found & mask)


def pixel_centres(height: int, width: int) -> Array:
    """(h, w, 2)."""
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    return np.stack([x, y], axis=-1)


def _search(a: Single, b: Single, mask: Single, reach: int) -> Flow:
    """The best of all whole shifts to ``reach`` pixels each way, and what lies between them."""
    h, w = a.shape
    side = 2 * reach + 1
    far = np.pad(b, reach)
    mean_a, mean_b = box_mean(a, RADIUS), box_mean(far, RADIUS)
    spread_a = np.maximum(box_mean(a * a, RADIUS) - mean_a**2, SMALLEST)
    spread_b = np.maximum(box_mean(far * far, RADIUS) - mean_b**2, SMALLEST)
    by_a, by_b = 1 / np.sqrt(spread_a), 1 / np.sqrt(spread_b)
    scores = np.empty((side, side, h, w), np.float32)
    for dy in range(side):
        for dx in range(side):
            there = slice(dy, dy + h), slice(dx, dx + w)
            product = box_mean(a * far[there], RADIUS) - mean_a * mean_b[there]
            scores[dy, dx] = product * by_a * by_b[there]
    flat = scores.reshape(side * side, h * w)
    best = flat.argmax(axis=0)
    at = np.arange(h * w)
    top = flat[best, at]
    shift = np.empty((h * w, 2))
    found = box_mean(mask, RADIUS).ravel() > WITHIN
    for axis, stride in ((0, 1), (1, side)):
        place = best // stride % side
        inside = (place > 0) & (place < side - 1)
        low = flat[np.where(inside, best - stride, best), at]
        high = flat[np.where(inside, best + stride, best), at]
        bend = np.maximum(2 * top - low - high, 1e-6)
        shift[:, axis] = place - reach + np.where(inside, (high - low) / (2 * bend), 0)
        found &= inside
    down, along = (np.asarray(g) for g in np.gradient(a))
    products = (along * along, along * down, down * down)
    slopes = np.stack([box_mean(p, RADIUS) for p in products], axis=-1)
    score = top.reshape(h, w)
    left = 2 * spread_a * (1 - score) * _area(spread_a, slopes)
    return Flow(shift.reshape(h, w, 2), score, found.reshape(h, w), slopes, left)


def _area(variance: Array, slopes: Array) -> Array:
    """(h, w) pixels that say one thing: the square of the length over which a patch changes. In a
    blurred photo neighbours repeat each other, and a patch holds fewer observations than pixels.
    """
    out: Array = variance / np.maximum(slopes[..., 0] + slopes[..., 2], SMALLEST)
    return out


def _flattened(picture: Array, share: Single) -> Single:
    """Without what changes slowly; zero outside of the mask."""
    light, weight = picture * share, share.astype(np.float64)
    for _ in range(2):
        light, weight = box_mean(light, SHADE), box_mean(weight, SHADE)
    return ((picture - light / np.maximum(weight, 1e-9)) * share).astype(np.float32)


def _half(picture: Single, share: Single) -> Single:
    """Means of 2 x 2 pixels, by share; an odd row or column is left out."""
    h, w = picture.shape[0] // 2, picture.shape[1] // 2

    def sums(values: Single) -> Single:
        out: Single = values[: 2 * h, : 2 * w].reshape(h, 2, w, 2).sum(axis=(1, 3))
        return out

    return np.asarray(sums(picture * share) / np.maximum(sums(share), 1e-9), np.float32)


def _doubled(flow: Array, shape: tuple[int, ...]) -> Array:
    """A flow of the next finer picture."""
    out = 2 * flow.repeat(2, axis=0).repeat(2, axis=1)
    more = [(0, shape[0] - out.shape[0]), (0, shape[1] - out.shape[1]), (0, 0)]
    return np.pad(out, more, mode="edge")


def _smoothed(flow: Array, weight: NDArray[Any], radius: int) -> Array:
    """Weighted means over patches."""
    weight = weight + 1e-12
    parts = [box_mean(flow[..., k] * weight, radius) for k in (0, 1)]
    return np.stack(parts, axis=-1) / np.maximum(box_mean(weight, radius), 1e-12)[..., None]


def box_mean(values: NDArray[Any], radius: int) -> NDArray[Any]:
    """(h, w) sums over squares of 2 radius + 1 pixels, zero beyond the edge, over their area."""
    for _ in range(2):
        padded = np.pad(values, [(radius + 1, radius), (0, 0)])
        total = np.cumsum(padded, axis=0, dtype=np.float64)
        values = (total[2 * radius + 1 :] - total[: -2 * radius - 1]).T
    return values / (2 * radius + 1) ** 2
