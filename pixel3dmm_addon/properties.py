# SPDX-License-Identifier: GPL-3.0-or-later
"""What the artist chooses (saved with the scene) and how the job does (saved nowhere)."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, FloatProperty, PointerProperty, StringProperty


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


class PIXEL3DMM_PG_status(bpy.types.PropertyGroup):
    """On the window manager: the running job, and what the last one said."""

    running: BoolProperty()
    cancel: BoolProperty()
    stage: StringProperty()
    fraction: FloatProperty(min=0.0, max=1.0)
    message: StringProperty()
    failed: BoolProperty()


CLASSES = (PIXEL3DMM_PG_scene, PIXEL3DMM_PG_status)


def register() -> None:
    """Attaches both groups."""
    bpy.types.Scene.pixel3dmm = PointerProperty(type=PIXEL3DMM_PG_scene)
    bpy.types.WindowManager.pixel3dmm = PointerProperty(type=PIXEL3DMM_PG_status)


def unregister() -> None:
    """Takes both away; what scenes have saved stays in their files."""
    del bpy.types.WindowManager.pixel3dmm
    del bpy.types.Scene.pixel3dmm


def status(context: bpy.types.Context) -> PIXEL3DMM_PG_status:
    """How the job does."""
    return context.window_manager.pixel3dmm


def redraw(context: bpy.types.Context) -> None:
    """Lets every 3D viewport show the status as it is now."""
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                area.tag_redraw()
