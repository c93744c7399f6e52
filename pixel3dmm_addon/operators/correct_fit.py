# SPDX-License-Identifier: GPL-3.0-or-later
"""Correct Fit: points of the head are dragged to where the photo has them, and the head follows.

While the mouse moves core's LiveFit follows it; when it rests or lets go the worker fits exactly,
and the window goes on meanwhile. One drag is one step to undo. What is drawn over the viewport is
the tool's own and gone with it.
"""

from __future__ import annotations

import time

import bpy
import numpy as np

from ...core.errors import PersonError
from ..blender_types import OperatorReturn
from ..jobs import session
from ..redraw import redraw_viewports, set_status_text
from ..scene import camera as photo_camera
from ..scene import continuation, fit_view
from ..scene.head import active_head, polled_head
from ..translations import tr
from .fit_drawing import draw
from .fit_pins import Mark
from .fit_work import FitWork
from .poll_reason import BUSY, NO_CAMERA, PollReason

#: Seconds between two looks at the worker.
TICK = 0.02
#: Share of the free viewport that the head takes when the tool begins.
SHARE = 0.86
#: Seconds for which a mouse or the arrow keys rest before the worker is asked.
REST, NUDGE_REST = 0.12, 0.4
HELP = "Drag any point; X or Ctrl-click removes a pin; arrow keys nudge it; Enter or Esc: done"
NOT_YET = "The fit is being prepared: a moment"
_ARROWS = {"LEFT_ARROW": (-1, 0), "RIGHT_ARROW": (1, 0), "UP_ARROW": (0, 1), "DOWN_ARROW": (0, -1)}
#: How far an arrow key moves a pin, region pixels, and with Shift.
_NUDGE, _FAR = 1.0, 10.0

#: The tool that runs, so that buttons reach it, and whoever switches the extension off.
_running: list[PIXEL3DMM_OT_correct_fit] = []


