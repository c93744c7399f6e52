# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures behind a sentence of the panel: its tooltip, and a pop-up for who cannot hover."""

from __future__ import annotations

import bpy
from bpy.props import StringProperty

from ..blender_types import OperatorReturn
from ..translations import tr
from ..wrapping import wrapped

#: Pixels at a user interface of scale 1.
POPUP_WIDTH = 420.0


class PIXEL3DMM_OT_explain(bpy.types.Operator):
    """The figures behind this sentence"""

    bl_idname = "pixel3dmm.explain"
    bl_label = "Figures"
    bl_options = {"INTERNAL"}  # noqa: RUF012

    words: StringProperty(name="Figures", options={"SKIP_SAVE"})

    @classmethod
    def description(
        cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties
    ) -> str:
        """The figures themselves."""
        return properties.words

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        """In a window they stand in a pop-up, where they can be read at leisure."""
        paragraphs = self.words.split("\n")
        if not bpy.app.background:

            def draw(menu: bpy.types.Menu, context: bpy.types.Context) -> None:
                for paragraph in paragraphs:
                    for line in wrapped(paragraph, POPUP_WIDTH):
                        menu.layout.label(text=line, translate=False)

            context.window_manager.popup_menu(draw, title=tr("Figures"), icon="INFO")
        return {"FINISHED"}


CLASSES = (PIXEL3DMM_OT_explain,)
