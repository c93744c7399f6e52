# SPDX-License-Identifier: GPL-3.0-or-later
"""How far hair stands off the skull, and where there is none: by the style, and by the photo where
it shows it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..geometry.smooth_step import smooth_step
from .grow import Fields
from .shell import COLUMNS, ROWS, UPPER, Shell, softened
from .styles import Style

Array = NDArray[np.float64]

#: Metres below the skull's centre to which hair that does not hang goes beside the face.
_EARLOBES = 0.065


def style_fields(shell: Shell, style: Style) -> Fields:
    """What the style alone says."""
    return Fields(
        style_hull(shell, style), face_opening(shell, style), np.zeros((ROWS, COLUMNS, 3))
    )


def style_hull(shell: Shell, style: Style) -> Array:
    """(ROWS, COLUMNS) metres of hair over the skull."""
    azimuth, place = shell.grid()
    up = np.cos(np.minimum(place / 0.1, np.pi / 2))
    top, side, back = style.volume
    behind = smooth_step(-np.cos(azimuth), -0.3, 0.7)
    around = side + (back - side) * behind
    high = smooth_step(up, 0.15, 0.8)
    out = high * top + (1 - high) * around
    if style.hangs:
        # Hair that hangs leaves the neck free and does not follow it inwards: what the skull is
        # wide, it is wide below.
        widest = shell.covered[(place > UPPER - 0.03) & (place < UPPER + 0.02)].reshape(-1, COLUMNS)
        wide = widest.max(axis=0) + around[0] * 0.8
        below = place > UPPER
        hanging = np.maximum(wide[None] - shell.covered, out)
        share = smooth_step(place, UPPER, UPPER + 0.03)
        out = np.where(below, out + share * (hanging - out), out)
    # At the hairline over the face hair starts on the skin.
    front = smooth_step(np.cos(azimuth), 0.2, 0.8)
    out = out * (1 - 0.7 * front * smooth_step(place, 0.055, 0.1) * (place < UPPER))
    return softened(out, 2)


def face_opening(shell: Shell, style: Style) -> Array:
    """(ROWS, COLUMNS): 0 before the face and the throat, 1 where hair may hang."""
    azimuth, place = shell.grid()
    height = np.where(place < UPPER, 0.1 * np.cos(place / 0.1), UPPER - place)
    edge = np.radians(style.opening)
    free = smooth_step(np.abs(azimuth), edge - 0.08, edge + 0.08)
    above = style.fringe if style.fringe is not None else 0.055
    return softened(np.maximum(free, smooth_step(height, above - 0.004, above + 0.004)), 1)
