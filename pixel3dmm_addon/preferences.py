# SPDX-License-Identifier: GPL-3.0-or-later
"""The extension's preferences: how long the worker stays, and where its log is."""

from __future__ import annotations

import bpy
from bpy.props import FloatProperty

from . import paths, session
from .jobs import IDLE_MINUTES


def _set_idle_minutes(preferences: bpy.types.AddonPreferences, context: bpy.types.Context) -> None:
    session.jobs().idle_minutes = preferences.idle_minutes


class PIXEL3DMM_AP_preferences(bpy.types.AddonPreferences):
    """Settings of this machine."""

    bl_idname = paths.EXTENSION

    idle_minutes: FloatProperty(
        name="Keep Ready",
        description="Minutes after a reconstruction in which the next one starts without loading",
        default=IDLE_MINUTES,
        min=0.1,
        max=240.0,
        update=_set_idle_minutes,
    )

    def draw(self, context: bpy.types.Context) -> None:
        """Blender calls this."""
        layout = self.layout
        layout.use_property_split = True
        layout.prop(self, "idle_minutes")
        row = layout.row()
        row.label(text=str(paths.log_file().parent))
        row.operator("pixel3dmm.open_log", icon="TEXT")


CLASSES = (PIXEL3DMM_AP_preferences,)


def idle_minutes(context: bpy.types.Context) -> float:
    """The artist's choice; the default where preferences are not to be had."""
    addon = context.preferences.addons.get(paths.EXTENSION)
    return addon.preferences.idle_minutes if addon and addon.preferences else IDLE_MINUTES
