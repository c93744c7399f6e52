# SPDX-License-Identifier: GPL-3.0-or-later
"""A mesh of the artist's own: the person sent to it, or made from it."""

from __future__ import annotations

import bpy

from ..operators.conform import (
    PIXEL3DMM_OT_register_my_mesh,
    PIXEL3DMM_OT_send_to_my_mesh,
    PIXEL3DMM_OT_wrap,
)
from ..operators.face_points import (
    PIXEL3DMM_OT_clear_face_points,
    PIXEL3DMM_OT_click_face_points,
)
from .more import PIXEL3DMM_PT_more
from .sidebar import Sidebar


class PIXEL3DMM_PT_my_mesh(Sidebar, bpy.types.Panel):
    """Shown without a head too: a sculpted head can become one."""

    bl_idname = "PIXEL3DMM_PT_my_mesh"
    bl_label = "My Mesh"
    bl_parent_id = PIXEL3DMM_PT_more.bl_idname
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012

    def draw(self, context: bpy.types.Context) -> None:
        """Blender calls this at every redraw."""
        layout = self.layout
        layout.operator(PIXEL3DMM_OT_register_my_mesh.bl_idname, icon="VIEWZOOM")
        row = layout.row(align=True)
        row.operator(PIXEL3DMM_OT_click_face_points.bl_idname, icon="PIVOT_CURSOR")
        row.operator(PIXEL3DMM_OT_clear_face_points.bl_idname, text="", icon="X")
        layout.operator(PIXEL3DMM_OT_send_to_my_mesh.bl_idname, icon="MOD_DATA_TRANSFER")
        layout.operator(PIXEL3DMM_OT_wrap.bl_idname, icon="MOD_SHRINKWRAP")


CLASSES = (PIXEL3DMM_PT_my_mesh,)
