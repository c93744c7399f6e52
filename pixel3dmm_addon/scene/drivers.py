# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys that follow other keys and bones, and how far bones turn.

All expressions are of the simple kind that Blender evaluates itself: they work in files that may
not run Python.
"""

from __future__ import annotations

import bpy
import numpy as np

from ...core.rigged_head import RiggedHead
from .rig import bone_name

#: Degrees about a bone's own axes (nod, turn, tilt): (least, most) of each. Neck and head
#: together reach what a healthy neck does, some 60 by 80 by 45.
LIMITS = {
    "neck": ((-30, 30), (-40, 40), (-22, 22)),
    "head": ((-30, 30), (-40, 40), (-22, 22)),
    "jaw": ((-3, 21), (-8, 8), (-5, 5)),
}
#: Degrees that the jaw turns where the key jawOpen is 1.
JAW_OPEN = 21.0

LIMIT_NAME = "Pixel3DMM limit"


def add_drivers(head: bpy.types.Object, rig: bpy.types.Object, rigged: RiggedHead) -> None:
    """Drivers of all driven keys. The head is bound to the rig and has all its keys."""
    keys = head.data.shape_keys
    for key, one, other in rigged.correctives:
        drive_product(keys, *(str(rigged.key_names[k]) for k in (key, one, other)))
    for (key, joint), turn in zip(rigged.bone_keys, rigged.bone_turns, strict=True):
        driver = _driver(keys, str(rigged.key_names[key]))
        variable = driver.variables.new()
        variable.name, variable.type = "a", "TRANSFORMS"
        target = variable.targets[0]
        target.id, target.bone_target = rig, bone_name(str(rigged.joint_names[joint]))
        # After the bone's limit. make_rig() lets a bone's own x be the head's.
        target.transform_space = "LOCAL_SPACE"
        target.transform_type, target.rotation_mode = "ROT_X", "SWING_TWIST_X"
        driver.expression = f"a / {float(np.linalg.norm(turn)):.6f}"


def drive_product(keys: bpy.types.Key, name: str, one: str, other: str) -> None:
    """The key of a name has as its value the product of two others."""
    driver = _driver(keys, name)
    for letter, source in (("a", one), ("b", other)):
        _read_key(driver, letter, keys, source)
    driver.expression = "a * b"


def limit_bones(head: bpy.types.Object, rig: bpy.types.Object, rigged: RiggedHead) -> None:
    """Neck, head and jaw turn as far as a person's do.

    The jaw opens by its key or by its bone: what the key has opened already is taken off what
    the bone may still turn, so that both together do not open it twice.
    """
    for joint in map(str, rigged.joint_names):
        if joint not in LIMITS:
            continue
        limit = rig.pose.bones[bone_name(joint)].constraints.new("LIMIT_ROTATION")
        limit.name, limit.owner_space = LIMIT_NAME, "LOCAL"
        for axis, (least, most) in zip("xyz", LIMITS[joint], strict=True):
            setattr(limit, f"use_limit_{axis}", True)
            setattr(limit, f"min_{axis}", np.radians(least))
            setattr(limit, f"max_{axis}", np.radians(most))
        if joint == "jaw":
            driver = limit.driver_add("max_x").driver
            driver.type = "SCRIPTED"
            _read_key(driver, "a", head.data.shape_keys, "jawOpen")
            driver.expression = f"{np.radians(JAW_OPEN):.6f} * max(0, 1 - a)"


def _driver(keys: bpy.types.Key, name: str) -> bpy.types.Driver:
    driver = keys.key_blocks[name].driver_add("value").driver
    driver.type = "SCRIPTED"
    return driver


def _read_key(driver: bpy.types.Driver, letter: str, keys: bpy.types.Key, name: str) -> None:
    variable = driver.variables.new()
    variable.name, variable.type = letter, "SINGLE_PROP"
    target = variable.targets[0]
    target.id_type, target.id = "KEY", keys
    target.data_path = f'key_blocks["{name}"].value'
