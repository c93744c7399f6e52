# SPDX-License-Identifier: GPL-3.0-or-later
"""The active head's 52 sliders by region, gaze and head pose."""

from __future__ import annotations

import bpy

from ...core.heads.arkit import ARKIT_NAMES
from ...core.rig.expression import REGIONS, found, leader, pair_of, short_title, title
from ..operators import expression as verbs
from ..scene import expression
from ..scene.head import active_head, polled_head
from ..translations import tr
from .expression import PIXEL3DMM_PT_expression
from .sidebar import HeadPanel

#: Share of a row that the name of a pair takes.
_LABEL = 0.36

_GAZE = ("gaze_up", "gaze_left")
_HEAD = ("head_nod", "head_turn", "head_tilt")
_NECK = ("neck_nod", "neck_turn", "neck_tilt")


class PIXEL3DMM_PT_sliders(HeadPanel, bpy.types.Panel):
    """The active head's shape keys and the bones of its face."""

    bl_idname = "PIXEL3DMM_PT_sliders"
    bl_label = "All Sliders"
    bl_parent_id = PIXEL3DMM_PT_expression.bl_idname
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Nothing to show without a head, or after its keys were removed."""
        head = active_head(context)
        return head is not None and head.data.shape_keys is not None

    def draw(self, context: bpy.types.Context) -> None:
        """Blender calls this at every redraw."""
        layout, head = self.layout, polled_head(context)
        keys, linked = expression.keys(head), expression.is_linked(head)
        choices = context.scene.pixel3dmm
        layout.prop(choices, "search", text="", icon="VIEWZOOM")
        if choices.search.strip():
            names = found(choices.search, {name: tr(title(name)) for name in ARKIT_NAMES})
            _draw_sliders(layout, {name: keys[name] for name in names if name in keys}, linked)
            if not names:
                layout.label(text="No slider is called so", icon="INFO")
        else:
            for region, members in REGIONS.items():
                _draw_region(layout, region, {n: keys[n] for n in members if n in keys}, linked)
        if head.find_armature() is not None:
            _draw_turns(layout, head)


def _draw_region(
    layout: bpy.types.UILayout, region: str, keys: dict[str, bpy.types.ShapeKey], linked: bool
) -> None:
    if not keys:
        return
    header, body = layout.panel(f"PIXEL3DMM_{region}", default_closed=region not in ("Mouth",))
    header.label(text=region)
    reset = header.operator(
        verbs.PIXEL3DMM_OT_reset_expression.bl_idname, text="", icon="LOOP_BACK", emboss=False
    )
    reset.region = region
    if body is not None:
        _draw_sliders(body, keys, linked, region)


def _draw_sliders(
    layout: bpy.types.UILayout,
    keys: dict[str, bpy.types.ShapeKey],
    linked: bool,
    region: str = "",
) -> None:
    """Those without sides first; both sides of a slider stand in one row, as they do in front of
    the artist.

    The person's right is on the left there. Linked sides show the one that leads. The region's
    own name is left out under its header.
    """
    alone, paired = layout.column(align=True), layout.column(align=True)
    sides = False
    for name, key in keys.items():
        stem, side = pair_of(name, keys)
        label = tr(short_title(stem or name, region))
        if side == "Right":
            continue
        if stem is None or (linked and leader(f"{stem}Right")):
            alone.prop(key, "value", text=label, slider=True)
        else:
            if not sides:
                row = paired.split(factor=_LABEL, align=True)
                for text in ("", "Right", "Left"):
                    row.label(text=tr(text) if text else "")
                sides = True
            row = paired.split(factor=_LABEL, align=True)
            row.label(text=label)
            row.prop(keys[f"{stem}Right"], "value", text="", slider=True)
            row.prop(key, "value", text="", slider=True)


def _draw_turns(layout: bpy.types.UILayout, head: bpy.types.Object) -> None:
    header, body = layout.panel("PIXEL3DMM_turns", default_closed=True)
    header.label(text="Gaze and Head Pose")
    header.operator(
        verbs.PIXEL3DMM_OT_reset_turns.bl_idname, text="", icon="LOOP_BACK", emboss=False
    )
    if body is None:
        return
    for names in (_GAZE, _HEAD, _NECK):
        column = body.column(align=True)
        for name in names:
            column.prop(head.pixel3dmm, name, slider=True)


CLASSES = (PIXEL3DMM_PT_sliders,)
