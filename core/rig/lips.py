# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys that roll or raise a lip, kept out of the other lip on every person.

On the template no key drives the lips into each other. Carried to lips of another thickness, the
keys that move one lip the furthest can: the lip that moves then gives way, up or down.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .contacts import Fold

Array = NDArray[np.float64]

#: The lip that gives way, 1 for the upper and -1 for the lower one.
GIVES_WAY = {"mouthRollUpper": 1, "mouthShrugLower": -1}
#: Metres of overlap that are let be, and that are left.
_TOLERATED, _LEFT = 0.001, 0.0004
_REACH = 0.005
_ROUNDS = 3


def part_lips(vertices: Array, key: Array, fold: Fold, side: int) -> Array:
    """The key (V, 3) of a person at rest (V, 3), its lips overlapping by a millimetre at most.

    side: of GIVES_WAY.
    """
    out = key
    for _ in range(_ROUNDS):
        deep = fold.overlap(vertices + out)
        if deep <= _TOLERATED:
            break
        if out is key:
            out, follow = key.copy(), _following(vertices, fold, side)
        out[:, 1] += side * (deep - _LEFT) * follow
    return out


def _following(vertices: Array, fold: Fold, side: int) -> Array:
    """(V,) one in the middle of the lip that gives way, falling to zero around it and towards
    the corners of the mouth; the other lip stays.
    """
    upper, lower = (vertices[np.unique(part)] for part in (fold.upper, fold.lower))
    own, other = (upper, lower) if side > 0 else (lower, upper)
    out = np.zeros(len(vertices))
    low, high = own.min(axis=0) - 3 * _REACH, own.max(axis=0) + 3 * _REACH
    near = np.nonzero(((vertices > low) & (vertices < high)).all(axis=1))[0]
    squares = [
        ((vertices[near, None] - p[None]) ** 2).sum(axis=2).min(axis=1) for p in (own, other)
    ]
    nearer = squares[0] <= squares[1]
    # The corners belong to both lips: nothing there may come apart.
    half = (own[:, 0].max() - own[:, 0].min()) / 2
    along = (vertices[near, 0] - own[:, 0].min()) / half - 1
    share = np.exp(-squares[0] / (2 * _REACH**2)) * np.clip(1 - along**2, 0, 1)
    out[near[nearer]] = share[nearer]
    return out
