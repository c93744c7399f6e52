# SPDX-License-Identifier: GPL-3.0-or-later
"""Smoothing, enlarging and filling of pictures (h, w) or (h, w, c), float32."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

#: Up to this radius shifted sums are quicker than running ones.
_FEW = 5


def blurred(picture: Floats, radius: int, passes: int = 2) -> Floats:
    """Means over squares of 2 radius + 1, so many times over; the edge is held."""
    out = np.asarray(picture, np.float32)
    if radius < 1:
        return out
    for _ in range(passes):
        for axis in (0, 1):
            out = _box(out, radius, axis)
    return out


def _box(picture: Floats, radius: int, axis: int) -> Floats:
    pad = [(0, 0)] * picture.ndim
    n, window = picture.shape[axis], 2 * radius + 1
    if radius <= _FEW:
        pad[axis] = (radius, radius)
        wide = np.moveaxis(np.pad(picture, pad, mode="edge"), axis, 0)
        total = wide[:n].copy()
        for k in range(1, window):
            total += wide[k : k + n]
        total *= np.float32(1.0 / window)
        return np.moveaxis(total, 0, axis)
    pad[axis] = (radius + 1, radius)
    # In double: a running sum over thousands of floats would lose what tells neighbours apart.
    sums = np.cumsum(np.pad(picture, pad, mode="edge"), axis=axis, dtype=np.float64)
    sums = np.moveaxis(sums, axis, 0)
    out: Floats = ((sums[window : window + n] - sums[:n]) / window).astype(np.float32)
    return np.moveaxis(out, 0, axis)


def doubled(picture: Floats) -> Floats:
    """Twice the size, linear in between; texels keep their places (centres at halves)."""
    height, width = picture.shape[:2]
    return stretched(picture, 2 * height, 2 * width)


def stretched(
    picture: Floats, height: int, width: int, rows: tuple[int, int] | None = None
) -> Floats:
    """height x width, linear in between, the edge held; rows: only these of them."""
    first, last = rows or (0, height)
    times = height // picture.shape[0]
    if (
        times > 1
        and (height, width) == (times * picture.shape[0], times * picture.shape[1])
        and first % times == last % times == 0
    ):
        out = _times(picture, times, 0, first // times, last // times)
        return _times(out, times, 1, 0, picture.shape[1])
    out = picture
    for axis, size, low, high in ((0, height, first, last), (1, width, 0, width)):
        n = picture.shape[axis]
        at = np.clip((np.arange(low, high) + 0.5) * (n / size) - 0.5, 0, n - 1)
        index = at.astype(np.intp)
        share = (at - index).astype(np.float32)
        share = share.reshape(
            (-1, 1, 1)[: picture.ndim] if axis == 0 else (1, -1, 1)[: picture.ndim]
        )
        near = np.take(out, index, axis)
        far = np.take(out, np.minimum(index + 1, n - 1), axis)
        far -= near
        far *= share
        near += far
        out = near
    return out


def _times(picture: Floats, times: int, axis: int, first: int, last: int) -> Floats:
    """Rows or columns first to last, each made so many: the common case of :func:`stretched`,
    without look-ups.
    """
    low, high = max(first - 1, 0), min(last + 1, picture.shape[axis])
    around = (slice(None),) * axis
    part = np.asarray(picture[(*around, slice(low, high))], np.float32)
    pad = [(0, 0)] * picture.ndim
    pad[axis] = (int(low == first), int(high == last))
    wide = np.pad(part, pad, mode="edge")
    here, steps = wide[(*around, slice(1, -1))], np.diff(wide, axis=axis)
    shape = list(here.shape)
    out = np.empty([*shape[:axis], shape[axis], times, *shape[axis + 1 :]], np.float32)
    for k in range(times):
        share = np.float32((k + 0.5) / times - 0.5)
        target = np.moveaxis(out, axis + 1, 0)[k]
        side = slice(None, -1) if share < 0 else slice(1, None)
        # Made in one piece and put in place: numpy is slow where only a colour's three numbers
        # lie side by side.
        values = steps[(*around, side)] * share
        values += here
        if values.ndim == 3 and axis == 1:
            for channel in range(values.shape[2]):
                target[..., channel] = values[..., channel]
        else:
            target[...] = values
    shape[axis] *= times
    return out.reshape(shape)


def enlarged(picture: Floats, size: int) -> Floats:
    """size x size, linear in between."""
    return stretched(picture, size, size)


def halved(picture: Floats) -> Floats:
    """Half the size by means of 2 x 2; sides must be even."""
    rows = picture[0::2] + picture[1::2]
    out: Floats = (rows[:, 0::2] + rows[:, 1::2]) * np.float32(0.25)
    return out


def widened(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A mask (h, w) and the pixels beside it, above and below it."""
    out = mask.copy()
    out[1:] |= mask[:-1]
    out[:-1] |= mask[1:]
    out[:, 1:] |= mask[:, :-1]
    out[:, :-1] |= mask[:, 1:]
    return out


def filled(values: Floats, weight: Floats) -> Floats:
    """Values (h, w, c) where weight (h, w) is 1, smoothly continued to where it is 0.

    Pull-push: sums and weights are gathered into ever coarser pictures and handed back down
    to where the finer ones know nothing (Gortler et al., "The Lumigraph", SIGGRAPH 1996,
    section 3.3). Sides must be powers of two. Zero everywhere if no weight is anywhere.
    """
    weight = np.clip(weight, 0.0, 1.0).astype(np.float32)
    levels: list[tuple[Floats, Floats]] = [(values * weight[..., None], weight)]
    while levels[-1][1].shape[0] > 1 and levels[-1][1].shape[1] > 1:
        v, w = levels[-1]
        v, w = halved(v) * np.float32(4), halved(w) * np.float32(4)
        # A few good texels are as good as many: weights saturate.
        scale = np.minimum(1.0, w) / np.maximum(w, 1e-12)
        levels.append(((v * scale[..., None]).astype(np.float32), (w * scale).astype(np.float32)))
    v, w = levels.pop()
    out: Floats = (v / np.maximum(w, 1e-12)[..., None]).astype(np.float32)
    for v, w in reversed(levels):
        out = (v + (1.0 - w)[..., None] * doubled(out)).astype(np.float32)
    return out
