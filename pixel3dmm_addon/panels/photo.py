# SPDX-License-Identifier: GPL-3.0-or-later
"""Photo in, head out."""

from __future__ import annotations

from pathlib import Path

import bpy

from .. import installed, looks, session, thumbnails
from ..operators.choose_face import PIXEL3DMM_OT_check_photo, PIXEL3DMM_OT_choose_face
from ..operators.help import PIXEL3DMM_OT_open_manual
from ..operators.reconstruct import (
    PIXEL3DMM_OT_cancel,
    PIXEL3DMM_OT_reconstruct_face,
    PIXEL3DMM_OT_reconstruct_photos,
)
from ..translations import tr
from .sidebar import Sidebar, draw_sentence

#: Numbered buttons in a row of "Choose a Face".
FACES_IN_A_ROW = 6


class PIXEL3DMM_PT_photo(Sidebar, bpy.types.Panel):
    """Photo in, head out."""

    bl_idname = "PIXEL3DMM_PT_photo"
    bl_label = "Face from Photo"

    def draw_header_preset(self, context: bpy.types.Context) -> None:
        """Help where it is needed."""
        self.layout.operator(PIXEL3DMM_OT_open_manual.bl_idname, text="", icon="HELP", emboss=False)

    def draw(self, context: bpy.types.Context) -> None:
        """Blender calls this at every redraw."""
        layout = self.layout
        choices, status = context.scene.pixel3dmm, session.status
        picked = layout.column()
        picked.enabled = not status.running
        picked.prop(choices, "photo", text="")
        if choices.photo:
            _draw_photo(picked, choices)
        _draw_choice(picked, choices, "head_choice", "Head", installed.heads(), choices.head)
        _draw_choice(
            picked,
            choices,
            "predictor_choice",
            "Predictor",
            installed.predictors(),
            choices.predictor,
        )
        picked.prop(choices, "match_render_size")
        button = layout.row(align=True)
        button.scale_y = 1.5
        button.operator(PIXEL3DMM_OT_reconstruct_face.bl_idname, icon="USER")
        button.operator(PIXEL3DMM_OT_reconstruct_photos.bl_idname, text="", icon="FILEBROWSER")
        if status.running:
            _draw_progress(layout, status)
        elif status.message:
            draw_sentence(layout, status.message, "ERROR" if status.failed else "CHECKMARK")


def _draw_photo(layout: bpy.types.UILayout, choices: bpy.types.PropertyGroup) -> None:
    path = Path(bpy.path.abspath(choices.photo))
    look, picture = looks.of(path), thumbnails.icon(path)
    if picture is None:
        layout.label(text="There is no file at this path", icon="ERROR")
        return
    numbered = look.picture if look is not None else 0
    if numbered or picture:
        layout.template_icon(icon_value=numbered or picture, scale=10.0 if numbered else 8.0)
    if look is None:
        layout.operator(PIXEL3DMM_OT_check_photo.bl_idname, icon="VIEWZOOM")
        return
    if not look.done:
        layout.label(text="Looking for faces", icon="TIME")
        return
    if len(look.faces) > 1:
        layout.label(text="Choose a Face")
        grid = layout.grid_flow(columns=FACES_IN_A_ROW, align=True)
        for number in range(1, len(look.faces) + 1):
            one = grid.operator(
                PIXEL3DMM_OT_choose_face.bl_idname,
                text=str(number),
                depress=number == max(choices.face, 0) + 1,
            )
            one.number = number
    if look.error:
        draw_sentence(layout, look.error, "ERROR")
        return
    advice = look.of_face(choices.face)
    for sentence in advice:
        draw_sentence(layout, sentence, "INFO")
    if not advice:
        layout.label(text="The photo is good", icon="CHECKMARK")


def _draw_choice(
    layout: bpy.types.UILayout,
    choices: bpy.types.PropertyGroup,
    prop: str,
    text: str,
    entries: tuple[installed.Entry, ...],
    name: str,
) -> None:
    """A dropdown of what is installed, with its licence below."""
    layout.prop(choices, prop, text=text)
    entry = installed.chosen(entries, name)
    row = layout.row()
    row.alignment = "RIGHT"
    if entry is None:
        row.label(text=tr("{} is not installed here").format(Path(name).name), icon="ERROR")
    else:
        row.label(text=entry.badge, icon="CHECKMARK" if entry.commercial else "ERROR")


def _draw_progress(layout: bpy.types.UILayout, status: session.Status) -> None:
    row = layout.row(align=True)
    text = f"{tr(status.stage)} {status.fraction:.0%}"
    left = status.seconds_left
    if left is not None:
        text += tr(", {:.0f} s left").format(left)
    row.progress(factor=status.fraction, text=text)
    row.operator(PIXEL3DMM_OT_cancel.bl_idname, text="", icon="X")
    if status.waiting:
        layout.label(text=tr("{} more photos wait").format(len(status.waiting)), icon="TIME")


CLASSES = (PIXEL3DMM_PT_photo,)
