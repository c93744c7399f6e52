# SPDX-License-Identifier: GPL-3.0-or-later
"""Match Light: the scene is lit as the photo was."""

from __future__ import annotations

import bpy

from ..scene import photo_light
from ..scene.head import active_head

_LAMPS = "The scene's lamps add their light: hide them for the photo's."


class PIXEL3DMM_OT_match_light(bpy.types.Operator):
    """Light the scene as the photo was: a new world from the light on the face"""

    bl_idname = "pixel3dmm.match_light"
    bl_label = "Match Light"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Greyed out with the reason."""
        head = active_head(context)
        if head is None:
            cls.poll_message_set("Select a head that was made from a photo")
            return False
        if photo_light.PROPERTY not in head:
            cls.poll_message_set("The head has no painted skin to tell the light from")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """The scene's old world stays in the file."""
        head = active_head(context)
        light = photo_light.light_of(head)
        if light is None:
            self.report({"ERROR"}, "The head's light was damaged: reconstruct it again.")
            return {"CANCELLED"}
        photo_light.match(context.scene, head, light)
        if photo_light.lamps(context.scene):
            self.report({"INFO"}, _LAMPS)
        return {"FINISHED"}


CLASSES = (PIXEL3DMM_OT_match_light,)
