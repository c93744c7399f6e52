# SPDX-License-Identifier: GPL-3.0-or-later
"""A head in the scene follows its fit: what the fit changed is added to what stands there.

So the artist's hand stays in it: sculpted keys and a sculpted face, traits, sliders that were
moved, a rig that was moved. What is no longer there is left alone.
"""

from __future__ import annotations

import json

import bpy
import numpy as np
from mathutils import Matrix

from ...core.errors import ModelFileError
from ...core.geometry import axes
from ...core.geometry.rotation import matrix_from_vector
from ...core.reconstruct.continuation import Continuation
from ...core.reconstruct.recipe import carried_on
from ...core.rigged_head import RiggedHead
from . import camera as photo_camera
from . import continuation, custom_properties, likeness, skin, wrinkles
from .head import PREFIX
from .rig import JOINT

#: Values that differ by less are the same ones.
_SAME = 1e-4
#: Metres that joints move before the bones do.
_WORTH_IT = 2e-5


def apply(
    context: bpy.types.Context, head: bpy.types.Object, after: RiggedHead, before: RiggedHead
) -> None:
    """Raises ModelFileError, before anything was changed, for a mesh that is no longer ours."""
    reason = continuation.why_not(head)
    if reason:
        raise ModelFileError(f"{reason}.")
    if len(head.data.vertices) != len(after.basis) or len(before.basis) != len(after.basis):
        raise ModelFileError(
            f"{head.name} has {len(head.data.vertices)} vertices and not {len(after.basis)} any "
            "more, so that its fit cannot go on: undo what changed its mesh."
        )
    if context.mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")
    # Objects that were just appended or moved do not know yet where they stand.
    context.view_layer.update()
    last = continuation.read(head)
    now = Continuation.from_json(after.continuation_json)
    _move_points(head, after, before)
    _set_values(head, after, before)
    wrinkles.drive(head, after, is_painted=skin.skin_of(head) is not None)
    rig = head.find_armature()
    if rig is not None:
        _move_bones(context, rig, after, before)
        _turn_bones(rig, after, before)
    for i in range(len(last.photos)):
        camera = photo_camera.camera_of(head, i)
        if camera is not None and camera.is_editable:
            was, is_ = continuation.photo_camera_of(last, i), continuation.photo_camera_of(now, i)
            photo_camera.place(context.scene, camera, is_, was)
    continuation.store(head, after.continuation_json)
    head[PREFIX + "recipe"] = carried_on(head.get(PREFIX + "recipe"), after.recipe_json)
    said = custom_properties.json_object(head, PREFIX + "report")
    head[PREFIX + "report"] = json.dumps({**said, **after.report})
    likeness.follow(head, after)


def _move_points(head: bpy.types.Object, after: RiggedHead, before: RiggedHead) -> None:
    keys = head.data.shape_keys
    by = axes.to_scene(after.basis.astype(np.float64) - before.basis)
    changed = {
        str(name): axes.to_scene(new.astype(np.float64) - before.key_deltas[i])
        for i, (name, new) in enumerate(zip(before.key_names, _deltas(after, before), strict=True))
    }
    for key in keys.key_blocks:
        flat = np.empty(3 * len(key.points), np.float32)
        key.points.foreach_get("co", flat)
        points = flat.reshape(-1, 3) + by
        if key != keys.reference_key and key.name in changed:
            points = points + changed[key.name]
        flat = np.ascontiguousarray(points, dtype=np.float32).reshape(-1)
        key.points.foreach_set("co", flat)
        if key == keys.reference_key:
            head.data.vertices.foreach_set("co", flat)
    keys.update_tag()
    head.data.update()


def _deltas(after: RiggedHead, before: RiggedHead) -> list[np.ndarray]:
    """after's deltas in before's order; a key that it lacks stays as it is."""
    at = {str(name): i for i, name in enumerate(after.key_names)}
    return [
        after.key_deltas[at[str(name)]] if str(name) in at else before.key_deltas[i]
        for i, name in enumerate(before.key_names)
    ]


def _set_values(head: bpy.types.Object, after: RiggedHead, before: RiggedHead) -> None:
    """Sliders that still stand where the last fit put them follow the new one."""
    blocks = head.data.shape_keys.key_blocks
    old = dict(zip(map(str, before.key_names), before.key_values, strict=True))
    for name, value in zip(map(str, after.key_names), after.key_values, strict=True):
        block = blocks.get(name)
        if block is not None and name in old and abs(block.value - float(old[name])) < _SAME:
            block.value = float(value)


def _move_bones(
    context: bpy.types.Context, rig: bpy.types.Object, after: RiggedHead, before: RiggedHead
) -> None:
    joints = after.joints.astype(np.float64) - before.joints
    tails = after.joint_tails.astype(np.float64) - before.joint_tails
    if max(np.abs(joints).max(), np.abs(tails).max()) < _WORTH_IT:
        return
    if not rig.data.is_editable or rig.name not in context.view_layer.objects:
        return
    layer = context.view_layer
    active, hidden = layer.objects.active, rig.hide_get()
    rig.hide_set(False)
    layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    try:
        bones = {bone.get(JOINT): bone for bone in rig.data.edit_bones}
        rows = zip(after.joint_names, axes.to_scene(joints), axes.to_scene(tails), strict=True)
        for joint, head_by, tail_by in rows:
            bone = bones.get(str(joint))
            if bone is not None:
                bone.head = np.array(bone.head) + head_by
                bone.tail = np.array(bone.tail) + tail_by
    finally:
        bpy.ops.object.mode_set(mode="OBJECT")
        layer.objects.active = active
        rig.hide_set(hidden)


def _turn_bones(rig: bpy.types.Object, after: RiggedHead, before: RiggedHead) -> None:
    """Bones that still look where the last fit let them look follow the new one."""
    bones = {bone.bone.get(JOINT): bone for bone in rig.pose.bones}
    turns = (matrix_from_vector(r.joint_rotations.astype(np.float64)) for r in (before, after))
    for joint, was, is_ in zip(after.joint_names, *turns, strict=True):
        bone = bones.get(str(joint))
        if bone is None or bone.rotation_mode != "QUATERNION":
            continue
        rest = np.array(bone.bone.matrix_local.to_3x3())
        old, new = (
            Matrix(axes.bone_rotation(m, rest).tolist()).to_quaternion() for m in (was, is_)
        )
        if old.rotation_difference(bone.rotation_quaternion).angle < 0.01:
            bone.rotation_quaternion = new
