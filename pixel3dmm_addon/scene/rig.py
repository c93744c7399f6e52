# SPDX-License-Identifier: GPL-3.0-or-later
"""The armature: bones at the head's joints, skin weights, and the photo's gaze as their pose."""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Matrix, Vector

from ...core.geometry import axes
from ...core.geometry.rotation import matrix_from_vector
from ...core.rigged_head import RiggedHead

#: A bone that is shorter is removed by Blender when edit mode is left.
SHORTEST_BONE = 0.005

#: Custom property of a bone: the joint that it is, whatever the bone is called now.
JOINT = "pixel3dmm_joint"

#: Bone collection of our bones; hidden at first, since they would cover the face.
BONES = "Pixel3DMM"

_WEIGHT_STEP = 1e-6


def bone_name(joint: str) -> str:
    """eye_l -> eye.L: Blender's own way to name sides, which its mirror tools understand."""
    for suffix, side in (("_l", ".L"), ("_r", ".R")):
        if joint.endswith(suffix):
            return joint[: -len(suffix)] + side
    return joint


def make_rig(
    context: bpy.types.Context,
    collection: bpy.types.Collection,
    rigged: RiggedHead,
    name: str,
) -> bpy.types.Object:
    """The armature object, linked to ``collection``; bones at rest.

    Bones can only be made in edit mode, so no other object may be in it.
    """
    armature = bpy.data.armatures.new(name)
    rig = bpy.data.objects.new(name, armature)
    collection.objects.link(rig)
    context.view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    try:
        ours = armature.collections.new(BONES)
        heads, tails = axes.to_scene(rigged.joints), axes.to_scene(rigged.joint_tails)
        bones: list[bpy.types.EditBone] = []
        for joint, head, tail, parent in zip(
            rigged.joint_names, heads, tails, rigged.parents, strict=True
        ):
            bone = armature.edit_bones.new(bone_name(str(joint)))
            bone.head, bone.tail = head, tail
            if bone.length < SHORTEST_BONE:
                bone.tail = head + np.array([0.0, 0.0, SHORTEST_BONE])
            # Its own x is the head's: turning about it nods, whichever way the bone points.
            bone.align_roll(Vector((1.0, 0.0, 0.0)).cross(bone.tail - bone.head))
            if parent >= 0:
                bone.parent = bones[parent]
            bone[JOINT] = str(joint)
            ours.assign(bone)
            bones.append(bone)
        ours.is_visible = False
    finally:
        bpy.ops.object.mode_set(mode="OBJECT")
    armature.display_type = "STICK"
    rig.show_in_front = True
    return rig


def shown_bones(rig: bpy.types.Object | None) -> bpy.types.BoneCollection | None:
    """The collection whose ``is_visible`` shows a head's bones; None for heads without one."""
    return rig.data.collections.get(BONES) if rig is not None else None


def bind(head: bpy.types.Object, rig: bpy.types.Object, rigged: RiggedHead) -> None:
    """Vertex groups named as the bones, the armature modifier, and the head as the rig's child."""
    for joint, weights in zip(rigged.joint_names, rigged.weights.T, strict=True):
        group = head.vertex_groups.new(name=bone_name(str(joint)))
        touched = np.nonzero(weights > _WEIGHT_STEP)[0]
        # One call a distinct weight: most of a head follows one bone entirely.
        values, which = np.unique(weights[touched], return_inverse=True)
        order = np.argsort(which, kind="stable")
        ends = np.cumsum(np.bincount(which, minlength=len(values)))
        for value, members in zip(values, np.split(touched[order], ends[:-1]), strict=True):
            group.add(members.tolist(), float(value), "REPLACE")
    head.parent = rig
    modifier = head.modifiers.new("Armature", "ARMATURE")
    modifier.object = rig


def pose(rig: bpy.types.Object, rigged: RiggedHead) -> None:
    """Turns the bones as the photo has them: the eyes look where they look there."""
    matrices = matrix_from_vector(rigged.joint_rotations.astype(np.float64))
    for joint, matrix in zip(rigged.joint_names, matrices, strict=True):
        bone = rig.pose.bones[bone_name(str(joint))]
        rest = np.array(bone.bone.matrix_local.to_3x3())
        turned = Matrix(axes.bone_rotation(matrix, rest).tolist())
        bone.rotation_mode = "QUATERNION"
        bone.rotation_quaternion = turned.to_quaternion()
