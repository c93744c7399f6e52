# SPDX-License-Identifier: GPL-3.0-or-later
"""A handle for scripts inside Blender: a photo becomes a head, and the head a file.

``from bl_ext.user_default.pixel3dmm import Head``; the manual is docs/scripting.md. It calls what
the buttons call and waits for it. Whatever goes wrong is a PersonError, whose text is one sentence.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import bpy

from ..core.errors import PersonError
from ..core.heads.arkit import ARKIT_NAMES
from ..core.options import Options
from ..core.rig.poses import POSES, VISEMES
from . import preferences, properties
from .export import last_export
from .export.exported_file import ExportedFile, export_head, why_not_exported
from .export.presets import preset_for
from .jobs import session
from .jobs.reconstruction import ReconstructionRun
from .jobs.run import Result, StepwiseWork
from .operators.add_photo import run_with, take_over
from .operators.expression import OF_SPEECH
from .operators.poll_reason import BUSY
from .scene import camera, continuation, custom_properties, expression
from .scene.build import build_person
from .scene.head import PREFIX, active_head, is_head

LOG = logging.getLogger("pixel3dmm")

_OPTIONS = tuple(field.name for field in fields(Options))


class Head:
    """A head in the scene. Good after undo, too, and until the head is deleted."""

    def __init__(self, head: bpy.types.Object) -> None:
        """head: a mesh that Pixel3DMM made. Raises PersonError for any other object."""
        if not is_head(head):
            raise PersonError(f"{head.name} was not made by Pixel3DMM: reconstruct a photo first.")
        self._uid = head.session_uid

    @classmethod
    def reconstruct(
        cls,
        photo: str | Path,
        *,
        photo_expression: float = 1.0,
        match_render_size: bool = False,
        **options: Any,
    ) -> Head:
        """Makes a head from a photo, selected and active, and waits for it.

        photo_expression: how much of the photo's expression the sliders are set to, 0 to 1.
        match_render_size: renders of the scene get the photo's size. options: fields of
        core.options.Options (face, head, predictor, texture, focal_px, ...) instead of what the
        scene's panel has. Raises PersonError; nothing has changed then.
        """
        context = bpy.context
        if not context.scene.is_editable:
            raise PersonError(f"The scene {context.scene.name} is linked from another file.")
        for name in options:
            if name not in _OPTIONS:
                raise PersonError(f"There is no option {name!r}: use {', '.join(_OPTIONS)}.")
        chosen = {**properties.job_options(context.scene.pixel3dmm), **options}
        Options(**chosen)  # raises for values that make no sense
        outcome = _finished(ReconstructionRun(_path(photo), chosen))
        person = build_person(
            context,
            outcome.rigged,
            outcome.loaded,
            match_render_size=match_render_size,
            expression=photo_expression,
        )
        _log(outcome.warnings)
        return cls(person.head)

    @classmethod
    def active(cls) -> Head:
        """The head that the active object is or belongs to. Raises PersonError if there is none."""
        head = active_head(bpy.context)
        if head is None:
            raise PersonError("No head is active: select one, or reconstruct a photo.")
        return cls(head)

    def __repr__(self) -> str:
        head = self._find()
        return "<Head, deleted>" if head is None else f"<Head {head.name!r}>"

    @property
    def object(self) -> bpy.types.Object:
        """The mesh object. Raises PersonError if it was deleted."""
        head = self._find()
        if head is None:
            raise PersonError("The head was deleted: reconstruct its photo again.")
        return head

    @property
    def rig(self) -> bpy.types.Object | None:
        """The armature that deforms it; None if it was deleted."""
        return self.object.find_armature()

    @property
    def camera(self) -> bpy.types.Object | None:
        """The camera of its first photo; None if it was deleted."""
        return camera.camera_of(self.object, 0)

    @property
    def report(self) -> dict[str, Any]:
        """How well the head fits, from which parts, under which licences: docs/head.md."""
        return custom_properties.json_object(self.object, PREFIX + "report")

    def add_photos(self, *photos: str | Path) -> Head:
        """Fits the head to further photos of the same person, too. Raises PersonError."""
        head = self.object
        reason = continuation.why_not(head)
        if reason:
            raise PersonError(f"{reason}.")
        if not photos:
            raise PersonError("No photo was given to add: name at least one file.")
        change = _finished(run_with(bpy.context, head, [_path(photo) for photo in photos]))
        take_over(bpy.context, self.object, change)
        _log(change.warnings)
        return self

    def set_expression(self, wanted: str | Mapping[str, float], strength: float = 1.0) -> Head:
        """Sets sliders: of an expression or viseme by its name, or by their own names.

        Sliders that a named expression does not use go to zero; a viseme leaves eyes and brows
        alone; a dictionary sets what it names and no more. Raises PersonError for other names.
        """
        head = self.object
        if head.data.shape_keys is None:
            raise PersonError(f"The shape keys of {head.name} were removed: undo that first.")
        if isinstance(wanted, str):
            wanted = _named(wanted)
        unknown = [name for name in wanted if name not in ARKIT_NAMES]
        if unknown:
            raise PersonError(f"There is no slider {unknown[0]!r}: use ARKit's 52 names.")
        expression.set_values(head, {name: strength * v for name, v in wanted.items()})
        return self

    def export(self, path: str | Path, preset: str | None = None, **options: Any) -> ExportedFile:
        """Writes the head, reads the file back and compares it.

        preset: UNREAL, UNITY, GODOT, VRM, BLENDER, USD or FBX; by the path's ending if it is not
        named. options: fields of export.presets.Options (animation, lods, tangents, ...). Raises
        PersonError where nothing could be written, or what was read back differs.
        """
        head, target = self.object, _path(path)
        reason = why_not_exported(bpy.context, head)
        if reason:
            raise PersonError(f"{reason}.")
        chosen = preset_for(target, preset)
        last_export.forget(head)
        written = export_head(
            bpy.context, head, chosen.named(target), chosen, chosen.options_with(options)
        )
        last_export.remember(head, written)
        if written.verdict is not None and not written.verdict.passed:
            raise PersonError(written.sentence)
        _log(written.notes)
        return written

    def _find(self) -> bpy.types.Object | None:
        """The object, which an undo may have put elsewhere in memory."""
        return next((o for o in bpy.data.objects if o.session_uid == self._uid), None)


def _finished(run: StepwiseWork[Result]) -> Result:
    """All of a run, unless another one is under way. Raises PersonError."""
    if session.status.running:
        raise PersonError(f"{BUSY}.")
    session.jobs().idle_minutes = preferences.idle_minutes(bpy.context)
    try:
        return run.outcome()
    except OSError as error:
        raise PersonError(
            f"The photo cannot be handed on ({error.strerror or error}): see that the temporary "
            "folder can be written to and has room."
        ) from error


def _named(name: str) -> dict[str, float]:
    """Values of all sliders that an expression or a viseme sets. Raises PersonError."""
    if name in POSES:
        return {slider: POSES[name].get(slider, 0.0) for slider in ARKIT_NAMES}
    if name in VISEMES:
        return {slider: VISEMES[name].get(slider, 0.0) for slider in OF_SPEECH}
    known = ", ".join([*POSES, *VISEMES])
    raise PersonError(f"There is no expression {name!r}: use one of {known}.")


def _path(path: str | Path) -> Path:
    return Path(bpy.path.abspath(str(path)))


def _log(sentences: tuple[str, ...]) -> None:
    for sentence in sentences:
        LOG.warning("%s", sentence)
