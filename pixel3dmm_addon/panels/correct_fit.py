# SPDX-License-Identifier: GPL-3.0-or-later
"""Correct Fit while it is in hand: its photos, how it looks, what keys do, and its end."""

from __future__ import annotations

import bpy

from ..blender_types import Icon
from ..operators.correct_fit import running
from ..operators.correct_fit_buttons import (
    PIXEL3DMM_OT_correct_fit_done,
    PIXEL3DMM_OT_correct_fit_photo,
)
from ..operators.fit_work import FitWork
from ..photos import thumbnails
from ..scene import camera as photo_camera
from ..translations import tr
from .sidebar import Sidebar

#: What a thumbnail's height is, in rows of the panel, and how many stand beside each other.
_SCALE, _BESIDE = 4.0, 3
#: What mouse and keys do.
HELP: tuple[tuple[str, Icon], ...] = (
    ("Drag: any point of the head", "MOUSE_LMB_DRAG"),
    ("X, Ctrl-click: remove a pin", "X"),
    ("Arrow keys: nudge a pin", "ARROW_LEFTRIGHT"),
    ("Ctrl Z: undo a drag", "LOOP_BACK"),
)


class PIXEL3DMM_PT_correct_fit(Sidebar, bpy.types.Panel):
    """On top of the tab as long as the tool is in hand."""

    bl_idname = "PIXEL3DMM_PT_correct_fit"
    bl_label = "Correct Fit"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Nothing to show without the tool."""
        return running() is not None

    def draw(self, context: bpy.types.Context) -> None:
        """Blender calls this at every redraw."""
        tool = running()
        if tool is None:
            return
        layout, look = self.layout, context.scene.pixel3dmm.fit
        row = layout.row()
        row.scale_y = 1.4
        row.operator(PIXEL3DMM_OT_correct_fit_done.bl_idname, icon="CHECKMARK")
        _draw_photos(layout, tool.work)
        column = layout.column(align=True)
        column.prop(look, "photo_opacity", slider=True)
        column.prop(look, "wire_opacity", slider=True)
        column = layout.column(align=True)
        column.prop(look, "symmetric", icon="MOD_MIRROR")
        column.prop(look, "all_handles", icon="OUTLINER_DATA_POINTCLOUD")
        column = layout.column(align=True)
        for sentence, icon in HELP:
            column.label(text=tr(sentence), icon=icon)


def _draw_photos(layout: bpy.types.UILayout, work: FitWork) -> None:
    """A thumbnail and a button for each of the person's photos; one alone needs none."""
    count, head = len(work.known.photos), work.head()
    if count < 2 or head is None:
        return
    grid = layout.grid_flow(row_major=True, columns=min(count, _BESIDE), even_columns=True)
    for i, photo in enumerate(work.known.photos):
        column = grid.column(align=True)
        picture = photo_camera.picture_of(photo_camera.camera_of(head, i))
        icon = 0 if picture is None else thumbnails.of_image(picture)
        if icon:
            column.template_icon(icon_value=icon, scale=_SCALE)
        else:
            column.label(text="", icon="IMAGE_DATA")
        pinned = any(p.photo == i for p in work.pins.pins())
        button = column.operator(
            PIXEL3DMM_OT_correct_fit_photo.bl_idname,
            text=photo.name,
            translate=False,
            icon="PINNED" if pinned else "NONE",
            depress=i == work.photo,
        )
        button.photo = i


def draw_header(self: bpy.types.Header, context: bpy.types.Context) -> None:
    """In the viewport's header, where the sidebar may be closed."""
    tool = running()
    if tool is None or tool.area != context.area:
        return
    row = self.layout.row(align=True)
    row.label(text=tr("Correct Fit"), icon="HAND")
    for i in range(len(tool.work.known.photos)):
        if len(tool.work.known.photos) > 1:
            name, chosen = PIXEL3DMM_OT_correct_fit_photo.bl_idname, i == tool.work.photo
            row.operator(name, text=str(i + 1), translate=False, depress=chosen).photo = i
    look = context.scene.pixel3dmm.fit
    row.prop(look, "symmetric", text="", icon="MOD_MIRROR")
    row.prop(look, "all_handles", text="", icon="OUTLINER_DATA_POINTCLOUD")
    row.operator(PIXEL3DMM_OT_correct_fit_done.bl_idname, icon="CHECKMARK")


def register() -> None:
    """After the classes."""
    bpy.types.VIEW3D_HT_header.prepend(draw_header)


def unregister() -> None:
    """Before the classes go."""
    bpy.types.VIEW3D_HT_header.remove(draw_header)


CLASSES = (PIXEL3DMM_PT_correct_fit,)
