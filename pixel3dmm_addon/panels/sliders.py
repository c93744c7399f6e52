# SPDX-License-Identifier: GPL-3.0-or-later
"""The active head's sliders."""

from __future__ import annotations

import bpy

from ..scene.head import active_head
from .head import PIXEL3DMM_PT_head
from .sidebar import Sidebar


class PIXEL3DMM_PT_sliders(Sidebar, bpy.types.Panel):
    """The active head's shape keys."""

    bl_idname = "PIXEL3DMM_PT_sliders"
    bl_label = "Sliders"
    bl_parent_id = PIXEL3DMM_PT_head.bl_idname
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Nothing to show without a head, or after its keys were removed."""
        head = active_head(context)
        return head is not None and head.data.shape_keys is not None

    def draw(self, context: bpy.types.Context) -> None:
        """Blender calls this at every redraw."""
        column = self.layout.column(align=True)
        for key in active_head(context).data.shape_keys.key_blocks[1:]:
            column.prop(key, "value", text=key.name, slider=True)


CLASSES = (PIXEL3DMM_PT_sliders,)
