# SPDX-License-Identifier: GPL-3.0-or-later
"""Correct Fit: landmarks on the photo are dragged where they belong, and the head follows.

One drag is one step to undo. The worker solves; the window goes on meanwhile. What is drawn over
the viewport is the tool's own and gone with it.
"""

from __future__ import annotations

from collections.abc import Generator

import bpy
import numpy as np

from ...core.errors import Cancelled, PersonError
from ...core.fitting.pins import Pin
from ...core.reconstruct.continuation import Continuation
from ..blender_types import OperatorReturn
from ..jobs import session
from ..jobs.job import Progress
from ..jobs.outcome import Change
from ..jobs.refit import RefitRun
from ..redraw import redraw_status, set_status_text
from ..scene import camera as photo_camera
from ..scene import continuation, fit_view, refit
from ..scene.head import active_head, polled_head
from ..scene.photo_view import PhotoView
from ..translations import tr
from .pinned_landmarks import PinnedLandmarks, without_pin
from .pins import fit_options
from .poll_reason import BUSY, NO_CAMERA, PollReason

#: Seconds between two looks at the worker.
TICK = 0.02
#: Share of the free viewport that the landmarks take when the tool begins.
SHARE = 0.7
HELP = "Drag landmarks; X removes a pin; Enter ends"

#: The tool that runs, so that whoever switches the extension off can end its drawing.
_running: list[PIXEL3DMM_OT_correct_fit] = []


