# SPDX-License-Identifier: GPL-3.0-or-later
"""The active head's expression at a click: poses, keyframes, the photo's own."""

from __future__ import annotations

import bpy

from ...core.heads.arkit import PHOTO_DETAIL, PHOTO_RESIDUAL
from ..blender_types import Icon
from ..operators import expression as verbs
from ..scene import expression
from ..translations import tr
from .sidebar import Sidebar, draw_sentence, needed_head

#: Poses that are a click away; the menu has all.
_FIRST = ("Neutral", "Smile", "Surprised", "Angry")


class PIXEL3DMM_PT_expression(Sidebar, bpy.types.Panel):
    """Poses, visemes, keyframes, and how much of the photo's expression there is."""

    bl_idname = "PIXEL3DMM_PT_expression"
    bl_label = "Expression"

    def draw(self, context: bpy.types.Context) -> None:
        """Blender calls this at every redraw."""
        layout = self.layout
        head = needed_head(layout, context)
        if head is None:
            return
        if head.data.shape_keys is None:
            draw_sentence(layout, tr("The head's shape keys were removed"), "INFO")
            return
        _draw_verbs(layout, expression.is_linked(head))
        amount = layout.column(align=True)
        if expression.photo_values(head):
            amount.prop(head.pixel3dmm, "photo_expression", slider=True)
        residual = head.data.shape_keys.key_blocks.get(PHOTO_RESIDUAL)
        if residual is not None:
            amount.prop(residual, "value", text="Fine Expression", slider=True)
        detail = head.data.shape_keys.key_blocks.get(PHOTO_DETAIL)
        if detail is not None:
            amount.prop(detail, "value", text="Photo Detail", slider=True)


def _draw_verbs(layout: bpy.types.UILayout, linked: bool) -> None:
    column = layout.column(align=True)
    row = column.row(align=True)
    for pose in _FIRST:
        row.operator(verbs.PIXEL3DMM_OT_apply_pose.bl_idname, text=tr(pose)).pose = pose
    row = column.row(align=True)
    row.operator_menu_enum(verbs.PIXEL3DMM_OT_apply_pose.bl_idname, "pose", text="Expression")
    row.operator_menu_enum(verbs.PIXEL3DMM_OT_apply_viseme.bl_idname, "viseme", text="Viseme")
    row = column.row(align=True)
    row.operator(verbs.PIXEL3DMM_OT_random_expression.bl_idname, icon="FILE_REFRESH")
    row.operator(verbs.PIXEL3DMM_OT_mirror_expression.bl_idname, icon="MOD_MIRROR")
    row = column.row(align=True)
    icon: Icon = "LINKED" if linked else "UNLINKED"
    row.operator(verbs.PIXEL3DMM_OT_link_sides.bl_idname, icon=icon, depress=linked)
    row.operator(verbs.PIXEL3DMM_OT_key_all.bl_idname, icon="KEYFRAME")
    every = row.operator(verbs.PIXEL3DMM_OT_reset_expression.bl_idname, text="", icon="LOOP_BACK")
    every.region = "All"


CLASSES = (PIXEL3DMM_PT_expression,)
