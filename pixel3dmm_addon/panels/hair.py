# SPDX-License-Identifier: GPL-3.0-or-later
"""Hair of the active head: a style, sliders, and a button that grows it."""

from __future__ import annotations

import bpy

from ..jobs import session
from ..operators.hair import SLIDERS, PIXEL3DMM_OT_grow_hair, PIXEL3DMM_OT_remove_hair
from ..scene import custom_properties, hair
from ..scene.head import PREFIX, polled_head
from .sidebar import HeadPanel, draw_sentence


class PIXEL3DMM_PT_hair(HeadPanel, bpy.types.Panel):
    """What hair the active head has, and how it may be changed."""

    bl_idname = "PIXEL3DMM_PT_hair"
    bl_label = "Hair"
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012

    def draw(self, context: bpy.types.Context) -> None:
        """Blender calls this at every redraw."""
        layout, head = self.layout, polled_head(context)
        layout.enabled = not session.status.running
        choices, worn = head.pixel3dmm, hair.hair_of(head)
        report = custom_properties.json_object(head, PREFIX + "report").get("hair")
        if isinstance(report, dict):
            for warning in custom_properties.sentences(report.get("warnings")):
                draw_sentence(layout, warning, "INFO")
        layout.prop(choices, "hair_style", text="")
        column = layout.column(align=True)
        for name in SLIDERS:
            column.prop(choices, f"hair_{name}")
        row = layout.row(align=True)
        row.operator(PIXEL3DMM_OT_grow_hair.bl_idname, icon="CURVES_DATA")
        row.operator(PIXEL3DMM_OT_remove_hair.bl_idname, text="", icon="X")
        node = hair.shader(worn)
        if node is not None:
            column = layout.column(align=True)
            column.prop(node.inputs["Melanin"], "default_value", text="Melanin")
            column.prop(node.inputs["Melanin Redness"], "default_value", text="Redness")


CLASSES = (PIXEL3DMM_PT_hair,)
