# SPDX-License-Identifier: GPL-3.0-or-later
"""How the active head looks: light, wrinkles, smoothness, and parts that can be put away."""

from __future__ import annotations

import bpy

from ..operators.match_light import PIXEL3DMM_OT_match_light
from ..scene import custom_properties, parts, skin, smooth, wrinkles
from ..scene.head import PREFIX
from ..translations import tr
from .sidebar import Sidebar, draw_sentence, needed_head

#: Property and part of what can be put away.
_PARTS = (
    ("lashes", "lashes"),
    ("brows", "brows"),
    ("tears", "tears"),
    ("neck_base", "neck cut"),
)


class PIXEL3DMM_PT_head(Sidebar, bpy.types.Panel):
    """How the active head looks."""

    bl_idname = "PIXEL3DMM_PT_head"
    bl_label = "Look"
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012

    def draw(self, context: bpy.types.Context) -> None:
        """Blender calls this at every redraw."""
        layout = self.layout
        head = needed_head(layout, context)
        if head is None:
            return
        slider = skin.light(skin.skin_of(head))
        if slider is not None:
            layout.prop(slider, "default_value", text="Photo's Light", slider=True)
            layout.operator(PIXEL3DMM_OT_match_light.bl_idname, icon="LIGHT_SUN")
        slider = wrinkles.strength(wrinkles.skin_of(head))
        if slider is not None:
            layout.prop(slider, "default_value", text="Wrinkles", slider=True)
        if smooth.has(head):
            row = layout.row(align=True)
            row.prop(head.pixel3dmm, "subdivision_view")
            row.prop(head.pixel3dmm, "subdivision_render", text="Render")
        grid = layout.grid_flow(row_major=True, columns=2, even_columns=True, align=True)
        for name, part in _PARTS:
            if parts.has(head, part):
                grid.prop(head.pixel3dmm, name, toggle=True)
        licence = custom_properties.text(head, PREFIX + "licence")
        commercial = custom_properties.text(head, PREFIX + "commercial_use")
        model = custom_properties.text(head, PREFIX + "head_model", "")
        draw_sentence(layout, f"{model}: {licence}", "BLANK1")
        if commercial != "yes":
            draw_sentence(layout, tr("Commercial use: {}").format(tr(commercial)), "ERROR")


CLASSES = (PIXEL3DMM_PT_head,)
