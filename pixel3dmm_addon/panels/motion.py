# SPDX-License-Identifier: GPL-3.0-or-later
"""A recorded face onto the active head, or onto any mesh with ARKit's names."""

from __future__ import annotations

import bpy

from ..operators.export_motion import PIXEL3DMM_OT_export_motion
from ..operators.import_motion import PIXEL3DMM_OT_apply_action, PIXEL3DMM_OT_import_motion
from .expression import PIXEL3DMM_PT_expression
from .sidebar import Sidebar


class PIXEL3DMM_PT_motion(Sidebar, bpy.types.Panel):
    """Recordings and actions onto faces."""

    bl_idname = "PIXEL3DMM_PT_motion"
    bl_label = "Face Motion"
    bl_parent_id = PIXEL3DMM_PT_expression.bl_idname
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012

    def draw(self, context: bpy.types.Context) -> None:
        """Blender calls this at every redraw."""
        column = self.layout.column(align=True)
        column.operator(PIXEL3DMM_OT_import_motion.bl_idname, icon="IMPORT")
        column.operator(PIXEL3DMM_OT_apply_action.bl_idname, icon="ACTION")
        column.operator(PIXEL3DMM_OT_export_motion.bl_idname, icon="EXPORT")


CLASSES = (PIXEL3DMM_PT_motion,)
