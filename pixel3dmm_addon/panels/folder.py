# SPDX-License-Identifier: GPL-3.0-or-later
"""Everybody in a folder: where from, where to, and a row a person with how it goes."""

from __future__ import annotations

import bpy

from ..blender_types import Icon
from ..jobs import folder_run, session
from ..jobs.folder_run import AT_WORK, FAILED, LEFT_OUT, MADE, WAITING, Row
from ..operators.reconstruct_folder import PIXEL3DMM_OT_reconstruct_folder
from ..translations import tr
from .more import PIXEL3DMM_PT_more
from .sidebar import Sidebar, draw_progress

#: Rows that are drawn; those at work and those that failed come first.
MOST_ROWS = 24
_ICONS: dict[str, Icon] = {
    AT_WORK: "SORTTIME",
    FAILED: "ERROR",
    WAITING: "TIME",
    MADE: "CHECKMARK",
    LEFT_OUT: "X",
}


class PIXEL3DMM_PT_folder(Sidebar, bpy.types.Panel):
    """A folder of photos in, heads out."""

    bl_idname = "PIXEL3DMM_PT_folder"
    bl_label = "Folder of People"
    bl_parent_id = PIXEL3DMM_PT_more.bl_idname
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012

    def draw(self, context: bpy.types.Context) -> None:
        """Blender calls this at every redraw."""
        layout, choices = self.layout, context.scene.pixel3dmm
        layout.use_property_split = True
        layout.use_property_decorate = False
        column = layout.column()
        column.enabled = not session.status.running
        column.prop(choices, "folder")
        column.prop(choices, "folder_people")
        column.prop(choices, "folder_into")
        if choices.folder_into == "BLEND":
            column.prop(choices, "folder_out")
        if session.status.running:
            draw_progress(layout, session.status)
        else:
            layout.operator(PIXEL3DMM_OT_reconstruct_folder.bl_idname, icon="COMMUNITY")
        if folder_run.rows:
            _draw_rows(layout, folder_run.rows)


def _draw_rows(layout: bpy.types.UILayout, rows: list[Row]) -> None:
    order = list(_ICONS)
    shown = sorted(rows, key=lambda row: order.index(row.state))[:MOST_ROWS]
    column = layout.box().column(align=True)
    for row in shown:
        line = column.split(factor=0.6)
        line.label(text=row.name, icon=_ICONS[row.state], translate=False)
        line.label(text=tr(row.state), translate=False)
        if row.state == FAILED:
            column.label(text=row.message, icon="BLANK1", translate=False)
    if len(rows) > len(shown):
        column.label(text=tr("and {} more").format(len(rows) - len(shown)), translate=False)


CLASSES = (PIXEL3DMM_PT_folder,)
