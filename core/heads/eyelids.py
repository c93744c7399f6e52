# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a transferred blink close: the lids of another head have another way to go, over an
eyeball of another size.

Only the closed lid is made to clear the ball. A shape key moves on a straight line, so that the
cornea can show through a lid on its way.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .face_anchors import Surface, eye_opening

Array = NDArray[np.float64]

#: How far a closed lid stays off the eyeball, metres.
_CLEARANCE = 0.0006
#: Share of the opening that a closed eye may leave, in its corners.
_CLOSED = 0.02
_AMOUNTS = np.linspace(1.0, 1.6, 13)


def close_lids(surface: Surface, blink: Array, side: int) -> tuple[Array, float]:
    """The blink (V, 3) of one eye, scaled so that it just closes and lifted off the eyeball,
    and the share of the eye's opening that is left at slider 1.

    Returned as it is, with share 0, for an eye that is not open at rest.
    """
    rest = eye_opening(surface, side)
    if rest == 0:
        return blink, 0.0
    best, left = blink, np.inf
    for amount in _AMOUNTS:
        tried = _off_the_ball(surface, amount * blink, side)
        share = eye_opening(replace(surface, vertices=surface.vertices + tried), side) / rest
        if share < left - 1e-3:
            best, left = tried, share
        if left <= _CLOSED:
            break
    return best, float(left)


def _off_the_ball(surface: Surface, blink: Array, side: int) -> Array:
    """Moving skin that ends inside the eyeball comes out along the ball's radius."""
    centre = surface.eyes[side]
    ball = surface.vertices[np.unique(surface.eyeballs[side])]
    radius = float(np.linalg.norm(ball - centre, axis=1).max()) + _CLEARANCE
    moving = np.linalg.norm(blink, axis=1) > 1e-4
    away = surface.vertices + blink - centre
    length = np.maximum(np.linalg.norm(away, axis=1), 1e-9)
    inside = moving & (length < radius) & (away[:, 2] > 0.3 * radius)
    out = blink.copy()
    out[inside] += away[inside] * ((radius - length) / length)[inside, None]
    return out
