# SPDX-License-Identifier: GPL-3.0-or-later
"""Which way an armature's left, back and up are, told by its bones.

The object's rotation says nothing of it: an FBX brings lying bones in an object that is turned by
90 degrees, a glTF upright ones in one that is not, and artists apply either. But a head is above
its neck, the bones of the left lie to the left, eyes and toes are in front.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .bone_names import eye_names, is_toe, left_and_right

Array = NDArray[np.float64]

#: Cosines of the angles within which an axis of the armature is meant: of up where the spine is
#: known (20 degrees) and where a neck alone is, which leans forward (40); of left (20).
_SPINE, _LEANING, _ASIDE = 0.94, 0.77, 0.94
#: A spine is so many times as long as the bone below the head.
_LONG = 3.0
#: Of the distance between neck and head: less lies not in front.
_IN_FRONT = 0.1


@dataclass(frozen=True, eq=False)
class Skeleton:
    """B bones: names, heads and tails (B, 3) in the armature's own space, parents (B,), -1 for
    none; to_world (3, 3): the object's rotation and scale.
    """

    names: Sequence[str]
    heads: Array
    tails: Array
    parents: Sequence[int]
    to_world: Array


def body_frame(bones: Skeleton, head: str) -> Array:
    """(3, 3), a rotation: the directions of left, back and up in the armature's space as columns.

    So it takes the scene's axes, in which a head of ours looks along -y, to the body's.
    """
    up = _up(bones, head)
    front = _seen_front(bones, head, up)
    left = _left(bones, up)
    if left is not None and front is not None and float(np.cross(left, up) @ front) < 0:
        left = None  # left and right are called by the onlooker's side, or mirrored
    if left is None:
        if front is None:
            front = _usual_front(bones, up)
        left = np.cross(up, front)
    left = left - (left @ up) * up
    left = _snapped(left / np.linalg.norm(left), _axes(bones), up, _ASIDE)
    return np.column_stack([left, np.cross(up, left), up])


def in_world(bones: Skeleton, frame: Array) -> Array:
    """(3, 3), a rotation: the same directions in the scene; left is where it is for a face that
    looks the same way, though a mirrored object has it on the other side.
    """
    directions = bones.to_world @ frame
    up = directions[:, 2] / np.linalg.norm(directions[:, 2])
    back = directions[:, 1] - (directions[:, 1] @ up) * up
    back /= np.linalg.norm(back)
    return np.column_stack([np.cross(back, up), back, up])


def _up(bones: Skeleton, head: str) -> Array:
    at = list(bones.names).index(head)
    here = bones.heads[at]
    ways: list[Array] = []
    parent = bones.parents[at]
    while parent >= 0 and len(ways) < len(bones.names):
        ways.append(here - bones.heads[parent])
        parent = bones.parents[parent]
    ways = [way for way in ways if np.linalg.norm(way) > 1e-9]
    if ways:
        rough = np.sum(ways, axis=0)
        lengths = [float(np.linalg.norm(way)) for way in ways]
        sure = max(lengths) > _LONG * lengths[0]
    else:
        rough, sure = bones.tails[at] - here, False
    size = float(np.linalg.norm(rough))
    if size < 1e-9:
        rough, size = np.array([0.0, 0.0, 1.0]), 1.0
    return _snapped(rough / size, _axes(bones), None, _SPINE if sure else _LEANING)


def _axes(bones: Skeleton) -> list[Array]:
    """Directions that a body stands along, the likeliest first: the armature's own, the scene's."""
    world = np.linalg.inv(bones.to_world)
    own = [sign * axis for axis in np.eye(3) for sign in (1.0, -1.0)]
    scene = [sign * axis / np.linalg.norm(axis) for axis in world.T for sign in (1.0, -1.0)]
    return [*own, *scene]


def _snapped(rough: Array, axes: list[Array], across: Array | None, near: float) -> Array:
    """The axis that is meant, of those across a direction; ``rough`` itself if none is near."""
    for some in (axes[:6], axes[6:]):
        fitting = [a for a in some if across is None or abs(float(a @ across)) < 1e-3]
        if fitting:
            best = max(fitting, key=lambda axis: float(axis @ rough))
            if float(best @ rough) > near:
                return best
    return rough


def _left(bones: Skeleton, up: Array) -> Array | None:
    """From all bones of the right to those of the left; None where none are called so."""
    pairs = left_and_right(list(bones.names))
    if not pairs:
        return None
    away = np.sum([bones.heads[a] - bones.heads[b] for a, b in pairs], axis=0)
    away += np.sum([bones.tails[a] - bones.tails[b] for a, b in pairs], axis=0)
    away = away - (away @ up) * up
    size = float(np.linalg.norm(away))
    return away / size if size > 1e-9 else None


def _seen_front(bones: Skeleton, head: str, up: Array) -> Array | None:
    """Where eyes lie before the head's joint, and toes before what bears them."""
    names = list(bones.names)
    at = names.index(head)
    below = bones.parents[at]
    unit = float(np.linalg.norm(bones.heads[at] - bones.heads[below])) if below >= 0 else 0.0
    unit = unit or float(np.linalg.norm(bones.tails[at] - bones.heads[at]))
    ways = [bones.heads[names.index(eye)] - bones.heads[at] for eye in eye_names(names).values()]
    for i, name in enumerate(names):
        if is_toe(name) and bones.parents[i] >= 0:
            ways.append(bones.heads[i] - bones.heads[bones.parents[i]])
    if not ways:
        return None
    front = np.mean(ways, axis=0)
    front = front - (front @ up) * up
    size = float(np.linalg.norm(front))
    if size < _IN_FRONT * unit:
        return None
    front = front / size
    across = [axis for axis in _axes(bones)[:6] if abs(float(axis @ up)) < 1e-3]
    best = max(across, key=lambda axis: float(axis @ front), default=front)
    return best if float(best @ front) > _LEANING else front


def _usual_front(bones: Skeleton, up: Array) -> Array:
    """Where nothing tells: Blender's people look along -Y of Z up, all others along +Z of Y up."""
    x, y, z = np.eye(3)
    for above, front in ((z, -y), (y, z)):
        if float(up @ above) > 0.99:
            return front
    towards = np.linalg.inv(bones.to_world) @ np.array([0.0, -1.0, 0.0])
    for way in (towards, x, y):
        front = way - (way @ up) * up
        if np.linalg.norm(front) > 0.1 * np.linalg.norm(way):
            return front / np.linalg.norm(front)
    return z
