# SPDX-License-Identifier: GPL-3.0-or-later
"""Look Through: the viewport sees the head as the photo does."""

from __future__ import annotations

import bpy

from ..blender_types import OperatorReturn
from ..scene.camera import photo_camera
from ..scene.head import active_head, polled_head
from .poll_reason import NO_CAMERA, NO_HEAD, PollReason


class PIXEL3DMM_OT_look_through(PollReason, bpy.types.Operator):
    """Look through the photo's camera, with the photo behind the head"""

    bl_idname = "pixel3dmm.look_through"
    bl_label = "Look Through"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """See PollReason."""
        head = active_head(context)
        if head is None:
            return NO_HEAD
        if photo_camera(head) is None:
            return NO_CAMERA
        return ""

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        """Also makes it the scene's active camera, which renders follow."""
        context.scene.camera = photo_camera(polled_head(context))
        area = context.area
        if area is not None and area.type == "VIEW_3D":
            view = area.spaces.active
            view.use_local_camera = False
            view.region_3d.view_perspective = "CAMERA"
        return {"FINISHED"}


CLASSES = (PIXEL3DMM_OT_look_through,)
