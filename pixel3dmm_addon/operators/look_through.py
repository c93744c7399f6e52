# SPDX-License-Identifier: GPL-3.0-or-later
"""Look Through: the viewport sees the head as the photo does."""

from __future__ import annotations

import bpy

from ..scene.camera import photo_camera
from ..scene.head import active_head


class PIXEL3DMM_OT_look_through(bpy.types.Operator):
    """Look through the photo's camera, with the photo behind the head"""

    bl_idname = "pixel3dmm.look_through"
    bl_label = "Look Through"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Greyed out with the reason."""
        head = active_head(context)
        if head is None:
            cls.poll_message_set("Select a head that was made from a photo")
            return False
        if photo_camera(head) is None:
            cls.poll_message_set("The photo's camera is no longer in the head's collection")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Also makes it the scene's active camera, which renders follow."""
        context.scene.camera = photo_camera(active_head(context))
        area = context.area
        if area is not None and area.type == "VIEW_3D":
            view = area.spaces.active
            view.use_local_camera = False
            view.region_3d.view_perspective = "CAMERA"
        return {"FINISHED"}


CLASSES = (PIXEL3DMM_OT_look_through,)
