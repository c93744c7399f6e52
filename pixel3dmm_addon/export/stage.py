# SPDX-License-Identifier: GPL-3.0-or-later
"""A scene of its own for the time of an export; afterwards no trace of it.

Blender's exporters write what is selected in the window's scene and play that scene's frames, and
its importers put what they read there. On a stage they do, and the artist's scene, selection,
mode and frame stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import bpy

_RENDER = ("fps", "fps_base")
_UNITS = ("system", "scale_length", "length_unit")


def _spaces(window: bpy.types.Window) -> Iterator[bpy.types.SpaceView3D]:
    """All the window's 3D viewports, those behind other editors too."""
    for area in window.screen.areas:
        for space in area.spaces:
            if isinstance(space, bpy.types.SpaceView3D):
                yield space


def _views(window: bpy.types.Window) -> Iterator[bpy.types.RegionView3D]:
    """Of all of them."""
    for space in _spaces(window):
        yield from filter(None, [space.region_3d, *space.region_quadviews])


@contextmanager
def stage(
    context: bpy.types.Context, name: str, *, metres: bool = False
) -> Iterator[bpy.types.Scene]:
    """An empty scene in the window, with the units, frames and rate of the artist's.

    metres: but with a unit of one metre, whatever the artist's is.

    Everything that was made within is removed at the end, whatever happens.
    """
    artist = context.scene
    window = context.window or context.window_manager.windows[0]
    layer_name = window.view_layer.name
    before = set(bpy.data.user_map())
    scene = bpy.data.scenes.new(name)
    scene.frame_start, scene.frame_end = artist.frame_start, artist.frame_end
    for setting in _RENDER:
        setattr(scene.render, setting, getattr(artist.render, setting))
    for setting in _UNITS:
        setattr(scene.unit_settings, setting, getattr(artist.unit_settings, setting))
    if metres:
        scene.unit_settings.scale_length = 1.0
    scene.camera = artist.camera
    scene.frame_set(artist.frame_current, subframe=artist.frame_subframe)
    previous = window.scene
    views = [(view, view.view_perspective) for view in _views(window)]
    cameras = [(space, space.camera) for space in _spaces(window)]
    window.scene = scene
    try:
        with context.temp_override(window=window):
            yield scene
    finally:
        window.scene = previous
        if layer_name in previous.view_layers:
            window.view_layer = previous.view_layers[layer_name]
        # A viewport with a camera of its own, as in local view, takes another one, and leaves the
        # camera's view, when a scene comes up in which the camera is not.
        for space, camera in cameras:
            if space.camera != camera:
                space.camera = camera
        for view, perspective in views:
            view.view_perspective = perspective
        scene.camera = None
        made = set(bpy.data.user_map()) - before
        # A mesh takes its shape keys along; what is left then has lost its mesh before.
        bpy.data.batch_remove([block for block in made if block.id_type != "KEY"])
        bpy.data.batch_remove(set(bpy.data.user_map()) - before)
