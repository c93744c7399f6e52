# SPDX-License-Identifier: GPL-3.0-or-later
"""Guide curves: rooted on the scalp, they rise to a layer of the hair and follow its flow.

Each strand has a layer, a share of the space between the skull and the outer hull of the hair; in
the chart of :mod:`.shell` it moves along the flow at that height. So no strand enters the skull,
the outermost make the outline, and strands that pass each other do so in layers, as combed hair
does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..geometry.smooth_step import smooth_step
from .shell import UPPER, Shell, outwards
from .styles import Style

Array = NDArray[np.float64]
Ints = NDArray[np.int32]

#: Points of a guide, and steps in which it is grown.
POINTS, _STEPS = 16, 64
#: Metres above the skin below which no strand lies.
_CLEAR = 0.0012
#: Where tied hair is gathered, from the skull's centre: up and back, in radii of the skull.
_KNOT = (0.15, -1.12)


@dataclass(frozen=True, eq=False)
class Fields:
    """Over the chart's cells (ROWS, COLUMNS): hull, metres of hair over the skull; allowed, 0
    where the photo or the style shows none and 1 where hair may be; turn (ROWS, COLUMNS, 3), seen
    directions of strands times how sure they are, zero where none is seen. floor: metres below the
    skull's centre under which hair that does not hang ends.
    """

    hull: Array
    allowed: Array
    turn: Array
    floor: float = 9.0


@dataclass(frozen=True, eq=False)
class Roots:
    """points (n, 3) head frame; triangle (n,) of the head's; barycentric (n, 3)."""

    points: Array
    triangle: Ints
    barycentric: Array


def grow(
    shell: Shell, roots: Roots, style: Style, fields: Fields, rng: np.random.Generator
) -> Array:
    """(n, POINTS, 3) curves from their roots, head frame."""
    at = roots.points.copy()
    n = len(at)
    azimuth, place, radius = shell.chart(at)
    base = shell.covered if style.hangs else shell.skull
    layer = 0.25 + 0.75 * np.sqrt(rng.random(n))
    length = lengths(style, azimuth, place) * rng.uniform(0.85, 1.0, n)
    if style.hangs:
        floor = style.floor * rng.uniform(0.92, 1.0, n)
    else:
        # Short hair of the neck may be rooted below where the sides end.
        floor = np.maximum(fields.floor, place - UPPER + rng.uniform(0.012, 0.022, n))
    step = length / _STEPS
    path = np.empty((_STEPS + 1, n, 3))
    path[0] = at
    last = np.full(n, _STEPS)
    going = np.ones(n, bool)
    barred = np.zeros(n)
    side = np.where(at[:, 0] > (style.parting or 0.0), 1.0, -1.0)
    before = np.zeros((n, 3))
    for k in range(_STEPS):
        outward = outwards(azimuth, place)
        target = shell.at(base, azimuth, place) + _CLEAR
        target = target + layer * shell.at(fields.hull, azimuth, place)
        # A root stands on the skin itself: the chart's skull takes over along the first centimetre.
        rise = np.clip((target - radius) / np.maximum(0.006, step), -1, 1)
        sine = np.where(rise > 0, style.lift * rise, 0.7 * rise)
        flow = _flow(shell, style, fields, at, azimuth, place, side)
        flow -= (flow * outward).sum(axis=1, keepdims=True) * outward
        flow /= np.maximum(np.linalg.norm(flow, axis=1, keepdims=True), 1e-6)
        # Hair bends, it does not kink.
        flow = flow + 1.2 * before
        flow -= (flow * outward).sum(axis=1, keepdims=True) * outward
        flow /= np.maximum(np.linalg.norm(flow, axis=1, keepdims=True), 1e-6)
        before = flow
        move = flow * np.sqrt(1 - sine**2)[:, None] + outward * sine[:, None]
        at = np.where(going[:, None], at + step[:, None] * move, at)
        azimuth, place, radius = shell.chart(at)
        lowest = shell.at(base, azimuth, place) + _CLEAR * min(1.0, k / 6)
        inside = (radius < lowest) & going & (k > 3)
        if inside.any():
            at[inside] = shell.point(azimuth[inside], place[inside], lowest[inside])
            radius = np.where(inside, lowest, radius)
        path[k + 1] = at
        barred = barred + step * (shell.at(fields.allowed, azimuth, place) < 0.35)
        ends = going & ((barred > 0.006) | (place - UPPER > floor))
        last[ends] = k + 1
        going &= ~ends
    return _resampled(path, last)


