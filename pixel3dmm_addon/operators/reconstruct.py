# SPDX-License-Identifier: GPL-3.0-or-later
"""Reconstruct Face: the scene's photo becomes a rigged head. Modal in a window, else blocking."""

from __future__ import annotations

import logging
from collections.abc import Generator
from pathlib import Path

import bpy

from ...core.errors import Cancelled, PersonError
from .. import preferences, properties, session
from ..job import Progress
from ..run import Outcome, Run
from ..scene.build import build_person

#: Seconds between two looks at the job.
TICK = 0.05

LOG = logging.getLogger("pixel3dmm")


class PIXEL3DMM_OT_reconstruct_face(bpy.types.Operator):
    """Make a rigged head with named sliders from the photo. Esc cancels"""

    bl_idname = "pixel3dmm.reconstruct_face"
    bl_label = "Reconstruct Face"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender reads it as it is

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
        if not context.scene.pixel3dmm.photo:
            cls.poll_message_set("Pick a photo first")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """The whole job in one go, for scripts and background Blender."""
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
            return {"RUNNING_MODAL"}
        if event.type != "TIMER":
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
        path = Path(bpy.path.abspath(context.scene.pixel3dmm.photo))
        self._run = Run(path)
        self._steps = self._run.steps(wait)
        status = session.status
        status.running, status.cancel, status.failed = True, False, False
        status.stage, status.fraction, status.message = "Starting", 0.0, ""
        properties.redraw(context)

    def _advance(self, context: bpy.types.Context) -> set[str]:
        """One step, its news shown; RUNNING_MODAL while there are more to come."""
        assert self._run is not None
        status = session.status
        if status.cancel and not self._run.cancelled:
            status.stage = "Cancelling"
            properties.redraw(context)
            self._run.cancel()
        try:
            news = next(self._steps)
        except StopIteration as end:
            return self._finish(context, end.value)
        except Cancelled:
            return self._say(context, "INFO", "Cancelled, nothing was changed")
        except PersonError as error:
            return self._say(context, "ERROR", str(error))
        except OSError as error:
            # A full disk, or a temporary folder that nobody may write to.
            return self._say(
                context, "ERROR", f"The photo cannot be handed on ({error.strerror or error})."
            )
        if news is not None and not self._run.cancelled:
            if news.stage != status.stage:
                LOG.info("%3.0f %% %s", 100 * news.fraction, news.stage)
            status.stage, status.fraction = news.stage, news.fraction
            properties.redraw(context)
        return {"RUNNING_MODAL"}

    def _finish(self, context: bpy.types.Context, outcome: Outcome) -> set[str]:
        """All that changes the scene happens here: one step to undo."""
        try:
            build_person(
                context,
                outcome.rigged,
                outcome.loaded,
                match_render_size=context.scene.pixel3dmm.match_render_size,
            )
        except Exception as error:  # whatever it was, the scene has been put back as it was
            LOG.exception("The head could not be put into the scene")
            sentence = f"The head could not be put into the scene ({error}), nothing was changed."
            return self._say(context, "ERROR", sentence)
        for warning in outcome.warnings:
            self.report({"WARNING"}, warning)
        return self._say(context, "INFO", outcome.summary)

    def _say(self, context: bpy.types.Context, level: str, sentence: str) -> set[str]:
        """The last word of the job, in the status bar and in the panel."""
        status = session.status
        status.message, status.failed = sentence, level == "ERROR"
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
        status = session.status
        status.running = status.cancel = False
        properties.redraw(context)


class PIXEL3DMM_OT_cancel(bpy.types.Operator):
    """Stop the reconstruction; the scene stays as it is"""

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


CLASSES = (PIXEL3DMM_OT_reconstruct_face, PIXEL3DMM_OT_cancel)
