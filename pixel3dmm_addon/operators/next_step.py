# SPDX-License-Identifier: GPL-3.0-or-later
"""What to do about an error: its sentence, and buttons for the step that may mend it.

Shown in the panel, and in a window as a pop-up too, since the sidebar may be closed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import bpy

from .. import paths
from ..blender_types import Icon, OperatorReturn
from ..jobs import looks
from ..translations import said, tr
from ..wrapping import wrapped
from .choose_face import PIXEL3DMM_OT_choose_face
from .explain import POPUP_WIDTH

#: Numbered buttons in a row of "Choose a Face".
FACES_IN_A_ROW = 6


@dataclass(frozen=True)
class Step:
    """A button: an operator by its name, the words on it and a picture."""

    operator: str
    text: str
    icon: Icon


PHOTO = Step("pixel3dmm.reconstruct_from_file", "Choose Another Photo", "IMAGE_DATA")
SETTINGS = Step("pixel3dmm.open_settings", "Open Settings", "PREFERENCES")
ADD = Step("pixel3dmm.add_photo", "Add Photos", "ADD")
LOG = Step("pixel3dmm.open_log", "Open Log", "TEXT")
REPORT = Step("pixel3dmm.copy_diagnostics", "Copy Diagnostics", "COPYDOWN")

#: By the code of an error (core.errors); any other gets what helps to ask somebody.
STEPS: dict[str, tuple[Step, ...]] = {
    "photo": (PHOTO,),
    "no_face": (PHOTO,),
    "fit": (PHOTO,),
    "further_photo": (ADD,),
    "model_file": (SETTINGS,),
    "runtime": (SETTINGS,),
}
_OTHERWISE = (LOG, REPORT)
#: Errors that another of the photo's faces may not have.
_OF_A_FACE = ("no_face", "fit")


def draw_steps(layout: bpy.types.UILayout, context: bpy.types.Context, code: str) -> None:
    """The buttons for an error of this code."""
    column = layout.column(align=True)
    # Else a file would be asked for by its path, not in the file browser.
    column.operator_context = "INVOKE_DEFAULT"
    for step in STEPS.get(code, _OTHERWISE):
        column.operator(step.operator, text=step.text, icon=step.icon)
    choices = context.scene.pixel3dmm
    if code in _OF_A_FACE and choices.photo:
        look = looks.of(Path(bpy.path.abspath(choices.photo)))
        if look is not None and len(look.faces) > 1:
            draw_faces(layout, len(look.faces), choices.face)


def draw_faces(layout: bpy.types.UILayout, count: int, chosen: int) -> None:
    """A button for each face of the photo, by the number that is drawn on it; chosen from 0, or -1
    for the largest.
    """
    layout.label(text="Choose a Face")
    grid = layout.grid_flow(columns=FACES_IN_A_ROW, align=True)
    for number in range(1, count + 1):
        one = grid.operator(
            PIXEL3DMM_OT_choose_face.bl_idname,
            text=str(number),
            depress=number == max(chosen, 0) + 1,
        )
        one.number = number


def pop_up(context: bpy.types.Context, sentence: str, code: str) -> bool:
    """Shows an error with its buttons at the mouse; False where there is no window for it."""
    if bpy.app.background or context.window is None:
        return False

    def draw(menu: bpy.types.Menu, context: bpy.types.Context) -> None:
        for line in wrapped(said(sentence), POPUP_WIDTH):
            menu.layout.label(text=line, translate=False)
        menu.layout.separator()
        draw_steps(menu.layout, context, code)

    context.window_manager.popup_menu(draw, title=tr("Nothing Was Changed"), icon="ERROR")
    return True


class PIXEL3DMM_OT_open_settings(bpy.types.Operator):
    """Open this extension's preferences: networks, models, the view of a new head"""

    bl_idname = "pixel3dmm.open_settings"
    bl_label = "Open Settings"
    bl_options = {"INTERNAL"}  # noqa: RUF012

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        """In a window of Blender's preferences, unfolded."""
        if not bpy.app.background:
            bpy.ops.preferences.addon_show(module=paths.EXTENSION)
        return {"FINISHED"}


CLASSES = (PIXEL3DMM_OT_open_settings,)
