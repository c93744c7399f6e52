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
from ..jobs import session
from ..jobs.run import Change, RefitRun
from ..photos.loading import LoadedPhoto
from ..scene import camera as photo_camera
from ..scene import kept, refit
from ..scene.head import active_head
from ..translations import tr
from .pins import fit_options
from .running import LOG, RunOperator


class PIXEL3DMM_OT_add_photo(RunOperator, bpy.types.Operator):
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
    def poll(cls, context: bpy.types.Context) -> bool:
        """Greyed out with the reason."""
        reason = kept.why_not(active_head(context))
        if not reason and session.status.running:
            reason = "A photo is being reconstructed: wait for it or cancel it"
        if reason:
            cls.poll_message_set(tr(reason))
        return not reason

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Asks for the files first."""
        if self.filepath or self.files:
            return RunOperator.invoke(self, context, event)
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """After the files were chosen, modal where there is a window."""
        if bpy.app.background or not self.options.is_invoke:
            return RunOperator.execute(self, context)
        return RunOperator.invoke(self, context, None)

    def _make_run(self, context: bpy.types.Context) -> RefitRun:
        head = active_head(context)
        self._uid = head.session_uid
        known = kept.continuation(head)
        folder = bpy.path.abspath(self.directory)
        paths = [Path(folder, file.name) for file in self.files if file.name]
        paths = paths or [Path(bpy.path.abspath(self.filepath))]
        earlier = [photo_camera.kept_photo(head, i) for i in range(len(known.photos))]
        return RefitRun(kept.told(head), known.pins, paths, fit_options(context, known), earlier)

    def _finish(self, context: bpy.types.Context, change: Change) -> set[str]:
        head = next((o for o in bpy.data.objects if o.session_uid == self._uid), None)
        if head is None:
            return self._say(context, "ERROR", "The head was removed while its photo was read.")
        try:
            refit.apply(context, head, change.after, change.before)
        except PersonError as error:
            return self._say(context, "ERROR", str(error))
        now = Continuation.from_json(change.after.continuation_json)
        first = len(now.photos) - len(change.loaded)
        for i, loaded in enumerate(change.loaded):
            self._add_camera(context, head, now, first + i, loaded)
        for warning in change.warnings:
            self.report({"WARNING"}, warning)
        LOG.info("%s has %d photos", head.name, len(now.photos))
        return self._say(context, "INFO", f"{head.name}: fitted to {len(now.photos)} photos")

    def _add_camera(
        self,
        context: bpy.types.Context,
        head: bpy.types.Object,
        now: Continuation,
        photo: int,
        loaded: LoadedPhoto,
    ) -> None:
        camera = photo_camera.new_camera(
            context.scene,
            kept.photo_camera_of(now, photo),
            f"{head.name} camera {photo + 1}",
            photo_camera.background_image(loaded),
        )
        first = photo_camera.camera_of(head, 0)
        beside = first or head
        if first is not None:  # the family may have been moved since
            placed = kept.photo_camera_of(now, 0)
            camera.matrix_world = photo_camera.moved_by(first, placed) @ camera.matrix_world
        beside.users_collection[0].objects.link(camera)
        head[photo_camera.pointer(photo)] = camera


class PIXEL3DMM_OT_pack_photos(bpy.types.Operator):
    """Keep the head's photos inside the .blend, so that it can go to another computer alone"""

    bl_idname = "pixel3dmm.pack_photos"
    bl_label = "Pack Photos"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Greyed out with the reason."""
        head = active_head(context)
        reason = "" if head is not None else "Select a head that was made from a photo"
        if head is not None and all(i.packed_file for i in photo_camera.photos(head)):
            reason = "The head's photos are in this file already"
        if reason:
            cls.poll_message_set(tr(reason))
        return not reason

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Photos that are not to be found are named."""
        for image in photo_camera.photos(active_head(context)):
            if image.packed_file is None:
                try:
                    image.pack()
                except RuntimeError:
                    self.report({"ERROR"}, f"{image.name} is not at {image.filepath} any more.")
                    return {"CANCELLED"}
        return {"FINISHED"}


class PIXEL3DMM_OT_sculpt_layer(bpy.types.Operator):
    """Add a shape key for sculpting by hand, which stays when the head is fitted again"""

    bl_idname = "pixel3dmm.sculpt_layer"
    bl_label = "Add Sculpt Layer"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Greyed out with the reason."""
        reason = kept.why_not(active_head(context))
        if reason:
            cls.poll_message_set(tr(reason))
        return not reason

    def execute(self, context: bpy.types.Context) -> set[str]:
        """The new key is the active one, at its full value."""
        head = active_head(context)
        key = head.shape_key_add(name="Sculpt", from_mix=False)
        key.value = 1.0
        head.active_shape_key_index = len(head.data.shape_keys.key_blocks) - 1
        return {"FINISHED"}


CLASSES = (PIXEL3DMM_OT_add_photo, PIXEL3DMM_OT_pack_photos, PIXEL3DMM_OT_sculpt_layer)
