# SPDX-License-Identifier: GPL-3.0-or-later
"""Verbs of the identity panel."""

from __future__ import annotations

import bpy
from bpy.props import EnumProperty

from ...core.rig.traits import TRAITS
from ..blender_types import OperatorReturn
from ..scene import identity
from ..scene.head import active_head, polled_head
from ..translations import tr
from .poll_reason import NO_HEAD, PollReason


class PIXEL3DMM_OT_reset_traits(PollReason, bpy.types.Operator):
    """Set the traits of one region, or all of them, back to the person of the photo"""

    bl_idname = "pixel3dmm.reset_traits"
    bl_label = "Reset Traits"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    region: EnumProperty(
        name="Region",
        description="Which traits go back",
        items=[("All", "All", "", 0), *((r, r, "", k) for k, r in enumerate(TRAITS, start=1))],
    )

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """See PollReason."""
        head = active_head(context)
        if head is None:
            reason = NO_HEAD
        else:
            reason = tr(identity.why_not(head)) or (
                "" if identity.traits(head) else tr("No trait was changed")
            )
        return reason

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        """In one step, for a region or for all."""
        head = polled_head(context)
        gone = {t.name for t in TRAITS[self.region]} if self.region != "All" else None
        others = {n: v for n, v in identity.traits(head).items() if gone and n not in gone}
        identity.set_traits(context, head, others)
        return {"FINISHED"}


CLASSES = (PIXEL3DMM_OT_reset_traits,)
