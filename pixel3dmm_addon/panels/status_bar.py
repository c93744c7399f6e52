# SPDX-License-Identifier: GPL-3.0-or-later
"""The job's progress in Blender's status bar, which is seen also where the sidebar is closed."""

from __future__ import annotations

import bpy

from ..jobs import session
from .sidebar import draw_progress

#: Width of the bar in Blender's units: the longest stage's name and the seconds left fit.
_WIDTH = 16


def draw(header: bpy.types.Header, context: bpy.types.Context) -> None:
    """Blender calls this at every redraw of the status bar."""
    if session.status.running:
        row = header.layout.row()
        row.ui_units_x = _WIDTH
        draw_progress(row, session.status)


def register() -> None:
    """Left of what the status bar shows at its right end."""
    bpy.types.STATUSBAR_HT_header.append(draw)


def unregister() -> None:
    """Leaves the status bar as it was."""
    bpy.types.STATUSBAR_HT_header.remove(draw)
