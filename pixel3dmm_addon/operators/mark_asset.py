# SPDX-License-Identifier: GPL-3.0-or-later
"""Mark as Asset: the active head, its rig and its camera in the Asset Browser, with a picture."""

from __future__ import annotations

import bpy

from ...core.errors import PersonError
from ..export.asset import mark
from ..scene.head import active_head
from ..translations import tr


class PIXEL3DMM_OT_mark_asset(bpy.types.Operator):
    """Put the head with its rig and camera into the Asset Browser, with a picture of it"""

    bl_idname = "pixel3dmm.mark_asset"
    bl_label = "Mark as Asset"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Greyed out with the reason."""
        head = active_head(context)
        reason = ""
        if head is None:
            reason = "Select a head that was made from a photo"
        elif head.library is not None:
            reason = "The head is linked from another file: mark it there"
        elif head.mode == "EDIT":
            reason = "Leave edit mode first"
        elif bpy.app.is_job_running("RENDER"):
            reason = "Blender is rendering: wait for it"
        if reason:
            cls.poll_message_set(tr(reason))
        return not reason

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Takes the picture first: without one nothing is marked."""
        try:
            collection = mark(active_head(context), context.scene)
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
