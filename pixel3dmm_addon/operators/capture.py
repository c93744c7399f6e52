# SPDX-License-Identifier: GPL-3.0-or-later
"""Capture: the face in a movie moves the active head. Modal in a window, else blocking."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
from bpy.props import StringProperty

from ...core.errors import MotionError, PersonError, VideoError
from ...core.track.performance import Performance
from ..blender_types import OperatorReturn
from ..jobs import session
from ..jobs.track_run import TrackRun
from ..scene import continuation
from ..scene.clip_frames import ClipFrames
from ..scene.head import active_head, polled_head
from ..scene.performance import apply_performance
from .poll_reason import BUSY, PollReason
from .worker_operator import WorkerOperator


class PIXEL3DMM_OT_capture(PollReason, WorkerOperator, bpy.types.Operator):
    """Follow the face in a movie and move the active head's sliders, eyes and head as it does. Esc
    keeps what is tracked so far, Esc again cancels
    """

    bl_idname = "pixel3dmm.capture"
    bl_label = "Capture"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    clip: StringProperty(
        name="Movie",
        description="Path of the movie; the scene's own if empty",
        subtype="FILE_PATH",
        options={"SKIP_SAVE", "HIDDEN"},
    )
    _early = False

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """See PollReason."""
        return BUSY if session.status.running else continuation.why_not(active_head(context))

    def _make_run(self, context: bpy.types.Context) -> TrackRun:
        choices = context.scene.pixel3dmm
        path = self.clip or choices.clip
        if not path:
            raise VideoError("Pick a movie first.")
        self._early = False
        self._head = polled_head(context)
        self._path = Path(bpy.path.abspath(path))
        last = None if choices.clip_last < 0 else choices.clip_last
        if last is not None and last < choices.clip_first:
            raise VideoError("The last frame lies before the first one: choose a later one.")
        self._first = choices.clip_first
        options: dict[str, Any] = {
            "smooth_face": choices.smooth_face,
            "smooth_head": choices.smooth_head,
            "contacts": choices.contacts,
        }
        frames = ClipFrames(self._path, self._first, last)
        return TrackRun(frames, continuation.text(self._head), options)

    def _advance(self, context: bpy.types.Context) -> OperatorReturn:
        """The first wish to cancel ends the reading and keeps what is tracked."""
        if session.status.cancel and not self._early:
            self._early, session.status.cancel = True, False
            if isinstance(self._run, TrackRun):
                self._run.finish_early()
        return super()._advance(context)

    def _finish(self, context: bpy.types.Context, done: Performance) -> OperatorReturn:
        choices = context.scene.pixel3dmm
        try:
            applied = apply_performance(
                context,
                self._head,
                done,
                self._path,
                start=choices.clip_start,
                first=self._first,
                onto_camera=choices.clip_camera,
                background=choices.clip_background,
            )
        except (MotionError, PersonError) as error:
            return self._say(context, "ERROR", str(error))
        for sentence in done.report.get("warnings", ()):
            self.report({"WARNING"}, str(sentence))
        scene = context.scene
        scene.frame_end = max(scene.frame_end, applied.frames[1])
        first, last = applied.frames
        return self._say(
            context,
            "INFO",
            f"{self._head.name}: {len(applied.keys)} keys and {len(applied.bones)} bones move from "
            f"frame {first} to {last}",
        )


CLASSES = (PIXEL3DMM_OT_capture,)
