# SPDX-License-Identifier: GPL-3.0-or-later
"""A hidden armature between a body whose own axes lie otherwise and our rig.

A Copy Rotation constraint takes a bone's rotation over from armature space to armature space and
knows nothing of how the two objects are turned (Blender 4.2 to 5.0): a nod of an FBX's lying bones
would arrive as a tilt. The bridge has the body's neck and head, placed as they are in the scene,
in an object that is turned as ours.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import bpy
from mathutils import Matrix

#: Marks a bridge: it is nobody's body.
BRIDGE = "pixel3dmm_bridge"
#: Degrees between two objects' axes that are the same.
_SAME = 0.1


def is_aligned(rig: bpy.types.Object, body: bpy.types.Object) -> bool:
    """True where both armatures' own axes lie the same way in the scene."""
    ours, theirs = (obj.matrix_world.to_quaternion() for obj in (rig, body))
    between = ours.rotation_difference(theirs).angle
    turned = min(between, 2 * math.pi - between)
    return math.degrees(turned) < _SAME and body.matrix_world.determinant() > 0


def make_bridge(
    rig: bpy.types.Object, body: bpy.types.Object, names: Iterable[str], name: str
) -> bpy.types.Object:
    """A bridge with these bones of the body at rest, beside the rig and turned as it is.

    Bones can only be made in edit mode, so no object may be in it.
    """
    data = bpy.data.armatures.new(name)
    bridge = bpy.data.objects.new(name, data)
    bridge[BRIDGE] = True
    rig.users_collection[0].objects.link(bridge)
    place, turn, _ = rig.matrix_world.decompose()
    bridge.matrix_world = Matrix.LocRotScale(place, turn, None)
    layer = bpy.context.view_layer
    active = layer.objects.active
    layer.objects.active = bridge
    bpy.ops.object.mode_set(mode="EDIT")
    try:
        above = None
        for bone_name in names:
            bone = body.data.bones[bone_name]
            world = body.matrix_world @ bone.matrix_local
            place, turn, _ = world.decompose()
            made = data.edit_bones.new(bone_name)
            made.head, made.tail = (0, 0, 0), (0, 0.1, 0)
            made.matrix = bridge.matrix_world.inverted() @ Matrix.LocRotScale(place, turn, None)
            made.parent = above
            above = made
    finally:
        bpy.ops.object.mode_set(mode="OBJECT")
        layer.objects.active = active
    for bone in bridge.pose.bones:
        copied = bone.constraints.new("COPY_ROTATION")
        copied.target, copied.subtarget = body, bone.name
    bridge.hide_set(True)
    bridge.hide_render = True
    return bridge


def remove_bridges(rig: bpy.types.Object) -> None:
    """Those that the rig's bones follow."""
    targets = {getattr(c, "target", None) for bone in rig.pose.bones for c in bone.constraints}
    for bridge in [t for t in targets if t is not None and BRIDGE in t]:
        data = bridge.data
        bpy.data.objects.remove(bridge)
        if not data.users:
            bpy.data.armatures.remove(data)
