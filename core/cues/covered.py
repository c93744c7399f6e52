# SPDX-License-Identifier: GPL-3.0-or-later
"""What is seen of a face, and what lies behind a mask, dark glasses, a hand or a board.

The landmark net draws every landmark, seen or not. Here colours say which of them show the face:
skin has one colour up to light and shade, lips stand out from it or have a dark line between them,
and eyes hold bright and dark things side by side. Colours are natural logarithms of linear light,
of the medians of small discs: red and blue over green (chroma), and luminance.

A beard is dark, but lips stand out from it; a shadow is dark, but its chroma is the skin's. In the
dark, and in a blurred photo, none of that can be told: `covered_parts` is not asked then. Nor do
lips stand out in a photo without colour.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..photos.colour import linear_from_srgb
from .eye_openings import LIDS, RINGS
from .face_geometry import canonical_face
from .model_files import mediapipe_dir

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Pixels = NDArray[np.uint8]

#: Parts in the order in which they are named, by their landmarks of skin; of the mouth, the skin
#: around it. Sides are the person's.
SKIN = {
    "right eye": (119, 120, 100, 230, 229, 27, 28, 222, 223),
    "left eye": (348, 349, 329, 450, 449, 257, 258, 442, 443),
    "nose": (4, 5, 1, 45, 275, 51, 281),
    "right cheek": (50, 187, 207, 147, 205, 123),
    "left cheek": (280, 411, 427, 376, 425, 352),
    "mouth": (164, 165, 391, 18, 200, 83, 313, 92, 322, 106, 335),
    "chin": (199, 175, 208, 428, 171, 396),
}
#: Where hardly anything lies before a face: between the brows, bridge of the nose, cheekbones. The
#: forehead is not among them, for fringes.
_MIDDLE, _SIDES = (9, 8, 6, 168, 197), {"right": (193, 50, 101), "left": (417, 280, 330)}
FOREHEAD = (10, 151, 9, 67, 297, 108, 337, 109, 338, 54, 284, 103, 332)
LIPS = (0, 37, 267, 17, 84, 314, 72, 302, 85, 315)
#: Across the mouth at five places: outer and inner edge of the upper lip, and of the lower one.
_ACROSS = ((0, 13, 14, 17), (37, 82, 87, 84), (267, 312, 317, 314), (39, 81, 178, 181),
           (269, 311, 402, 405))  # fmt: skip
#: Radius of a disc in distances between the eyes' outer corners.
_RADIUS, _FINE = 0.03, 0.012
#: A colour is strange at this distance of chroma, or of luminance beyond what light explains; the
#: second of chroma counts where the mouth is not seen either.
_CHROMA, _NO_MOUTH, _SHADE, _LUMINANCE = 0.5, 0.3, 0.8, 1.4
#: Below the warmest places by more than this, a place is not skin (red over blue, logarithm); and
#: darker ones than this have no colour to tell that by.
_WARM, _BLACK = 0.6, np.log(0.02)
#: Share of a part's discs from which it is covered, and of parts beside a mouth that is.
_MOST, _HALF = 0.7, 0.5
#: Of the wider side's width, from which on a face has two sides to look at.
_NARROW = 0.4
#: Of lips that are not seen: chroma and luminance by which they stand out from what is around
#: them, and the line between them. Lips of photos have 0.1 to 1.2, or a line of -0.3 to -4, or
#: teeth between them, brighter than both by more than the last.
_PLAIN, _LEVEL, _LINE, _TEETH = 0.07, 0.3, -0.12, 0.2
#: Spread of chroma over a face, nine landmarks of ten, up to which a photo has no colour: grey or
#: toned. The example has 0.37, in sepia 0.05, in grey 0.00.
_GREY = 0.08
#: Of eyes that are not seen: luminance that even the brightest place in them stays below, relative
#: to the skin (photos of open and closed eyes: -2.1 and more), or by which all of it is alike.
_DARK, _FLAT = -2.6, 0.15


def covered_parts(pixels: Pixels, landmarks: Array) -> tuple[str, ...]:
    """Names of SKIN of the parts that a photo does not show, in that order.

    pixels (H, W, 3) sRGB; landmarks (478, 2..3) in its pixels.
    """
    colours = _Colours(pixels, landmarks[:, :2])
    flat = [side for side in ("right", "left") if colours.flat(f"{side} eye")]
    # A board before one half is as evenly coloured as skin: the other half says what skin is.
    beside = "" if len(flat) != 1 else flat[0]
    skin = colours.reference(beside)
    parts = {f"{side} eye" for side in flat}
    parts |= {f"{s} eye" for s in ("right", "left") if colours.dark(f"{s} eye", skin)}
    strange = {name: colours.strange(points, skin) for name, points in SKIN.items()}
    if colours.without_lips():
        blank = colours.without_line() and not colours.without_colour()
        parts |= {"mouth"} if blank or strange["mouth"] >= _MOST else set()
        lower = ("mouth", "chin", "nose", "left cheek", "right cheek")
        loose = {name: colours.strange(SKIN[name], skin, _NO_MOUTH) for name in lower}
        if loose["mouth"] >= _MOST:
            parts |= {name for name in lower if loose[name] >= _HALF}
    if beside and strange[f"{beside} cheek"] >= _MOST:
        parts.add(f"{beside} cheek")
    # The far side of a turned face is out of sight and not covered.
    sides = (("left", "right"), ("right", "left")) if _faces_camera(landmarks) else ()
    for side, other in sides:
        mine, its = ([strange[f"{s} {part}"] for part in ("eye", "cheek")] for s in (side, other))
        if min(mine) >= _MOST > 2 * max(its):
            parts |= {f"{side} eye", f"{side} cheek"}
    return tuple(name for name in SKIN if name in parts)


def landmarks_of(parts: tuple[str, ...]) -> Mask:
    """(478,) which landmarks belong to parts of the face."""
    names = list(SKIN)
    return np.isin(_part_of_landmark(), [names.index(name) for name in parts])


def _faces_camera(landmarks: Array) -> bool:
    """Whether both sides of the face are about as wide, from the nose's bridge to the cheek."""
    widths = [float(np.linalg.norm(landmarks[6, :2] - landmarks[i, :2])) for i in (234, 454)]
    return min(widths) > _NARROW * max(widths)


