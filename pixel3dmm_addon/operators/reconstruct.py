# SPDX-License-Identifier: GPL-3.0-or-later
"""Reconstruct Face: the scene's photo becomes a rigged head. Modal in a window, else blocking.

Photos that wait in the session's row follow, each with an undo step of its own.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Generator
from pathlib import Path

import bpy
from bpy.props import BoolProperty, CollectionProperty, FloatProperty, StringProperty

from ...core.errors import Cancelled, PersonError
from .. import preferences, properties, session
from ..job import Progress
from ..run import Outcome, Run
from ..scene.build import build_person

#: Seconds between two looks at the job.
TICK = 0.05
#: Seconds between two redraws of the sidebar, unless the stage changes; and how many times what
#: one redraw takes, so that a window that is drawn slowly is drawn less often.
REDRAW, REDRAW_SHARE = 0.2, 10

LOG = logging.getLogger("pixel3dmm")


class PIXEL3DMM_OT_reconstruct_face(bpy.types.Operator):
    """Make a rigged head with named sliders from the photo. Esc cancels"""

    bl_idname = "pixel3dmm.reconstruct_face"
    bl_label = "Reconstruct Face"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender reads it as it is

    photo: StringProperty(
        name="Photo",
        description="Path of the photo; the scene's own if empty",
        subtype="FILE_PATH",
        options={"SKIP_SAVE", "HIDDEN"},
    )
    match_render_size: BoolProperty(
        name="Match Render Size",
        description="Give renders of this scene the photo's size",
        options={"SKIP_SAVE"},
    )
    expression: FloatProperty(
        name="Photo Expression",
        description="How much of the photo's expression the head has: 0 is at rest, 1 as there",
        default=1.0,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
        options={"SKIP_SAVE"},
    )

    _timer: bpy.types.Timer | None = None
    _run: Run | None = None
    _steps: Generator[Progress | None, None, Outcome]

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Greyed out with the reason."""
        if session.status.running:
            cls.poll_message_set("A photo is being reconstructed: wait for it or cancel it")
            return False
        if not context.scene.is_editable:
            cls.poll_message_set("This scene is linked from another file and cannot be changed")
            return False
        if not context.scene.pixel3dmm.photo and not session.status.turn:
            cls.poll_message_set("Pick a photo first")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """The whole job in one go, for scripts and background Blender.

        Called from the redo panel, the scene is built anew from the outcome that is there.
        """
        if self.options.is_repeat:
            known = session.kept
            if known is not None and known.key == self._key(context):
                self._run = None
                return self._finish(context, known.outcome)
        self._begin(context, wait=TICK)
        try:
            while (ended := self._advance(context)) == {"RUNNING_MODAL"}:
                pass
            return ended
        finally:
            self._end(context)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Starts the job and gives control back at once."""
        if bpy.app.background:
            # Nothing would ever tick here.
            return self.execute(context)
        self._begin(context, wait=0.0)
        manager = context.window_manager
        self._timer = manager.event_timer_add(TICK, window=context.window)
        manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """One step a tick; every event but Esc goes on to whom it was meant for."""
        if event.type == "ESC" and event.value == "PRESS":
            session.status.cancel = True
        elif event.type != "TIMER":
            return {"PASS_THROUGH"}
        going_on = False
        try:
            ended = self._advance(context)
            going_on = ended == {"RUNNING_MODAL"}
        finally:
            if not going_on:
                self._end(context)
        return {"PASS_THROUGH"} if going_on else ended

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender takes the operator away: another file is loaded, or it quits."""
        self._end(context)

    def _begin(self, context: bpy.types.Context, wait: float) -> None:
        session.jobs().idle_minutes = preferences.idle_minutes(context)
        choices = context.scene.pixel3dmm
        if not self.properties.is_property_set("match_render_size"):
            self.match_render_size = choices.match_render_size
        # The redo panel must find this photo even if the scene's is another one by then.
        self.photo = self.photo or choices.photo
        self._run = Run(self._path, properties.job_options(choices))
        self._steps = self._run.steps(wait)
        self._redrawn = self._ticked = self._redraw_seconds = 0.0
        status = session.status
        status.running, status.cancel, status.failed = True, False, False
        status.stage, status.fraction, status.message = "Starting", 0.0, ""
        status.photo, status.started = self._path.stem, time.monotonic()
        properties.redraw(context)

    @property
    def _path(self) -> Path:
        return Path(bpy.path.abspath(self.photo))

    def _key(self, context: bpy.types.Context) -> object:
        """What the outcome depends on; None if the photo is not to be had."""
        try:
            known = self._path.stat()
        except OSError:
            return None
        options = properties.job_options(context.scene.pixel3dmm)
        return str(self._path), known.st_mtime_ns, known.st_size, repr(sorted(options.items()))

    def _advance(self, context: bpy.types.Context) -> set[str]:
        """One step, its news shown; RUNNING_MODAL while there are more to come."""
        assert self._run is not None
        status, now = session.status, time.monotonic()
        if self._redrawn > self._ticked:
            # What this tick is late by went into the redraw.
            self._redraw_seconds = now - self._redrawn - TICK
        self._ticked = now
        try:
            if status.cancel:
                # Closing the steps, which _end() does, lets go of the job at once.
                self._run.cancel()
                raise Cancelled
            news = next(self._steps)
        except StopIteration as end:
            session.keep(self._key(context), end.value)
            return self._finish(context, end.value)
        except Cancelled:
            status.waiting.clear()
            return self._say(context, "INFO", "Cancelled, nothing was changed")
        except PersonError as error:
            return self._say(context, "ERROR", str(error))
        except OSError as error:
            # A full disk, or a temporary folder that nobody may write to.
            return self._say(
                context, "ERROR", f"The photo cannot be handed on ({error.strerror or error})."
            )
        if news is not None:
            self._show(context, news)
        return {"RUNNING_MODAL"}

    def _show(self, context: bpy.types.Context, news: Progress) -> None:
        status, now = session.status, time.monotonic()
        fresh = news.stage != status.stage
        status.stage, status.fraction = news.stage, news.fraction
        if fresh:
            LOG.info("%3.0f %% %s", 100 * news.fraction, news.stage)
        if fresh or now - self._redrawn > max(REDRAW, REDRAW_SHARE * self._redraw_seconds):
            self._redrawn = now
            properties.redraw(context)

    def _finish(self, context: bpy.types.Context, outcome: Outcome) -> set[str]:
        """All that changes the scene happens here: one step to undo."""
        try:
            build_person(
                context,
                outcome.rigged,
                outcome.loaded,
                match_render_size=self.match_render_size,
                expression=self.expression,
            )
        except Exception as error:  # whatever it was, the scene has been put back as it was
            LOG.exception("The head could not be put into the scene")
            sentence = f"The head could not be put into the scene ({error}), nothing was changed."
            return self._say(context, "ERROR", sentence)
        for warning in outcome.warnings:
            self.report({"WARNING"}, warning)
        session.status.done += 1
        return self._say(context, "INFO", outcome.summary)

    def _say(self, context: bpy.types.Context, level: str, sentence: str) -> set[str]:
        """The last word of the job, in the status bar and in the panel."""
        status = session.status
        status.message, status.failed = sentence, level == "ERROR"
        if status.failed:
            status.failures.append(sentence)
        LOG.info("%s", sentence)
        self.report({level}, sentence)
        finished = level == "INFO" and not (self._run and self._run.cancelled)
        return {"FINISHED"} if finished else {"CANCELLED"}

    def _end(self, context: bpy.types.Context) -> None:
        """Whatever the end: no timer, no job and no sign of one stay behind."""
        self._steps.close()
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
            self._timer = None
            if session.status.waiting:
                # By then this operator has ended, and has its step to undo.
                bpy.app.timers.register(start_next, first_interval=TICK, persistent=True)
        status = session.status
        status.running = status.cancel = False
        properties.redraw(context)


