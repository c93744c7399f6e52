# SPDX-License-Identifier: GPL-3.0-or-later
"""Weights of jaw and eyes on copies of the artist's meshes: for the bones of the artist's own
armature by their names, or for an armature of ours where there is none.
"""

from __future__ import annotations

from collections.abc import Sequence

import bpy
import numpy as np

from ...core.conform.person import BONES, Conformed
from ...core.rig import bone_names
from .rig import bone_name

#: Which bone each of ours hangs on, and which bones of the artist's get weights.
_PARENT = {"neck": "root", "head": "neck", "jaw": "head", "eye_l": "head", "eye_r": "head"}
_FINE = ("jaw", "eye_l", "eye_r")
_LEAST = 1e-4


def add_weights(
    context: bpy.types.Context,
    made: Sequence[bpy.types.Object],
    first: bpy.types.Object,
    person: Conformed,
    start: Sequence[int],
) -> list[str]:
    """Vertex groups on the copies, and an armature where they have none; sentences."""
    rigs = {obj.find_armature() for obj in made} - {None}
    notes: list[str] = []
    for i, obj in enumerate(made):
        weights = person.weights[start[i] : start[i + 1]]
        rig = obj.find_armature()
        if rig is not None:
            notes += _onto(obj, rig, weights)
        elif not rigs:
            _groups(obj, weights)
    if not rigs:
        rig = _armature(context, first, person, made[0].name)
        for obj in made:
            modifier = obj.modifiers.new("Armature", "ARMATURE")
            modifier.object = rig
            obj.modifiers.move(len(obj.modifiers) - 1, 0)
    return list(dict.fromkeys(notes))


def _onto(obj: bpy.types.Object, rig: bpy.types.Object, weights: np.ndarray) -> list[str]:
    """Groups of the artist's bones; a group that there is stays as it is."""
    names = list(rig.data.bones.keys())
    eyes = bone_names.eye_names(names)
    roles = {"jaw": bone_names.jaw_name(names), **eyes}
    said = []
    for joint in _FINE:
        column = weights[:, BONES.index(joint)]
        rows = np.nonzero(column > _LEAST)[0]
        if not len(rows):
            continue
        bone = roles.get(joint)
        if bone is None:
            said.append(f"{rig.name} has no bone for {bone_name(joint)}: its weights are left out.")
        elif bone not in obj.vertex_groups:
            _take_over(obj, rig, bone, rows, column[rows])
    return said


def _take_over(
    obj: bpy.types.Object,
    rig: bpy.types.Object,
    bone: str,
    rows: np.ndarray,
    share: np.ndarray,
) -> None:
    """The bone gets its share of what other bones hold, so that the sum stays."""
    bones = rig.data.bones
    deforming = {g.index for g in obj.vertex_groups if g.name in bones}
    group = obj.vertex_groups.new(name=bone)
    for row, part in zip(rows.tolist(), share.tolist(), strict=True):
        total = 0.0
        for element in obj.data.vertices[row].groups:
            if element.group in deforming:
                total += element.weight
                element.weight *= 1.0 - part
        group.add([row], part * (total or 1.0), "REPLACE")


def _groups(obj: bpy.types.Object, weights: np.ndarray) -> None:
    """Groups by the names of our bones; one that the artist has stays as it is."""
    for k, joint in enumerate(BONES):
        name = bone_name(joint)
        rows = np.nonzero(weights[:, k] > _LEAST)[0]
        if not len(rows) or name in obj.vertex_groups:
            continue
        group = obj.vertex_groups.new(name=name)
        values = np.round(weights[rows, k], 3)
        for value in np.unique(values):
            group.add(rows[values == value].tolist(), float(value), "REPLACE")


def _armature(
    context: bpy.types.Context, first: bpy.types.Object, person: Conformed, name: str
) -> bpy.types.Object:
    """Bones of ours at the person's joints, standing where the first mesh stands."""
    armature = bpy.data.armatures.new(f"{name} rig")
    rig = bpy.data.objects.new(f"{name} rig", armature)
    for collection in first.users_collection:
        collection.objects.link(rig)
    rig.matrix_world = first.matrix_world.copy()
    rig.show_in_front, armature.display_type = True, "STICK"
    size = float(np.linalg.norm(person.joints[-1] - person.joints[-2]))
    up = person.joints[BONES.index("head")] - person.joints[BONES.index("neck")]
    up = up / max(float(np.linalg.norm(up)), 1e-9)
    context.view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    try:
        for joint, place in zip(BONES, person.joints, strict=True):
            bone = armature.edit_bones.new(bone_name(joint))
            bone.head, bone.tail = place, place + size * up
            if joint in _PARENT:
                bone.parent = armature.edit_bones[bone_name(_PARENT[joint])]
    finally:
        bpy.ops.object.mode_set(mode="OBJECT")
    return rig
