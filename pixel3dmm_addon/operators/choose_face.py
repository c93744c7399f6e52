# SPDX-License-Identifier: GPL-3.0-or-later
"""Choose a Face: which of several in the photo; Check Photo: which there are."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy.props import IntProperty

from ..blender_types import OperatorReturn
from ..jobs import looks
from ..redraw import redraw_status
from ..translations import tr
from .poll_reason import PollReason


class PIXEL3DMM_OT_check_photo(PollReason, bpy.types.Operator):
    """Look for faces in the photo, and say what could be better about it"""

    bl_idname = "pixel3dmm.check_photo"
    bl_label = "Check Photo"
    bl_options = {"INTERNAL"}  # noqa: RUF012

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """See PollReason."""
        if not context.scene.pixel3dmm.photo:
            return "Pick a photo first"
        return ""

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        """Waits for the answer only where no window could show it later."""
        path = Path(bpy.path.abspath(context.scene.pixel3dmm.photo))
        if not bpy.app.background:
            looks.begin(path)
            return {"FINISHED"}
        look = looks.now(path)
        if look.error:
            self.report({"ERROR"}, look.error)
            return {"CANCELLED"}
        for sentence in look.of_face(context.scene.pixel3dmm.face):
            self.report({"INFO"}, sentence)
        return {"FINISHED"}


class PIXEL3DMM_OT_choose_face(PollReason, bpy.types.Operator):
    """Reconstruct this face of the photo"""

    bl_idname = "pixel3dmm.choose_face"
    bl_label = "Choose a Face"
    bl_options = {"UNDO", "INTERNAL"}  # noqa: RUF012

    number: IntProperty(
        name="Number", description="As drawn on the photo; 1 is the largest face", default=1, min=1
    )

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """See PollReason."""
        photo = context.scene.pixel3dmm.photo
        look = looks.of(Path(bpy.path.abspath(photo))) if photo else None
        if look is None or not look.done:
            return "Check the photo first"
        return ""

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        """The scene remembers it until another photo is picked."""
        choices = context.scene.pixel3dmm
        look = looks.of(Path(bpy.path.abspath(choices.photo)))
        if look is None or self.number > len(look.faces):
            self.report({"ERROR"}, tr("The photo does not show that many faces"))
            return {"CANCELLED"}
        choices.face = self.number - 1
        redraw_status(context)
        return {"FINISHED"}


CLASSES = (PIXEL3DMM_OT_check_photo, PIXEL3DMM_OT_choose_face)
