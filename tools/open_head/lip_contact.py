# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes lips that a face shape drives into each other apart again.

Where the upper lip's underside comes to lie below the lower lip's top, both give way up and down
until they touch, and the skin around follows.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from core.geometry.raster import rasterise
from core.rig.contacts import Fold, lip_fold

from .expressions import ARKIT_NAMES

_KEEP = ("mouthClose", "jawOpen")
"""The one undoes the other and is sealed; the other opens the lips."""
_UPPER_GIVES = {"mouthRollLower": 0.0, "mouthRollUpper": 1.0, "mouthShrugLower": 0.7}
"""Share of the way that is the upper lip's: the lip that rolls makes way, a chin lifts both."""
_TOLERATED = 3e-4
_REACH = 0.006
_ROUNDS = 12
_STEP, _FAR = 0.00025, 10.0


def part_lips(
    template: np.ndarray,
    skin: np.ndarray,
    lips: np.ndarray,
    landmarks: np.ndarray,
    mirrored: Callable[[np.ndarray], np.ndarray],
    directions: np.ndarray,
) -> np.ndarray:
    """Directions (52, V, 3) with lips that touch at most.

    skin (n, 3) triangles; lips (V,) mask; landmarks (478, 3); mirrored: mirror image of a field.
    """
    fold = lip_fold(template, skin, lips, landmarks, np.ones(len(landmarks), bool))
    assert fold is not None
    out = directions.copy()
    for k, name in enumerate(ARKIT_NAMES):
        if name.startswith(("mouth", "jaw", "cheekPuff")) and name not in _KEEP:
            out[k] = _parted(template, fold, lips, out[k], _UPPER_GIVES.get(name, 0.5))
    for k, name in enumerate(ARKIT_NAMES):
        twin = ARKIT_NAMES.index(_twin(name))
        if twin >= k:
            out[k] = (out[k] + mirrored(out[twin])) / 2
            out[twin] = mirrored(out[k])
    return out


def _twin(name: str) -> str:
    for here, there in (("Left", "Right"), ("Right", "Left")):
        if name.endswith(here):
            return name[: -len(here)] + there
    return name


def _parted(
    template: np.ndarray, fold: Fold, lips: np.ndarray, shape: np.ndarray, upper_gives: float
) -> np.ndarray:
    upper, lower = np.unique(fold.upper), np.unique(fold.lower)
    near = np.flatnonzero(_squares(template, template[lips]).min(axis=1) < (3 * _REACH) ** 2)
    # Skin beyond the lips follows the lip that is nearer, inside of the mouth and out.
    above = _squares(template[near], template[upper]).min(axis=1)
    below = _squares(template[near], template[lower]).min(axis=1)
    for _ in range(_ROUNDS):
        at, depth = _overlaps(template + shape, fold)
        if depth.max(initial=0.0) <= _TOLERATED:
            break
        posed = template + shape
        for lip, side, sign, gives in (
            (upper, above <= below, 1, upper_gives),
            (lower, below < above, -1, 1 - upper_gives),
        ):
            if not gives:
                continue
            # What each vertex of the lip has to give, from the columns beside it.
            flat = ((posed[lip, None][:, :, [0, 2]] - at[None]) ** 2).sum(axis=2)
            push = (depth * (flat < 0.0012**2)).max(axis=1)
            sources = push > 0
            if not sources.any():
                continue
            moved = near[side]
            falloff = np.exp(-_squares(template[moved], template[lip[sources]]) / (2 * _REACH**2))
            follow = (falloff * push[sources]).max(axis=1)
            shape = shape.copy()
            shape[moved, 1] += sign * gives * 0.7 * follow
    return shape


def _overlaps(vertices: np.ndarray, fold: Fold) -> tuple[np.ndarray, np.ndarray]:
    """(x, z) of the columns in which the lips overlap (n, 2), and by how much (n,)."""
    both = vertices[np.unique(np.concatenate([fold.upper, fold.lower]))]
    low, high = both.min(axis=0) - _STEP, both.max(axis=0) + _STEP
    width, height = (int(np.ceil((high[k] - low[k]) / _STEP)) for k in (0, 2))
    points = (vertices[:, [0, 2]] - low[[0, 2]]) / _STEP
    y = vertices[:, 1] - low[1]
    lowest = rasterise(points, _FAR + y, fold.upper, width, height).depth - _FAR
    highest = _FAR - rasterise(points, _FAR - y, fold.lower, width, height).depth
    shared = np.isfinite(lowest) & np.isfinite(highest)
    depth = np.where(shared, np.where(shared, highest, 0) - np.where(shared, lowest, 0), 0)
    rows, columns = np.nonzero(depth > _TOLERATED / 2)
    at = np.column_stack([columns + 0.5, rows + 0.5]) * _STEP + low[[0, 2]]
    return at, depth[rows, columns]


def _squares(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return ((one[:, None] - other[None]) ** 2).sum(axis=2)
