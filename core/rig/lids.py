# SPDX-License-Identifier: GPL-3.0-or-later
"""Blinks that close, and no more than that, on every person.

The opening is looked at column by column between the eye's corners. In each column the blink is
scaled so that the upper lid's edge just meets the lower one's; what still lies inside the eyeball
then is lifted off it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry.raster import rasterise
from .contacts import EyeView, Fold

Array = NDArray[np.float64]
Index = NDArray[np.integer[Any]]

#: Metres by which closed lids lie over each other: none of the eye may show between them, nor of
#: the tears, where margins meet at a slant.
_OVERLAP = 0.0008
_STEP = 0.0005
_SCALES = (0.3, 1.8)
_ROUNDS = 4
#: Metres over which columns are averaged in the last round.
_NEIGHBOURS = 0.0025
#: Part of the way between the ends of the lids' edges in which the scale is measured: at the
#: ends it cannot be told an edge from the skin beside it, and the scale of the next is taken.
_MIDDLE = (0.12, 0.88)
_FEWEST_COLUMNS = 8
#: How far a closed lid stays off the eyeball, metres.
_CLEARANCE = 0.0003
#: Skin that lies this deep in the eyeball at rest is lifted too; deeper, it is the inside of a lid.
_SUNK = 0.0012
_FAR = 10.0


def close_blink(vertices: Array, blink: Array, fold: Fold, view: EyeView) -> Array:
    """The blink (V, 3) of a person at rest (V, 3), closing their eye at slider 1.

    It is returned as it is for an eye that is closed at rest.
    """
    x = _columns(vertices, fold)
    rest = _opening(vertices, fold, x)
    ends = x[0] + np.array(_MIDDLE) * (x[-1] - x[0])
    seen = np.isfinite(rest) & (rest > 0.0005) & (x > ends[0]) & (x < ends[1])
    out = blink
    for k in range(_ROUNDS):
        with np.errstate(invalid="ignore"):
            travel = rest - _opening(vertices + out, fold, x)
        use = seen & np.isfinite(travel) & (travel > 0.0005)
        if use.sum() < _FEWEST_COLUMNS:
            return blink
        wanted = np.clip((rest[use] + _OVERLAP) / travel[use], *_SCALES)
        at = np.clip(vertices[:, 0], x[use].min(), x[use].max())
        out = out * _smooth(x[use], wanted, at, parabola=k < _ROUNDS - 1)[:, None]
        out = _off_the_ball(vertices, out, view)
    return out


def _smooth(x: Array, values: Array, at: Array, *, parabola: bool) -> Array:
    """Values (n,) of columns x as a smooth function at other places.

    Lids are smooth, and columns between vertices are not: a parabola across the eye first, then
    what it leaves, as a mean over neighbours.
    """
    if parabola:
        curve = np.polyfit(x - x[0], values, 2)
        return np.clip(np.polyval(curve, at - x[0]), values.min(), values.max())
    places = np.linspace(x.min(), x.max(), 33)
    weight = np.exp(-((places[:, None] - x[None]) ** 2) / (2 * _NEIGHBOURS**2))
    mean = (weight @ values) / weight.sum(axis=1)
    return np.interp(at, places, mean)


def _columns(vertices: Array, fold: Fold) -> Array:
    used = vertices[np.unique(np.concatenate([fold.upper, fold.lower])), 0]
    return np.arange(used.min(), used.max() + _STEP, _STEP)


def _opening(vertices: Array, fold: Fold, x: Array) -> Array:
    """Metres from the lower lid's edge to the upper one's in each column, not finite where
    there is none of them.
    """
    with np.errstate(invalid="ignore"):
        return _edge(vertices, fold.upper, x, 1) + _edge(vertices, fold.lower, x, -1)


def _edge(vertices: Array, triangles: Index, x: Array, sign: int) -> Array:
    """sign times the lowest (1) or highest (-1) y of triangles in each column."""
    points = vertices[np.unique(triangles)]
    low, high = points[:, 2].min() - _STEP, points[:, 2].max() + _STEP
    at = np.column_stack([(vertices[:, 0] - x[0]) / _STEP + 0.5, (vertices[:, 2] - low) / _STEP])
    depth = _FAR + sign * vertices[:, 1]
    height = int(np.ceil((high - low) / _STEP))
    nearest: Array = rasterise(at, depth, triangles, len(x), height).depth.min(axis=0)
    return nearest - _FAR


def _off_the_ball(vertices: Array, blink: Array, view: EyeView) -> Array:
    """Moving skin that starts outside the eyeball and ends inside comes out along its radius."""
    ball = vertices[np.unique(view.ball)]
    centre = (ball.max(axis=0) + ball.min(axis=0)) / 2
    reach = np.linalg.norm(ball - centre, axis=1)
    directions = (ball - centre) / reach[:, None]
    moving = np.nonzero(np.linalg.norm(blink, axis=1) > 1e-5)[0]
    # What stays beyond the ball's farthest point needs no look at the point that is beneath it.
    close = np.linalg.norm(vertices[moving] + blink[moving] - centre, axis=1)
    moving = moving[close < reach.max() + _CLEARANCE]

    def depth(points: Array) -> tuple[Array, Array, Array]:
        away = points - centre
        length = np.maximum(np.linalg.norm(away, axis=1), 1e-9)
        surface = reach[(away / length[:, None] @ directions.T).argmax(axis=1)] + _CLEARANCE
        return away, length, surface

    away, length, surface = depth(vertices[moving] + blink[moving])
    _, before, floor = depth(vertices[moving])
    inside = (length < surface) & (before >= floor - _SUNK) & (away[:, 2] > 0)
    out = blink.copy()
    rows = moving[inside]
    out[rows] += away[inside] * ((surface - length) / length)[inside, None]
    return out
