# SPDX-License-Identifier: GPL-3.0-or-later
"""Name Bones: the head's bones called as a rig does that it is to be joined with."""

from __future__ import annotations

import bpy
from bpy.props import EnumProperty

from ..scene.rig import JOINT, bone_name
from .attach_to_body import our_rig

#: Joint -> name, in Rigify's human metarig.
RIGIFY = {
    "root": "spine.003", "neck": "spine.004", "head": "spine.006", "jaw": "jaw",
    "eye_l": "eye.L", "eye_r": "eye.R",
}  # fmt: skip
_SCHEMES = {
    "PLAIN": bone_name,
    "RIGIFY": lambda joint: RIGIFY.get(joint, bone_name(joint)),
    "RIGIFY_DEF": lambda joint: "DEF-" + RIGIFY.get(joint, bone_name(joint)),
}


class PIXEL3DMM_OT_name_bones(bpy.types.Operator):
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
    def poll(cls, context: bpy.types.Context) -> bool:
        """Greyed out with the reason."""
        if our_rig(context) is None:
            cls.poll_message_set("Select a head that was made from a photo")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Bones that an artist added keep their names."""
        name = _SCHEMES[self.scheme]
        for bone in our_rig(context).data.bones:
            if JOINT in bone:
                bone.name = name(str(bone[JOINT]))
        return {"FINISHED"}


CLASSES = (PIXEL3DMM_OT_name_bones,)
