# SPDX-License-Identifier: GPL-3.0-or-later
"""First Steps: a page of five pictures, from a photo to a file for an engine."""

from __future__ import annotations

from pathlib import Path

import bpy

from ..blender_types import OperatorReturn

#: The page lies in the extension, so that it is there without a network.
FOLDER = Path(__file__).parents[2] / "docs" / "first_steps"
#: Blender's languages that the page is there in; any other gets the English one.
PAGES = {"ja_JP": "ja.html", "zh_HANS": "zh.html"}


def page() -> Path:
    """The page in the language of Blender's interface."""
    return FOLDER / PAGES.get(bpy.app.translations.locale, "en.html")


class PIXEL3DMM_OT_first_steps(bpy.types.Operator):
    """Show a page of five pictures, from a photo to a file for an engine. No network is needed"""

    bl_idname = "pixel3dmm.first_steps"
    bl_label = "First Steps in Five Pictures"
    bl_options = {"INTERNAL"}  # noqa: RUF012

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        """In the machine's browser; where there is no window, its path is said."""
        if bpy.app.background:
            self.report({"INFO"}, str(page()))
        else:
            bpy.ops.wm.url_open(url=page().as_uri())
        return {"FINISHED"}


CLASSES = (PIXEL3DMM_OT_first_steps,)
