# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be done with the active head."""

from __future__ import annotations

import bpy

from ..operators.look_through import PIXEL3DMM_OT_look_through
from ..operators.match_light import PIXEL3DMM_OT_match_light
from ..scene import custom_properties, parts, skin, smooth, wrinkles
from ..scene.head import PREFIX, active_head
from .sidebar import Sidebar, draw_sentence

#: Property and part of what can be put away.
_PARTS = (
    ("lashes", "lashes"),
    ("brows", "brows"),
    ("tears", "tears"),
    ("neck_base", "neck cut"),
)


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
            return
        layout.label(text=head.name, icon="OUTLINER_OB_MESH")
        licence = custom_properties.text(head, PREFIX + "licence")
        commercial = custom_properties.text(head, PREFIX + "commercial_use")
        layout.label(text=f"{custom_properties.text(head, PREFIX + 'head_model', '')}: {licence}")
        if commercial != "yes":
            layout.label(text=f"Commercial use: {commercial}", icon="ERROR")
        for warning in warnings_of(head):
            draw_sentence(layout, warning, "INFO")
        layout.operator(PIXEL3DMM_OT_look_through.bl_idname, icon="OUTLINER_OB_CAMERA")
        slider = skin.light(skin.skin_of(head))
        if slider is not None:
            layout.prop(slider, "default_value", text="Photo's Light", slider=True)
            layout.operator(PIXEL3DMM_OT_match_light.bl_idname, icon="LIGHT_SUN")
        slider = wrinkles.strength(wrinkles.skin_of(head))
        if slider is not None:
            layout.prop(slider, "default_value", text="Wrinkles", slider=True)
        grid = layout.grid_flow(row_major=True, columns=2, even_columns=True, align=True)
        for name, part in _PARTS:
            if parts.has(head, part):
                grid.prop(head.pixel3dmm, name, toggle=True)
        if smooth.has(head):
            grid.prop(head.pixel3dmm, "smooth", toggle=True)


def warnings_of(head: bpy.types.Object) -> list[str]:
    """Sentences of the head's report; none where it was edited beyond recognition."""
    return custom_properties.sentences(
        custom_properties.json_object(head, PREFIX + "report").get("warnings")
    )


CLASSES = (PIXEL3DMM_PT_head,)
