# SPDX-License-Identifier: GPL-3.0-or-later
"""Make Head Again: the head as it was made, once more, from its photo and its recipe.

The new head stands beside the old one, which stays as hands have made it.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import bpy
from bpy.props import StringProperty

from ...core.errors import PersonError, PhotoError
from ...core.options import NAMED_HEADS
from ...core.photos.photo import read_photo_file
from ...core.reconstruct.recipe import Recipe, read_recipe
from .. import installed
from ..blender_types import OperatorReturn
from ..jobs import session
from ..jobs.outcome import Outcome
from ..jobs.refit import RebuildRun
from ..jobs.scratch import PrivateFolder
from ..scene import camera as photo_camera
from ..scene import continuation, profiles
from ..scene.build import build_person
from ..scene.head import PREFIX, active_head, is_head, polled_head
from .poll_reason import BUSY, NO_HEAD, PollReason
from .worker_operator import WorkerOperator

HEAD_CHANGED = (
    "The head model has changed since this head was made, so the rebuilt one differs from it."
)


class PIXEL3DMM_OT_rebuild_from_recipe(PollReason, WorkerOperator, bpy.types.Operator):
    """Make the active head once more, as its photo and its recipe give it, beside the old one.
    Esc cancels
    """

    bl_idname = "pixel3dmm.rebuild_from_recipe"
    bl_label = "Make Head Again"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    _scratch: PrivateFolder | None = None

    filepath: StringProperty(
        name="Photo",
        description="Where the head's photo is, if it is no longer where it was",
        subtype="FILE_PATH",
        options={"SKIP_SAVE"},
    )
    filter_glob: StringProperty(
        default="*.jpg;*.jpeg;*.png;*.tif;*.tiff;*.webp;*.bmp", options={"HIDDEN", "SKIP_SAVE"}
    )

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """See PollReason."""
        reason = ""
        if not is_head(active_head(context)):
            reason = NO_HEAD
        elif session.status.running:
            reason = BUSY
        return reason

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event | None) -> OperatorReturn:
        """Asks for the photo where the head does not know it."""
        head = polled_head(context)
        try:
            if not self.filepath and _photo(head, read_recipe(_recipe(head))) is None:
                context.window_manager.fileselect_add(self)
                return {"RUNNING_MODAL"}
        except PersonError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return WorkerOperator.invoke(self, context, event)

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        """After the file was chosen, modal where there is a window."""
        if bpy.app.background or not self.options.is_invoke:
            return WorkerOperator.execute(self, context)
        return WorkerOperator.invoke(self, context, None)

    def _make_run(self, context: bpy.types.Context) -> RebuildRun:
        head = polled_head(context)
        recipe = read_recipe(_recipe(head))
        text = continuation.text(head) if recipe.pinned else ""
        pins = continuation.read(head).pins if text else ()
        chosen = Path(bpy.path.abspath(self.filepath)) if self.filepath else None
        found = chosen or _photo(head, recipe)
        if found is None:
            raise PhotoError(
                f"The photo {recipe.photo} is not where it was: choose where it is now."
            )
        self._scratch = None
        if isinstance(found, bytes):
            found = self._unpacked(found, recipe)
        elif hashlib.sha256(read_photo_file(found)).hexdigest() != recipe.photo_sha256:
            raise PhotoError(f"{found.name} is not the photo that this head was made from.")
        self._uid, self._known = head.session_uid, recipe
        model = recipe.head
        if model not in NAMED_HEADS:
            model = str(installed.models_folder() / model)
        options = {**recipe.options, "head": model, "models": str(installed.models_folder())}
        own = profiles.target_path(head)
        if own:
            options["head_mesh"] = own
        return RebuildRun(found, options, text, pins)

    def _unpacked(self, data: bytes, recipe: Recipe) -> Path:
        """Where Blender can load it from until the run is over."""
        # Any ending will do: pictures are known by their first bytes.
        name = f"{Path(recipe.photo).name}.jpg"
        try:
            self._scratch = PrivateFolder()
            path = self._scratch.path / name
            path.write_bytes(data)
        except OSError as error:
            raise PhotoError(f"The photo cannot be handed on ({error.strerror}).") from error
        return path

    def _finish(self, context: bpy.types.Context, outcome: Outcome) -> OperatorReturn:
        old = next((o for o in bpy.data.objects if o.session_uid == self._uid), None)
        if old is None:
            return self._say(context, "ERROR", "The head was removed while it was rebuilt.")
        try:
            person = build_person(context, outcome.rigged, outcome.loaded)
        except PersonError as error:
            return self._say(context, "ERROR", str(error))
        if self._known.pinned:
            for name in ("recipe", "report"):
                person.head[PREFIX + name] = old[PREFIX + name]
            continuation.store(person.head, str(old[continuation.PROPERTY]))
        image = photo_image(old)
        if self._scratch is not None and image is not None:
            _use_picture(person.camera, image)
        warnings = [*outcome.warnings]
        if outcome.rigged.recipe.get("head", {}).get("sha256") != self._known.head_sha256:
            warnings += [] if self._known.pinned else [HEAD_CHANGED]
        for warning in warnings:
            self.report({"WARNING"}, warning)
        return self._say(context, "INFO", f"{person.head.name}: made again, beside the old head")

    def _end(self, context: bpy.types.Context) -> None:
        WorkerOperator._end(self, context)
        if self._scratch is not None:
            self._scratch.close()


def photo_image(head: bpy.types.Object) -> bpy.types.Image | None:
    """The picture behind what the head's first camera sees."""
    return photo_camera.picture_of(photo_camera.camera_of(head, 0))


def _recipe(head: bpy.types.Object) -> object:
    return head.get(PREFIX + "recipe")


def _photo(head: bpy.types.Object, recipe: Recipe) -> Path | bytes | None:
    """The file, or what the .blend has of it, if it is the very photo of the recipe."""
    image = photo_image(head)
    if image is None:
        return None
    if image.packed_file is not None:
        data = image.packed_file.data
        if hashlib.sha256(data).hexdigest() == recipe.photo_sha256:
            return data
    path = Path(bpy.path.abspath(image.filepath))
    return path if image.filepath and path.is_file() else None


def _use_picture(camera: bpy.types.Object, image: bpy.types.Image) -> None:
    """In place of one from a file that will not be there any more."""
    for background in camera.data.background_images:
        passing, background.image = background.image, image
        if passing is not None and passing != image and not passing.users:
            bpy.data.images.remove(passing)


CLASSES = (PIXEL3DMM_OT_rebuild_from_recipe,)
