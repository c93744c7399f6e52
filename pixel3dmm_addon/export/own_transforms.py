# SPDX-License-Identifier: GPL-3.0-or-later
"""The artist's rotation and size of head and rig put into the data, as a file's axes are.

Engines dislike a skeleton whose root is scaled: root motion and physics take the scale along. So a
head that was turned, made larger, attached to a body or made in a scene of other units leaves as
one that stands in the world as it did, and of whose objects none has a rotation or a scale.
"""

from __future__ import annotations

from dataclasses import replace

import bpy
import numpy as np
from mathutils import Matrix

from .baking import Motion
from .copies import Copies

#: Lengths of one object's axes that differ by less are the same.
_UNIFORM = 1e-4
#: A matrix nearer to none is none: data that needs no change keeps every bit.
_NONE = 1e-7


def apply_transforms(copies: Copies, motion: Motion) -> tuple[Motion, list[str]]:
    """Turns and scales the copies' data by how each object stands in the current frame.

    Returns the motion that shows the same with it, and sentences on objects that are stretched:
    bones can turn but not lean, so that a stretch has to stay with its object.
    """
    objects = [*copies.rigs, copies.head]
    worlds, bones = motion.objects.copy(), list(motion.bones)
    notes = []
    for i, obj in enumerate(objects):
        linear = worlds[0, i, :3, :3]
        size = float(np.cbrt(np.linalg.det(linear)))
        turn = linear / size
        if np.abs(turn @ turn.T - np.eye(3)).max() > _UNIFORM:
            lengths = " x ".join(f"{s:.2g}" for s in np.linalg.norm(linear, axis=0))
            notes.append(f"{obj.name} is stretched ({lengths}): the file keeps that scale")
            continue
        if np.abs(linear - np.eye(3)).max() < _NONE:
            continue
        change = np.eye(4)
        change[:3, :3] = linear
        _transform(obj, Matrix(change.tolist()))
        worlds[:, i] = worlds[:, i] @ np.linalg.inv(change)
        if i < len(copies.rigs):
            bones[i] = bones[i].copy()
            bones[i][..., :3] *= size
    # A child that is stretched with its parent is said once.
    return replace(motion, objects=worlds, bones=tuple(bones)), notes[:1]


def _transform(obj: bpy.types.Object, change: Matrix) -> None:
    if obj.type == "ARMATURE":
        obj.data.transform(change)
    else:
        obj.data.transform(change, shape_keys=True)
