# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of the open head's vertices are a person's face, and which a mesh of the artist's keeps."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..geometry.smooth_step import smooth_step
from ..heads.arkit import ARKIT_NAMES
from ..heads.model import HeadModel
from ..likeness.source_and_bound import nearest_distance

Array = NDArray[np.float64]

#: Never the person's.
_KEPT = ("scalp", "ear_l", "ear_r")
#: Metres over which the face fades into the rest, and a slider's motion that makes it face.
_FADE, _MOVED = 0.028, 0.004


@lru_cache(maxsize=2)
def open_mask(head: HeadModel) -> Array:
    """(n,) of the open head: 1 on the face and wherever a slider moves much, 0 on scalp, ears,
    neck and everything that an artist's mesh keeps, fading over a finger's breadth in between.
    """
    order = [head.expression_names.index(name) for name in ARKIT_NAMES]
    moved = np.linalg.norm(head.expression_basis[:, :, order], axis=1).max(axis=1)
    core = head.regions["face"] | (moved > _MOVED) | head.regions["mouth_interior"]
    for name in _KEPT:
        core &= ~head.regions[name]
    kept = np.zeros(head.vertex_count, bool)
    for name in _KEPT:
        kept |= head.regions[name]
    rest = np.nonzero(~core)[0]
    away = nearest_distance(head.template[rest], head.template[core])
    out = core.astype(np.float64)
    out[rest] = smooth_step(1.0 - away / _FADE, 0.0, 1.0)
    out[kept] = 0.0
    return out
