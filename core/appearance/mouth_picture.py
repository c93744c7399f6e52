# SPDX-License-Identifier: GPL-3.0-or-later
"""A picture of teeth and gums for their texture layout: ivory that differs from tooth to tooth.

Nothing of it is read from a photo. Shades follow what dentists describe (Goodkind and Schwabacher,
"Use of a fiber-optic colorimeter for in vivo color measurements of 2830 anterior teeth", Journal of
Prosthetic Dentistry 58, 1987): canines are darker and yellower than incisors, necks redder and
darker than edges. Towards the back everything darkens, as less light comes there than renderers
without many bounces let in.

The layout: the left half of a jaw on the right half of the tile, mirrored on the left. Upper crowns
in the uppermost quarter, lower ones in the next, seven side by side from the middle, each unrolled
from the root (low) to the edge (high). Below them the gums, a quarter high, the crowns' margin at
the bottom; the ridges behind the teeth fill what is left.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..files.png import encode_png
from ..geometry.smooth_step import smooth_step
from ..photos.colour import srgb_bytes
from ..rigged_head import RiggedHead

Array = NDArray[np.float64]

#: Width and height.
SIZE = (512, 256)
#: Parts that have a place in the layout.
PARTS = ("teeth_upper", "teeth_lower", "gums_upper", "gums_lower")
_TEETH = 7
#: Linear RGB of a crown's neck, body and edge.
_NECK = np.array((0.86, 0.73, 0.56))
_BODY = np.array((0.96, 0.89, 0.77))
_EDGE = np.array((0.90, 0.87, 0.79))
#: Of teeth from the middle backwards: how yellow, and how light.
_YELLOW = (0.0, 0.05, 0.24, 0.14, 0.18, 0.26, 0.30)
_LIGHT = (1.0, 0.98, 0.95, 0.91, 0.83, 0.68, 0.52)
#: Height in the unrolled crown at which the gum ends and the biting edge is.
_GUM_AT, _EDGE_AT = 0.14, 0.62
#: Gum at the margin, where it is firm, and where it is loose, and behind the teeth.
_GUMS = tuple(
    np.array(c)
    for c in ((0.56, 0.21, 0.19), (0.62, 0.27, 0.24), (0.46, 0.11, 0.10), (0.38, 0.10, 0.09))
)


def with_mouth_picture(rigged: RiggedHead) -> RiggedHead:
    """The head with the PNG file of its teeth and gums, if it has any."""
    if not set(PARTS) <= {str(name) for name in rigged.part_names}:
        return rigged
    return replace(rigged, mouth_picture=np.frombuffer(_file(), np.uint8))


@lru_cache(maxsize=1)
def _file() -> bytes:
    return encode_png(mouth_picture())


def mouth_picture() -> NDArray[np.uint8]:
    """(h, w, 3) sRGB, rows from the top."""
    width, height = SIZE
    half, quarter = width // 2, height // 4
    u = (np.arange(half) + 0.5) / half
    v = (np.arange(quarter) + 0.5)[::-1, None] / quarter
    crowns = [_crowns(u, v, labial) for labial in (0.25, 0.75)]
    ridges = np.broadcast_to(_GUMS[3] * _shade(u)[None, :, None], (quarter, half, 3))
    left = np.concatenate([*crowns, _gums(u, v), ridges])
    linear = np.concatenate([left[:, ::-1], left], axis=1)
    return srgb_bytes(linear)


def _crowns(u: Array, v: Array, labial: float) -> Array:
    """(n, m, 3) of a row: u (m,) from the middle backwards, v (n, 1) from root to edge; labial:
    the place round the crown that faces the lips.
    """
    number = np.minimum((u * _TEETH).astype(int), _TEETH - 1)
    around = u * _TEETH - number
    yellow = np.array(_YELLOW)[number]
    front = number < 3
    body, neck = _BODY - np.outer(yellow, [0.05, 0.10, 0.18]), _NECK
    up = smooth_step(v, _GUM_AT - 0.06, _GUM_AT + 0.22)[..., None]
    colour = neck * (1 - up) + body * up
    # Enamel without dentine behind it lets the mouth's dark through, near the edge of front teeth.
    clear = smooth_step(v, _EDGE_AT - 0.14, _EDGE_AT) * np.where(front, 0.5, 0.0)
    colour = colour * (1 - clear[..., None]) + _EDGE * clear[..., None]
    # Chewing faces of back teeth are darker in their middles.
    hollow = smooth_step(v, 0.72, 0.95) * np.where(front, 0.0, 0.3)
    turn = 2 * np.pi * (around - labial)
    facing = 0.89 + 0.11 * np.cos(turn)
    between = np.exp(-((np.cos(turn) / 0.18) ** 2))
    light = np.array(_LIGHT)[number] * facing * (1 - 0.2 * between)
    grain = 1 + 0.012 * np.sin(23 * turn + 5 * number) + 0.01 * np.sin(9 * turn + number)
    out: Array = colour * ((light * grain)[None] * (1 - hollow))[..., None]
    return out


def _gums(u: Array, v: Array) -> Array:
    """(n, m, 3): firm and paler near the teeth, red and loose in the fold of the lip."""
    at = np.abs(2 * (u * _TEETH % 1) - 1)  # 0 on a tooth's middle, 1 between two
    firm = smooth_step(v, 0.02, 0.22)[..., None]
    loose = smooth_step(v + 0.10 * at, 0.52, 0.95)[..., None]
    colour = _GUMS[0] * (1 - firm) + _GUMS[1] * firm
    colour = colour * (1 - loose) + _GUMS[2] * loose
    root = 1 + 0.07 * (0.5 - at) * smooth_step(v, 0.1, 0.4)
    out: Array = colour * (root * _shade(u))[..., None]
    return out


def _shade(u: Array) -> Array:
    """How light it is along the arch."""
    out: Array = np.interp(u * _TEETH, np.arange(_TEETH) + 0.5, _LIGHT)
    return out
