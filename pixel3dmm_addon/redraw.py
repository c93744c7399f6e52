# SPDX-License-Identifier: GPL-3.0-or-later
"""Has parts of Blender's windows drawn again: which of them a change is seen in."""

from __future__ import annotations

import bpy


def redraw_status(context: bpy.types.Context) -> None:
    """Lets every sidebar and the status bar show the status as it is now, and nothing else: a
    viewport that is drawn again for it would take seconds from the job where graphics are slow.
    """
    if context.workspace is not None and not bpy.app.background:
        # The one way to have the status bar drawn: it is in no list of a screen's areas.
        context.workspace.status_text_set_internal(None)
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                for region in area.regions:
                    if region.type == "UI":
                        region.tag_redraw()


def redraw_viewports(context: bpy.types.Context) -> None:
    """Every 3D viewport of every window."""
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                area.tag_redraw()


def set_status_text(context: bpy.types.Context, text: str | None) -> None:
    """Words in the status bar in place of Blender's own; None gives those back."""
    if context.workspace is not None:
        context.workspace.status_text_set(text)


def redraw_all(context: bpy.types.Context) -> None:
    """Everything in every window, the preferences too."""
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            area.tag_redraw()
