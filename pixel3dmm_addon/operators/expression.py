# SPDX-License-Identifier: GPL-3.0-or-later
"""Verbs of the expression panel: poses, reset, random, mirror, linked sides, keyframes.

All of them set keys and bones and leave nothing else behind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import bpy
from bpy.props import EnumProperty, FloatProperty, IntProperty

from ...core.heads.arkit import ARKIT_NAMES
from ...core.rig.expression import REGIONS, mirrored, random_expression
from ...core.rig.poses import POSES, VISEMES
from ..blender_types import OperatorReturn
from ..scene import expression, turns
from ..scene.head import active_head, polled_head
from ..translations import tr
from .poll_reason import NO_HEAD, PollReason

#: Keys that a mouth shape of speech sets; brows, eyes and cheeks go on with what they do.
OF_SPEECH = tuple(name for part in ("Jaw", "Mouth", "Tongue") for name in REGIONS[part])

_STRENGTH = {
    "name": "Strength",
    "description": "1 is the full expression, 0 is neutral",
    "subtype": "FACTOR",
    "default": 1.0,
    "min": 0.0,
    "max": 1.0,
}


class _OfHead(PollReason):
    """Greyed out, with the reason, where the active head has no keys that could be set."""

    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """See PollReason."""
        return why_not(context)


def why_not(context: bpy.types.Context) -> str:
    """Why the active head's sliders cannot be moved; empty if they can."""
    head = active_head(context)
    if head is None:
        return NO_HEAD
    if head.data.shape_keys is None:
        return tr("The head's shape keys were removed")
    if not head.data.is_editable:
        return tr("The head is linked from another file")
    return ""


class _FromLibrary(_OfHead):
    """Sets sliders to values that have a name."""

    strength: FloatProperty(**_STRENGTH)

    def _set(
        self, context: bpy.types.Context, shape: Mapping[str, float], names: Sequence[str]
    ) -> OperatorReturn:
        """The sliders ``names``, those that the shape does not use to zero."""
        wanted = {name: self.strength * shape.get(name, 0.0) for name in names}
        expression.set_values(polled_head(context), wanted)
        return {"FINISHED"}


class PIXEL3DMM_OT_apply_pose(_FromLibrary, bpy.types.Operator):
    """Set all sliders to an expression of the library"""

    bl_idname = "pixel3dmm.apply_pose"
    bl_label = "Expression"

    pose: EnumProperty(
        name="Expression",
        description="From the library of expressions",
        items=[(name, name, "", k) for k, name in enumerate(POSES)],
    )

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        """Sliders that the expression does not use go to zero."""
        return self._set(context, POSES[self.pose], ARKIT_NAMES)


class PIXEL3DMM_OT_apply_viseme(_FromLibrary, bpy.types.Operator):
    """Set jaw, mouth and tongue to a mouth shape of speech; eyes and brows stay as they are"""

    bl_idname = "pixel3dmm.apply_viseme"
    bl_label = "Viseme"

    viseme: EnumProperty(
        name="Viseme",
        description="Mouth shape of speech, by the names that lip-sync tools use",
        items=[(name, name, "", k) for k, name in enumerate(VISEMES)],
    )

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        """Sliders of the mouth that the shape does not use go to zero."""
        return self._set(context, VISEMES[self.viseme], OF_SPEECH)


class PIXEL3DMM_OT_reset_expression(_OfHead, bpy.types.Operator):
    """Set the sliders of one region, or all of them, to zero"""

    bl_idname = "pixel3dmm.reset_expression"
    bl_label = "Reset"

    region: EnumProperty(
        name="Region",
        description="Which sliders go to zero",
        items=[("All", "All", "", 0), *((r, r, "", k) for k, r in enumerate(REGIONS, start=1))],
    )

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        """The photo's expression comes back by its own slider."""
        names = ARKIT_NAMES if self.region == "All" else REGIONS[self.region]
        expression.set_values(polled_head(context), dict.fromkeys(names, 0.0))
        return {"FINISHED"}


class PIXEL3DMM_OT_reset_turns(_OfHead, bpy.types.Operator):
    """Turn head, neck and eyes straight ahead"""

    bl_idname = "pixel3dmm.reset_turns"
    bl_label = "Look Straight Ahead"

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        """The bones go to rest."""
        rig = polled_head(context).find_armature()
        if rig is not None:
            for joint in expression.face_bones(rig):
                turns.set_turn(rig, joint, (0.0, 0.0, 0.0))
        return {"FINISHED"}


class PIXEL3DMM_OT_random_expression(_OfHead, bpy.types.Operator):
    """Set the sliders to an expression by chance; another seed gives another one"""

    bl_idname = "pixel3dmm.random_expression"
    bl_label = "Random"

    seed: IntProperty(name="Seed", description="The same seed gives the same expression", min=0)
    strength: FloatProperty(**_STRENGTH)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorReturn:
        """Every press of the button gives another one."""
        self.seed += 1
        return self.execute(context)

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        """See core.rig.expression."""
        wanted = random_expression(self.seed, self.strength)
        expression.set_values(polled_head(context), wanted)
        return {"FINISHED"}


class PIXEL3DMM_OT_mirror_expression(_OfHead, bpy.types.Operator):
    """Swap the left and the right side of the expression, gaze and head pose included"""

    bl_idname = "pixel3dmm.mirror_expression"
    bl_label = "Mirror"

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        """As a mirror shows it."""
        head = polled_head(context)
        expression.set_values(head, mirrored(expression.values(head)))
        rig = head.find_armature()
        if rig is not None:
            turns.mirror(rig)
        return {"FINISHED"}


class PIXEL3DMM_OT_link_sides(_OfHead, bpy.types.Operator):
    """Let the right side's sliders follow the left's, by drivers; again to let them go"""

    bl_idname = "pixel3dmm.link_sides"
    bl_label = "Link Sides"

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        """On or off, by what is there."""
        head = polled_head(context)
        if expression.is_linked(head):
            expression.unlink_sides(head)
        else:
            expression.link_sides(head)
        return {"FINISHED"}


class PIXEL3DMM_OT_key_all(_OfHead, bpy.types.Operator):
    """Insert keyframes of all sliders, gaze and head pose at the current frame"""

    bl_idname = "pixel3dmm.key_all"
    bl_label = "Key All"

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        """Sliders that follow others need none."""
        count = expression.insert_keyframes(polled_head(context))
        frame = context.scene.frame_current
        self.report({"INFO"}, tr("{} channels keyed at frame {}").format(count, frame))
        return {"FINISHED"}


CLASSES = (
    PIXEL3DMM_OT_apply_pose,
    PIXEL3DMM_OT_apply_viseme,
    PIXEL3DMM_OT_reset_expression,
    PIXEL3DMM_OT_reset_turns,
    PIXEL3DMM_OT_random_expression,
    PIXEL3DMM_OT_mirror_expression,
    PIXEL3DMM_OT_link_sides,
    PIXEL3DMM_OT_key_all,
)
