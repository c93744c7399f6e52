# SPDX-License-Identifier: GPL-3.0-or-later
"""The fifteen mouth shapes of speech as curves, from the sliders of a performance.

Each frame's mouth is explained as a mixture of the visemes of core.rig.poses, no share below 0 and
all of them at most 1: least squares by projected gradients (Beck and Teboulle, "A fast iterative
shrinkage-thresholding algorithm", 2009); what is left of 1 is silence.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..heads.arkit import ARKIT_NAMES
from ..rig.poses import VISEMES

Array = NDArray[np.float64]

#: As VISEMES, whose first is silence.
VISEME_NAMES = tuple(VISEMES)
SILENCE = "sil"
_ROUNDS = 300
_SPEAKS = ("jaw", "mouth", "tongue")


def visemes(values: Array) -> Array:
    """(F, 15) in the order of VISEME_NAMES, each row of sum 1, from sliders (F, 52)."""
    speaking = [i for i, name in enumerate(ARKIT_NAMES) if name.startswith(_SPEAKS)]
    shapes = np.zeros((len(VISEME_NAMES), len(ARKIT_NAMES)))
    for row, name in enumerate(VISEME_NAMES):
        for slider, value in VISEMES[name].items():
            shapes[row, ARKIT_NAMES.index(slider)] = value
    silence = VISEME_NAMES.index(SILENCE)
    sounds = np.delete(np.arange(len(VISEME_NAMES)), silence)
    basis = (shapes[sounds] - shapes[silence])[:, speaking]
    target = values[:, speaking] - shapes[silence, speaking]
    square, right = basis @ basis.T, target @ basis.T
    step = 1.0 / float(np.linalg.norm(square, 2))
    now = ahead = np.zeros((len(values), len(sounds)))
    pace = 1.0
    for _ in range(_ROUNDS):
        before, now = now, _within(ahead - step * (ahead @ square - right))
        quicker = (1 + np.sqrt(1 + 4 * pace**2)) / 2
        ahead = now + (pace - 1) / quicker * (now - before)
        pace = quicker
    out = np.zeros((len(values), len(VISEME_NAMES)))
    out[:, sounds] = now
    out[:, silence] = np.maximum(1.0 - now.sum(axis=1), 0.0)
    return out


def _within(shares: Array) -> Array:
    """The nearest rows that are not below 0 and whose sum is not above 1."""
    plain = np.maximum(shares, 0.0)
    ordered = -np.sort(-shares, axis=1)
    excess = np.cumsum(ordered, axis=1) - 1.0
    count = np.arange(1, shares.shape[1] + 1)
    last = (ordered * count > excess).sum(axis=1) - 1
    level = np.take_along_axis(excess, last[:, None], axis=1) / (last[:, None] + 1)
    full = np.maximum(shares - level, 0.0)
    out: Array = np.where(plain.sum(axis=1, keepdims=True) > 1.0, full, plain)
    return out
