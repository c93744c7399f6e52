# SPDX-License-Identifier: GPL-3.0-or-later
"""Photo in, head out."""

from __future__ import annotations

from pathlib import Path

import bpy

from .. import session, thumbnails
from ..operators.reconstruct import PIXEL3DMM_OT_cancel, PIXEL3DMM_OT_reconstruct_face
from .sidebar import Sidebar, draw_sentence


class PIXEL3DMM_PT_photo(Sidebar, bpy.types.Panel):
    """Photo in, head out."""

    bl_idname = "PIXEL3DMM_PT_photo"
    bl_label = "Face from Photo"

    def draw(self, context: bpy.types.Context) -> None:
        """Blender calls this at every redraw."""
        layout = self.layout
        choices, status = context.scene.pixel3dmm, session.status
        picked = layout.column()
        picked.enabled = not status.running
        picked.prop(choices, "photo", text="")
        if choices.photo:
            picture = thumbnails.icon(Path(bpy.path.abspath(choices.photo)))
            if picture is None:
                picked.label(text="There is no file at this path", icon="ERROR")
            elif picture:
                picked.template_icon(icon_value=picture, scale=8.0)
        picked.prop(choices, "match_render_size")
        button = layout.row()
        button.scale_y = 1.5
        button.operator(PIXEL3DMM_OT_reconstruct_face.bl_idname, icon="USER")
        if status.running:
            row = layout.row(align=True)
            row.progress(factor=status.fraction, text=f"{status.stage} {status.fraction:.0%}")
            row.operator(PIXEL3DMM_OT_cancel.bl_idname, text="", icon="X")
        elif status.message:
            draw_sentence(layout, status.message, "ERROR" if status.failed else "CHECKMARK")


CLASSES = (PIXEL3DMM_PT_photo,)
