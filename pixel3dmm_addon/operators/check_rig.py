# SPDX-License-Identifier: GPL-3.0-or-later
"""Check Rig: whether the keys and bones of the active head still do what their names say."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy.props import StringProperty

from ...core.errors import PersonError
from ...core.rig.rig_check import RigCheck, check_rig
from ...core.rig.rig_check_files import summary, write_rig_check
from ..blender_types import Icon, OperatorReturn
from ..scene.head import PREFIX, active_head, polled_head
from ..scene.rig_data import rig_arrays
from .poll_reason import EDIT_MODE, NO_HEAD, PollReason

#: Custom property of a head: the sentence of its last check.
LAST_CHECK = PREFIX + "last_check"


class PIXEL3DMM_OT_check_rig(PollReason, bpy.types.Operator):
    """Measure what every shape key and bone of the head does, and report what is wrong"""

    bl_idname = "pixel3dmm.check_rig"
    bl_label = "Check Rig"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    folder: StringProperty(
        name="Folder",
        description="Where a report (JSON) and a picture (PNG) are written; none are if empty",
        subtype="DIR_PATH",
        options={"SKIP_SAVE"},
    )

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """See PollReason."""
        head = active_head(context)
        if head is None:
            return NO_HEAD
        if head.mode == "EDIT":
            return EDIT_MODE
        return ""

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        """Finished whether or not the rig is sound: the report says which."""
        head = polled_head(context)
        try:
            rig = rig_arrays(head, head.find_armature())
            check = check_rig(rig)
            if self.folder:
                folder = Path(bpy.path.abspath(self.folder))
                write_rig_check(rig, check, folder, bpy.path.clean_name(head.name))
        except PersonError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        sentence = verdict(check)
        head[LAST_CHECK] = sentence
        self.report({"INFO"} if check.passed else {"WARNING"}, sentence)
        self._lines = summary(check)
        if not bpy.app.background:
            context.window_manager.popup_menu(self._draw, title=sentence, icon="ARMATURE_DATA")
        return {"FINISHED"}

    def _draw(self, menu: bpy.types.Menu, context: bpy.types.Context) -> None:
        for line in self._lines:
            icon: Icon = "CHECKMARK" if line.startswith("passed") else "ERROR"
            menu.layout.label(text=line, icon=icon)


def verdict(check: RigCheck) -> str:
    """One sentence."""
    count = len(check.failures)
    if not count:
        return "The rig passes: every slider and bone does what its name says."
    first = check.failures[0]
    return f"The rig fails at {count} points, first at {first.check} of {first.subject}."


CLASSES = (PIXEL3DMM_OT_check_rig,)
