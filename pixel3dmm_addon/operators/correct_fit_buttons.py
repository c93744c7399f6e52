# SPDX-License-Identifier: GPL-3.0-or-later
"""Buttons of Correct Fit while it is in hand: another photo, and the end."""

from __future__ import annotations

import bpy
from bpy.props import IntProperty

from ...core.errors import PersonError
from ..blender_types import OperatorReturn
from . import correct_fit
from .poll_reason import PollReason

_NOT_RUNNING = "Press Correct Fit first"


class _WhileRunning(PollReason):
    """Mixed into a button that belongs to the tool in hand."""

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """See PollReason."""
        return "" if correct_fit.running() else _NOT_RUNNING


class PIXEL3DMM_OT_correct_fit_photo(_WhileRunning, bpy.types.Operator):
    """Correct the fit in this photo of the person"""

    bl_idname = "pixel3dmm.correct_fit_photo"
    bl_label = "Show Photo"
    bl_options = {"INTERNAL"}  # noqa: RUF012

    photo: IntProperty(name="Photo", description="Which of the head's photos, from 0", min=0)

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        """The pins of all photos stay."""
        tool = correct_fit.running()
        assert tool is not None
        try:
            tool.show_photo(context, self.photo)
        except PersonError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return {"FINISHED"}


class PIXEL3DMM_OT_correct_fit_done(_WhileRunning, bpy.types.Operator):
    """End Correct Fit and keep its pins"""

    bl_idname = "pixel3dmm.correct_fit_done"
    bl_label = "Done"
    bl_options = {"INTERNAL"}  # noqa: RUF012

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        """At the tool's next tick."""
        tool = correct_fit.running()
        assert tool is not None
        tool.finish()
        return {"FINISHED"}


CLASSES = (PIXEL3DMM_OT_correct_fit_photo, PIXEL3DMM_OT_correct_fit_done)