class PIXEL3DMM_OT_correct_fit(PollReason, bpy.types.Operator):
    """Drag landmarks on the photo to where they belong; the head is fitted again after each drag"""

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
            return "Landmarks are being corrected already"
        if session.status.running:
            return BUSY
        return "" if _camera(context, head) else NO_CAMERA

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorReturn:
        """The viewport looks through the photo's camera from now on."""
        if context.area is None or context.area.type != "VIEW_3D":
            self.report({"ERROR"}, "Landmarks can be dragged in a 3D viewport only.")
            return {"CANCELLED"}
        head = polled_head(context)
        try:
            self._known = continuation.read(head)
        except PersonError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self._uid, camera = head.session_uid, _camera(context, head)
        self._photo = continuation.photo_index(head, camera)
        self._marks = PinnedLandmarks(self._known, self._photo)
        self._run: RefitRun | None = None
        self._steps: Generator[Progress | None, None, Change] | None = None
        self._area, self._region = context.area, _window_region(context.area)
        context.scene.camera = camera
        self._look(context)
        self._draw = bpy.types.SpaceView3D.draw_handler_add(
            self._draw_landmarks, (), "WINDOW", "POST_PIXEL"
        )
        self._timer = context.window_manager.event_timer_add(TICK, window=context.window)
        context.window_manager.modal_handler_add(self)
        set_status_text(context, tr(HELP))
        _running.append(self)
        self._area.tag_redraw()
        return {"RUNNING_MODAL"}

    def _look(self, context: bpy.types.Context) -> None:
        """Through the camera, close to the face, and with nothing over it."""
        space = self._area.spaces.active
        space.region_3d.view_perspective = "CAMERA"
        self._looked = fit_view.clear(space)
        context.view_layer.update()
        view = self._view()
        if view is not None:
            view.show(self._area, self._marks.places(), SHARE)

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorReturn:
        """Only what the tool is about is taken; undo, view and everything else go on."""
        if self not in _running or self._head() is None:
            self._close(context)
            return {"CANCELLED"}
        if event.type == "TIMER":
            self._advance(context)
            return {"PASS_THROUGH"}
        mouse = (event.mouse_x - self._region.x, event.mouse_y - self._region.y)
        if event.type == "MOUSEMOVE":
            return self._move(mouse)
        if event.type == "LEFTMOUSE" and event.value == "PRESS":
            return self._grab(mouse)
        if event.type == "LEFTMOUSE" and event.value == "RELEASE" and self._marks.drag is not None:
            self._solve(self._marks.dropped())
            return {"RUNNING_MODAL"}
        if event.value == "PRESS" and event.type in ("X", "DEL"):
            below = self._nearest(mouse, only_pins=True)
            if below is not None:
                self._solve(without_pin(self._marks.pins(), self._photo, below))
                return {"RUNNING_MODAL"}
        if event.value == "PRESS" and event.type in ("ESC", "RET", "NUMPAD_ENTER"):
            if self._marks.drag is not None:
                self._marks.drag = None
                self._area.tag_redraw()
                return {"RUNNING_MODAL"}
            self._close(context)
            return {"FINISHED"}
        return {"PASS_THROUGH"}

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender takes the operator away: another file is loaded, or it quits."""
        self._close(context)

    def _head(self) -> bpy.types.Object | None:
        """The head, which an undo may have put elsewhere in memory."""
        return next((o for o in bpy.data.objects if o.session_uid == self._uid), None)

    def _view(self) -> PhotoView | None:
        head = self._head()
        obj = photo_camera.camera_of(head, self._photo) if head is not None else None
        if obj is None:
            return None
        return PhotoView.of(obj, continuation.photo_camera_of(self._known, self._photo))

    def _nearest(self, mouse: tuple[float, float], only_pins: bool = False) -> int | None:
        view = self._view()
        if view is None:
            return None
        view_3d = self._area.spaces.active.region_3d
        at = view.to_region(self._region, view_3d, self._marks.places())
        return self._marks.nearest(at, mouse, only_pins=only_pins)

    def _move(self, mouse: tuple[float, float]) -> OperatorReturn:
        if self._marks.drag is not None:
            self._marks.drag = (self._marks.drag[0], self._to_photo(mouse))
            self._area.tag_redraw()
            return {"RUNNING_MODAL"}
        hover = self._nearest(mouse)
        if hover != self._marks.hover:
            self._marks.hover = hover
            self._area.tag_redraw()
        return {"PASS_THROUGH"}

    def _grab(self, mouse: tuple[float, float]) -> OperatorReturn:
        inside = 0 <= mouse[0] < self._region.width and 0 <= mouse[1] < self._region.height
        landmark = self._nearest(mouse) if inside else None
        if landmark is None:
            return {"PASS_THROUGH"}
        self._marks.drag = (landmark, self._to_photo(mouse))
        return {"RUNNING_MODAL"}

    def _to_photo(self, mouse: tuple[float, float]) -> np.ndarray:
        view = self._view()
        assert view is not None
        return view.to_photo(self._region, self._area.spaces.active.region_3d, mouse)

    def _solve(self, pins: list[Pin]) -> None:
        """A solve that is still under way is let go: this one includes it."""
        self._let_go()
        head = self._head()
        if head is None:
            return
        self._marks.wanted = pins
        try:
            text = continuation.text(head)
            options = fit_options(bpy.context, head, self._known)
        except PersonError as error:
            self._fail(str(error))
            return
        self._run = RefitRun(text, pins, options=options)
        self._steps = self._run.steps(0.0)
        self._area.tag_redraw()

    def _advance(self, context: bpy.types.Context) -> None:
        if self._steps is None:
            self._look_again()
            return
        try:
            next(self._steps)
        except StopIteration as end:
            self._run = self._steps = None
            self._apply(context, end.value)
        except (PersonError, OSError) as error:
            self._fail(str(error))
        except Cancelled:
            self._let_go()

    def _apply(self, context: bpy.types.Context, change: Change) -> None:
        head = self._head()
        if head is None:
            return
        try:
            refit.apply(context, head, change.after, change.before)
        except PersonError as error:
            self._fail(str(error))
            return
        self._known = continuation.read(head)
        self._marks.known, self._marks.wanted = self._known, None
        bpy.ops.ed.undo_push(message=tr("Pin Landmark"))
        self._area.tag_redraw()

    def _look_again(self) -> None:
        """An undo or a redo gives the head another state, and other pins."""
        head = self._head()
        text = None if head is None else head.get(continuation.PROPERTY)
        if text != getattr(self, "_text", None):
            self._text = text
            try:
                self._known = Continuation.from_json(text)
                self._marks.known = self._known
            except PersonError as error:
                self._fail(str(error))
            self._area.tag_redraw()

    def _fail(self, sentence: str) -> None:
        self._let_go()
        self._marks.wanted = None
        self.report({"ERROR"}, sentence)
        self._area.tag_redraw()

    def _let_go(self) -> None:
        if self._run is not None:
            self._run.cancel()
        if self._steps is not None:
            self._steps.close()
        self._run = self._steps = None

    def _close(self, context: bpy.types.Context) -> None:
        """Nothing of the tool stays behind, whichever way it ends."""
        self._let_go()
        if self in _running:
            _running.remove(self)
            bpy.types.SpaceView3D.draw_handler_remove(self._draw, "WINDOW")
            context.window_manager.event_timer_remove(self._timer)
            set_status_text(context, None)
            areas = (a for w in context.window_manager.windows for a in w.screen.areas)
            if self._area in areas and self._area.type == "VIEW_3D":
                fit_view.look_back(self._area.spaces.active, self._looked)
            redraw_status(context)

    def _draw_landmarks(self) -> None:
        """Blender calls this whenever it draws a viewport."""
        region, data = bpy.context.region, bpy.context.region_data
        if bpy.context.area != self._area or region is None or data is None:
            return
        head, view = self._head(), self._view()
        camera = None if head is None else photo_camera.camera_of(head, self._photo)
        if view is None or camera is None:
            return
        taken = self._known.photos[self._photo]
        fit_view.draw_photo_of(camera, view, region, data, (taken.width, taken.height))
        at = view.to_region(region, data, self._marks.places())
        fit_view.draw_dots(at, self._marks.groups(np.isfinite(at).all(axis=1)))


def close() -> None:
    """The extension is switched off: nothing is drawn any more."""
    for tool in list(_running):
        tool._close(bpy.context)


def _camera(context: bpy.types.Context, head: bpy.types.Object) -> bpy.types.Object | None:
    """The scene's camera if it took one of the head's photos, else that of the first."""
    index = continuation.photo_index(head, context.scene.camera)
    return photo_camera.camera_of(head, index)


def _window_region(area: bpy.types.Area) -> bpy.types.Region:
    return next(region for region in area.regions if region.type == "WINDOW")


CLASSES = (PIXEL3DMM_OT_correct_fit,)
