# SPDX-License-Identifier: GPL-3.0-or-later
"""Attach to Body and Detach: a head on a body that somebody else made and rigged."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, StringProperty

from ...core.errors import ModelFileError
from ..blender_types import OperatorReturn
from ..scene import body as bodies
from ..scene.body_bridge import BRIDGE
from ..scene.head import active_head, polled_head
from .poll_reason import NO_HEAD, PollReason


def our_rig(context: bpy.types.Context) -> bpy.types.Object | None:
    """The rig of the active head."""
    head = active_head(context)
    return None if head is None else head.find_armature()


def polled_rig(context: bpy.types.Context) -> bpy.types.Object:
    """The active head's rig, for an operator whose poll has seen that there is one."""
    rig = our_rig(context)
    assert rig is not None
    return rig


def chosen_body(context: bpy.types.Context) -> bpy.types.Object | None:
    """The one other armature that is selected, or else the only other one in the scene."""
    rig = our_rig(context)
    rigs = [o for o in context.scene.objects if o.type == "ARMATURE" and o != rig]
    others = [o for o in rigs if BRIDGE not in o]
    selected = [o for o in others if o.select_get()]
    found = selected or others
    return found[0] if len(found) == 1 else None


OTHER_MODE = "Go back to object mode first"


class PIXEL3DMM_OT_attach_to_body(PollReason, bpy.types.Operator):
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
    def why_not(cls, context: bpy.types.Context) -> str:
        """See PollReason."""
        if our_rig(context) is None:
            return NO_HEAD
        if chosen_body(context) is None:
            return "Select the body's armature too"
        if context.mode != "OBJECT":
            return OTHER_MODE
        return ""

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        """A head that is attached already is taken off first."""
        head, rig, body = polled_head(context), polled_rig(context), chosen_body(context)
        assert body is not None
        bones = bodies.body_bones(body, self.bone)
        if bones is None:
            wanted = f"bone {self.bone}" if self.bone else "bone that is called a head"
            self.report({"ERROR"}, f"{body.name} has no {wanted}: name its head bone.")
            return {"CANCELLED"}
        if body.matrix_world.determinant() <= 0:
            self.report(
                {"ERROR"},
                f"{body.name} is mirrored, by a negative scale of its own or of what carries it: "
                "make that scale positive first.",
            )
            return {"CANCELLED"}
        bodies.detach(rig, head)
        try:
            scale = bodies.place(rig, head, body, bones, match_scale=self.match_scale)
        except ModelFileError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        bodies.follow(rig, body, bones)
        context.view_layer.update()
        note = f"Attached to {bones.head} at {100 * scale:.0f} % of its size"
        if self.match_neck:
            found = bodies.match_neck(rig, head, body)
            note += ", neck matched" if found else "; the body has no open neck near by to match"
        self.report({"INFO"}, note + ".")
        return {"FINISHED"}


class PIXEL3DMM_OT_detach_from_body(PollReason, bpy.types.Operator):
    """Take the head off the body; it stays where it is"""

    bl_idname = "pixel3dmm.detach_from_body"
    bl_label = "Detach"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """See PollReason."""
        rig = our_rig(context)
        if rig is None:
            return NO_HEAD
        if rig.parent is None:
            return "The head is attached to no body"
        if context.mode != "OBJECT":
            return OTHER_MODE
        return ""

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        """Scale and place are kept."""
        bodies.detach(polled_rig(context), polled_head(context))
        return {"FINISHED"}


CLASSES = (PIXEL3DMM_OT_attach_to_body, PIXEL3DMM_OT_detach_from_body)
