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
from ..translations import tr
from .sidebar import Sidebar, draw_sentence, needed_head


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
            words = f"{tr(preset.label)} ({tr(preset.unit)})"
            entry = row.operator(PIXEL3DMM_OT_export_head.bl_idname, text=words, translate=False)
            entry.preset = preset.identifier
            if reason and reason not in reasons:
                reasons.append(reason)
        for reason in reasons:
            draw_sentence(layout, tr(reason), "INFO")


class PIXEL3DMM_PT_export(Sidebar, bpy.types.Panel):
    """Which program gets the head, and what came of the last export."""

    bl_idname = "PIXEL3DMM_PT_export"
    bl_label = "Export"
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012

    def draw(self, context: bpy.types.Context) -> None:
        """Blender calls this at every redraw."""
        layout = self.layout
        head = needed_head(layout, context)
        if head is None:
            return
        layout.menu("PIXEL3DMM_MT_export", icon="EXPORT")
        row = layout.row(align=True)
        row.prop(context.scene.render, "fps", text="Frames per Second")
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
            draw_sentence(box, written.sentence, "QUESTION", inset=0.8)
        elif verdict.passed:
            figures = "\n".join(check.figure for check in verdict.checks)
            words = tr("{}: written, read back, nothing was lost").format(written.path.name)
            draw_sentence(box, words, _GREEN, more=figures, inset=0.8)
        else:
            fate = tr("{}: written, but it differs") if written.kept else tr("{}: not written")
            draw_sentence(_alarmed(box), fate.format(written.path.name), _RED, inset=0.8)
            for check in verdict.checks:
                if not check.passed:
                    draw_sentence(_alarmed(box), check.figure, "CANCEL", inset=0.8)
        for note in written.notes:
            if note != warning:
                draw_sentence(box, note, "INFO", inset=0.8)


#: Blender's themes have a red for text and no green: squares of colour have both.
_GREEN: Icon = "COLORSET_03_VEC"
_RED: Icon = "COLORSET_01_VEC"


def _alarmed(layout: bpy.types.UILayout) -> bpy.types.UILayout:
    column = layout.column()
    column.alert = True
    return column


CLASSES = (PIXEL3DMM_MT_export, PIXEL3DMM_PT_export)
