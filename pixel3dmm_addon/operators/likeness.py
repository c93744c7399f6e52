# SPDX-License-Identifier: GPL-3.0-or-later
"""Show Likeness: where the head can be trusted, on the head and over its photo."""

from __future__ import annotations

import json
from collections.abc import Iterator

import bpy
from bpy.props import EnumProperty

from ...core.errors import PersonError
from ..blender_types import OperatorReturn
from ..scene import camera as photo_camera
from ..scene import continuation, likeness
from ..scene.head import active_head, polled_head
from .poll_reason import EDIT_MODE, NO_CAMERA, PollReason

#: What the viewports showed before, on the head.
_VIEWS = "views"


class PIXEL3DMM_OT_show_likeness(PollReason, bpy.types.Operator):
    """Paint on the head where it can be trusted; its materials come back when it is switched off"""

    bl_idname = "pixel3dmm.show_likeness"
    bl_label = "Show Likeness"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    what: EnumProperty(
        name="Show",
        items=(
            ("SOURCE", "Source", "Measured by a photo, mirrored from the other side, or inferred"),
            ("ERROR", "Expected Error", "Millimetres that 95 of 100 vertices stay within"),
            ("OFF", "Off", "The head's own materials"),
        ),
        options={"SKIP_SAVE"},
    )

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """See PollReason."""
        reason = likeness.why_not(active_head(context))
        return reason

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        """Viewports in solid mode show the paint too, and what they showed before afterwards."""
        head = polled_head(context)
        if self.what == "OFF":
            _restore_views(head)
            likeness.hide(head)
        else:
            first = not likeness.shown(head)
            likeness.show(head, self.what)
            if first:
                _show_in_views(head)
        return {"FINISHED"}


class PIXEL3DMM_OT_likeness_on_photo(PollReason, bpy.types.Operator):
    """Lay the head's outline over its photo, in the colours of how far its parts are off"""

    bl_idname = "pixel3dmm.likeness_on_photo"
    bl_label = "Show on Photo"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """See PollReason."""
        head = active_head(context)
        reason = continuation.why_not(head)
        if head is None or reason:
            return reason
        if head.mode == "EDIT":
            return EDIT_MODE
        return "" if photo_camera.camera_of(head, shown_photo(context, head)) else NO_CAMERA

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        """Switches it on, looking through the photo's camera; or off."""
        head = polled_head(context)
        photo = shown_photo(context, head)
        camera = photo_camera.camera_of(head, photo)
        if camera is not None and likeness.on_photo(head, photo) is not None:
            likeness.hide_on_photo(camera)
            return {"FINISHED"}
        try:
            likeness.show_on_photo(head, photo)
        except PersonError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        context.scene.camera = camera
        if context.area is not None and context.area.type == "VIEW_3D":
            context.area.spaces.active.region_3d.view_perspective = "CAMERA"
        return {"FINISHED"}


def shown_photo(context: bpy.types.Context, head: bpy.types.Object) -> int:
    """The photo whose camera is the scene's, else the first."""
    return continuation.photo_index(head, context.scene.camera)


def _views() -> Iterator[tuple[str, bpy.types.View3DShading]]:
    """Every viewport's shading by a name of its place."""
    for screen in bpy.data.screens:
        for i, area in enumerate(screen.areas):
            if area.type == "VIEW_3D":
                yield f"{screen.name}/{i}", area.spaces.active.shading


def _show_in_views(head: bpy.types.Object) -> None:
    types, already = [], []
    for name, shading in _views():
        if shading.color_type == "VERTEX":
            already.append(name)
        else:
            types.append(shading.color_type)
            shading.color_type = "VERTEX"
    head[likeness.SHOWN][_VIEWS] = json.dumps([max(types, key=types.count, default=""), already])


def _restore_views(head: bpy.types.Object) -> None:
    if likeness.SHOWN not in head:
        return
    # One type for all: a viewport that is maximised meanwhile is found under another name.
    usual, already = json.loads(str(head[likeness.SHOWN].get(_VIEWS, '["", []]')))
    for name, shading in _views():
        if usual and shading.color_type == "VERTEX" and name not in already:
            shading.color_type = usual


CLASSES = (PIXEL3DMM_OT_show_likeness, PIXEL3DMM_OT_likeness_on_photo)
