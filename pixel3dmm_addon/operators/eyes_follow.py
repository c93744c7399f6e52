# SPDX-License-Identifier: GPL-3.0-or-later
"""Eyes Follow Sliders: whether the eyeLook sliders turn the eyeballs too."""

from __future__ import annotations

import bpy

from ..scene import eyes
from ..scene.head import active_head
from .attach_to_body import our_rig


class PIXEL3DMM_OT_eyes_follow(bpy.types.Operator):
    """Let the eyeLook sliders turn the eyeballs with the lids, or leave that to the bones"""

    bl_idname = "pixel3dmm.eyes_follow"
    bl_label = "Eyes Follow Sliders"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Greyed out with the reason."""
        rig = our_rig(context)
        if rig is None or active_head(context).data.shape_keys is None:
            cls.poll_message_set("Select a head that was made from a photo")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """On if it was off, off if it was on; the eyes look where they looked."""
        rig = our_rig(context)
        eyes.set_follow(active_head(context), rig, not eyes.follows(rig))
        return {"FINISHED"}


CLASSES = (PIXEL3DMM_OT_eyes_follow,)
