# SPDX-License-Identifier: GPL-3.0-or-later
"""What operators share that wait for the worker: modal in a window, else blocking.

One runs at a time; session.status tells how it does. Nothing in the scene changes before its last
step, which is one step to undo.
"""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any, Literal

import bpy

from ...core.errors import Cancelled, PersonError
from .. import preferences
from ..blender_types import OperatorMixin, OperatorReturn
from ..jobs import session
from ..jobs.job import Progress
from ..jobs.run import StepwiseWork
from ..redraw import redraw_status
from .next_step import pop_up

#: Seconds between two looks at the job.
TICK = 0.05
#: Seconds between two redraws of the sidebar, and how many times what one redraw takes, so that a
#: window that is drawn slowly is drawn less often, but never less than once in LONGEST. A new
#: stage is shown at once, unless redraws would take more than a third of the time.
REDRAW, REDRAW_SHARE, STAGE_SHARE, LONGEST = 0.2, 10, 3, 1.0

LOG = logging.getLogger("pixel3dmm")


class WorkerOperator(OperatorMixin):
    """Mixed into an operator that has a ``_make_run`` and a ``_finish``."""

    _is_setup = False
    #: Errors pop up at the mouse, with the buttons that may mend them.
    _interactive = False
    _timer: bpy.types.Timer | None = None
    _run: StepwiseWork[Any] | None = None
    _steps: Generator[Progress | None, None, Any]

    def _make_run(self, context: bpy.types.Context) -> StepwiseWork[Any]:
        """What to do. Raises PersonError where it cannot be begun."""
        raise NotImplementedError

    def _finish(self, context: bpy.types.Context, outcome: Any) -> OperatorReturn:
        """What comes of it is put into the scene."""
        raise NotImplementedError

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        """The whole job in one go, for scripts and background Blender."""
        if not self._begin(context, wait=TICK):
            return {"CANCELLED"}
        try:
            while (ended := self._advance(context)) == {"RUNNING_MODAL"}:
                pass
            return ended
        finally:
            self._end(context)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event | None) -> OperatorReturn:
        """Starts the job and gives control back at once."""
        if bpy.app.background:
            # Nothing would ever tick here.
            return self.execute(context)
        if not self._begin(context, wait=0.0):
            return {"CANCELLED"}
        manager = context.window_manager
        self._timer = manager.event_timer_add(TICK, window=context.window)
        manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorReturn:
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

    def _begin(self, context: bpy.types.Context, wait: float) -> bool:
        """False if there is nothing to run, for a reason that was reported."""
        session.jobs().idle_minutes = preferences.idle_minutes(context)
        self._interactive = wait == 0.0
        try:
            self._run = self._make_run(context)
        except PersonError as error:
            self._say(context, "ERROR", str(error), code=error.code)
            return False
        self._steps = self._run.steps(wait)
        self._redrawn = self._ticked = self._redraw_seconds = 0.0
        status = session.status
        status.running, status.cancel, status.failed = True, False, False
        status.stage, status.fraction, status.message = "Starting", 0.0, ""
        status.details = status.code = ""
        status.setup = self._is_setup
        status.photo, status.started = self._run.path.stem, time.monotonic()
        redraw_status(context)
        return True

    def _advance(self, context: bpy.types.Context) -> OperatorReturn:
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
            return self._finish(context, end.value)
        except Cancelled:
            status.waiting.clear()
            return self._say(context, "INFO", "Cancelled, nothing was changed")
        except PersonError as error:
            return self._say(context, "ERROR", str(error), code=error.code)
        except OSError as error:
            # A full disk, or a folder that cannot be written to.
            reason = error.strerror or error
            folder = Path(error.filename).parent if error.filename else tempfile.gettempdir()
            return self._say(
                context,
                "ERROR",
                f"The photo cannot be handed on ({reason}): see that the folder {folder} "
                "can be written to and has room.",
            )
        except Exception as error:  # a defect of ours: the button must work again all the same
            LOG.exception("A step of the job failed")
            return self._say(
                context,
                "ERROR",
                f"Something went wrong inside Pixel3DMM ({type(error).__name__}), nothing was "
                "changed: the console has the details.",
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
        since, slow = now - self._redrawn, self._redraw_seconds
        usual = max(REDRAW, REDRAW_SHARE * slow)
        if since > min(STAGE_SHARE * slow if fresh else usual, LONGEST):
            self._redrawn = now
            redraw_status(context)

    def _say(
        self,
        context: bpy.types.Context,
        level: Literal["INFO", "ERROR"],
        sentence: str,
        *,
        code: str = "",
        details: str = "",
    ) -> OperatorReturn:
        """The last word of the job, in the status bar and in the panel. code: of the error;
        details: figures, for the panel's tooltip and the log.
        """
        status = session.status
        status.message, status.failed = sentence, level == "ERROR"
        status.code, status.details = code, details
        if status.failed:
            status.failures.append(sentence)
        LOG.info("%s", f"{sentence}: {details}" if details else sentence)
        shown = status.failed and self._interactive and pop_up(context, sentence, code)
        # A pop-up of ours has buttons; Blender's own would lie over it.
        self.report({"WARNING"} if shown else {level}, sentence)
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
        redraw_status(context)


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
