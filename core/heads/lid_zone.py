# SPDX-License-Identifier: GPL-3.0-or-later
"""How far each place of a head is from its lids: what else moves a face leaves shut lids alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..geometry.smooth_step import smooth_step
from .model import HeadModel

Array = NDArray[np.float64]

#: Metres from an eye's region within which nothing else moves its lids, and beyond which all does.
_NEAR, _FAR = 0.002, 0.012


def away_from_lids(head: HeadModel, shape: Array, sides: Sequence[str]) -> Array:
    """(V,) 0 on the lids of ``sides`` ("left", "right") and around them, 1 far from them, smooth in
    between; shape (V, 3) metres.
    """
    out = np.ones(len(shape))
    for side in sides:
        inside = head.regions.get(f"eye_{side[0]}")
        if inside is None or not inside.any():
            continue
        low, high = shape[inside].min(axis=0), shape[inside].max(axis=0)
        outside = np.linalg.norm(shape - np.clip(shape, low, high), axis=1)
        out *= smooth_step(outside, _NEAR, _FAR)
    return out
