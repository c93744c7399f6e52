# SPDX-License-Identifier: GPL-3.0-or-later
"""Where to turn when something is unclear or went wrong."""

from __future__ import annotations

import bpy

from ..operators.first_steps import PIXEL3DMM_OT_first_steps
from ..operators.help import PIXEL3DMM_OT_copy_diagnostics, PIXEL3DMM_OT_open_manual
from ..operators.next_step import PIXEL3DMM_OT_open_settings
from ..operators.open_log import PIXEL3DMM_OT_open_log
from .sidebar import Sidebar


class PIXEL3DMM_PT_help(Sidebar, bpy.types.Panel):
    """Manual, log, and what to send along with a question."""

    bl_idname = "PIXEL3DMM_PT_help"
    bl_label = "Help"
    bl_order = 100
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012

    def draw(self, context: bpy.types.Context) -> None:
        """Blender calls this at every redraw."""
        column = self.layout.column(align=True)
        column.operator(PIXEL3DMM_OT_first_steps.bl_idname, icon="QUESTION")
        column.operator(PIXEL3DMM_OT_open_manual.bl_idname, icon="HELP")
        column.operator(PIXEL3DMM_OT_open_settings.bl_idname, icon="PREFERENCES")
        column.operator(PIXEL3DMM_OT_copy_diagnostics.bl_idname, icon="COPYDOWN")
        column.operator(PIXEL3DMM_OT_open_log.bl_idname, icon="TEXT")


CLASSES = (PIXEL3DMM_PT_help,)
