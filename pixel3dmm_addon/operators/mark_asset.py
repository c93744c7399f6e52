# SPDX-License-Identifier: GPL-3.0-or-later
"""Mark as Asset: the active head, its rig and its camera in the Asset Browser, with a picture."""

from __future__ import annotations

import bpy

from ...core.errors import PersonError
from ..blender_types import OperatorReturn
from ..export.asset import mark
from ..scene.head import active_head, polled_head
from .poll_reason import EDIT_MODE, NO_HEAD, PollReason


class PIXEL3DMM_OT_mark_asset(PollReason, bpy.types.Operator):
    """Put the head with its rig and camera into the Asset Browser, with a picture of it"""

    bl_idname = "pixel3dmm.mark_asset"
    bl_label = "Mark as Asset"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """See PollReason."""
        head = active_head(context)
        reason = ""
        if head is None:
            reason = NO_HEAD
        elif head.library is not None:
            reason = "The head is linked from another file: mark it there"
        elif head.mode == "EDIT":
            reason = EDIT_MODE
        elif bpy.app.is_job_running("RENDER"):
            reason = "Blender is rendering: wait for it"
        return reason

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        """Takes the picture first: without one nothing is marked."""
        try:
            collection = mark(polled_head(context), context.scene)
        except PersonError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report(
            {"INFO"},
            f"{collection.name} is an asset: save this file in a folder of your asset libraries to "
            "use it elsewhere.",
        )
        return {"FINISHED"}


CLASSES = (PIXEL3DMM_OT_mark_asset,)
