# SPDX-License-Identifier: GPL-3.0-or-later
"""A movie's face onto the active head."""

from __future__ import annotations

import bpy

from ..jobs import session
from ..operators.capture import PIXEL3DMM_OT_capture
from .motion import PIXEL3DMM_PT_motion
from .sidebar import Sidebar, draw_progress


class PIXEL3DMM_PT_capture(Sidebar, bpy.types.Panel):
    """The movie, its range, and how it is smoothed."""

    bl_idname = "PIXEL3DMM_PT_capture"
    bl_label = "Capture"
    bl_parent_id = PIXEL3DMM_PT_motion.bl_idname
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012

    def draw(self, context: bpy.types.Context) -> None:
        """Blender calls this at every redraw."""
        layout, choices = self.layout, context.scene.pixel3dmm
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(choices, "clip")
        column = layout.column(align=True)
        column.prop(choices, "clip_first")
        column.prop(choices, "clip_last")
        column.prop(choices, "clip_start")
        column = layout.column(align=True)
        column.prop(choices, "smooth_face")
        column.prop(choices, "smooth_head")
        column = layout.column()
        column.prop(choices, "contacts")
        column.prop(choices, "clip_camera")
        column.prop(choices, "clip_background")
        status = session.status
        if status.running and not status.setup:
            draw_progress(layout, status)
        else:
            layout.operator(PIXEL3DMM_OT_capture.bl_idname, icon="RENDER_ANIMATION")


CLASSES = (PIXEL3DMM_PT_capture,)
