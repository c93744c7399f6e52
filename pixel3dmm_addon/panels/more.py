# SPDX-License-Identifier: GPL-3.0-or-later
"""What a first head does not need: meshes of the artist's own, whole folders of people."""

from __future__ import annotations

import bpy

from .sidebar import Sidebar


class PIXEL3DMM_PT_more(Sidebar, bpy.types.Panel):
    """Holds other panels, each closed."""

    bl_idname = "PIXEL3DMM_PT_more"
    bl_label = "More"
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012

    def draw(self, context: bpy.types.Context) -> None:
        """Nothing of its own."""


CLASSES = (PIXEL3DMM_PT_more,)
