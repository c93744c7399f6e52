# SPDX-License-Identifier: GPL-3.0-or-later
"""Open Log: the worker's log in Blender's text editor."""

from __future__ import annotations

import bpy

from .. import paths
from ..blender_types import OperatorReturn
from .poll_reason import PollReason


class PIXEL3DMM_OT_open_log(PollReason, bpy.types.Operator):
    """Load what the reconstruction process logged as a text of this file"""

    bl_idname = "pixel3dmm.open_log"
    bl_label = "Open Log"
    bl_options = {"INTERNAL"}  # noqa: RUF012

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """See PollReason."""
        if not paths.log_file().is_file():
            return "Nothing has been logged yet"
        return ""

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        """Shown in a text editor if one is open, and found there in any case."""
        text = bpy.data.texts.load(str(paths.log_file()))
        for area in context.screen.areas if context.screen else ():
            if area.type == "TEXT_EDITOR":
                area.spaces.active.text = text
        self.report({"INFO"}, f"The log is open as {text.name} in the text editor")
        return {"FINISHED"}


CLASSES = (PIXEL3DMM_OT_open_log,)
