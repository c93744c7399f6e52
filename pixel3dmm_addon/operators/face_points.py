# SPDX-License-Identifier: GPL-3.0-or-later
"""Points of a face clicked on the artist's own mesh, one after the other, for where the face is not
found by itself or is found wrongly. The open head knows its own.
"""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from bpy.props import EnumProperty, FloatVectorProperty
from bpy_extras import view3d_utils
from mathutils import Vector

from ...core.conform.by_hand import NAMED_POINTS
from ..blender_types import OperatorReturn
from ..redraw import redraw_status, set_status_text
from ..scene import face_points, fit_view, own_mesh
from ..translations import tr
from .poll_reason import EDIT_MODE, PollReason

SELECT_MESH = "Select the mesh of a head"
HELP = "Click: {}; Backspace removes the last; Tab skips; Enter ends"
_ITEMS = [(name, name, "") for name in NAMED_POINTS]
#: Pixels around a point in which a click takes it up again.
_NEAR = 12.0

_running: list[PIXEL3DMM_OT_click_face_points] = []


class _OnMesh(PollReason):
    """Mixed into an operator that needs a mesh of the artist's."""

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """See PollReason."""
        objects = own_mesh.candidates(context)
        if not objects:
            return SELECT_MESH
        if context.mode != "OBJECT":
            return EDIT_MODE
        return own_mesh.why_not(objects)


class PIXEL3DMM_OT_set_face_point(_OnMesh, bpy.types.Operator):
    """Set one point of the face on the selected mesh, at a place in the world"""

    bl_idname = "pixel3dmm.set_face_point"
    bl_label = "Set Face Point"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    point: EnumProperty(name="Point", description="Left and right are the face's own", items=_ITEMS)
    location: FloatVectorProperty(name="Location", subtype="XYZ", unit="LENGTH")

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        """In one step."""
        face_points.set_point(own_mesh.candidates(context)[0], self.point, self.location)
        return {"FINISHED"}


class PIXEL3DMM_OT_clear_face_points(_OnMesh, bpy.types.Operator):
    """Remove all points of the face from the selected mesh"""

    bl_idname = "pixel3dmm.clear_face_points"
    bl_label = "Clear Face Points"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        """In one step."""
        face_points.clear(own_mesh.candidates(context)[0])
        return {"FINISHED"}


class PIXEL3DMM_OT_click_face_points(_OnMesh, bpy.types.Operator):
    """Click named points of the face on the selected mesh, one after the other"""

    bl_idname = "pixel3dmm.click_face_points"
    bl_label = "Click Face Points"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorReturn:
        """From now on clicks set points."""
        if context.area is None or context.area.type != "VIEW_3D":
            self.report({"ERROR"}, "Points can be clicked in a 3D viewport only.")
            return {"CANCELLED"}
        obj = own_mesh.candidates(context)[0]
        self._name, self._area = obj.name, context.area
        self._order: list[str] = []
        self._next = face_points.next_name(obj) or next(iter(NAMED_POINTS))
        self._draw = bpy.types.SpaceView3D.draw_handler_add(
            self._draw_points, (), "WINDOW", "POST_PIXEL"
        )
        context.window_manager.modal_handler_add(self)
        _running.append(self)
        self._tell(context)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorReturn:
        """Clicks and a few keys are taken; the view goes on."""
        obj = bpy.data.objects.get(self._name)
        if obj is None or self not in _running:
            return self._close(context, {"CANCELLED"})
        if event.value != "PRESS":
            return {"PASS_THROUGH"}
        if event.type in ("RET", "NUMPAD_ENTER", "ESC"):
            return self._close(context, {"FINISHED"} if self._order else {"CANCELLED"})
        if event.type == "TAB":
            self._next = _after(self._next)
        elif event.type == "BACK_SPACE":
            last = self._order.pop() if self._order else self._next
            face_points.remove_point(obj, last)
            self._next = last
        elif event.type == "LEFTMOUSE" and context.area == self._area:
            if not self._click(context, obj, event):
                return {"PASS_THROUGH"}
        else:
            return {"PASS_THROUGH"}
        self._tell(context)
        return {"RUNNING_MODAL"}

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender takes the operator away."""
        self._close(context, {"CANCELLED"})

    def _click(
        self, context: bpy.types.Context, obj: bpy.types.Object, event: bpy.types.Event
    ) -> bool:
        """A click on a point takes it up again; one on the mesh sets the next point."""
        mouse = (event.mouse_region_x, event.mouse_region_y)
        taken = self._under(context, obj, mouse)
        if taken:
            self._next = taken
            return True
        region, data = context.region, context.region_data
        if region is None or data is None or region.type != "WINDOW":
            return False
        origin = view3d_utils.region_2d_to_origin_3d(region, data, mouse)
        ray = view3d_utils.region_2d_to_vector_3d(region, data, mouse)
        graph = context.evaluated_depsgraph_get()
        cast: Any = context.scene.ray_cast
        hit, place, _, _, met, _ = cast(graph, origin, ray)
        if not hit or met.name not in {o.name for o in own_mesh.candidates(context)}:
            return False
        face_points.set_point(obj, self._next, place)
        self._order.append(self._next)
        self._next = face_points.next_name(obj) or _after(self._next)
        return True

    def _under(
        self, context: bpy.types.Context, obj: bpy.types.Object, mouse: tuple[int, int]
    ) -> str:
        names, at = self._places(context, obj)
        if not names:
            return ""
        away = np.linalg.norm(at - np.array(mouse), axis=1)
        return names[int(away.argmin())] if away.min() < _NEAR else ""

    def _places(
        self, context: bpy.types.Context, obj: bpy.types.Object
    ) -> tuple[list[str], np.ndarray]:
        """Names and region pixels (n, 2) of the points in view."""
        names, at = [], []
        region, data = context.region, context.region_data
        if region is None or data is None:
            return [], np.zeros((0, 2))
        for name, local in face_points.points(obj).items():
            world = obj.matrix_world @ Vector(local)
            place = view3d_utils.location_3d_to_region_2d(region, data, world)
            if place is not None:
                names.append(name)
                at.append(tuple(place))
        return names, np.array(at, float).reshape(-1, 2)

    def _draw_points(self) -> None:
        """Blender calls this whenever it draws a viewport."""
        context, obj = bpy.context, bpy.data.objects.get(self._name)
        if obj is None or context.area != self._area or context.region_data is None:
            return
        names, at = self._places(context, obj)
        kinds = ["held" if name == self._next else "pin" for name in names]
        fit_view.draw_dots(at, kinds, context.preferences.system.ui_scale)

    def _tell(self, context: bpy.types.Context) -> None:
        set_status_text(context, tr(HELP).format(tr(self._next)))
        self._area.tag_redraw()

    def _close(self, context: bpy.types.Context, result: OperatorReturn) -> OperatorReturn:
        if self in _running:
            _running.remove(self)
            bpy.types.SpaceView3D.draw_handler_remove(self._draw, "WINDOW")
            set_status_text(context, None)
            redraw_status(context)
        return result


def close() -> None:
    """The extension is switched off: nothing is drawn any more."""
    for tool in list(_running):
        tool._close(bpy.context, {"CANCELLED"})


def _after(name: str) -> str:
    names = list(NAMED_POINTS)
    return names[(names.index(name) + 1) % len(names)]


CLASSES = (
    PIXEL3DMM_OT_set_face_point,
    PIXEL3DMM_OT_clear_face_points,
    PIXEL3DMM_OT_click_face_points,
)
