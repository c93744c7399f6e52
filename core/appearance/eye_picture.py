# SPDX-License-Identifier: GPL-3.0-or-later
"""A picture of an eye for its texture layout: sclera, limbal ring, an iris in the photo's colour.

The layout of eyeballs is polar: the pupil's middle in the middle of the tile, and the angle from
the optical axis, in shares of half a turn, to the power of 0.7 as radius. Heads in FLAME's layout
get it carried over by the length of the arc; see core.heads.eyeballs.
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

SIZE = 768
_VEINS = 24
#: Degrees from the axis at which pupil and iris end on the open head's eyeball.
PUPIL, LIMBUS = 7.0, 22.3
_POWER = 0.7
_SCLERA = np.array([0.78, 0.74, 0.70], np.float32)
_SCLERA_BACK = np.array([0.66, 0.42, 0.37], np.float32)
_PUPIL = np.array([0.004, 0.004, 0.004])
#: How far an iris may be from the common size: what is beyond is a fault of the landmarks.
_SCALES = (0.92, 1.08)
#: Landmarks at the sides of the right and of the left iris.
_IRISES = ((469, 471), (474, 476))


def has_eye_layout(rigged: RiggedHead) -> bool:
    """Whether the head's eyeballs are laid out so that the picture fits them."""
    pupils = np.isin(
        rigged.face_part,
        [i for i, name in enumerate(rigged.part_names) if str(name).startswith("pupil")],
    )
    corners = rigged.uv_quads[pupils]
    if not len(corners):
        return False
    uv = rigged.uv[corners[corners >= 0]].astype(np.float64)
    reach = 0.5 * (PUPIL / 180.0) ** _POWER
    return bool(np.linalg.norm(uv - 0.5, axis=1).max() < 1.3 * reach)


def iris_scale(rigged: RiggedHead) -> float:
    """How much wider than the head's own the photo's irises are, 1 where it cannot be told.

    Of the eye that is seen larger; widths are compared along the lids, which cover its top.
    """
    found = []
    for left, right in _IRISES:
        seen = np.linalg.norm(rigged.landmarks[left] - rigged.landmarks[right])
        own = np.linalg.norm(rigged.landmarks_fit[left] - rigged.landmarks_fit[right])
        if np.isfinite(own) and own >= 4:
            found.append((float(own), float(seen / own)))
    return float(np.clip(max(found)[1], *_SCALES)) if found else 1.0


def with_eye_picture(rigged: RiggedHead) -> RiggedHead:
    """The head with the PNG file of its eyes, if they are laid out for one."""
    if not has_eye_layout(rigged):
        return rigged
    picture = eye_picture(rigged.iris_color.astype(np.float64), iris_scale(rigged))
    return replace(rigged, eye_picture=np.frombuffer(encode_png(picture), np.uint8))


def eye_picture(iris: Array, scale: float = 1.0, size: int = SIZE) -> NDArray[np.uint8]:
    """(size, size, 3) sRGB, rows from the top. iris (3,) linear RGB; scale: of the iris."""
    theta, angle, sclera = _white(size)
    limbus = LIMBUS * scale
    across = np.clip((theta - PUPIL) / (limbus - PUPIL), 0, 1)

    colour = np.zeros((size, size, 3), np.float32)
    inside = theta < limbus + 3
    colour[inside] = _iris(np.asarray(iris, np.float64), angle[inside], across[inside])
    picture = sclera.copy()
    # The white grows over the rim within most of a millimetre.
    shown = smooth_step(theta[inside], limbus - 1.0, limbus + 2.2)[:, None]
    front = colour[inside] * (1 - shown) + sclera[inside] * shown
    open_ = smooth_step(theta[inside], PUPIL - 0.5, PUPIL + 0.4)[:, None]
    picture[inside] = _PUPIL * (1 - open_) + front * open_
    return srgb_bytes(picture)


@lru_cache(maxsize=1)
def _white(size: int) -> tuple[Array, Array, Array]:
    """Of each texel how far it is from the pupil's middle, in degrees, in what direction, and the
    colour of an eye without an iris there; the same for everybody.
    """
    at = ((np.arange(size) + 0.5) / size - 0.5).astype(np.float32)
    x, y = np.meshgrid(at, -at)
    angle = np.arctan2(y, x)
    theta = 180.0 * np.minimum(2 * np.hypot(x, y), 1.0) ** (1 / _POWER)
    return theta, angle, _sclera(theta, angle)


def _iris(iris: Array, angle: Array, across: Array) -> Array:
    """(n, 3): the collarette is lighter and warmer, the rim towards the limbus darker."""
    colour = iris * _fibres(angle, across)[:, None]
    ring = np.exp(-(((across - 0.28) / 0.13) ** 2))[:, None]
    colour *= 0.95 + ring * [0.30, 0.20, 0.08]
    # The cornea gathers light from above on the iris' lower half.
    colour *= (1 - 0.16 * np.sin(angle) * smooth_step(across, 0.05, 0.4))[:, None]
    out: Array = colour * (1 - 0.72 * smooth_step(across, 0.70, 1.0))[:, None]
    return out


def _fibres(angle: Array, across: Array) -> Array:
    """Brightness of the iris' fibres around 1: waves of many frequencies that bend a little."""
    rng = np.random.default_rng(3)
    out = np.zeros_like(angle)
    bend = 0.05 * np.sin(5 * angle + 4 * across)
    for count in (17, 29, 43, 61, 89, 127):
        phase, drift = rng.uniform(0, 2 * np.pi, 2)
        wave = np.sin(count * (angle + bend) + phase + 2.5 * np.sin(3 * across + drift))
        out += wave * rng.uniform(0.5, 1.0) * (1 + 0.4 * np.sin(7 * across + drift))
    # Not all around alike: fibres lie looser here and there, crypts open beyond the collarette.
    phases = rng.uniform(0, 2 * np.pi, 6)
    loose = sum(np.sin(n * angle + p) for n, p in zip((2, 3, 5), phases[:3], strict=True))
    edge = 0.42 + 0.05 * np.sin(6 * angle + phases[3]) + 0.03 * np.sin(11 * angle + phases[4])
    crypts = np.exp(-(((across - edge) / 0.09) ** 2)) * smooth_step(
        np.sin(9 * angle + phases[5] + 1.5 * np.sin(2 * angle)), 0.1, 0.9
    )
    return np.clip(1.0 + 0.13 * out * (1 + 0.25 * loose) - 0.3 * crypts, 0.4, 1.7)


def _sclera(theta: Array, angle: Array) -> Array:
    """Warm white that reddens towards the back, with fine veins that fade towards the iris."""
    red = 0.75 * smooth_step(theta, 30.0, 75.0)
    rng = np.random.default_rng(4)
    # Lids hide what is further back.
    rows, columns = np.nonzero((theta > 26) & (theta < 80))
    out, around = theta[rows, columns], angle[rows, columns]
    for _ in range(_VEINS):
        where, turn, long = rng.uniform(-3, 3), rng.uniform(5, 13), rng.uniform(32, 50)
        # A vein bends by little: only a wedge of the picture is near it.
        near = np.flatnonzero(np.abs(around - where) < 0.2)
        back = out[near]
        line = where + 0.10 * np.sin(back / turn + where) + 0.03 * np.sin(back / 2.3 + turn)
        vein = np.exp(-(((around[near] - line) / 0.012) ** 2)) * smooth_step(
            back, long - 6, long + 18
        )
        red[rows[near], columns[near]] += 0.28 * vein
    red = np.clip(red, 0, 1)[..., None]
    return _SCLERA * (1 - red) + _SCLERA_BACK * red
