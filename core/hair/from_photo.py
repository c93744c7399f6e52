# SPDX-License-Identifier: GPL-3.0-or-later
"""What the photo says of the hair's outline, of where there is none, and of its flow, laid over
what the style says; and which style it is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..geometry.camera import Camera
from ..geometry.smooth_step import smooth_step
from .grow import Fields
from .hull import face_opening, style_hull
from .see import Sight
from .shell import COLUMNS, ROWS, UPPER, Shell, outwards, softened
from .styles import Style

Array = NDArray[np.float64]

#: Metres beyond the skull that are looked at for the hair's outline, and in what steps.
_FARTHEST, _STEP = 0.14, 0.003
#: Cosines to the view: the outline is seen where the surface faces away by less than this, the
#: hair itself where it faces the camera by more.
_EDGE, _FACING = 0.3, (0.22, 0.5)


@dataclass(frozen=True, eq=False)
class Seen:
    """Over the chart (ROWS, COLUMNS): stands, metres of hair over the skull where its outline is
    seen, edge how far that is so; hair and facing, what the camera sees there and how far it sees
    it at all; turn (ROWS, COLUMNS, 3) directions along the head times how sure they are. fringe:
    share of the forehead that is covered; lowest: metres below the skull's centre to which hair
    reaches beside the face, by the person's left and right; rough: 0 combed, 1 in all directions;
    aside: whether hair over the forehead runs across the face (1) or along it (0).
    """

    stands: Array
    edge: Array
    hair: Array
    facing: Array
    turn: Array
    fringe: float
    lowest: tuple[float, float]
    rough: float
    aside: float


def measure(shell: Shell, camera: Camera, sight: Sight) -> Seen:
    """One photo's hair on the chart of one head."""
    azimuth, place = shell.grid()
    outward = outwards(azimuth, place)
    base = shell.skull
    flat = shell.point(azimuth, place, base).reshape(-1, 3)
    towards = camera.centre - flat
    towards /= np.linalg.norm(towards, axis=1, keepdims=True)
    facing = (outward.reshape(-1, 3) * towards).sum(axis=1).reshape(ROWS, COLUMNS)
    stands = _outline(shell, camera, sight, azimuth, place)
    inside = _inside(camera, flat).reshape(ROWS, COLUMNS)
    edge: Array = (np.abs(facing) < _EDGE) * inside
    # Below the jaw an outline may be cloth or background: only what goes on from above counts.
    hull = np.where(edge > 0, np.maximum(stands, 0), 0)
    lifted = shell.point(azimuth, place, base + 0.5 * softened(hull, 4)).reshape(-1, 3)
    pixels = camera.project(lifted)
    hair = sight.at(pixels, sight.hair[..., None])[:, 0].reshape(ROWS, COLUMNS)
    seen = smooth_step(facing, *_FACING) * inside
    turn, sure = _turns(shell, camera, sight, lifted, outward, pixels)
    turn = turn * (seen * (hair > 0.6))[..., None]
    front = (np.abs(azimuth) < 0.5) & (place > UPPER - 0.052) & (place < UPPER - 0.022)
    fringe = float((hair[front] > 0.5).mean())
    lowest = tuple(_lowest(place, azimuth, hair, stands, edge, side) for side in (1, -1))
    top = (np.abs(azimuth) < 1.0) & (place < 0.11) & (hair > 0.6) & (seen > 0.3)
    aside = 0.5
    if top.sum() > 30:
        weight = sure[top] + 1e-6
        aside = float((np.abs(turn[top][:, 0]) * weight).sum() / (
            (np.linalg.norm(turn[top], axis=1) * weight).sum() + 1e-9
        ))  # fmt: skip
    return Seen(
        stands, edge, hair, seen, turn, fringe, (lowest[0], lowest[1]), _roughness(sight), aside
    )


