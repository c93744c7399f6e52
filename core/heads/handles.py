# SPDX-License-Identifier: GPL-3.0-or-later
"""Named points of a head that a person takes hold of to correct a fit.

Most are MediaPipe's landmarks; ears, hairline and the outline of the skull, which it has none of,
are found on the head model's own regions, so that every head model with those has them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .face_landmarks import LANDMARK_COUNT
from .model import HeadModel

Array = NDArray[np.float64]

#: Where a point is on both sides, its name begins so (the subject's).
_SIDES = ("Right ", "Left ")
#: Name -> the landmark in the middle, or those on the right and on the left. The first table is
#: what matters first: corners and contours.
_FIRST: dict[str, tuple[int, ...]] = {
    "eye, outer corner": (33, 263),
    "eye, inner corner": (133, 362),
    "upper lid": (159, 386),
    "lower lid": (145, 374),
    "brow, inner end": (107, 336),
    "brow, top": (105, 334),
    "brow, outer end": (70, 300),
    "nostril": (129, 358),
    "mouth corner": (61, 291),
    "jaw angle": (172, 397),
    "jaw line": (150, 379),
    "jaw below the ear": (93, 323),
    "Nose root": (168,),
    "Nose bridge": (197,),
    "Nose tip": (4,),
    "Nose base": (2,),
    "Upper lip": (0,),
    "Lower lip": (17,),
    "Chin": (152,),
}
_FURTHER: dict[str, tuple[int, ...]] = {
    "iris": (468, 473),
    "brow, inner arch": (66, 296),
    "brow, outer arch": (63, 293),
    "peak of the lip": (37, 267),
    "upper lip, side": (40, 270),
    "lower lip, side": (91, 321),
    "cheekbone": (116, 345),
    "cheek": (205, 425),
    "temple": (162, 389),
    "jaw, front": (176, 400),
    "jaw, side": (136, 365),
    "jaw, back": (58, 288),
    "forehead edge": (103, 332),
    "Nose bridge, upper": (6,),
    "Nose bridge, lower": (5,),
    "Lips, inner upper": (13,),
    "Lips, inner lower": (14,),
    "Chin crease": (18,),
    "Forehead": (151,),
    "Hairline of the face": (10,),
}
#: Degrees from straight up, in the frontal plane and, seen from the side, toward the back.
_SKULL = {"Skull, top": (0.0, 0.0), "Skull, upper back": (0.0, 50.0), "Skull, back": (0.0, 95.0)}
_SKULL_SIDES = {"skull, upper side": (35.0, 0.0), "skull, side": (68.0, 0.0)}
#: Metres from the middle at which the hairline has a handle on both sides.
_HAIRLINE = {"hairline, front": 0.03, "hairline, temple": 0.058}


@dataclass(frozen=True)
class Handle:
    """name in English; landmark: among the 478, -1 for a vertex of the surface, which is then
    ``vertex``; first: whether it is one of the few that matter first.
    """

    name: str
    landmark: int
    vertex: int
    first: bool


def handles(head: HeadModel) -> tuple[Handle, ...]:
    """All named points that this head has, those that matter first before the others."""
    known = set(head.landmark_ids.tolist())
    out = []
    for first, table in ((True, _FIRST), (False, _FURTHER)):
        for name, ids in table.items():
            sides = ("",) if len(ids) == 1 else _SIDES
            out += [
                Handle(side + name, i, -1, first)
                for side, i in zip(sides, ids, strict=True)
                if i in known
            ]
    out += [Handle(name, -1, v, True) for name, v in _on_surface(head).items()]
    return tuple(sorted(out, key=lambda h: not h.first))


def mirrored_landmarks(head: HeadModel) -> NDArray[np.int32]:
    """(478,) the landmark across the face, itself in the middle, -1 where the head has none."""
    ids = head.landmark_ids
    at = head.landmarks(head.template, ids)
    across = ((at[:, None] - at[None] * [-1.0, 1.0, 1.0]) ** 2).sum(axis=2).argmin(axis=1)
    out = np.full(LANDMARK_COUNT, -1, np.int32)
    out[ids] = ids[across]
    return out


def _on_surface(head: HeadModel) -> dict[str, int]:
    """Name -> vertex of ears, hairline and skull."""
    out: dict[str, int] = {}
    for side, ear in zip(_SIDES, ("ear_r", "ear_l"), strict=True):
        find = _finder(head, ear)
        if find is not None:
            out[f"{side}ear, top"] = find(lambda v: v[:, 1] + 0.5 * np.abs(v[:, 0]))
            out[f"{side}ear, lobe"] = find(lambda v: -v[:, 1])
            out[f"{side}ear, back"] = find(lambda v: np.abs(v[:, 0]) - v[:, 2])
    find = _finder(head, "scalp")
    if find is None:
        return out
    for name, angles in _SKULL.items():
        out[name] = find(_towards(*angles, 0.0))
    out["Hairline, middle"] = find(_hairline(0.0))
    for sign, side in zip((-1.0, 1.0), _SIDES, strict=True):
        for name, angles in _SKULL_SIDES.items():
            out[side + name] = find(_towards(*angles, sign))
        for name, x in _HAIRLINE.items():
            out[side + name] = find(_hairline(sign * x))
    return out


def _finder(head: HeadModel, region: str) -> Callable[[Callable[[Array], Array]], int] | None:
    """Of a region, the vertex that has most of what is asked of positions (n, 3) at rest."""
    mask = head.regions.get(region)
    if mask is None or not mask[: head.proper_count].any():
        return None
    vertices = np.nonzero(mask[: head.proper_count])[0]
    at = head.template[vertices]
    return lambda value: int(vertices[value(at).argmax()])


def _towards(aside: float, back: float, sign: float) -> Callable[[Array], Array]:
    """How far a point lies in a direction; sign: of x, zero for the middle."""
    a, b = np.radians([aside, back])
    direction = np.array([sign * np.sin(a), np.cos(a) * np.cos(b), -np.sin(b)])
    off = 3.0 if sign == 0.0 else 0.0  # in the middle, and not beside it
    return lambda v: np.asarray(v @ direction - off * np.abs(v[:, 0]))


def _hairline(x: float) -> Callable[[Array], Array]:
    """The front of the scalp, so far from the middle."""
    return lambda v: np.asarray(v[:, 2] - 4.0 * np.abs(v[:, 0] - x))
