# SPDX-License-Identifier: GPL-3.0-or-later
"""Reconstruct Face: the scene's photo becomes a rigged head. Modal in a window, else blocking.

Photos that wait in the session's row follow, each with an undo step of its own.
"""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy.props import BoolProperty, CollectionProperty, FloatProperty, StringProperty

from ...core.errors import PersonError
from .. import preferences, properties
from ..blender_types import OperatorReturn
from ..jobs import session
from ..jobs.outcome import Outcome
from ..jobs.reconstruction import ReconstructionRun
from ..scene import first_look, skin
from ..scene.build import build_person
from .poll_reason import BUSY, PollReason
from .worker_operator import WorkerOperator, start_next


class PIXEL3DMM_OT_reconstruct_face(PollReason, WorkerOperator, bpy.types.Operator):
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

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """See PollReason."""
        if session.status.running:
            return BUSY
        if not context.scene.is_editable:
            return "This scene is linked from another file and cannot be changed"
        if not context.scene.pixel3dmm.photo and not session.status.turn:
            return "Pick a photo first"
        return ""

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        """The whole job in one go, for scripts and background Blender.

        Called from the redo panel, the scene is built anew from the outcome that is there.
        """
        if self.options.is_repeat:
            known = session.last_run
            if known is not None and known.key == self._key(context):
                self._run = None
                return self._build(context, known.outcome)
        return WorkerOperator.execute(self, context)

    def _make_run(self, context: bpy.types.Context) -> ReconstructionRun:
        choices = context.scene.pixel3dmm
        if not self.properties.is_property_set("match_render_size"):
            self.match_render_size = choices.match_render_size
        # The redo panel must find this photo even if the scene's is another one by then.
        self.photo = self.photo or choices.photo
        return ReconstructionRun(self._path, properties.job_options(choices))

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

    def _finish(self, context: bpy.types.Context, outcome: Outcome) -> OperatorReturn:
        session.remember(self._key(context), outcome)
        return self._build(context, outcome)

    def _build(self, context: bpy.types.Context, outcome: Outcome) -> OperatorReturn:
        """All that changes the scene happens here: one step to undo."""
        choices = context.scene.pixel3dmm
        try:
            person = build_person(
                context,
                outcome.rigged,
                outcome.loaded,
                match_render_size=self.match_render_size,
                expression=self.expression,
                subdivision=(choices.subdivision_view, choices.subdivision_render),
            )
        except PersonError as error:
            return self._say(context, "ERROR", str(error))
        for warning in outcome.warnings:
            self.report({"WARNING"}, warning)
        summary = outcome.summary
        if not bpy.app.background:
            skin.show(context)
            how = preferences.first_view(context)
            if first_look.show(context, person.head, person.camera, how):
                summary = f"{summary}, shown alone: the key / shows all objects"
        session.status.done += 1
        return self._say(context, "INFO", summary, details=outcome.figures)


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

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorReturn:
        """Asks for the files."""
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
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


class PIXEL3DMM_OT_cancel(PollReason, bpy.types.Operator):
    """Stop the reconstruction and those that wait; the scene stays as it is"""

    bl_idname = "pixel3dmm.cancel"
    bl_label = "Cancel"
    bl_options = {"INTERNAL"}  # noqa: RUF012

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """See PollReason."""
        if not session.status.running:
            return "Nothing is being reconstructed"
        return ""

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        """The running operator sees it at its next tick."""
        session.status.cancel = True
        return {"FINISHED"}


CLASSES = (
    PIXEL3DMM_OT_reconstruct_face,
    PIXEL3DMM_OT_reconstruct_photos,
    PIXEL3DMM_OT_cancel,
)
