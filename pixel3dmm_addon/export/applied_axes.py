# SPDX-License-Identifier: GPL-3.0-or-later
"""A file's axes and units put into the data, so that no object in it has a rotation or a scale.

Engines dislike a skeleton whose root is turned by 90 degrees and scaled by 100, which is how an
FBX exporter else bridges the axes and units of two programs. In the scene nothing moves: what the
data gains the object's matrix loses.
"""

from __future__ import annotations

import bpy
from bpy_extras.io_utils import axis_conversion
from mathutils import Matrix

from .copies import Copies
from .presets import Preset

#: FBX counts in centimetres.
_CENTIMETRES = 100.0


def apply_axes(copies: Copies, scene: bpy.types.Scene, preset: Preset) -> tuple[float, Matrix]:
    """Turns and scales meshes, keys and bones; returns the scale, and the matrix (4, 4) that takes
    it off an object's own.
    """
    length = _CENTIMETRES * scene.unit_settings.scale_length
    turn = axis_conversion(to_forward=preset.forward, to_up=preset.up).to_4x4()
    change = turn @ Matrix.Scale(length, 4)
    back = change.inverted()
    for rig in copies.rigs:
        rig.data.transform(change)
        for bone in rig.pose.bones:
            bone.location = length * bone.location
        rig.matrix_world = rig.matrix_world @ back
    for mesh in copies.meshes:
        mesh.data.transform(change, shape_keys=True)
        if mesh.parent is None:
            mesh.matrix_world = mesh.matrix_world @ back
        else:
            mesh.matrix_basis = change @ mesh.matrix_basis @ back
    return length, back
