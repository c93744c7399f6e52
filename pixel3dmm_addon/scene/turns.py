# SPDX-License-Identifier: GPL-3.0-or-later
"""How far head, neck and eyes are turned, in angles that a person means; they live on the bones."""

from __future__ import annotations

import bpy
from mathutils import Euler, Matrix

from .expression import face_bones

#: The eyes of :func:`gaze`.
EYES = ("eye_l", "eye_r")


def turn_of(rig: bpy.types.Object, joint: str) -> tuple[float, float, float]:
    """Radians: nod (chin down), tilt (to the person's right shoulder), turn (to their left).

    In the scene's axes about the bone's own joint, relative to its parent. Zeros without it.
    """
    bone = face_bones(rig).get(joint)
    if bone is None:
        return 0.0, 0.0, 0.0
    rest = bone.bone.matrix_local.to_3x3()
    angles = (rest @ bone.matrix_basis.to_3x3().normalized() @ rest.transposed()).to_euler("XYZ")
    return angles.x, angles.y, angles.z


def set_turn(rig: bpy.types.Object, joint: str, angles: tuple[float, float, float]) -> None:
    """Inverse of :func:`turn_of`, in whatever way the bone stores rotations."""
    bone = face_bones(rig).get(joint)
    if bone is None:
        return
    rest = bone.bone.matrix_local.to_3x3()
    turned = (rest.transposed() @ Euler(angles, "XYZ").to_matrix() @ rest).to_4x4()
    bone.matrix_basis = Matrix.LocRotScale(bone.location, turned.to_quaternion(), bone.scale)


def gaze(rig: bpy.types.Object) -> tuple[float, float]:
    """Radians that the eyes look up, and to the person's left: the mean of both."""
    turns = [turn_of(rig, eye) for eye in EYES]
    return -sum(t[0] for t in turns) / 2, sum(t[2] for t in turns) / 2


def set_gaze(rig: bpy.types.Object, up: float, left: float) -> None:
    """Turns both eyes by the same, so that they meet where they met."""
    was_up, was_left = gaze(rig)
    for eye in EYES:
        nod, tilt, turn = turn_of(rig, eye)
        set_turn(rig, eye, (nod - (up - was_up), tilt, turn + (left - was_left)))


def mirror(rig: bpy.types.Object) -> None:
    """Head and eyes as a mirror shows them."""
    turns = {joint: turn_of(rig, joint) for joint in face_bones(rig)}
    for joint, (nod, tilt, turn) in turns.items():
        other = {"eye_l": "eye_r", "eye_r": "eye_l"}.get(joint, joint)
        set_turn(rig, other, (nod, -tilt, -turn))
