# SPDX-License-Identifier: GPL-3.0-or-later
"""What Correct Fit does beside looking at mouse and keys: the worker's fits, and the scene's head.

Knows no window, so that scripts and tests can drive it: :meth:`FitWork.advance` is what a timer
calls.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator

import bpy
import numpy as np

from ...core.errors import Cancelled, PersonError
from ...core.fitting.pins import Pin
from ...core.reconstruct.continuation import Continuation
from ..jobs.job import Progress
from ..jobs.live import LiveRun
from ..jobs.outcome import Change
from ..jobs.refit import RefitRun
from ..scene import camera as photo_camera
from ..scene import continuation, refit
from ..scene.live_mesh import LiveMesh
from ..scene.photo_view import PhotoView
from ..translations import tr
from .fit_pins import FitPins, Mark, without_pin
from .pins import fit_options

#: Seconds of a tick in which the worker is listened to, and of each look at it: what it has done
#: is taken in at once, and the window is drawn in between.
_LISTEN, _LOOK = 0.008, 0.002


class FitWork:
    """A head whose fit is corrected in one of its photos. Construction raises PersonError.

    say: where a sentence for the person goes.
    """

    def __init__(
        self,
        context: bpy.types.Context,
        head: bpy.types.Object,
        photo: int,
        say: Callable[[str], None],
    ) -> None:
        self._uid, self._say = head.session_uid, say
        #: Nothing can follow the mouse, which was said.
        self.failed = False
        self.known = continuation.read(head)
        self._text = continuation.text(head)
        self._options = fit_options(context, head, self.known)
        self.photo = photo
        self.pins = FitPins(self.known, photo)
        self._mesh = LiveMesh(head)
        #: Pins that are being fitted, and the change that came of them while a drag went on.
        self._asked: list[Pin] | None = None
        self._asked_text = ""
        self._ready: Change | None = None
        self._run: RefitRun | None = None
        self._steps: Generator[Progress | None, None, Change] | None = None
        self._live: Generator[Progress | None, None, object] | None = None
        self._prepare_live()

    def head(self) -> bpy.types.Object | None:
        """The head, which an undo may have put elsewhere in memory."""
        return next((o for o in bpy.data.objects if o.session_uid == self._uid), None)

    def camera(self) -> bpy.types.Object | None:
        """That of the photo; None if it was deleted."""
        head = self.head()
        return None if head is None else photo_camera.camera_of(head, self.photo)

    def view(self) -> PhotoView | None:
        """Between the photo's pixels and viewports; None without its camera."""
        obj = self.camera()
        if obj is None:
            return None
        return PhotoView.of(obj, continuation.photo_camera_of(self.known, self.photo))

    def frame(self) -> np.ndarray:
        """(2, 2) photo pixels, low and high corner of about the whole head: its face with ears at
        the sides, and above it the skull.
        """
        face = self.known.photos[self.photo].landmarks_fit
        low, high = np.nanmin(face, axis=0), np.nanmax(face, axis=0)
        aside, above = (high - low) * [0.2, 0.55]
        return np.array([[low[0] - aside, low[1] - above], [high[0] + aside, high[1]]])

    def shown(self) -> tuple[list[Mark], np.ndarray]:
        """What can be taken hold of, and its photo pixels (n, 2)."""
        return self.pins.shown(everything=bpy.context.scene.pixel3dmm.fit.all_handles)

    def name(self, mark: Mark) -> str:
        """In the person's language; empty for a place between the points that have names."""
        side = next((s for s in ("Right ", "Left ") if mark.name.startswith(s)), "")
        return (tr(side) if side else "") + (tr(mark.name[len(side) :]) if mark.name else "")

    def show_photo(self, photo: int) -> None:
        """Another photo of the person. Raises PersonError if its camera is gone."""
        head = self.head()
        if head is None or photo_camera.camera_of(head, photo) is None:
            raise PersonError(f"The camera of photo {photo + 1} was deleted: add the photo again.")
        self.give_up()
        wanted, self.photo = self.pins.wanted, photo
        self.pins = FitPins(self.known, photo, wanted=wanted)
        self._prepare_live()

    def drag(self, at: np.ndarray) -> None:
        """The mouse is at photo pixels (2,) now, and the head follows."""
        self._ready = None
        self.pins.drag(at, symmetric=bpy.context.scene.pixel3dmm.fit.symmetric)
        self._show()

    def nudge(self, mark: Mark, by: np.ndarray) -> None:
        """A pin moves by photo pixels (2,); solve() is for when it has come to rest."""
        self.pins.nudge(mark, by, symmetric=bpy.context.scene.pixel3dmm.fit.symmetric)
        self._show()

    def remove(self, mark: Mark) -> None:
        """A pin is taken away."""
        self.solve(without_pin(self.pins.pins(), mark.pin))
        self.pins.follow(self.pins.live)
        self._show()

    def give_up(self) -> None:
        """A drag ends and nothing is changed."""
        if self.pins.held is not None:
            self.pins.give_up()
            self._let_go()
            self._show()

    def prepare(self, pins: list[Pin]) -> None:
        """The mouse rests: the worker fits what it would be asked if the drag ended now."""
        if self._asked != pins:
            self._ask(pins)

    def solve(self, pins: list[Pin]) -> None:
        """A fit that is still under way is let go: this one includes it."""
        self.pins.wanted = pins
        if self._asked != pins:
            self._ask(pins)

    def advance(self, context: bpy.types.Context) -> bool:
        """A tick: what the worker has done is taken in; whether there is something new to see."""
        if self._ready is not None and self.pins.held is None:
            change, self._ready = self._ready, None
            self._apply(context, change)
            return True
        until = time.monotonic() + _LISTEN
        while self._steps is not None or self._live is not None:
            if self._steps is not None:
                if self._listen(context):
                    return True
            elif self._listen_live():
                return True
            if time.monotonic() > until:
                return False
        return self._look_again()

    def show_scene(self) -> None:
        """The head in the scene is as the last fit left it, whatever is dragged."""
        self._mesh.back()

    def close(self) -> None:
        """Nothing is fitted any more."""
        self._let_go()
        if self._live is not None:
            self._live.close()
            self._live = None
        self._mesh.back()

    def _ask(self, pins: list[Pin]) -> None:
        self._let_go()
        head = self.head()
        if head is None:
            return
        try:
            text = continuation.text(head)
        except PersonError as error:
            self._fail(str(error))
            return
        self._asked, self._asked_text = list(pins), text
        self._run = RefitRun(text, pins, options=self._options)
        self._steps = self._run.steps(_LOOK)

    def _listen(self, context: bpy.types.Context) -> bool:
        assert self._steps is not None
        try:
            next(self._steps)
        except StopIteration as end:
            self._run = self._steps = None
            if self.pins.held is not None and self._asked == self.pins.dragged:
                self._ready = end.value
                return False
            self._apply(context, end.value)
            return True
        except (PersonError, OSError) as error:
            self._fail(str(error))
            return True
        except Cancelled:
            self._let_go()
        return False

    def _listen_live(self) -> bool:
        assert self._live is not None
        try:
            next(self._live)
        except StopIteration as end:
            self._live = None
            if self.pins.held is None:
                self.pins.follow(end.value)
            return True
        except (PersonError, OSError) as error:
            self._live, self.failed = None, True
            self._say(str(error))
        except Cancelled:
            self._live = None
        return False

    def _prepare_live(self) -> None:
        """The worker is to bring what follows pins around the fit as it is now."""
        if self._live is not None:
            self._live.close()
        run = LiveRun(self._text, self.photo, self.known.head_digest, self._options)
        self._live = run.steps(_LOOK)

    def _apply(self, context: bpy.types.Context, change: Change) -> None:
        head = self.head()
        if head is None:
            return
        self._mesh.back()
        self._asked = None
        if head.get(continuation.PROPERTY) != self._asked_text:
            return  # an undo came between: what was fitted started from another head
        try:
            refit.apply(context, head, change.after, change.before)
        except PersonError as error:
            self._fail(str(error))
            return
        self._learn(continuation.read(head), continuation.text(head))
        bpy.ops.ed.undo_push(message=tr("Pin Landmark"))

    def _learn(self, known: Continuation, text: str) -> None:
        self.known, self._text = known, text
        self.pins.learn(known)
        self._show()
        self._prepare_live()

    def _look_again(self) -> bool:
        """An undo or a redo gives the head another state, and other pins."""
        head = self.head()
        text = None if head is None else head.get(continuation.PROPERTY)
        if text == self._text or head is None:
            return False
        self._mesh.forget()
        self._text = str(text)
        try:
            self._learn(Continuation.from_json(text), self._text)
        except PersonError as error:
            self._fail(str(error))
        return True

    def _show(self) -> None:
        """The scene's head stands as the pose is; for the photo whose expression it has."""
        pins = self.pins
        if self.photo or pins.live is None or pins.pose is None or pins.scene is None:
            return
        if pins.pose is pins.scene:
            self._mesh.back()
        else:
            self._mesh.show(pins.live.motion(pins.scene, pins.pose))

    def _fail(self, sentence: str) -> None:
        self._let_go()
        self.pins.wanted = None
        self.pins.follow(self.pins.live)
        self._mesh.back()
        self._say(sentence)

    def _let_go(self) -> None:
        if self._run is not None:
            self._run.cancel()
        if self._steps is not None:
            self._steps.close()
        self._run = self._steps = self._asked = self._ready = None
