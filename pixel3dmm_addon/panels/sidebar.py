# SPDX-License-Identifier: GPL-3.0-or-later
"""What all panels of the tab share."""

from __future__ import annotations

import re

import bpy

from ..blender_types import Icon, PanelMixin
from ..jobs import session
from ..scene.head import active_head
from ..translations import tr

#: A stage that says how fast it goes.
_SPEED = re.compile(r"(.+), (\d+) frames a second")
#: Letters to a line of a message; a sidebar of usual width shows about as many.
LINE = 34


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


def draw_sentence(layout: bpy.types.UILayout, sentence: str, icon: Icon) -> None:
    """A sentence over as many lines as it needs, since labels do not wrap."""
    column = layout.column(align=True)
    line = ""
    for word in [*sentence.split(), ""]:
        if line and (not word or len(line) + 1 + len(word) > LINE):
            column.label(text=line, icon=icon)
            line, icon = "", "BLANK1"
        line = f"{line} {word}".strip()


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
