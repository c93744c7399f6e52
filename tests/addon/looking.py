# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in the file, in numbers."""

from __future__ import annotations

import bpy
import numpy as np


def datablocks() -> dict[str, int]:
    """How many of everything there is."""
    kinds = ("collections", "objects", "meshes", "armatures", "cameras", "materials")
    kinds += ("images", "shape_keys", "actions", "texts")
    return {kind: len(getattr(bpy.data, kind)) for kind in kinds}


def evaluated(obj):
    """World positions (V, 3) after keys and armature."""
    shown = obj.evaluated_get(bpy.context.evaluated_depsgraph_get())
    co = np.empty(len(shown.data.vertices) * 3, np.float32)
    shown.data.vertices.foreach_get("co", co)
    world = np.array(shown.matrix_world)
    return co.reshape(-1, 3) @ world[:3, :3].T + world[:3, 3]


def reconstruct(photo):
    """The button, in a script."""
    bpy.context.scene.pixel3dmm.photo = str(photo)
    return bpy.ops.pixel3dmm.reconstruct_face()