def _outline(shell: Shell, camera: Camera, sight: Sight, azimuth: Array, place: Array) -> Array:
    """(ROWS, COLUMNS) how far hair goes on outwards from the skull; gaps of 1 cm are jumped."""
    best = np.zeros(azimuth.shape)
    gap = np.zeros(azimuth.shape)
    for out in np.arange(-0.012, _FARTHEST, _STEP):
        points = shell.point(azimuth, place, shell.skull + out).reshape(-1, 3)
        there = sight.at(camera.project(points), sight.hair[..., None])[:, 0] > 0.5
        hit = there.reshape(azimuth.shape)
        gap = np.where(hit, 0, gap + (_STEP if out > 0 else 0))
        best = np.where(hit & (gap < 0.012), np.maximum(out, 0), best)
    return best


def _inside(camera: Camera, points: Array) -> NDArray[np.bool_]:
    at = camera.project(points)
    low = (at > 2).all(axis=1)
    high = (at < np.array([camera.width - 2, camera.height - 2])).all(axis=1)
    return np.asarray(low & high)


def _turns(
    shell: Shell, camera: Camera, sight: Sight, points: Array, outward: Array, pixels: Array
) -> tuple[Array, Array]:
    """Seen directions as vectors along the head (ROWS, COLUMNS, 3) times how sure, and that."""
    double = sight.at(pixels, sight.direction)
    sure = np.hypot(double[:, 0], double[:, 1])
    angle = 0.5 * np.arctan2(double[:, 1], double[:, 0])
    normal = outward.reshape(-1, 3)
    # Two tangents, and where a millimetre along each goes in the photo.
    one = np.cross([0.0, 1.0, 0.0], normal)
    one = np.where(np.linalg.norm(one, axis=1, keepdims=True) < 1e-6, [[1.0, 0, 0]], one)
    one /= np.linalg.norm(one, axis=1, keepdims=True)
    two = np.cross(normal, one)
    ways = np.stack(
        [camera.project(points + 1e-3 * tangent) - pixels for tangent in (one, two)], axis=2
    )
    wanted = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    size = np.abs(np.linalg.det(ways))
    solved = np.linalg.solve(
        ways + 1e-9 * np.eye(2) + (size < 1e-6)[:, None, None] * np.eye(2), wanted[..., None]
    )[..., 0]
    out = solved[:, :1] * one + solved[:, 1:] * two
    out /= np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-9)
    shape = (ROWS, COLUMNS)
    return (out * sure[:, None]).reshape(*shape, 3), sure.reshape(shape)


def _lowest(
    place: Array, azimuth: Array, hair: Array, stands: Array, edge: Array, side: int
) -> float:
    """Metres below the skull's centre to which hair goes on beside the face."""
    there = (edge > 0) & (np.sign(azimuth) == side)
    rows = np.array([(stands[r][there[r]] > 0.004).mean() if there[r].any() else 0
                     for r in range(ROWS)]) > 0.3  # fmt: skip
    start = int(np.searchsorted(place[:, 0], UPPER))
    last = start
    for row in range(start, ROWS):
        if rows[row]:
            last = row
        elif row - last > 5:
            break
    return float(place[last, 0] - UPPER)


def _roughness(sight: Sight) -> float:
    """How little neighbouring strands agree on a direction."""
    inner = sight.hair > 0.8
    if inner.sum() < 50:
        return 0.5
    sure = np.hypot(sight.direction[..., 0], sight.direction[..., 1])[inner]
    return float(np.clip(1 - 1.6 * sure.mean(), 0, 1))


def choose(seen: Seen) -> str:
    """The style's name that the photo is most like."""
    high = seen.edge > 0
    azimuth_rows = np.arange(ROWS)[:, None] * np.ones((1, COLUMNS))
    upper = high & (azimuth_rows < 30)
    top = float(np.percentile(seen.stands[upper], 60)) if upper.any() else 0.0
    # A lock or a collar on one side makes no long hair.
    low = sum(seen.lowest) / 2
    curly = seen.rough > 0.15 and top > 0.02
    if low > 0.2:
        return "wavy" if seen.rough > 0.1 else "long"
    if low > 0.115:
        return "curly" if curly else "bob"
    if curly and top > 0.026:
        return "curly" if low > 0.05 else "coily"
    if seen.fringe > 0.6 and low > 0.03:
        return "fringe"
    if top < 0.0045:
        return "shaved" if top < 0.001 else "buzz"
    if top < 0.009:
        return "buzz"
    if seen.fringe > 0.45 or low > 0.075:
        return "fringe"
    return "side_part" if seen.aside > 0.6 else "short"


