# SPDX-License-Identifier: GPL-3.0-or-later
"""What the artist chooses for the next reconstruction, saved with the scene."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.props import BoolProperty, PointerProperty, StringProperty


class PIXEL3DMM_PG_scene(bpy.types.PropertyGroup):
    """On the scene: choices for the next reconstruction."""

    photo: StringProperty(
        name="Photo",
        description="Picture of one person, best from the front and evenly lit",
        subtype="FILE_PATH",
    )
    match_render_size: BoolProperty(
        name="Match Render Size",
        description="Give renders of this scene the photo's size",
        default=False,
    )


CLASSES = (PIXEL3DMM_PG_scene,)


def register() -> None:
    """Every scene gets the group."""
    bpy.types.Scene.pixel3dmm = PointerProperty(type=PIXEL3DMM_PG_scene)


def unregister() -> None:
    """Takes it away; what scenes have saved stays in their files."""
    del bpy.types.Scene.pixel3dmm


def job_options(choices: PIXEL3DMM_PG_scene) -> dict[str, Any]:
    """The scene's choices as fields of core.pipeline.Options."""
    return {}


def redraw(context: bpy.types.Context) -> None:
    """Lets every sidebar show the status as it is now, and nothing else: a viewport that is drawn
    again for it would take seconds from the job where graphics are slow.
    """
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                for region in area.regions:
                    if region.type == "UI":
                        region.tag_redraw()
