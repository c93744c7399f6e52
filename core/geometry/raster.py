# SPDX-License-Identifier: GPL-3.0-or-later
"""A z-buffer rasteriser in numpy: which triangle each pixel of a picture sees, where, how deep.

Pixels are sampled at their centres; the centre of the top-left one is (0.5, 0.5). No triangle is
visited on its own: rows of all triangles, then pixels of all rows, are laid out in flat arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.integer[Any]]

#: Pixels of triangles that are laid out at once; bounds the memory, not the result.
_AT_ONCE = 1 << 21
#: Metres in front of the camera nearer than which nothing is drawn.
NEAR = 1e-6


@dataclass(frozen=True, eq=False)
class Raster:
    """triangle (h, w), -1 where nothing is seen; barycentric (h, w, 3) of the point seen, on the
    surface and not on the picture (perspective-correct); depth (h, w), inf where nothing is seen.
    """

    triangle: NDArray[np.int32]
    barycentric: Array
    depth: Array

    def interpolate(self, corner_values: Array) -> Array:
        """Values (T, 3, ...) at the triangles' corners -> (h, w, ...), zero where nothing is."""
        seen = self.triangle >= 0
        out = np.zeros(self.triangle.shape + corner_values.shape[2:])
        values = corner_values[self.triangle[seen]]
        out[seen] = np.einsum("nk,nk...->n...", self.barycentric[seen], values)
        return out


def rasterise(
    points: Array,
    depth: Array,
    triangles: Index,
    width: int,
    height: int,
    *,
    both_sides: bool = True,
) -> Raster:
    """What a picture of width x height pixels shows of a mesh.

    points (V, 2) in pixels, depth (V,) along the view, triangles (T, 3). Triangles that reach
    behind the camera are not drawn. both_sides: False leaves out triangles that turn clockwise
    in the head frame's right-handed space, that is, those seen from behind.
    """
    kept = _drawable(points, depth, triangles, width, height, both_sides)
    corners = points[triangles[kept]]
    inverse = 1.0 / depth[triangles[kept]]
    owner, rows, left, count = _spans(corners, width, height)
    triangle = np.full(height * width, -1, np.int32)
    nearness = np.zeros(height * width)
    flat_barycentric = np.zeros((height * width, 3))
    ends = np.cumsum(count)
    start = 0
    while start < len(count):
        done = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, done + _AT_ONCE, side="right")))
        part = slice(start, stop)
        pixel, who, weights = _pixels(
            corners, owner[part], rows[part], left[part], count[part], width
        )
        weights = weights * inverse[who]
        near = weights.sum(axis=1)
        # Later writes win, so that writing from far to near leaves the nearest.
        order = np.argsort(near, kind="stable")
        order = order[near[order] > nearness[pixel[order]]]
        triangle[pixel[order]] = kept[who[order]]
        nearness[pixel[order]] = near[order]
        flat_barycentric[pixel[order]] = weights[order] / near[order, None]
        start = stop
    with np.errstate(divide="ignore"):
        flat_depth = 1.0 / nearness
    shape = (height, width)
    return Raster(
        triangle.reshape(shape), flat_barycentric.reshape(*shape, 3), flat_depth.reshape(shape)
    )


def _drawable(
    points: Array, depth: Array, triangles: Index, width: int, height: int, both_sides: bool
) -> NDArray[np.intp]:
    """Triangles in front of the camera, with an area, that may touch the picture."""
    in_front = (depth > NEAR) & np.isfinite(points).all(axis=1)
    a, b, c = (points[triangles[:, k]] for k in range(3))
    with np.errstate(invalid="ignore"):
        turn = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
        low, high = np.minimum(np.minimum(a, b), c), np.maximum(np.maximum(a, b), c)
        inside = (high > 0).all(axis=1) & (low < [width, height]).all(axis=1)
        # y runs down: what turns counter-clockwise in space turns clockwise on the picture.
        facing = (turn != 0) if both_sides else (turn < 0)
    out: NDArray[np.intp] = np.nonzero(in_front[triangles].all(axis=1) & inside & facing)[0]
    return out


def _spans(
    corners: Array, width: int, height: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """The runs of pixels that triangles (n, 3, 2) cover: whose, row, first column, length."""
    y = corners[:, :, 1]
    top = np.clip(np.ceil(y.min(axis=1) - 0.5), 0, height).astype(np.intp)
    bottom = np.clip(np.ceil(y.max(axis=1) - 0.5), 0, height).astype(np.intp)
    owner, offset = _unrolled(bottom - top)
    rows = top[owner] + offset
    at = rows + 0.5
    low, high = np.full(len(at), np.inf), np.full(len(at), -np.inf)
    for k in range(3):
        p, q = corners[:, k], corners[:, (k + 1) % 3]
        rise = q[:, 1] - p[:, 1]
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = (q[:, 0] - p[:, 0]) / rise
        lowest, highest = np.minimum(p[:, 1], q[:, 1]), np.maximum(p[:, 1], q[:, 1])
        crosses = (at >= lowest[owner]) & (at < highest[owner])
        x = p[owner, 0] + slope[owner] * (at - p[owner, 1])
        low = np.where(crosses & (x < low), x, low)
        high = np.where(crosses & (x > high), x, high)
    first = np.clip(np.ceil(np.where(np.isfinite(low), low, 0) - 0.5), 0, width).astype(np.intp)
    last = np.clip(np.ceil(np.where(np.isfinite(high), high, 0) - 0.5), 0, width).astype(np.intp)
    count = np.maximum(last - first, 0)
    some = count > 0
    return owner[some], rows[some], first[some], count[some]


def _pixels(
    corners: Array,
    owner: NDArray[np.intp],
    rows: NDArray[np.intp],
    left: NDArray[np.intp],
    count: NDArray[np.intp],
    width: int,
) -> tuple[NDArray[np.intp], NDArray[np.intp], Array]:
    """Flat index and triangle of each pixel of the spans, and its weights (n, 3) on the picture."""
    span, offset = _unrolled(count)
    who, columns = owner[span], left[span] + offset
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    ab, ac = b - a, c - a
    scale = 1.0 / (ab[:, 0] * ac[:, 1] - ab[:, 1] * ac[:, 0])
    # The weights are affine along a row: their value and slope are found for spans, not pixels.
    x0, y0 = left + 0.5 - a[owner, 0], rows + 0.5 - a[owner, 1]
    v = (x0 * ac[owner, 1] - y0 * ac[owner, 0]) * scale[owner]
    w = (y0 * ab[owner, 0] - x0 * ab[owner, 1]) * scale[owner]
    weights = np.empty((len(who), 3))
    weights[:, 1] = v[span] + offset * (ac[:, 1] * scale)[who]
    weights[:, 2] = w[span] - offset * (ab[:, 1] * scale)[who]
    # A centre on an edge may fall short of it by rounding.
    np.clip(weights[:, 1:], 0.0, 1.0, out=weights[:, 1:])
    weights[:, 0] = np.maximum(1.0 - weights[:, 1] - weights[:, 2], 0.0)
    return rows[span] * width + columns, who, weights


def _unrolled(count: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """For runs of the given lengths: the run that each element is of, and its place there."""
    run = np.repeat(np.arange(len(count)), count)
    place = np.arange(len(run)) - np.repeat(np.cumsum(count) - count, count)
    return run, place
