# SPDX-License-Identifier: GPL-3.0-or-later
"""Points of a face that the artist sets on a mesh: a custom property of the object, by name."""

from __future__ import annotations

import json
from collections.abc import Sequence

import bpy
import numpy as np
from mathutils import Vector

from ...core.conform.by_hand import FEWEST, NAMED_POINTS
from .custom_properties import json_object
from .head import PREFIX

POINTS = PREFIX + "face_points"


def points(obj: bpy.types.Object) -> dict[str, list[float]]:
    """(3,) in the object's own space, by the names of NAMED_POINTS."""
    found = json_object(obj, POINTS)
    return {
        name: [float(v) for v in value]
        for name, value in found.items()
        if name in NAMED_POINTS and _is_place(value)
    }


def _is_place(value: object) -> bool:
    if not isinstance(value, list) or len(value) != 3:
        return False
    return all(type(v) in (int, float) and np.isfinite(v) for v in value)


def usable(obj: bpy.types.Object) -> dict[str, list[float]]:
    """The points, if there are enough of them to say anything."""
    found = points(obj)
    return found if len(found) >= FEWEST else {}


def set_point(obj: bpy.types.Object, name: str, world: Sequence[float]) -> None:
    """A point at a place in the world."""
    local = obj.matrix_world.inverted_safe() @ Vector(world)
    obj[POINTS] = json.dumps({**points(obj), name: [float(x) for x in local]})


def remove_point(obj: bpy.types.Object, name: str) -> None:
    """Without that point."""
    left = {n: v for n, v in points(obj).items() if n != name}
    if left:
        obj[POINTS] = json.dumps(left)
    elif POINTS in obj:
        del obj[POINTS]


def clear(obj: bpy.types.Object) -> None:
    """Without any."""
    if POINTS in obj:
        del obj[POINTS]


def next_name(obj: bpy.types.Object) -> str:
    """The first point that is not set; empty if all are."""
    found = points(obj)
    return next((name for name in NAMED_POINTS if name not in found), "")
