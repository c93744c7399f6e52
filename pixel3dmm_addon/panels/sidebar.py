# SPDX-License-Identifier: GPL-3.0-or-later
"""What all panels of the tab share."""

from __future__ import annotations

import re

import bpy

from ..blender_types import Icon, PanelMixin
from ..jobs import session
from ..operators.explain import PIXEL3DMM_OT_explain
from ..operators.next_step import draw_steps
from ..scene.head import active_head
from ..translations import said, tr
from ..wrapping import wrapped

#: A stage that says how fast it goes.
_SPEED = re.compile(r"(.+), (\d+) frames a second")


class Sidebar(PanelMixin):
    """Mixed into a panel: it stands in the tab "Pixel3DMM" of the 3D viewport's sidebar."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Pixel3DMM"


class HeadPanel(Sidebar):
    """Mixed into a panel: it stands inside the panel Head, where a head is active."""

    bl_parent_id = "PIXEL3DMM_PT_head"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Nothing to show without a head."""
        return active_head(context) is not None


def needed_head(layout: bpy.types.UILayout, context: bpy.types.Context) -> bpy.types.Object | None:
    """The active head; without one the panel says what to do next, and None is returned."""
    head = active_head(context)
    if head is not None:
        return head
    if any(obj.get("pixel3dmm_recipe") for obj in context.scene.objects if obj.type == "MESH"):
        draw_sentence(layout, tr("Click a head in the 3D view to go on with it"), "INFO")
    elif context.scene.pixel3dmm.photo:
        draw_sentence(layout, tr("Press Reconstruct Face above: this works on its head"), "INFO")
    else:
        draw_sentence(layout, tr("Choose a photo above: this works on the head made of it"), "INFO")
    return None


def draw_sentence(
    layout: bpy.types.UILayout,
    sentence: str,
    icon: Icon,
    *,
    more: str = "",
    width: float | None = None,
    inset: float = 0.0,
) -> None:
    """A sentence over as many lines as it needs, in the artist's language.

    more: figures that belong to it, behind a sign at the end, as its tooltip. width and inset as
    of :func:`wrapping.wrapped`.
    """
    row = layout.row(align=True)
    column = row.column(align=True)
    for line in wrapped(said(sentence), width, inset + (1.2 if more else 0.0)):
        column.label(text=line, icon=icon, translate=False)
        icon = "BLANK1"
    if more:
        sign = row.row()
        sign.alignment = "RIGHT"
        button = sign.operator(PIXEL3DMM_OT_explain.bl_idname, text="", icon="INFO", emboss=False)
        button.words = more


def draw_trouble(
    layout: bpy.types.UILayout, context: bpy.types.Context, sentence: str, code: str
) -> None:
    """An error in red, with the buttons that may mend it; code: of the error."""
    box = layout.box()
    column = box.column()
    column.alert = True
    draw_sentence(column, sentence, "ERROR", inset=0.8)
    draw_steps(box, context, code)


def draw_progress(layout: bpy.types.UILayout, status: session.Status) -> None:
    """The job's stage, how far it is, the seconds left, and a button that cancels it."""
    row = layout.row(align=True)
    stage, speed = status.stage, ""
    if found := _SPEED.fullmatch(stage):
        stage, speed = found[1], ", " + tr("{} frames a second").format(found[2])
    text = f"{tr(stage)} {status.fraction:.0%}{speed}"
    left = status.seconds_left
    if left is not None:
        text += tr(", {:.0f} s left").format(left)
    row.progress(factor=status.fraction, text=text)
    row.operator("pixel3dmm.cancel", text="", icon="X")