def start_next() -> None:
    """The first of the photos that wait gets its turn, in the first window that there is."""
    status = session.status
    windows = bpy.context.window_manager.windows
    if status.running or not status.waiting or not windows:
        return
    photo = status.waiting.pop(0)
    with bpy.context.temp_override(window=windows[0]):
        status.turn = True
        try:
            bpy.ops.pixel3dmm.reconstruct_face("INVOKE_DEFAULT", photo=str(photo))
        except RuntimeError as error:  # a scene that is linked from elsewhere
            status.failures.append(str(error).removeprefix("Error: ").strip())
            status.waiting.clear()
        finally:
            status.turn = False


class PIXEL3DMM_OT_reconstruct_photos(bpy.types.Operator):
    """Make a head from each of several photos, one after the other; each is one step to undo"""

    bl_idname = "pixel3dmm.reconstruct_photos"
    bl_label = "Reconstruct Several Photos"
    bl_options = {"INTERNAL"}  # noqa: RUF012

    files: CollectionProperty(type=bpy.types.OperatorFileListElement, options={"SKIP_SAVE"})
    directory: StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE"})
    filter_glob: StringProperty(
        default="*.jpg;*.jpeg;*.png;*.tif;*.tiff;*.webp;*.bmp", options={"HIDDEN", "SKIP_SAVE"}
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Asks for the files."""
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """In a window the photos join the row, also while one is under way."""
        photos = [Path(self.directory, file.name) for file in self.files if file.name]
        if not photos:
            self.report({"ERROR"}, "No photo was chosen.")
            return {"CANCELLED"}
        status = session.status
        if not status.running:
            status.done, status.failures = 0, []
        status.waiting += photos
        if not bpy.app.background:
            start_next()
            return {"FINISHED"}
        while status.waiting:
            photo = status.waiting.pop(0)
            status.turn = True
            try:
                bpy.ops.pixel3dmm.reconstruct_face(photo=str(photo))
            except RuntimeError:
                # It is among the failures; the next photo may be a better one.
                continue
            finally:
                status.turn = False
        for sentence in status.failures:
            self.report({"WARNING"}, sentence)
        return {"FINISHED"} if status.done else {"CANCELLED"}


class PIXEL3DMM_OT_cancel(bpy.types.Operator):
    """Stop the reconstruction and those that wait; the scene stays as it is"""

    bl_idname = "pixel3dmm.cancel"
    bl_label = "Cancel"
    bl_options = {"INTERNAL"}  # noqa: RUF012

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only while there is something to cancel."""
        if not session.status.running:
            cls.poll_message_set("Nothing is being reconstructed")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """The running operator sees it at its next tick."""
        session.status.cancel = True
        return {"FINISHED"}


CLASSES = (
    PIXEL3DMM_OT_reconstruct_face,
    PIXEL3DMM_OT_reconstruct_photos,
    PIXEL3DMM_OT_cancel,
)
