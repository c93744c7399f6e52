# SPDX-License-Identifier: GPL-3.0-or-later
"""Photo in, head out."""

from __future__ import annotations

from pathlib import Path

import bpy

from .. import installed
from ..jobs import looks, session
from ..operators.choose_face import PIXEL3DMM_OT_check_photo, PIXEL3DMM_OT_choose_face
from ..operators.help import PIXEL3DMM_OT_open_manual
from ..operators.reconstruct import PIXEL3DMM_OT_reconstruct_face, PIXEL3DMM_OT_reconstruct_photos
from ..photos import thumbnails
from ..properties import PIXEL3DMM_PG_scene
from ..translations import tr
from .sidebar import Sidebar, draw_progress, draw_sentence

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
        picked.prop(choices, "photo", text="", placeholder=tr("Photo of a face"))
        if choices.photo:
            _draw_photo(picked, choices)
        else:
            draw_sentence(picked, tr("Or drop a photo onto the 3D view"), "INFO")
        for entry, name in _chosen(choices):
            if entry is None or not entry.commercial:
                _draw_badge(picked, entry, name)
        button = layout.row(align=True)
        button.scale_y = 1.5
        button.operator(PIXEL3DMM_OT_reconstruct_face.bl_idname, icon="USER")
        button.operator(PIXEL3DMM_OT_reconstruct_photos.bl_idname, text="", icon="DOCUMENTS")
        if status.running:
            draw_progress(layout, status)
            if status.waiting:
                text = tr("{} more photos wait").format(len(status.waiting))
                layout.label(text=text, icon="TIME")
        elif status.message:
            draw_sentence(layout, status.message, "ERROR" if status.failed else "CHECKMARK")


class PIXEL3DMM_PT_options(Sidebar, bpy.types.Panel):
    """What the photo is read with, and which head is fitted to it."""

    bl_idname = "PIXEL3DMM_PT_options"
    bl_label = "Options"
    bl_parent_id = PIXEL3DMM_PT_photo.bl_idname
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012

    def draw(self, context: bpy.types.Context) -> None:
        """Blender calls this at every redraw."""
        layout, choices = self.layout, context.scene.pixel3dmm
        layout.enabled = not session.status.running
        names = (("head_choice", "Head"), ("predictor_choice", "Predictor"))
        for (prop, text), (entry, name) in zip(names, _chosen(choices), strict=True):
            layout.prop(choices, prop, text=text)
            _draw_badge(layout, entry, name)
            if prop == "head_choice" and installed.neural_head() is None:
                _draw_greyed(layout)
        layout.prop(choices, "texture")
        layout.prop(choices, "hair")
        layout.prop(choices, "match_render_size")


def _draw_photo(layout: bpy.types.UILayout, choices: PIXEL3DMM_PG_scene) -> None:
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


def _chosen(
    choices: PIXEL3DMM_PG_scene,
) -> tuple[tuple[installed.Entry | None, str], tuple[installed.Entry | None, str]]:
    """Head and predictor, None for what is not installed here, each with its name."""
    head = installed.chosen(installed.heads(), choices.head)
    predictor = installed.chosen(installed.predictors(), choices.predictor)
    return (head, choices.head), (predictor, choices.predictor)


def _draw_greyed(layout: bpy.types.UILayout) -> None:
    """The neural head, which is no choice until its weights are there, and why."""
    row = layout.row()
    row.enabled = False
    row.label(text="Neural head (NPHM): weights not imported", icon="LOCKED")


def _draw_badge(layout: bpy.types.UILayout, entry: installed.Entry | None, name: str) -> None:
    """The licence, or that it is not there."""
    if entry is None:
        draw_sentence(layout, tr("{} is not installed here").format(Path(name).name), "ERROR")
        return
    row = layout.row()
    row.alignment = "RIGHT"
    row.label(text=entry.badge, icon="CHECKMARK" if entry.commercial else "ERROR")


CLASSES = (PIXEL3DMM_PT_photo, PIXEL3DMM_PT_options)