class _Colours:
    """values (478, 3) at the landmarks: logarithms of red over green, blue over green, and
    luminance; nan outside the photo.
    """

    def __init__(self, pixels: Pixels, places: Array) -> None:
        self.pixels, self.places = pixels, places
        self.eyes = float(np.linalg.norm(places[33] - places[263]))
        self.values = self.at(places, _RADIUS)

    def at(self, places: Array, radius: float) -> Array:
        """(n, 3) at places (n, 2) of the photo; radius: of the discs, in distances of the eyes."""
        out = np.full((len(places), 3), np.nan)
        height, width = self.pixels.shape[:2]
        reach = max(radius * self.eyes, 0.5)
        low, high = np.floor(places - reach).astype(int), np.ceil(places + reach).astype(int)
        for i, ((x0, y0), (x1, y1)) in enumerate(zip(low, high, strict=True)):
            if x1 > 0 and y1 > 0 and x0 < width and y0 < height:
                disc = self.pixels[max(y0, 0) : y1, max(x0, 0) : x1]
                out[i] = _logarithms(np.median(disc.reshape(-1, 3), axis=0))
        return out

    def reference(self, beside: str = "") -> Array:
        """(3,) of the skin: the median of what is likest skin where hardly anything covers it;
        beside: a side of the face, "right" or "left", to leave out with the middle.
        """
        places = [
            *(() if beside else _MIDDLE),
            *(p for s in _SIDES for p in _SIDES[s] * (s != beside)),
        ]
        found = self.values[places]
        found = found[np.isfinite(found[:, 0])]
        if not len(found):
            return np.full(3, np.nan)
        light = found[found[:, 2] > _BLACK]
        found = light if len(light) > 2 else found
        # Skin is redder than it is blue, in any tone and nearly any light. A mask lies before more
        # than half of these places, so that no median tells it from skin.
        warm = found[:, 0] - found[:, 1]
        out: Array = np.median(found[warm > warm.max() - _WARM], axis=0)
        return out

    def strange(self, points: tuple[int, ...], skin: Array, chroma: float = _CHROMA) -> float:
        """Share of landmarks of another colour than the skin (3,); outside counts as that."""
        off = self.values[list(points)] - skin
        shade = np.maximum(np.abs(off[:, 2]) - _SHADE, 0) / _LUMINANCE
        alike = (off[:, :2] ** 2).sum(axis=1) / chroma**2 + shade**2 < 1
        return float(1 - alike.mean())

    def without_colour(self) -> bool:
        """Whether the photo is grey, or of one tone throughout."""
        seen = self.values[np.isfinite(self.values).all(axis=1), :2]
        if not len(seen):
            return False
        off = np.abs(seen - np.median(seen, axis=0)).max(axis=1)
        return bool(np.percentile(off, 90) < _GREY)

    def without_lips(self) -> bool:
        """Whether lips look as what is around them does; lips outside the photo are not seen."""
        lips, around = (self.values[list(points)] for points in (LIPS, SKIN["mouth"]))
        if not (np.isfinite(lips).all() and np.isfinite(around).all()):
            return True
        off = np.median(lips, axis=0) - np.median(around, axis=0)
        return bool(np.hypot(off[0], off[1]) < _PLAIN and abs(off[2]) < _LEVEL)

    def without_line(self) -> bool:
        """Whether nothing dark lies between the lips, nor teeth."""
        corners = self.places[np.array(_ACROSS)]
        upper, between, lower = (
            self.at((corners[:, a] + corners[:, b]) / 2, _FINE)[:, 2]
            for a, b in ((0, 1), (1, 2), (2, 3))
        )
        line = np.median(np.minimum(between - upper, between - lower))
        return not (line < _LINE or line > _TEETH)

    def flat(self, eye: str) -> bool:
        """Whether an eye, lids and lashes are all as bright."""
        inside = self.values[list(_inside(eye)), 2]
        return not np.ptp(inside) > _FLAT if np.isfinite(inside).all() else False

    def dark(self, eye: str, skin: Array) -> bool:
        """Whether there is nothing but darkness where an eye should be."""
        inside = self.values[list(_inside(eye)), 2]
        return bool(np.isfinite(inside).any() and np.nanmax(inside) - skin[2] < _DARK)


