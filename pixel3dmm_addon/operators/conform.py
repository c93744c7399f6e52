# SPDX-License-Identifier: GPL-3.0-or-later
"""Register My Mesh, Send to My Mesh and Wrap: a mesh of the artist's own, a person on it, and such
a mesh as a person.
"""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, FloatProperty

from ...core.conform.profile import HeadProfile
from ...core.errors import MeshError, PersonError
from ..blender_types import OperatorReturn
from ..jobs import session
from ..jobs.conform_run import (
    ConformOutcome,
    ConformRun,
    RegisterRun,
    WrapOutcome,
    WrapRun,
)
from ..scene import own_copy, own_mesh, profiles
from ..scene.build import build_wrapped
from ..scene.head import active_head, is_head, polled_head
from .poll_reason import BUSY, EDIT_MODE, NO_HEAD, PollReason
from .worker_operator import WorkerOperator

SELECT_MESH = "Select the mesh of a head too"


class PIXEL3DMM_OT_send_to_my_mesh(PollReason, WorkerOperator, bpy.types.Operator):
    """Put the active head's face, sliders and skin onto copies of the selected meshes"""

    bl_idname = "pixel3dmm.send_to_my_mesh"
    bl_label = "Send to My Mesh"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    likeness: FloatProperty(
        name="Likeness",
        description="0 keeps the mesh's own face and gives it the sliders, 1 makes it the person's",
        min=0.0,
        max=1.0,
        default=1.0,
        subtype="FACTOR",
    )
    texture: BoolProperty(
        name="Skin Texture",
        description="Draw the person's skin into the mesh's own texture layout",
        default=True,
    )
    register_again: BoolProperty(
        name="Register Again",
        description="Find the face on the mesh anew, even if it was found before",
        default=False,
        options={"SKIP_SAVE"},
    )

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """See PollReason."""
        if not is_head(active_head(context)):
            return NO_HEAD
        return _reason(context)

    def _make_run(self, context: bpy.types.Context) -> ConformRun:
        head = polled_head(context)
        self._chosen = own_mesh.read(own_mesh.candidates(context))
        self._names = [obj.name for obj in self._chosen.objects]
        self._person = head.name
        mesh = self._chosen.mesh
        known = b"" if self.register_again else profiles.known_profile(mesh)
        skin = own_mesh.skin_picture(head) if self.texture else b""
        person = own_mesh.person_at_rest(head)
        return ConformRun(mesh, person, skin, known, self._chosen.points, self.likeness)

    def _finish(self, context: bpy.types.Context, outcome: ConformOutcome) -> OperatorReturn:
        # While the job ran an undo may have replaced every object.
        objects = [bpy.data.objects.get(name) for name in self._names]
        if any(obj is None for obj in objects):
            return self._say(context, "ERROR", "The mesh was removed while it was worked on.")
        try:
            now = own_mesh.read([obj for obj in objects if obj is not None])
        except MeshError as error:
            return self._say(context, "ERROR", str(error))
        if now.mesh.digest != self._chosen.mesh.digest:
            return self._say(context, "ERROR", "The mesh was changed while it was worked on.")
        made, notes = own_copy.copies(
            context,
            now,
            outcome.person,
            outcome.profile,
            outcome.profile_file,
            outcome.skin,
            self._person,
        )
        kept = profiles.keep_profile(now.mesh, outcome.profile_file)
        for warning in (*outcome.warnings, *notes, *([kept] if kept else [])):
            self.report({"WARNING"}, warning)
        off = 1e3 * outcome.profile.median
        return self._say(context, "INFO", f"{made[0].name}: registered to {off:.2f} mm")


class PIXEL3DMM_OT_wrap(PollReason, WorkerOperator, bpy.types.Operator):
    """Make a head with all sliders from the selected sculpted or scanned head"""

    bl_idname = "pixel3dmm.wrap"
    bl_label = "Wrap"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """See PollReason."""
        return _reason(context)

    def _make_run(self, context: bpy.types.Context) -> WrapRun:
        chosen = own_mesh.read(own_mesh.candidates(context))
        return WrapRun(chosen.mesh, profiles.known_profile(chosen.mesh), chosen.points)

    def _finish(self, context: bpy.types.Context, outcome: WrapOutcome) -> OperatorReturn:
        try:
            head = build_wrapped(context, outcome.rigged)
        except PersonError as error:
            return self._say(context, "ERROR", str(error))
        for warning in outcome.warnings:
            self.report({"WARNING"}, warning)
        return self._say(context, "INFO", f"{head.name}: registered to {outcome.median_mm:.2f} mm")


class PIXEL3DMM_OT_register_my_mesh(PollReason, WorkerOperator, bpy.types.Operator):
    """Find the face of the selected mesh, to reconstruct faces on it; colour shows what is off"""

    bl_idname = "pixel3dmm.register_my_mesh"
    bl_label = "Register My Mesh"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """See PollReason."""
        return _reason(context)

    def _make_run(self, context: bpy.types.Context) -> RegisterRun:
        self._chosen = own_mesh.read(own_mesh.candidates(context))
        self._names = [obj.name for obj in self._chosen.objects]
        return RegisterRun(self._chosen.mesh, self._chosen.points)

    def _finish(
        self, context: bpy.types.Context, outcome: tuple[HeadProfile, bytes, tuple[str, ...]]
    ) -> OperatorReturn:
        profile, data, warnings = outcome
        objects = [bpy.data.objects.get(name) for name in self._names]
        found = [obj for obj in objects if obj is not None]
        if len(found) != len(objects) or own_mesh.read(found).mesh.digest != profile.digest:
            return self._say(context, "ERROR", "The mesh was changed while it was worked on.")
        for i, obj in enumerate(found):
            own = slice(self._chosen.start[i], self._chosen.start[i + 1])
            own_copy.paint_distance(obj.data, profile.distance[own], profile.mask[own])
        profiles.remember(found[0], profile.mesh, data)
        kept = profiles.keep_profile(profile.mesh, data)
        for warning in (*warnings, *([kept] if kept else [])):
            self.report({"WARNING"}, warning)
        off = 1e3 * profile.median
        return self._say(context, "INFO", f"{found[0].name}: registered to {off:.2f} mm")


def _reason(context: bpy.types.Context) -> str:
    objects = own_mesh.candidates(context)
    if not objects:
        return SELECT_MESH
    if context.mode != "OBJECT":
        return EDIT_MODE
    if session.status.running:
        return BUSY
    return own_mesh.why_not(objects)


CLASSES = (PIXEL3DMM_OT_send_to_my_mesh, PIXEL3DMM_OT_wrap, PIXEL3DMM_OT_register_my_mesh)
