# SPDX-License-Identifier: GPL-3.0-or-later
"""The extension's preferences: how long the worker stays, where its log is, the neural tier."""

from __future__ import annotations

import bpy
from bpy.props import EnumProperty, FloatProperty, StringProperty

from . import neural_runtime, paths
from .jobs import session
from .jobs.queue import IDLE_MINUTES
from .scene.first_look import How
from .setup import rows


def _set_idle_minutes(preferences: PIXEL3DMM_AP_preferences, context: bpy.types.Context) -> None:
    session.jobs().idle_minutes = preferences.idle_minutes


class PIXEL3DMM_AP_preferences(bpy.types.AddonPreferences):
    """Settings of this machine."""

    bl_idname = paths.EXTENSION

    idle_minutes: FloatProperty(
        name="Keep Ready (minutes)",
        description="Minutes after a reconstruction in which the next one starts without loading",
        default=IDLE_MINUTES,
        min=0.1,
        max=240.0,
        precision=0,
        update=_set_idle_minutes,
    )

    first_view: EnumProperty(
        name="A New Head",
        description="What the viewport does once a head has been made; undo brings the view back",
        items=(
            ("PHOTO", "Through the Photo", "Looks through the photo's camera"),
            ("FRAME", "Framed", "Looks at the head from the front"),
            ("KEEP", "View Stays", "The viewport stays where it is"),
        ),
        default="PHOTO",
    )
    wheels_folder: StringProperty(
        name="Wheels Folder",
        description="Installs the neural runtime from the wheels in this folder, without the "
        "network. Empty: from where this machine's pip gets its packages",
        subtype="DIR_PATH",
    )
    existing_python: StringProperty(
        name="Use Existing Python",
        description="A Python interpreter with torch that runs the networks instead of the "
        "neural runtime, for example one with CUDA",
        subtype="FILE_PATH",
    )

    def draw(self, context: bpy.types.Context) -> None:
        """Blender calls this."""
        layout = self.layout
        layout.use_property_split = True
        layout.prop(self, "first_view")
        layout.prop(self, "idle_minutes")
        row = layout.split(factor=0.4)
        row.label(text="")
        row.operator("pixel3dmm.open_log", icon="TEXT")
        rows.draw(layout, context)


CLASSES = (PIXEL3DMM_AP_preferences,)


def idle_minutes(context: bpy.types.Context) -> float:
    """The artist's choice; the default where preferences are not to be had."""
    ours = neural_runtime.preferences(context)
    return ours.idle_minutes if ours else IDLE_MINUTES


def first_view(context: bpy.types.Context) -> How:
    """What the viewport does once a head has been made."""
    ours = neural_runtime.preferences(context)
    return ours.first_view if ours else "PHOTO"
