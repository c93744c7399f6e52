# SPDX-License-Identifier: GPL-3.0-or-later
"""Further photos of the same person, at any later time; and the photos into the file.

The head is solved from all its photos together. What hands have made of it stays.
"""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy.props import CollectionProperty, StringProperty

from ...core.errors import PersonError
from ...core.reconstruct.continuation import Continuation
from ..blender_types import OperatorReturn
from ..jobs import session
from ..jobs.outcome import Change
from ..jobs.refit import RefitRun
from ..photos.loading import LoadedPhoto
from ..scene import camera as photo_camera
from ..scene import continuation, refit
from ..scene.head import active_head, polled_head
from .pins import fit_options
from .poll_reason import BUSY, NO_HEAD, PollReason
from .worker_operator import LOG, WorkerOperator


class PIXEL3DMM_OT_add_photo(PollReason, WorkerOperator, bpy.types.Operator):
    """Fit the active head to further photos of the same person, too. Esc cancels"""

    bl_idname = "pixel3dmm.add_photo"
    bl_label = "Add Photos"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    files: CollectionProperty(type=bpy.types.OperatorFileListElement, options={"SKIP_SAVE"})
    directory: StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE"})
    filter_glob: StringProperty(
        default="*.jpg;*.jpeg;*.png;*.tif;*.tiff;*.webp;*.bmp", options={"HIDDEN", "SKIP_SAVE"}
    )

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """See PollReason."""
        reason = continuation.why_not(active_head(context))
        if not reason and session.status.running:
            reason = BUSY
        return reason

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event | None) -> OperatorReturn:
        """Asks for the files first."""
        if self.filepath or self.files:
            return WorkerOperator.invoke(self, context, event)
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        """After the files were chosen, modal where there is a window."""
        if bpy.app.background or not self.options.is_invoke:
            return WorkerOperator.execute(self, context)
        return WorkerOperator.invoke(self, context, None)

    def _make_run(self, context: bpy.types.Context) -> RefitRun:
        head = polled_head(context)
        self._uid = head.session_uid
        folder = bpy.path.abspath(self.directory)
        paths = [Path(folder, file.name) for file in self.files if file.name]
        return run_with(context, head, paths or [Path(bpy.path.abspath(self.filepath))])

    def _finish(self, context: bpy.types.Context, change: Change) -> OperatorReturn:
        head = next((o for o in bpy.data.objects if o.session_uid == self._uid), None)
        if head is None:
            return self._say(context, "ERROR", "The head was removed while its photo was read.")
        try:
            count = take_over(context, head, change)
        except PersonError as error:
            return self._say(context, "ERROR", str(error))
        for warning in change.warnings:
            self.report({"WARNING"}, warning)
        LOG.info("%s has %d photos", head.name, count)
        return self._say(context, "INFO", f"{head.name}: fitted to {count} photos")


def run_with(context: bpy.types.Context, head: bpy.types.Object, paths: list[Path]) -> RefitRun:
    """The run that fits a head to further photos, too. Raises PersonError."""
    known = continuation.read(head)
    earlier = [photo_camera.head_photo(head, i) for i in range(len(known.photos))]
    text, options = continuation.text(head), fit_options(context, head, known)
    return RefitRun(text, known.pins, paths, options, earlier)


def take_over(context: bpy.types.Context, head: bpy.types.Object, change: Change) -> int:
    """Changes the head, and adds a camera for each further photo; how many photos it has now.

    Raises PersonError before anything was changed.
    """
    refit.apply(context, head, change.after, change.before)
    now = Continuation.from_json(change.after.continuation_json)
    first = len(now.photos) - len(change.loaded)
    for i, loaded in enumerate(change.loaded):
        _add_camera(context, head, now, first + i, loaded)
    return len(now.photos)


def _add_camera(
    context: bpy.types.Context,
    head: bpy.types.Object,
    now: Continuation,
    photo: int,
    loaded: LoadedPhoto,
) -> None:
    camera = photo_camera.new_camera(
        context.scene,
        continuation.photo_camera_of(now, photo),
        f"{head.name} camera {photo + 1}",
        photo_camera.background_image(loaded),
    )
    first = photo_camera.camera_of(head, 0)
    beside = first or head
    if first is not None:  # the family may have been moved since
        placed = continuation.photo_camera_of(now, 0)
        camera.matrix_world = photo_camera.moved_by(first, placed) @ camera.matrix_world
    beside.users_collection[0].objects.link(camera)
    head[photo_camera.pointer(photo)] = camera


class PIXEL3DMM_OT_pack_photos(PollReason, bpy.types.Operator):
    """Keep the head's photos inside the .blend, so that it can go to another computer alone"""

    bl_idname = "pixel3dmm.pack_photos"
    bl_label = "Pack Photos"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """See PollReason."""
        head = active_head(context)
        reason = "" if head is not None else NO_HEAD
        if head is not None and all(i.packed_file for i in photo_camera.photos(head)):
            reason = "The head's photos are in this file already"
        return reason

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        """Photos that are not to be found are named."""
        for image in photo_camera.photos(polled_head(context)):
            if image.packed_file is None:
                try:
                    image.pack()
                except RuntimeError:
                    self.report({"ERROR"}, f"{image.name} is not at {image.filepath} any more.")
                    return {"CANCELLED"}
        return {"FINISHED"}


class PIXEL3DMM_OT_sculpt_layer(PollReason, bpy.types.Operator):
    """Add a shape key for sculpting by hand, which stays when the head is fitted again"""

    bl_idname = "pixel3dmm.sculpt_layer"
    bl_label = "Add Sculpt Layer"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """See PollReason."""
        reason = continuation.why_not(active_head(context))
        return reason

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        """The new key is the active one, at its full value."""
        head = polled_head(context)
        key = head.shape_key_add(name="Sculpt", from_mix=False)
        key.value = 1.0
        head.active_shape_key_index = len(head.data.shape_keys.key_blocks) - 1
        return {"FINISHED"}


CLASSES = (PIXEL3DMM_OT_add_photo, PIXEL3DMM_OT_pack_photos, PIXEL3DMM_OT_sculpt_layer)
