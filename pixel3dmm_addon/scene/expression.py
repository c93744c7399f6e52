# SPDX-License-Identifier: GPL-3.0-or-later
"""The 52 keys of a head in the scene: read, set, linked by sides, keyframed.

Nothing of it is stored beside Blender's own keys and drivers, but the photo's values.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

import bpy

from ...core.heads.arkit import ARKIT_NAMES
from ...core.rig import expression
from ...core.rigged_head import RiggedHead
from . import custom_properties
from .rig import JOINT

#: On the mesh, as the keys are: the photo's values, as JSON.
PHOTO_VALUES = "pixel3dmm_photo_expression"

#: Bones that an animator of faces turns, by their joints.
TURNED = ("neck", "head", "jaw", "eye_l", "eye_r")


def remember_photo(mesh: bpy.types.Mesh, rigged: RiggedHead) -> None:
    """Keeps the photo's expression, so that its amount can be changed later."""
    values = {
        str(name): round(float(value), 6)
        for name, value in zip(rigged.key_names, rigged.key_values, strict=True)
        if str(name) in ARKIT_NAMES and value
    }
    mesh[PHOTO_VALUES] = json.dumps(values)


def photo_values(head: bpy.types.Object) -> dict[str, float]:
    """The photo's expression; empty where it is not stored."""
    return custom_properties.numbers(head.data, PHOTO_VALUES, ARKIT_NAMES)


def keys(head: bpy.types.Object) -> dict[str, bpy.types.ShapeKey]:
    """Those of the 52 that the head has."""
    blocks = head.data.shape_keys.key_blocks if head.data.shape_keys else {}
    return {name: blocks[name] for name in ARKIT_NAMES if name in blocks}


def values(head: bpy.types.Object) -> dict[str, float]:
    """As they are now."""
    return {name: key.value for name, key in keys(head).items()}


def set_values(head: bpy.types.Object, wanted: Mapping[str, float]) -> None:
    """Sets keys; those that follow the other side follow it on."""
    driven = {driver.data_path for driver in _drivers(head)}
    for name, key in keys(head).items():
        if name in wanted and _path(name) not in driven:
            key.value = wanted[name]


def is_linked(head: bpy.types.Object) -> bool:
    """Whether the right side follows the left."""
    return next(_links(head), None) is not None


def link_sides(head: bpy.types.Object) -> None:
    """The right side's keys get drivers that read the left's; keys with other drivers keep them."""
    shape_keys, driven = head.data.shape_keys, {d.data_path for d in _drivers(head)}
    blocks = keys(head)
    for name in blocks:
        leader = expression.leader(name)
        if leader is None or leader not in blocks or _path(name) in driven:
            continue
        driver = blocks[name].driver_add("value").driver
        driver.type = "SUM"
        variable = driver.variables.new()
        variable.name, variable.type = "left", "SINGLE_PROP"
        target = variable.targets[0]
        target.id_type, target.id = "KEY", shape_keys
        target.data_path = _path(leader)


def unlink_sides(head: bpy.types.Object) -> None:
    """Both sides move freely again, from where they are."""
    for name in list(_links(head)):
        keys(head)[name].driver_remove("value")


def insert_keyframes(head: bpy.types.Object) -> int:
    """Keyframes all 52 keys, the residual and the face's bones at the current frame."""
    driven = {driver.data_path for driver in _drivers(head)}
    count = 0
    for key in head.data.shape_keys.key_blocks[1:]:
        if _path(key.name) not in driven:
            key.keyframe_insert("value", group="Expression")
            count += 1
    rig = head.find_armature()
    for bone in face_bones(rig).values() if rig else ():
        bone.keyframe_insert(_rotation(bone), group=bone.name)
        count += 1
    return count


def face_bones(rig: bpy.types.Object) -> dict[str, bpy.types.PoseBone]:
    """Joint -> pose bone, whatever the bone is called now."""
    found = {bone.bone.get(JOINT): bone for bone in rig.pose.bones}
    return {joint: found[joint] for joint in TURNED if joint in found}


def _rotation(bone: bpy.types.PoseBone) -> str:
    modes = {"QUATERNION": "rotation_quaternion", "AXIS_ANGLE": "rotation_axis_angle"}
    return modes.get(bone.rotation_mode, "rotation_euler")


def _drivers(head: bpy.types.Object) -> Iterator[bpy.types.FCurve]:
    data = head.data.shape_keys.animation_data if head.data.shape_keys else None
    yield from data.drivers if data else ()


def _links(head: bpy.types.Object) -> Iterator[str]:
    """Names on the right that follow exactly their left."""
    leaders = {_path(name): name for name in ARKIT_NAMES if expression.leader(name)}
    for curve in _drivers(head):
        name = leaders.get(curve.data_path)
        variables = curve.driver.variables
        if name is None or curve.driver.type != "SUM" or len(variables) != 1:
            continue
        if variables[0].targets[0].data_path == _path(str(expression.leader(name))):
            yield name


def _path(name: str) -> str:
    return f'key_blocks["{name}"].value'
