# SPDX-License-Identifier: GPL-3.0-or-later
"""The head's surface subdivided, so that no silhouette shows facets.

Renders show it finer than the viewport does, which shows it when asked to: subdividing takes time
at every slider's move. No file gets it: together with shape keys, no format holds it.
"""

from __future__ import annotations

import bpy

NAME = "Pixel3DMM Smooth"

#: Subdivisions in the viewport and in renders.
VIEW, RENDER = 1, 2


def add(head: bpy.types.Object) -> None:
    """As the last modifier, seen in renders alone."""
    modifier = head.modifiers.new(NAME, "SUBSURF")
    modifier.levels, modifier.render_levels = VIEW, RENDER
    modifier.show_viewport = modifier.show_in_editmode = modifier.show_expanded = False


def levels(head: bpy.types.Object) -> tuple[int, int]:
    """Subdivisions that the viewport and renders show; 0 for none."""
    if not has(head):
        return 0, 0
    modifier = head.modifiers[NAME]
    view = modifier.levels if modifier.show_viewport else 0
    return view, modifier.render_levels if modifier.show_render else 0


def set_levels(head: bpy.types.Object, view: int, render: int) -> None:
    """As levels() gives them."""
    if not has(head):
        return
    modifier = head.modifiers[NAME]
    modifier.show_viewport, modifier.show_render = view > 0, render > 0
    # What is switched off keeps a level, for whoever switches it on.
    modifier.levels = view or VIEW
    modifier.render_levels = render or RENDER


def has(head: bpy.types.Object) -> bool:
    """Whether the modifier is still there."""
    modifier = head.modifiers.get(NAME)
    return modifier is not None and modifier.type == "SUBSURF"


def seen(head: bpy.types.Object) -> bool:
    """Whether the viewport shows it."""
    return has(head) and head.modifiers[NAME].show_viewport


def show(head: bpy.types.Object, on: bool) -> None:
    """Lets the viewport show it, or not."""
    if has(head):
        head.modifiers[NAME].show_viewport = on


def keep_last(head: bpy.types.Object) -> None:
    """After another modifier was added: what is put away is so before it is subdivided."""
    if has(head):
        head.modifiers.move(head.modifiers.find(NAME), len(head.modifiers) - 1)


def drop(head: bpy.types.Object) -> None:
    """On a copy for export: without it."""
    if has(head):
        head.modifiers.remove(head.modifiers[NAME])
