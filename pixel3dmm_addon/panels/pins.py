# SPDX-License-Identifier: GPL-3.0-or-later
"""The active head's fit goes on: pins, further photos, a layer for hands."""

from __future__ import annotations

import bpy

from ..operators.add_photo import (
    PIXEL3DMM_OT_add_photo,
    PIXEL3DMM_OT_pack_photos,
    PIXEL3DMM_OT_sculpt_layer,
)
from ..operators.correct_fit import PIXEL3DMM_OT_correct_fit
from ..operators.pins import PIXEL3DMM_OT_remove_pins
from ..operators.rebuild import PIXEL3DMM_OT_rebuild_from_recipe
from ..scene import continuation
from ..translations import tr
from .sidebar import Sidebar, draw_sentence, needed_head


class PIXEL3DMM_PT_pins(Sidebar, bpy.types.Panel):
    """What the fit obeys beside the photo, and what it leaves alone."""

    bl_idname = "PIXEL3DMM_PT_pins"
    bl_label = "Fit"
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012

    def draw(self, context: bpy.types.Context) -> None:
        """Blender calls this at every redraw."""
        layout = self.layout
        head = needed_head(layout, context)
        if head is None:
            return
        reason = continuation.why_not(head)
        if reason:
            draw_sentence(layout, tr(reason), "INFO")
        else:
            counts = continuation.counts(head)
            layout.label(text=tr("{} pins, {} photos").format(*counts), icon="PINNED")
        layout.operator(PIXEL3DMM_OT_correct_fit.bl_idname, icon="HAND")
        layout.operator(PIXEL3DMM_OT_remove_pins.bl_idname, icon="UNPINNED")
        layout.operator(PIXEL3DMM_OT_add_photo.bl_idname, icon="IMAGE_DATA")
        layout.operator(PIXEL3DMM_OT_sculpt_layer.bl_idname, icon="SCULPTMODE_HLT")
        layout.operator(PIXEL3DMM_OT_pack_photos.bl_idname, icon="PACKAGE")
        layout.operator(PIXEL3DMM_OT_rebuild_from_recipe.bl_idname, icon="FILE_REFRESH")


CLASSES = (PIXEL3DMM_PT_pins,)