def fitted(shell: Shell, seen: Seen, style: Style) -> tuple[Style, Fields]:
    """The style as long as the photo shows it, and its fields."""
    low = max(seen.lowest)
    if style.hangs:
        style = replace(style, floor=float(np.clip(low, 0.07, 0.42)))
        longer = max(style.floor + 0.17, 0.2)
        style = replace(style, top=longer + 0.02, side=longer, back=longer - 0.02)
    hull, allowed = style_hull(shell, style), face_opening(shell, style)
    _, place = shell.grid()
    # The outline is known on one great circle; about the vertical it is handed on.
    known = seen.edge * (place < UPPER + max(low, 0.02))
    reach = _spread(known[..., None] * np.stack([seen.stands, np.ones_like(hull), hull], -1))
    there = np.maximum(reach[..., 1], 1e-9)
    ratio = np.clip(reach[..., 0] / np.maximum(reach[..., 2], 1e-4), 0.1, 6.0)
    sure = np.clip(there * 6, 0, 1)
    exact = np.where(known > 0, np.maximum(seen.stands, 0.0015), hull * ratio)
    out = hull * (1 - sure) + exact * sure
    out = softened(np.clip(out, 0.001, _FARTHEST), 2)
    # A face's own skin, and what lies below the ends, forbid hair.
    facing = seen.facing
    allowed = allowed * (1 - facing) + facing * (seen.hair > 0.5)
    beside = seen.edge * (place > UPPER - 0.02) * (1 - facing)
    allowed = allowed * (1 - beside) + beside * np.maximum(seen.stands > 0.003, allowed * 0.3)
    return style, Fields(out, softened(allowed, 1), _soft_turn(seen.turn), low + 0.015)


def _soft_turn(turn: Array) -> Array:
    """Axes averaged over their neighbours, whichever way each points."""
    axes = turn[..., :, None] * turn[..., None, :] / np.maximum(
        np.linalg.norm(turn, axis=-1), 1e-6
    )[..., None, None]  # fmt: skip
    flat = softened_many(axes.reshape(ROWS, COLUMNS, 9), 3).reshape(ROWS, COLUMNS, 3, 3)
    values, vectors = np.linalg.eigh(flat)
    out: Array = vectors[..., :, -1] * (values[..., -1] - values[..., -2])[..., None]
    return np.clip(out * 1.3, -1, 1)


def softened_many(fields: Array, rounds: int) -> Array:
    """Each of several fields (ROWS, COLUMNS, n) softened."""
    return np.stack([softened(fields[..., k], rounds) for k in range(fields.shape[2])], axis=-1)


def _spread(fields: Array) -> Array:
    """Fields (ROWS, COLUMNS, n) blurred far about the vertical and a little along it."""
    angle = (np.arange(COLUMNS) / COLUMNS) * 2 * np.pi
    kernel = np.exp(4 * (np.cos(angle) - 1))
    spectrum = np.fft.rfft(kernel / kernel.sum())[:, None]
    turned = np.fft.irfft(np.fft.rfft(fields, axis=1) * spectrum, COLUMNS, axis=1)
    return softened_many(turned, 4)


def density(shell: Shell, seen: Seen | None, vertices: Array, scalp: Array) -> Array:
    """(V,) 0..1 of hair at each vertex; scalp (V,)."""
    if seen is None:
        return scalp
    azimuth, place, _ = shell.chart(vertices)
    hair = shell.at(softened(seen.hair, 1), azimuth, place)
    facing = shell.at(seen.facing, azimuth, place)
    return scalp * (1 - facing + facing * smooth_step(hair, 0.3, 0.6))
