# SPDX-License-Identifier: GPL-3.0-or-later
"""What the artist chooses for the next reconstruction, saved with the scene."""

from __future__ import annotations

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


def redraw(context: bpy.types.Context) -> None:
    """Lets every 3D viewport show the status as it is now."""
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                area.tag_redraw()