def _inside(eye: str) -> tuple[int, ...]:
    """Landmarks along the lids of an eye of SKIN, without the corners."""
    side = eye.split()[0]
    corners = LIDS[side].corners
    return tuple(i for i in RINGS[side] if i not in corners)


def _logarithms(srgb: Array) -> Array:
    """Of a colour (3,) 0..255. The darkest are no colour: noise there is kept from counting."""
    red, green, blue = np.log(linear_from_srgb(srgb / 255) + 0.004)
    luminance = np.log(linear_from_srgb(srgb / 255) @ [0.2126, 0.7152, 0.0722] + 0.002)
    return np.array([red - green, blue - green, luminance])


@lru_cache(maxsize=1)
def _part_of_landmark() -> NDArray[np.intp]:
    """(478,) place in SKIN of the part that a landmark is nearest to on the canonical face, -1 for
    the forehead.
    """
    groups = [*SKIN.values(), FOREHEAD]
    face = canonical_face(mediapipe_dir()).vertices
    anchors = [i for group in groups for i in group]
    owner = np.repeat(np.arange(len(groups)), [len(g) for g in groups])
    distance = np.linalg.norm(face[:, None] - face[None, anchors], axis=2)
    parts = list(SKIN)
    irises = np.repeat([parts.index("right eye"), parts.index("left eye")], 5)
    out = np.concatenate([owner[distance.argmin(axis=1)], irises])
    return np.where(out == len(SKIN), -1, out)