def lengths(style: Style, azimuth: Array, place: Array) -> Array:
    """(n,) metres of hair rooted at places of the chart."""
    up = np.cos(np.minimum(place / 0.1, np.pi / 2))
    behind = smooth_step(-np.cos(azimuth), -0.2, 0.6)
    around = style.side + (style.back - style.side) * behind
    # Shorter towards the neck and the ears.
    low = np.clip(1 - (place - UPPER) / 0.12, 0.55, 1) if not style.hangs else 1.0
    top = smooth_step(up, 0.25, 0.65)
    out: Array = top * style.top + (1 - top) * around * low
    return out


def _flow(
    shell: Shell,
    style: Style,
    fields: Fields,
    at: Array,
    azimuth: Array,
    place: Array,
    side: Array,
) -> Array:
    """(n, 3) the direction in which hair lies, not yet on the surface."""
    up = np.cos(np.minimum(place / 0.1, np.pi / 2))
    down = np.array([0.0, -1.0, 0.0])
    if style.gathered:
        size = 0.085
        knot = shell.centre + np.array([0.0, _KNOT[0], _KNOT[1]]) * size
        out: Array = knot - at
        away = np.linalg.norm(out, axis=1, keepdims=True)
        return np.where(away > 0.02, out / np.maximum(away, 1e-6), down)
    top = smooth_step(up, 0.1, 0.75)[:, None]
    combed = np.tile(np.array(style.comb), (len(at), 1))
    if style.parting is not None:
        combed[:, 0] += side * style.aside
    # Beside the face hair goes down and a little back, behind it down.
    falls = down + np.array([0.0, 0.0, -0.25 if not style.hangs else -0.08])
    out = top * combed + (1.05 - top) * falls
    norm = np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-6)
    out = out / norm
    seen = shell.at(fields.turn, azimuth, place)
    sign = np.sign((seen * out).sum(axis=1, keepdims=True))
    sure = np.minimum(np.linalg.norm(seen, axis=1, keepdims=True), 1.0)
    out = out * (1 - 0.85 * sure) + np.where(sign == 0, 1, sign) * seen
    # Away from where there is none: along the face's edge.
    step = 0.10
    slope = shell.at(fields.allowed, azimuth + step, place) - shell.at(
        fields.allowed, azimuth - step, place
    )
    across = np.stack([np.cos(azimuth), np.zeros_like(azimuth), -np.sin(azimuth)], axis=1)
    return out + 1.6 * slope[:, None] * across


def _resampled(path: Array, last: NDArray[np.intp]) -> Array:
    """(n, POINTS, 3) of a path (steps + 1, n, 3) that ends at ``last`` (n,)."""
    where = np.linspace(0, 1, POINTS)[None] * last[:, None]
    low = np.minimum(where.astype(np.intp), len(path) - 2)
    share = (where - low)[..., None]
    strand = np.arange(path.shape[1])[:, None]
    out: Array = path[low, strand] * (1 - share) + path[low + 1, strand] * share
    return out


def ended(guides: Array, wrong: Array) -> Array:
    """Guides (n, POINTS, 3) that end before the first point that is ``wrong`` (n, POINTS) in a
    row of two; a quarter of each stays.
    """
    bad = (wrong[:, :-1] > 0.5) & (wrong[:, 1:] > 0.5)
    bad[:, : POINTS // 4] = False
    last = np.where(bad.any(axis=1), bad.argmax(axis=1), POINTS - 1)
    return _resampled(guides.transpose(1, 0, 2), last)
