# SPDX-License-Identifier: GPL-3.0-or-later
"""The photo: which one, what it shows, and whether it will do."""

from __future__ import annotations

from pathlib import Path

import bpy

from ..jobs import looks, session
from ..operators.choose_face import PIXEL3DMM_OT_check_photo
from ..operators.first_steps import PIXEL3DMM_OT_first_steps
from ..operators.help import PIXEL3DMM_OT_open_manual
from ..operators.next_step import draw_faces
from ..operators.photo_file import PIXEL3DMM_OT_choose_photo
from ..photos import thumbnails
from ..properties import PIXEL3DMM_PG_scene
from ..scene import custom_properties
from ..scene.head import PREFIX, active_head
from ..translations import tr
from .sidebar import Sidebar, draw_sentence, draw_trouble

#: Height of the photo, in lines: numbered faces want more room.
_NUMBERED, _PLAIN = 9.0, 6.0


class PIXEL3DMM_PT_photo(Sidebar, bpy.types.Panel):
    """Which photo, and whether it will do."""

    bl_idname = "PIXEL3DMM_PT_photo"
    bl_label = "Photo"

    def draw_header_preset(self, context: bpy.types.Context) -> None:
        """Help where it is needed."""
        self.layout.operator(PIXEL3DMM_OT_open_manual.bl_idname, text="", icon="HELP", emboss=False)

    def draw(self, context: bpy.types.Context) -> None:
        """Blender calls this at every redraw."""
        choices = context.scene.pixel3dmm
        layout = self.layout.column()
        layout.enabled = not session.status.running
        layout.prop(choices, "photo", text="", placeholder=tr("Photo of a face"))
        if choices.photo:
            _draw_photo(layout, context, choices)
            return
        button = layout.row()
        button.scale_y = 1.5
        button.operator(PIXEL3DMM_OT_choose_photo.bl_idname, icon="IMAGE_DATA")
        draw_sentence(layout, tr("Choose a photo of one face, or drop it onto the 3D view"), "INFO")
        layout.operator(PIXEL3DMM_OT_first_steps.bl_idname, icon="QUESTION")


def _draw_photo(
    layout: bpy.types.UILayout, context: bpy.types.Context, choices: PIXEL3DMM_PG_scene
) -> None:
    path = Path(bpy.path.abspath(choices.photo))
    look, picture = looks.of(path), thumbnails.icon(path)
    if picture is None:
        draw_sentence(layout, tr("There is no file at this path: choose another photo"), "ERROR")
        return
    numbered = look.picture if look is not None else 0
    # Once its head is at hand the photo is seen behind it, and the panel keeps room for the rest.
    if numbered or (picture and not _is_made(context, path)):
        scale = _NUMBERED if numbered else _PLAIN
        layout.template_icon(icon_value=numbered or picture, scale=scale)
    if look is None:
        layout.operator(PIXEL3DMM_OT_check_photo.bl_idname, icon="VIEWZOOM")
        return
    if not look.done:
        layout.label(text="Looking for faces", icon="TIME")
        return
    if len(look.faces) > 1:
        draw_faces(layout, len(look.faces), choices.face)
    if look.error:
        draw_trouble(layout, context, look.error, "photo")
        return
    advice, remarks = look.of_face(choices.face), look.remarks_on(choices.face)
    for sentence in advice:
        draw_sentence(layout, sentence, "ERROR")
    for sentence in remarks:
        draw_sentence(layout, sentence, "INFO")
    if not advice:
        words = "The photo will do" if remarks else "The photo is good"
        layout.label(text=tr(words), icon="CHECKMARK", translate=False)


def _is_made(context: bpy.types.Context, path: Path) -> bool:
    """Whether the active head was made of this photo."""
    head = active_head(context)
    made_of = "" if head is None else custom_properties.text(head, PREFIX + "photo", "")
    return bool(made_of) and made_of in (path.name, path.stem)


CLASSES = (PIXEL3DMM_PT_photo,)
