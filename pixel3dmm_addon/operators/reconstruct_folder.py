# SPDX-License-Identifier: GPL-3.0-or-later
"""Reconstruct Folder: all people of a folder, into this scene or into a .blend file each.

Modal in a window, else blocking. Esc ends it and keeps what is made.
"""

from __future__ import annotations

from pathlib import Path

import bpy

from ...core.batch.plan import plan_people
from ...core.errors import OutputError, PersonError
from ...core.reconstruct.outputs import make_folder
from .. import properties
from ..blender_types import OperatorReturn
from ..jobs import session
from ..jobs.folder_run import FAILED, MADE, FolderRun, Made
from ..scene.build import build_person
from .poll_reason import BUSY, PollReason
from .worker_operator import WorkerOperator

#: Metres from one head to the next in the scene.
_APART = 0.5


class PIXEL3DMM_OT_reconstruct_folder(PollReason, WorkerOperator, bpy.types.Operator):
    """Make a head of everybody in a folder of photos, several at once. Esc ends it and keeps the
    heads that are made
    """

    bl_idname = "pixel3dmm.reconstruct_folder"
    bl_label = "Reconstruct Folder"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    _early = False
    _placed = 0

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """See PollReason."""
        if session.status.running:
            return BUSY
        if not context.scene.is_editable:
            return "This scene is linked from another file and cannot be changed"
        return "" if context.scene.pixel3dmm.folder else "Pick a folder first"

    def _make_run(self, context: bpy.types.Context) -> FolderRun:
        choices = context.scene.pixel3dmm
        folder = Path(bpy.path.abspath(choices.folder))
        blends = None
        if choices.folder_into == "BLEND":
            if not choices.folder_out:
                raise OutputError("Pick a folder for the .blend files first.")
            blends = Path(bpy.path.abspath(choices.folder_out))
            make_folder(blends)
        if not folder.is_dir():
            raise PersonError(f"{folder} is no folder: pick one that has photos in it.")
        plan = plan_people(folder, choices.folder_people.lower(), out=blends)
        options = properties.job_options(choices)
        options.pop("face", None)  # it was chosen on another photo
        self._early, self._placed = False, 0
        return FolderRun(folder, options, plan, blends)

    def _advance(self, context: bpy.types.Context) -> OperatorReturn:
        """Heads that are made come into the scene at once; a wish to cancel keeps them."""
        run = self._run
        assert isinstance(run, FolderRun)
        if session.status.cancel and not self._early:
            self._early, session.status.cancel = True, False
            run.finish_early()
        ended = super()._advance(context)
        self._show_made(context, run)
        return ended

    def _show_made(self, context: bpy.types.Context, run: FolderRun) -> None:
        while run.made:
            self._place(context, run.made.popleft())

    def _place(self, context: bpy.types.Context, made: Made) -> None:
        try:
            person = build_person(context, made.rigged, made.loaded)
        except PersonError as error:
            made.row.state, made.row.message = FAILED, str(error)
            return
        # Head and camera move together, so that the camera still matches.
        step = self._placed * _APART / context.scene.unit_settings.scale_length
        for thing in (person.rig, person.camera):
            thing.location.x += step
        self._placed += 1

    def _finish(self, context: bpy.types.Context, made: int) -> OperatorReturn:
        run = self._run
        assert isinstance(run, FolderRun)
        self._show_made(context, run)
        failed = [row for row in run.rows if row.state == FAILED]
        for row in failed:
            self.report({"WARNING"}, f"{row.name}: {row.message}")
        count = sum(row.state == MADE for row in run.rows)
        ending = "Cancelled after" if self._early else "Made"
        more = f", {len(failed)} failed" if failed else ""
        return self._say(context, "INFO", f"{ending} {count} of {len(run.rows)} heads{more}")


CLASSES = (PIXEL3DMM_OT_reconstruct_folder,)
