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
from .. import properties
from ..jobs import session
from ..jobs.job import Progress
from ..jobs.run import Change, RefitRun
from ..scene import camera as photo_camera
from ..scene import fit_view, kept, refit
from ..scene.head import active_head
from ..scene.photo_view import PhotoView
from ..translations import tr
from .pins import fit_options, with_pin, without_pin

#: Seconds between two looks at the worker.
TICK = 0.02
#: Region pixels within which a press takes hold of a landmark.
REACH = 14.0
#: A pin counts as so many times nearer than it is.
PIN_NEARER = 0.4
#: Share of the free viewport that the landmarks take when the tool begins.
SHARE = 0.7
HELP = "Drag landmarks; X removes a pin; Enter ends"

#: The tool that runs, so that whoever switches the extension off can end its drawing.
_running: list[PIXEL3DMM_OT_correct_fit] = []


class PIXEL3DMM_OT_correct_fit(bpy.types.Operator):
    """Drag landmarks on the photo to where they belong; the head is fitted again after each drag"""

    bl_idname = "pixel3dmm.correct_fit"
    bl_label = "Correct Fit"
    bl_options = {"REGISTER"}  # noqa: RUF012 - every drag pushes its own step to undo

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Greyed out with the reason."""
        head = active_head(context)
        reason = kept.why_not(head)
        if not reason and _running:
            reason = "Landmarks are being corrected already"
        if not reason and session.status.running:
            reason = "A photo is being reconstructed: wait for it or cancel it"
        if not reason and _camera(context, head) is None:
            reason = "The photo's camera is no longer in the head's collection"
        if reason:
            cls.poll_message_set(tr(reason))
        return not reason

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """The viewport looks through the photo's camera from now on."""
        if context.area is None or context.area.type != "VIEW_3D":
            self.report({"ERROR"}, "Landmarks can be dragged in a 3D viewport only.")
            return {"CANCELLED"}
        head = active_head(context)
        try:
            self._known = kept.continuation(head)
        except PersonError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self._uid, camera = head.session_uid, _camera(context, head)
        self._photo = kept.photo_index(head, camera)
        self._hover: int | None = None
        self._drag: tuple[int, np.ndarray] | None = None
        self._wanted: list[Pin] | None = None
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
        context.workspace.status_text_set(tr(HELP))
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
            view.show(self._area, self._landmarks(), SHARE)

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
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
        if event.type == "LEFTMOUSE" and event.value == "RELEASE" and self._drag is not None:
            (landmark, (x, y)), self._drag = self._drag, None
            self._solve(with_pin(self._pins(), Pin(self._photo, landmark, float(x), float(y))))
            return {"RUNNING_MODAL"}
        if event.value == "PRESS" and event.type in ("X", "DEL"):
            below = self._nearest(mouse, only_pins=True)
            if below is not None:
                self._solve(without_pin(self._pins(), self._photo, below))
                return {"RUNNING_MODAL"}
        if event.value == "PRESS" and event.type in ("ESC", "RET", "NUMPAD_ENTER"):
            if self._drag is not None:
                self._drag = None
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

    def _pins(self) -> list[Pin]:
        """The last that were asked for, solved or not."""
        return list(self._known.pins if self._wanted is None else self._wanted)

    def _view(self) -> PhotoView | None:
        head = self._head()
        obj = photo_camera.camera_of(head, self._photo) if head is not None else None
        if obj is None:
            return None
        return PhotoView.of(obj, kept.photo_camera_of(self._known, self._photo))

    def _landmarks(self) -> np.ndarray:
        """(478, 2) photo pixels, pinned ones where their pins are."""
        out = self._known.photos[self._photo].landmarks_fit.copy()
        for pin in self._pins():
            if pin.photo == self._photo:
                out[pin.landmark] = pin.x, pin.y
        if self._drag is not None:
            out[self._drag[0]] = self._drag[1]
        return out

    def _nearest(self, mouse: tuple[float, float], only_pins: bool = False) -> int | None:
        view = self._view()
        if view is None:
            return None
        at = view.to_region(self._region, self._area.spaces.active.region_3d, self._landmarks())
        distance = np.nan_to_num(np.linalg.norm(at - mouse, axis=1), nan=np.inf)
        pins = [p.landmark for p in self._pins() if p.photo == self._photo]
        if only_pins:
            distance[np.setdiff1d(np.arange(len(distance)), pins)] = np.inf
        # What was pinned is what is most likely meant among landmarks that lie close together.
        ranked = distance.copy()
        ranked[pins] *= PIN_NEARER
        nearest = int(np.argmin(ranked))
        return nearest if distance[nearest] < REACH else None

    def _move(self, mouse: tuple[float, float]) -> set[str]:
        if self._drag is not None:
            self._drag = (self._drag[0], self._to_photo(mouse))
            self._area.tag_redraw()
            return {"RUNNING_MODAL"}
        hover = self._nearest(mouse)
        if hover != self._hover:
            self._hover = hover
            self._area.tag_redraw()
        return {"PASS_THROUGH"}

    def _grab(self, mouse: tuple[float, float]) -> set[str]:
        inside = 0 <= mouse[0] < self._region.width and 0 <= mouse[1] < self._region.height
        landmark = self._nearest(mouse) if inside else None
        if landmark is None:
            return {"PASS_THROUGH"}
        self._drag = (landmark, self._to_photo(mouse))
        return {"RUNNING_MODAL"}

    def _to_photo(self, mouse: tuple[float, float]) -> np.ndarray:
        view = self._view()
        assert view is not None
        return view.to_photo(self._region, self._area.spaces.active.region_3d, mouse)

    def _solve(self, pins: list[Pin]) -> None:
        """A solve that is still under way is let go: this one includes it."""
        self._let_go()
        head = self._head()
        self._wanted = pins
        try:
            told = kept.told(head)
        except PersonError as error:
            self._fail(str(error))
            return
        self._run = RefitRun(told, pins, options=fit_options(bpy.context, self._known))
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
        try:
            refit.apply(context, self._head(), change.after, change.before)
        except PersonError as error:
            self._fail(str(error))
            return
        self._wanted = None
        self._known = kept.continuation(self._head())
        bpy.ops.ed.undo_push(message=tr("Pin Landmark"))
        self._area.tag_redraw()

    def _look_again(self) -> None:
        """An undo or a redo gives the head another state, and other pins."""
        text = self._head().get(kept.CONTINUATION)
        if text != getattr(self, "_text", None):
            self._text = text
            try:
                self._known = Continuation.from_json(text)
            except PersonError as error:
                self._fail(str(error))
            self._area.tag_redraw()

    def _fail(self, sentence: str) -> None:
        self._let_go()
        self._wanted = None
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
            context.workspace.status_text_set(None)
            areas = (a for w in context.window_manager.windows for a in w.screen.areas)
            if self._area in areas and self._area.type == "VIEW_3D":
                fit_view.look_back(self._area.spaces.active, self._looked)
            properties.redraw(context)

    def _draw_landmarks(self) -> None:
        """Blender calls this whenever it draws a viewport."""
        if bpy.context.area != self._area:
            return
        view = self._view()
        if view is None:
            return
        region, region_data = bpy.context.region, bpy.context.region_data
        self._draw_photo(view, region, region_data)
        at = view.to_region(region, region_data, self._landmarks())
        shown = np.isfinite(at).all(axis=1)
        pins = {p.landmark for p in self._pins() if p.photo == self._photo}
        held = {self._hover, self._drag[0] if self._drag else None}
        groups: dict[str, list[int]] = {"point": [], "pin": [], "held": []}
        for i in np.nonzero(shown)[0].tolist():
            groups["held" if i in held else "pin" if i in pins else "point"].append(i)
        fit_view.draw_dots(at, groups)

    def _draw_photo(
        self, view: PhotoView, region: bpy.types.Region, data: bpy.types.RegionView3D
    ) -> None:
        camera = photo_camera.camera_of(self._head(), self._photo)
        seen = self._known.photos[self._photo]
        corners = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
        corners = corners * [seen.width, -seen.height] + [0.0, seen.height]
        at = view.to_region(region, data, corners)
        for background in camera.data.background_images:
            if background.image is not None:
                fit_view.draw_photo(background.image, at)
                break


def close() -> None:
    """The extension is switched off: nothing is drawn any more."""
    for tool in list(_running):
        tool._close(bpy.context)


def _camera(context: bpy.types.Context, head: bpy.types.Object) -> bpy.types.Object | None:
    """The scene's camera if it took one of the head's photos, else that of the first."""
    index = kept.photo_index(head, context.scene.camera)
    return photo_camera.camera_of(head, index)


def _window_region(area: bpy.types.Area) -> bpy.types.Region:
    return next(region for region in area.regions if region.type == "WINDOW")


CLASSES = (PIXEL3DMM_OT_correct_fit,)
