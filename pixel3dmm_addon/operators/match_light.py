# SPDX-License-Identifier: GPL-3.0-or-later
"""Match Light: the scene is lit as the photo was."""

from __future__ import annotations

import bpy

from ..blender_types import OperatorReturn
from ..scene import photo_light
from ..scene.head import active_head, polled_head
from .poll_reason import NO_HEAD, PollReason

_NO_LIGHT = "The head has no painted skin to tell the light from"
_LAMPS = "The scene's lamps add their light: hide them for the photo's."


class PIXEL3DMM_OT_match_light(PollReason, bpy.types.Operator):
    """Light the scene as the photo was: a new world from the light on the face"""

    bl_idname = "pixel3dmm.match_light"
    bl_label = "Match Light"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """See PollReason."""
        head = active_head(context)
        if head is None:
            return NO_HEAD
        return "" if photo_light.PROPERTY in head else _NO_LIGHT

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        """The scene's old world stays in the file."""
        head = polled_head(context)
        light = photo_light.light_of(head)
        if light is None:
            self.report({"ERROR"}, "The head's light was damaged: reconstruct it again.")
            return {"CANCELLED"}
        photo_light.match(context.scene, head, light)
        if photo_light.lamps(context.scene):
            self.report({"INFO"}, _LAMPS)
        return {"FINISHED"}


CLASSES = (PIXEL3DMM_OT_match_light,)
