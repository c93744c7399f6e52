# SPDX-License-Identifier: GPL-3.0-or-later
"""Choices for the next reconstruction as Blender presets, which outlive the file.

Those of an export are Blender's own, beside the file browser: its operator has the option PRESET.
"""

from __future__ import annotations

import bpy
from bl_operators.presets import AddPresetBase

SUBDIR = "pixel3dmm/reconstruct"
#: What a preset remembers; the photo and its face are none of it.
REMEMBERED = (
    "head",
    "predictor",
    "texture",
    "hair",
    "subdivision_view",
    "subdivision_render",
    "match_render_size",
)


class PIXEL3DMM_MT_reconstruct_presets(bpy.types.Menu):
    """Presets of Reconstruct Face"""

    bl_label = "Reconstruct Presets"
    preset_subdir = SUBDIR
    preset_operator = "script.execute_preset"
    draw = bpy.types.Menu.draw_preset  # type: ignore[assignment]


# Blender's own mixin names other types than its stub of an operator does.
class PIXEL3DMM_OT_reconstruct_preset_add(AddPresetBase, bpy.types.Operator):  # type: ignore[misc]
    """Keep these options under a name, or remove the ones kept under it"""

    bl_idname = "pixel3dmm.reconstruct_preset_add"
    bl_label = "Add Reconstruct Preset"
    preset_menu = "PIXEL3DMM_MT_reconstruct_presets"
    preset_subdir = SUBDIR
    preset_defines = ["choices = bpy.context.scene.pixel3dmm"]  # noqa: RUF012
    preset_values = [f"choices.{name}" for name in REMEMBERED]  # noqa: RUF012


CLASSES = (PIXEL3DMM_MT_reconstruct_presets, PIXEL3DMM_OT_reconstruct_preset_add)
