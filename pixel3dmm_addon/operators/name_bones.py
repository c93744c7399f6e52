# SPDX-License-Identifier: GPL-3.0-or-later
"""Name Bones: the head's bones called as a rig does that it is to be joined with."""

from __future__ import annotations

from collections.abc import Callable

import bpy
from bpy.props import EnumProperty

from ..blender_types import OperatorReturn
from ..scene.rig import JOINT, bone_name
from .attach_to_body import our_rig, polled_rig
from .poll_reason import NO_HEAD, PollReason

#: Joint -> name, in Rigify's human metarig.
RIGIFY = {
    "root": "spine.003", "neck": "spine.004", "head": "spine.006", "jaw": "jaw",
    "eye_l": "eye.L", "eye_r": "eye.R",
}  # fmt: skip
_SCHEMES: dict[str, Callable[[str], str]] = {
    "PLAIN": bone_name,
    "RIGIFY": lambda joint: RIGIFY.get(joint, bone_name(joint)),
    "RIGIFY_DEF": lambda joint: "DEF-" + RIGIFY.get(joint, bone_name(joint)),
}


class PIXEL3DMM_OT_name_bones(PollReason, bpy.types.Operator):
    """Rename the head's bones and vertex groups; drivers and constraints follow"""

    bl_idname = "pixel3dmm.name_bones"
    bl_label = "Name Bones"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    scheme: EnumProperty(
        name="Names",
        description="Whose names the bones get",
        items=(
            ("PLAIN", "Plain", "root, neck, head, jaw, eye.L, eye.R"),
            ("RIGIFY", "Rigify Metarig", "spine.003, spine.004, spine.006, jaw, eye.L, eye.R"),
            ("RIGIFY_DEF", "Rigify Deform", "The same with DEF-, as of a generated rig"),
        ),
        default="PLAIN",
    )

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """See PollReason."""
        if our_rig(context) is None:
            return NO_HEAD
        return ""

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        """Bones that an artist added keep their names."""
        name = _SCHEMES[self.scheme]
        for bone in polled_rig(context).data.bones:
            if JOINT in bone:
                bone.name = name(str(bone[JOINT]))
        return {"FINISHED"}


CLASSES = (PIXEL3DMM_OT_name_bones,)
