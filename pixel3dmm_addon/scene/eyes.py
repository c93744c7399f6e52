# SPDX-License-Identifier: GPL-3.0-or-later
"""Eyeballs that follow the eyeLook sliders, on top of how their bones are posed.

The sliders themselves move lids alone. A Transformation constraint without an input range adds a
rotation that drivers set, so that no helper bones are needed and the bones stay free.
"""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Euler

from ...core.heads.arkit import LOOK_DEGREES
from .rig_data import find_bone

FOLLOW_NAME = "Pixel3DMM gaze"

_EYES = (("eye_l", "Left", 1), ("eye_r", "Right", -1))


def follows(rig: bpy.types.Object) -> bool:
    """Whether the eyes follow the sliders."""
    bones = [find_bone(rig, joint) for joint, _, _ in _EYES]
    return any(FOLLOW_NAME in b.constraints for b in bones if b is not None)


def set_follow(head: bpy.types.Object, rig: bpy.types.Object, on: bool) -> None:
    """Adds or removes the constraints; the eyes look where they looked."""
    keys = head.data.shape_keys
    for joint, side, outward in _EYES:
        bone = find_bone(rig, joint)
        names = {end: f"eyeLook{end}{side}" for end in LOOK_DEGREES}
        if bone is None or any(n not in keys.key_blocks for n in names.values()):
            continue
        if on == (FOLLOW_NAME in bone.constraints):
            continue
        value = {
            end: keys.key_blocks[n].value * np.radians(LOOK_DEGREES[end])
            for end, n in names.items()
        }
        # The bone points forward with its x to the person's left: its z points down.
        added = Euler(
            (value["Down"] - value["Up"], 0.0, outward * (value["In"] - value["Out"]))
        ).to_matrix()
        own = bone.matrix_basis.to_3x3()
        if on:
            _add(bone, rig, keys, names, outward)
            own = own @ added.inverted()
        else:
            constraint = bone.constraints[FOLLOW_NAME]
            for end in ("min", "max"):
                for axis in "xz":
                    constraint.driver_remove(f"to_{end}_{axis}_rot")
            bone.constraints.remove(constraint)
            own = own @ added
        if bone.rotation_mode == "QUATERNION":
            bone.rotation_quaternion = own.to_quaternion()
        elif bone.rotation_mode == "AXIS_ANGLE":
            about, angle = own.to_quaternion().to_axis_angle()
            bone.rotation_axis_angle = (angle, *about)
        else:
            bone.rotation_euler = own.to_euler(bone.rotation_mode)


def _add(
    bone: bpy.types.PoseBone,
    rig: bpy.types.Object,
    keys: bpy.types.Key,
    names: dict[str, str],
    outward: int,
) -> None:
    constraint = bone.constraints.new("TRANSFORM")
    constraint.name, constraint.target = FOLLOW_NAME, rig
    constraint.subtarget = bone.parent.name if bone.parent else ""
    constraint.target_space = constraint.owner_space = "LOCAL"
    constraint.map_to, constraint.mix_mode_rot = "ROTATION", "AFTER"
    for axis, plus, minus, sign in (("x", "Down", "Up", 1), ("z", "In", "Out", outward)):
        for end in ("min", "max"):  # the input's range is empty: both are the output
            driver = constraint.driver_add(f"to_{end}_{axis}_rot").driver
            driver.type = "SCRIPTED"
            for letter, name in (("a", names[plus]), ("b", names[minus])):
                variable = driver.variables.new()
                variable.name, variable.type = letter, "SINGLE_PROP"
                target = variable.targets[0]
                target.id_type, target.id = "KEY", keys
                target.data_path = f'key_blocks["{name}"].value'
            most, least = (sign * np.radians(LOOK_DEGREES[e]) for e in (plus, minus))
            driver.expression = f"a * {most:.6f} - b * {least:.6f}"
