# SPDX-License-Identifier: GPL-3.0-or-later
"""The active head's rig: whether it is sound, what its bones are called, which body it is on."""

from __future__ import annotations

import bpy

from ..blender_types import Icon
from ..operators.attach_to_body import PIXEL3DMM_OT_attach_to_body, PIXEL3DMM_OT_detach_from_body
from ..operators.check_rig import LAST_CHECK, PIXEL3DMM_OT_check_rig
from ..operators.eyes_follow import PIXEL3DMM_OT_eyes_follow
from ..operators.name_bones import PIXEL3DMM_OT_name_bones
from ..scene import eyes
from ..scene.rig import shown_bones
from .sidebar import Sidebar, draw_sentence, needed_head


class PIXEL3DMM_PT_rig(Sidebar, bpy.types.Panel):
    """What can be done with the active head's rig."""

    bl_idname = "PIXEL3DMM_PT_rig"
    bl_label = "Rig"
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012

    def draw(self, context: bpy.types.Context) -> None:
        """Blender calls this at every redraw."""
        layout = self.layout
        head = needed_head(layout, context)
        if head is None:
            return
        layout.operator(PIXEL3DMM_OT_check_rig.bl_idname, icon="CHECKMARK")
        last = head.get(LAST_CHECK)
        if last:
            passed = str(last).startswith("The rig passes")
            draw_sentence(layout, str(last), "CHECKMARK" if passed else "ERROR")
        rig = head.find_armature()
        bones = shown_bones(rig)
        if bones is not None:
            layout.prop(bones, "is_visible", text="Show Bones", toggle=True, icon="BONE_DATA")
        on = rig is not None and eyes.follows(rig)
        icon: Icon = "CHECKBOX_HLT" if on else "CHECKBOX_DEHLT"
        layout.operator(PIXEL3DMM_OT_eyes_follow.bl_idname, icon=icon, depress=on)
        layout.operator_menu_enum(PIXEL3DMM_OT_name_bones.bl_idname, "scheme")
        row = layout.row(align=True)
        row.operator(PIXEL3DMM_OT_attach_to_body.bl_idname, icon="CONSTRAINT_BONE")
        row.operator(PIXEL3DMM_OT_detach_from_body.bl_idname, text="", icon="UNLINKED")


CLASSES = (PIXEL3DMM_PT_rig,)
