# SPDX-License-Identifier: GPL-3.0-or-later
"""Rebuild from Recipe: the head as it was made, once more, from its photo and its recipe.

The new head stands beside the old one, which stays as hands have made it.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import bpy
from bpy.props import StringProperty

from ...core.errors import PersonError, PhotoError
from ...core.options import OPEN_HEAD
from ...core.photos.photo import read_photo_file
from ...core.reconstruct.recipe import Recipe, read_recipe
from .. import installed
from ..jobs import session
from ..jobs.run import Outcome, RebuildRun
from ..jobs.scratch import PrivateFolder
from ..scene import camera as photo_camera
from ..scene import kept
from ..scene.build import build_person
from ..scene.head import PREFIX, active_head, is_head
from ..translations import tr
from .running import LOG, RunOperator

HEAD_CHANGED = (
    "The head model has changed since this head was made, so the rebuilt one differs from it."
)


class PIXEL3DMM_OT_rebuild_from_recipe(RunOperator, bpy.types.Operator):
    """Make the active head once more, as its photo and its recipe give it, beside the old one.
    Esc cancels
    """

    bl_idname = "pixel3dmm.rebuild_from_recipe"
    bl_label = "Rebuild from Recipe"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

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
    def poll(cls, context: bpy.types.Context) -> bool:
        """Greyed out with the reason."""
        reason = ""
        if not is_head(active_head(context)):
            reason = "Select a head that was made from a photo"
        elif session.status.running:
            reason = "A photo is being reconstructed: wait for it or cancel it"
        if reason:
            cls.poll_message_set(tr(reason))
        return not reason

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Asks for the photo where the head does not know it."""
        head = active_head(context)
        try:
            if not self.filepath and _photo(head, read_recipe(_recipe(head))) is None:
                context.window_manager.fileselect_add(self)
                return {"RUNNING_MODAL"}
        except PersonError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return RunOperator.invoke(self, context, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """After the file was chosen, modal where there is a window."""
        if bpy.app.background or not self.options.is_invoke:
            return RunOperator.execute(self, context)
        return RunOperator.invoke(self, context, None)

    def _make_run(self, context: bpy.types.Context) -> RebuildRun:
        head = active_head(context)
        recipe = read_recipe(_recipe(head))
        told = kept.told(head) if recipe.pinned else ""
        pins = kept.continuation(head).pins if told else ()
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
        if model != OPEN_HEAD:
            model = str(installed.models_folder() / model)
        options = {**recipe.options, "head": model, "models": str(installed.models_folder())}
        return RebuildRun(found, options, told, pins)

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

    def _finish(self, context: bpy.types.Context, outcome: Outcome) -> set[str]:
        old = next((o for o in bpy.data.objects if o.session_uid == self._uid), None)
        if old is None:
            return self._say(context, "ERROR", "The head was removed while it was rebuilt.")
        try:
            person = build_person(context, outcome.rigged, outcome.loaded)
        except Exception as error:  # whatever it was, the scene has been put back as it was
            LOG.exception("The head could not be put into the scene")
            sentence = f"The head could not be put into the scene ({error}), nothing was changed."
            return self._say(context, "ERROR", sentence)
        if self._known.pinned:
            for name in ("recipe", "report"):
                person.head[PREFIX + name] = old[PREFIX + name]
            kept.keep(person.head, str(old[kept.CONTINUATION]))
        if self._scratch is not None:
            _use_picture(person.camera, photo_image(old))
        warnings = [*outcome.warnings]
        if outcome.rigged.recipe.get("head", {}).get("sha256") != self._known.head_sha256:
            warnings += [] if self._known.pinned else [HEAD_CHANGED]
        for warning in warnings:
            self.report({"WARNING"}, warning)
        return self._say(context, "INFO", f"{person.head.name}: rebuilt from the recipe")

    def _end(self, context: bpy.types.Context) -> None:
        RunOperator._end(self, context)
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
