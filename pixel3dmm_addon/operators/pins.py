# SPDX-License-Identifier: GPL-3.0-or-later
"""Pins from scripts: set one, remove one or all, each with a new fit. Blocking, a fraction of a
second; the tool for hands is in correct_fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import bpy
from bpy.props import FloatProperty, IntProperty

from ...core.errors import PersonError
from ...core.fitting.pins import Pin
from ...core.options import OPEN_HEAD
from ...core.reconstruct.continuation import Continuation
from .. import properties
from ..blender_types import OperatorReturn
from ..jobs.refit import RefitRun
from ..scene import continuation, profiles, refit
from ..scene.head import active_head, polled_head
from .fit_pins import with_pin
from .poll_reason import PollReason

#: The open head's name for people, which is what a head remembers.
OPEN_HEAD_NAME = "Open Head"


def fit_options(
    context: bpy.types.Context, head: bpy.types.Object, known: Continuation
) -> dict[str, Any]:
    """Where the head model of a fit is to be found: the open head is always here, another one
    where the scene's choice says; and the mesh of the artist's that the head was put on.

    Raises ModelFileError where that mesh's profile is lost.
    """
    chosen = properties.job_options(context.scene.pixel3dmm)["head"]
    options = {"head": OPEN_HEAD if known.head_name == OPEN_HEAD_NAME else chosen}
    own = profiles.target_path(head)
    return {**options, "head_mesh": own} if own else options


def solve_blocking(operator: bpy.types.Operator, pins: Sequence[Pin]) -> OperatorReturn:
    """The active head is fitted under the pins; an operator's last lines."""
    head = polled_head(bpy.context)
    try:
        known = continuation.read(head)
        done = RefitRun(
            continuation.text(head), pins, options=fit_options(bpy.context, head, known)
        ).outcome()
        refit.apply(bpy.context, head, done.after, done.before)
    except PersonError as error:
        operator.report({"ERROR"}, str(error))
        return {"CANCELLED"}
    return {"FINISHED"}


class _OnHead(PollReason):
    """Mixed into an operator that needs a head whose fit can go on."""

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """See PollReason."""
        reason = continuation.why_not(active_head(context))
        return reason


class PIXEL3DMM_OT_pin_landmark(_OnHead, bpy.types.Operator):
    """Hold a landmark of the head at a place in its photo, and fit the head again"""

    bl_idname = "pixel3dmm.pin_landmark"
    bl_label = "Pin Landmark"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    photo: IntProperty(name="Photo", description="Which of the head's photos, from 0", min=0)
    landmark: IntProperty(
        name="Landmark", description="Which of MediaPipe's 478 points", min=0, max=477
    )
    x: FloatProperty(name="X", description="Pixels from the photo's left side")
    y: FloatProperty(name="Y", description="Pixels from the photo's top")

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        """Blocking."""
        try:
            known = continuation.read(polled_head(context))
        except PersonError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return solve_blocking(
            self, with_pin(known.pins, Pin(self.photo, self.landmark, self.x, self.y))
        )


class PIXEL3DMM_OT_remove_pins(_OnHead, bpy.types.Operator):
    """Remove all pins of the head, and fit it to its photos alone"""

    bl_idname = "pixel3dmm.remove_pins"
    bl_label = "Remove Pins"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        """Blocking."""
        return solve_blocking(self, [])


CLASSES = (PIXEL3DMM_OT_pin_landmark, PIXEL3DMM_OT_remove_pins)
