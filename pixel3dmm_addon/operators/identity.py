# SPDX-License-Identifier: GPL-3.0-or-later
"""Verbs of the identity panel."""

from __future__ import annotations

import bpy
from bpy.props import EnumProperty

from ...core.rig.traits import TRAITS
from ..scene import identity
from ..scene.head import active_head
from ..translations import tr


class PIXEL3DMM_OT_reset_traits(bpy.types.Operator):
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
    def poll(cls, context: bpy.types.Context) -> bool:
        """Greyed out with the reason."""
        head = active_head(context)
        if head is None:
            reason = tr("Select a head that was made from a photo")
        else:
            reason = tr(identity.why_not(head)) or (
                "" if identity.traits(head) else tr("No trait was changed")
            )
        if reason:
            cls.poll_message_set(reason)
        return not reason

    def execute(self, context: bpy.types.Context) -> set[str]:
        """In one step, for a region or for all."""
        head = active_head(context)
        gone = {t.name for t in TRAITS[self.region]} if self.region != "All" else None
        kept = {n: v for n, v in identity.traits(head).items() if gone and n not in gone}
        identity.set_traits(context, head, kept)
        return {"FINISHED"}


CLASSES = (PIXEL3DMM_OT_reset_traits,)
