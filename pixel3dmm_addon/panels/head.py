# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be done with the active head."""

from __future__ import annotations

import json

import bpy

from ..operators.look_through import PIXEL3DMM_OT_look_through
from ..scene.head import PREFIX, active_head
from .sidebar import Sidebar, draw_sentence


class PIXEL3DMM_PT_head(Sidebar, bpy.types.Panel):
    """What can be done with the active head."""

    bl_idname = "PIXEL3DMM_PT_head"
    bl_label = "Head"

    def draw(self, context: bpy.types.Context) -> None:
        """Blender calls this at every redraw."""
        layout = self.layout
        head = active_head(context)
        if head is None:
            layout.label(text="Select a head made from a photo", icon="INFO")
        else:
            layout.label(text=head.name, icon="OUTLINER_OB_MESH")
            licence = head.get(PREFIX + "licence", "unknown")
            commercial = head.get(PREFIX + "commercial_use", "unknown")
            layout.label(text=f"{head.get(PREFIX + 'head_model', '')}: {licence}")
            if commercial != "yes":
                layout.label(text=f"Commercial use: {commercial}", icon="ERROR")
            for warning in warnings_of(head):
                draw_sentence(layout, warning, "INFO")
        layout.operator(PIXEL3DMM_OT_look_through.bl_idname, icon="OUTLINER_OB_CAMERA")


def warnings_of(head: bpy.types.Object) -> list[str]:
    """Sentences of the head's report; none where somebody edited it beyond recognition."""
    try:
        found = json.loads(head.get(PREFIX + "report", "{}")).get("warnings", [])
    except (TypeError, ValueError, AttributeError):
        return []
    return [str(warning) for warning in found]


CLASSES = (PIXEL3DMM_PT_head,)
