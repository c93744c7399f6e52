# SPDX-License-Identifier: GPL-3.0-or-later
"""The active head's named traits: nose width, jaw, ..."""

from __future__ import annotations

import bpy

from ...core.rig.traits import TRAITS
from ..operators.identity import PIXEL3DMM_OT_reset_traits
from ..scene import identity
from ..scene.head import polled_head
from ..translations import tr
from .pins import PIXEL3DMM_PT_pins
from .sidebar import HeadPanel, draw_sentence


class PIXEL3DMM_PT_identity(HeadPanel, bpy.types.Panel):
    """Traits that change the face at rest; keys and bones follow."""

    bl_idname = "PIXEL3DMM_PT_identity"
    bl_label = "Face Shape"
    bl_parent_id = PIXEL3DMM_PT_pins.bl_idname
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012

    def draw(self, context: bpy.types.Context) -> None:
        """Blender calls this at every redraw."""
        layout, head = self.layout, polled_head(context)
        reason = identity.why_not(head)
        if reason:
            draw_sentence(layout, tr(reason), "INFO")
            return
        every = layout.operator(PIXEL3DMM_OT_reset_traits.bl_idname, icon="LOOP_BACK")
        every.region = "All"
        for region, traits in TRAITS.items():
            closed = region != "Nose"
            header, body = layout.panel(f"PIXEL3DMM_traits_{region}", default_closed=closed)
            header.label(text=region)
            reset = header.operator(
                PIXEL3DMM_OT_reset_traits.bl_idname, text="", icon="LOOP_BACK", emboss=False
            )
            reset.region = region
            if body is not None:
                column = body.column(align=True)
                for trait in traits:
                    column.prop(head.pixel3dmm, f"trait_{trait.name}", slider=True)


CLASSES = (PIXEL3DMM_PT_identity,)
