# SPDX-License-Identifier: GPL-3.0-or-later
"""The head leaves for another program, and how that went: green or red, with figures."""

from __future__ import annotations

import bpy

from ..blender_types import Icon
from ..export import last_export
from ..export.formats import why_missing
from ..export.licence import licence_of
from ..export.presets import PRESETS
from ..operators.export import PIXEL3DMM_OT_export_head
from ..operators.mark_asset import PIXEL3DMM_OT_mark_asset
from ..scene.head import polled_head
from ..translations import tr
from .sidebar import HeadPanel, draw_sentence


class PIXEL3DMM_MT_export(bpy.types.Menu):
    """The programs; those whose exporter this Blender lacks are greyed out, with the reason."""

    bl_label = "Export For"

    def draw(self, context: bpy.types.Context) -> None:
        """Blender calls this."""
        layout, reasons = self.layout, []
        # Else Blender would run the export without its dialog.
        layout.operator_context = "INVOKE_DEFAULT"
        for preset in PRESETS:
            reason = why_missing(preset.format)
            row = layout.row()
            row.enabled = not reason
            entry = row.operator(PIXEL3DMM_OT_export_head.bl_idname, text=preset.label)
            entry.preset = preset.identifier
            if reason and reason not in reasons:
                reasons.append(reason)
        for reason in reasons:
            draw_sentence(layout, tr(reason), "INFO")


class PIXEL3DMM_PT_export(HeadPanel, bpy.types.Panel):
    """Which program gets the head, and what came of the last export."""

    bl_idname = "PIXEL3DMM_PT_export"
    bl_label = "Export"

    def draw(self, context: bpy.types.Context) -> None:
        """Blender calls this at every redraw."""
        layout = self.layout
        head = polled_head(context)
        layout.menu("PIXEL3DMM_MT_export", icon="EXPORT")
        layout.operator(PIXEL3DMM_OT_mark_asset.bl_idname, icon="ASSET_MANAGER")
        warning = licence_of(head).warning
        if warning:
            draw_sentence(layout, warning, "ERROR")
        written = last_export.of(head)
        if written is None:
            return
        box = layout.box()
        verdict = written.verdict
        if verdict is None:
            draw_sentence(box, written.sentence, "QUESTION")
        elif verdict.passed:
            draw_sentence(box, f"{written.path.name}: nothing was lost", _GREEN)
        else:
            fate = "written all the same" if written.kept else "not written"
            draw_sentence(_alarmed(box), f"{written.path.name}: {fate}, it differs", _RED)
        for check in verdict.checks if verdict is not None else ():
            if check.passed:
                draw_sentence(box, check.figure, "BLANK1")
            else:
                draw_sentence(_alarmed(box), check.figure, "CANCEL")
        for note in written.notes:
            if note != warning:
                draw_sentence(box, note, "INFO")


#: Blender's themes have a red for text and no green: squares of colour have both.
_GREEN: Icon = "COLORSET_03_VEC"
_RED: Icon = "COLORSET_01_VEC"


def _alarmed(layout: bpy.types.UILayout) -> bpy.types.UILayout:
    column = layout.column()
    column.alert = True
    return column


CLASSES = (PIXEL3DMM_MT_export, PIXEL3DMM_PT_export)
