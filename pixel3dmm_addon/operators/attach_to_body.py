# SPDX-License-Identifier: GPL-3.0-or-later
"""Attach to Body and Detach: a head on a body that somebody else made and rigged."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, StringProperty

from ..scene import body as bodies
from ..scene.head import active_head


def our_rig(context: bpy.types.Context) -> bpy.types.Object | None:
    """The rig of the active head."""
    head = active_head(context)
    return None if head is None else head.find_armature()


def chosen_body(context: bpy.types.Context) -> bpy.types.Object | None:
    """The one other armature that is selected, or else the only other one in the scene."""
    rig = our_rig(context)
    others = [o for o in context.scene.objects if o.type == "ARMATURE" and o != rig]
    selected = [o for o in others if o.select_get()]
    found = selected or others
    return found[0] if len(found) == 1 else None


OTHER_MODE = "Go back to object mode first"


class PIXEL3DMM_OT_attach_to_body(bpy.types.Operator):
    """Put the head onto the selected armature: same place, same size, and it follows its neck"""

    bl_idname = "pixel3dmm.attach_to_body"
    bl_label = "Attach to Body"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    bone: StringProperty(
        name="Head Bone", description="The body's head bone; found by its name if empty"
    )
    match_scale: BoolProperty(
        name="Match Scale",
        description="Make the head as high as the body's own",
        default=True,
    )
    match_neck: BoolProperty(
        name="Match Neck",
        description="Bring the cut edge of the neck onto the body's open neck, if it has one",
        default=True,
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Greyed out with the reason."""
        if our_rig(context) is None:
            cls.poll_message_set("Select a head that was made from a photo")
            return False
        if chosen_body(context) is None:
            cls.poll_message_set("Select the body's armature too")
            return False
        if context.mode != "OBJECT":
            cls.poll_message_set(OTHER_MODE)
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """A head that is attached already is taken off first."""
        head, rig, body = active_head(context), our_rig(context), chosen_body(context)
        bones = bodies.body_bones(body, self.bone)
        if bones is None:
            wanted = f"bone {self.bone}" if self.bone else "bone that is called a head"
            self.report({"ERROR"}, f"{body.name} has no {wanted}: name its head bone.")
            return {"CANCELLED"}
        bodies.detach(rig, head)
        scale = bodies.place(rig, head, body, bones, match_scale=self.match_scale)
        bodies.follow(rig, body, bones)
        context.view_layer.update()
        note = f"Attached to {bones.head} at {100 * scale:.0f} % of its size"
        if self.match_neck:
            found = bodies.match_neck(rig, head, body)
            note += ", neck matched" if found else "; the body has no open neck near by to match"
        self.report({"INFO"}, note + ".")
        return {"FINISHED"}


class PIXEL3DMM_OT_detach_from_body(bpy.types.Operator):
    """Take the head off the body; it stays where it is"""

    bl_idname = "pixel3dmm.detach_from_body"
    bl_label = "Detach"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Greyed out with the reason."""
        rig = our_rig(context)
        if rig is None:
            cls.poll_message_set("Select a head that was made from a photo")
            return False
        if rig.parent is None:
            cls.poll_message_set("The head is attached to no body")
            return False
        if context.mode != "OBJECT":
            cls.poll_message_set(OTHER_MODE)
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Scale and place are kept."""
        bodies.detach(our_rig(context), active_head(context))
        return {"FINISHED"}


CLASSES = (PIXEL3DMM_OT_attach_to_body, PIXEL3DMM_OT_detach_from_body)
