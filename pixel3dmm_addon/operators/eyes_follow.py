# SPDX-License-Identifier: GPL-3.0-or-later
"""Eyes Follow Sliders: whether the eyeLook sliders turn the eyeballs too."""

from __future__ import annotations

import bpy

from ..blender_types import OperatorReturn
from ..scene import eyes
from ..scene.head import active_head, polled_head
from .attach_to_body import our_rig, polled_rig
from .poll_reason import NO_HEAD, PollReason


class PIXEL3DMM_OT_eyes_follow(PollReason, bpy.types.Operator):
    """Let the eyeLook sliders turn the eyeballs with the lids, or leave that to the bones"""

    bl_idname = "pixel3dmm.eyes_follow"
    bl_label = "Eyes Follow Sliders"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """See PollReason."""
        rig = our_rig(context)
        head = active_head(context)
        if head is None or rig is None or head.data.shape_keys is None:
            return NO_HEAD
        return ""

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        """On if it was off, off if it was on; the eyes look where they looked."""
        rig = polled_rig(context)
        eyes.set_follow(polled_head(context), rig, not eyes.follows(rig))
        return {"FINISHED"}


CLASSES = (PIXEL3DMM_OT_eyes_follow,)