class PIXEL3DMM_OT_correct_fit(PollReason, bpy.types.Operator):
    """Drag any point of the head to where the photo has it; the head follows while you drag"""

    bl_idname = "pixel3dmm.correct_fit"
    bl_label = "Correct Fit"
    bl_options = {"REGISTER"}  # noqa: RUF012 - every drag pushes its own step to undo

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """See PollReason."""
        head = active_head(context)
        reason = continuation.why_not(head)
        if head is None or reason:
            return reason
        if _running:
            return "The fit is being corrected already"
        if session.status.running:
            return BUSY
        return "" if _camera(context, head) else NO_CAMERA

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorReturn:
        """The viewport looks through the photo's camera from now on."""
        if context.area is None or context.area.type != "VIEW_3D":
            self.report({"ERROR"}, "Points can be dragged in a 3D viewport only.")
            return {"CANCELLED"}
        head = polled_head(context)
        camera = _camera(context, head)
        try:
            self.work = FitWork(context, head, continuation.photo_index(head, camera), self._say)
        except PersonError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self._area = context.area
        self._region = next(r for r in context.area.regions if r.type == "WINDOW")
        self._looked = fit_view.clear(self._area.spaces.active)
        self._mouse_at, self._nudged = 0.0, 0.0
        self._last: Mark | None = None
        self._done = False
        self._look(context)
        self._draw = bpy.types.SpaceView3D.draw_handler_add(
            self._draw_all, (), "WINDOW", "POST_PIXEL"
        )
        self._timer = context.window_manager.event_timer_add(TICK, window=context.window)
        context.window_manager.modal_handler_add(self)
        set_status_text(context, tr(HELP))
        _running.append(self)
        redraw_viewports(context)
        return {"RUNNING_MODAL"}

    def show_photo(self, context: bpy.types.Context, photo: int) -> None:
        """Another photo of the person. Raises PersonError if its camera is gone."""
        self.work.show_photo(photo)
        self._look(context)
        redraw_viewports(context)

    @property
    def area(self) -> bpy.types.Area:
        """Of the viewport in which it works."""
        return self._area

    def finish(self) -> None:
        """The tool ends at its next tick: a button asks for it."""
        self._done = True

    def _look(self, context: bpy.types.Context) -> None:
        """Through the camera, close to the face, and with nothing over it."""
        space = self._area.spaces.active
        camera = self.work.camera()
        if camera is None:
            return
        context.scene.camera = camera
        space.use_local_camera = False
        space.region_3d.view_perspective = "CAMERA"
        context.view_layer.update()
        view = self.work.view()
        if view is not None:
            view.show(self._area, self.work.frame(), SHARE)

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorReturn:
        """Only what the tool is about is taken; undo, view and everything else go on."""
        if self not in _running or self.work.head() is None:
            self._close(context)
            return {"CANCELLED"}
        if event.type == "TIMER":
            return self._tick(context)
        marks, mouse = self.work.pins, (event.mouse_x, event.mouse_y)
        if event.type == "MOUSEMOVE":
            return self._move(mouse)
        if event.type == "LEFTMOUSE" and event.value == "PRESS":
            return self._press(mouse, remove=event.ctrl or event.oskey)
        if event.type == "LEFTMOUSE" and event.value == "RELEASE" and marks.held is not None:
            self._last = marks.held
            self.work.solve(marks.drop())
            return {"RUNNING_MODAL"}
        if event.type == "Z" and marks.held is None:
            self.work.show_scene()  # an undo must find the head as the last fit left it
            return {"PASS_THROUGH"}
        if event.value == "PRESS" and (self._inside(mouse) or marks.held is not None):
            return self._key(context, event)
        return {"PASS_THROUGH"}

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender takes the operator away: another file is loaded, or it quits."""
        self._close(context)

    def _tick(self, context: bpy.types.Context) -> OperatorReturn:
        marks, now = self.work.pins, time.monotonic()
        if self.work.failed or (self._done and marks.held is None and not self._nudged):
            self._close(context)
            return {"FINISHED"}
        if self._nudged and (self._done or now - self._nudged > NUDGE_REST):
            self._nudged = 0.0
            self.work.solve(marks.pins())
        elif marks.held is not None and marks.dragged and now - self._mouse_at > REST:
            self.work.prepare(marks.dragged)
        if self.work.advance(context):
            self._area.tag_redraw()
        return {"PASS_THROUGH"}

    def _key(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorReturn:
        marks = self.work.pins
        if event.type in ("ESC", "RET", "NUMPAD_ENTER"):
            if marks.held is not None:
                self.work.give_up()
                self._area.tag_redraw()
                return {"RUNNING_MODAL"}
            if self._nudged:
                self.finish()
                return {"RUNNING_MODAL"}
            self._close(context)
            return {"FINISHED"}
        if marks.held is not None:
            return {"RUNNING_MODAL"}
        if event.type in ("X", "DEL"):  # beside a pin too: Blender would delete the head
            if marks.is_pin(marks.hover):
                self._remove(marks.hover)
            return {"RUNNING_MODAL"}
        if event.type in _ARROWS:
            mark = marks.hover if marks.is_pin(marks.hover) else self._last
            if mark is None or not marks.is_pin(mark):
                return {"RUNNING_MODAL"}  # Blender would go to another frame
            step = np.array(_ARROWS[event.type]) * (_FAR if event.shift else _NUDGE)
            self.work.nudge(mark, step / self._scale() * [1, -1])
            self._last, self._nudged = mark, time.monotonic()
            self._area.tag_redraw()
            return {"RUNNING_MODAL"}
        return {"PASS_THROUGH"}

    def _remove(self, mark: Mark | None) -> None:
        if mark is not None:
            self.work.remove(mark)
            self._area.tag_redraw()

    def _move(self, mouse: tuple[int, int]) -> OperatorReturn:
        marks = self.work.pins
        if marks.held is not None:
            self._mouse_at = time.monotonic()
            self.work.drag(self._to_photo(mouse))
            self._area.tag_redraw()
            return {"RUNNING_MODAL"}
        hover = self._under(mouse)
        if hover != marks.hover:
            marks.hover = hover
            self._area.tag_redraw()
        return {"PASS_THROUGH"}

    def _press(self, mouse: tuple[int, int], *, remove: bool) -> OperatorReturn:
        if not self._inside(mouse):
            return {"PASS_THROUGH"}
        mark = self._under(mouse)
        if mark is None:
            if self.work.pins.live is None:
                self._say(tr(NOT_YET), "INFO")
                return {"RUNNING_MODAL"}
            return {"PASS_THROUGH"}
        if remove:
            if self.work.pins.is_pin(mark):
                self._remove(mark)
            return {"RUNNING_MODAL"}
        self._nudged, self._mouse_at = 0.0, time.monotonic()
        self.work.pins.take(mark, self._to_photo(mouse))
        self._area.tag_redraw()
        return {"RUNNING_MODAL"}

    def _under(self, mouse: tuple[int, int]) -> Mark | None:
        view = self.work.view()
        if view is None or not self._inside(mouse):
            return None
        rows, places = self.work.shown()
        data = self._area.spaces.active.region_3d
        at = view.to_region(self._region, data, places)
        here = np.array([mouse[0] - self._region.x, mouse[1] - self._region.y], float)
        return self.work.pins.under(rows, at, here, self._to_photo(mouse), self._scale())

    def _inside(self, mouse: tuple[int, int]) -> bool:
        """Over the viewport itself, and not over a sidebar or header that lies on it."""
        regions = [r for r in self._area.regions if r.x <= mouse[0] < r.x + r.width
                   and r.y <= mouse[1] < r.y + r.height]  # fmt: skip
        return self._region in regions and len(regions) == 1

    def _to_photo(self, mouse: tuple[int, int]) -> np.ndarray:
        view = self.work.view()
        assert view is not None
        at = (mouse[0] - self._region.x, mouse[1] - self._region.y)
        return view.to_photo(self._region, self._area.spaces.active.region_3d, at)

    def _scale(self) -> float:
        """Region pixels to a photo pixel."""
        view = self.work.view()
        assert view is not None
        at = view.to_region(
            self._region, self._area.spaces.active.region_3d, np.array([[0.0, 0.0], [100.0, 0.0]])
        )
        scale = float(np.linalg.norm(at[1] - at[0])) / 100
        return scale if np.isfinite(scale) and scale > 0 else 1.0

    def _say(self, sentence: str, kind: str = "ERROR") -> None:
        self.report({"INFO"} if kind == "INFO" else {"ERROR"}, sentence)

    def _close(self, context: bpy.types.Context) -> None:
        """Nothing of the tool stays behind, whichever way it ends."""
        self.work.close()
        if self in _running:
            _running.remove(self)
            bpy.types.SpaceView3D.draw_handler_remove(self._draw, "WINDOW")
            context.window_manager.event_timer_remove(self._timer)
            set_status_text(context, None)
            areas = (a for w in context.window_manager.windows for a in w.screen.areas)
            if self._area in areas and self._area.type == "VIEW_3D":
                fit_view.look_back(self._area.spaces.active, self._looked)
            redraw_viewports(context)

    def _draw_all(self) -> None:
        """Blender calls this whenever it draws a viewport."""
        region, data = bpy.context.region, bpy.context.region_data
        if bpy.context.area == self._area and region is not None and data is not None:
            draw(self.work, region, data)


def running() -> PIXEL3DMM_OT_correct_fit | None:
    """The tool, if it is in hand."""
    return _running[0] if _running else None


def close() -> None:
    """The extension is switched off: nothing is drawn any more."""
    for tool in list(_running):
        tool._close(bpy.context)


def _camera(context: bpy.types.Context, head: bpy.types.Object) -> bpy.types.Object | None:
    """The scene's camera if it took one of the head's photos, else that of the first."""
    return photo_camera.camera_of(head, continuation.photo_index(head, context.scene.camera))


CLASSES = (PIXEL3DMM_OT_correct_fit,)
