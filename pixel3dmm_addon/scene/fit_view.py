# SPDX-License-Identifier: GPL-3.0-or-later
"""How a viewport looks while a fit is corrected: the photo over the head, landmarks above."""

from __future__ import annotations

import bpy
import gpu
import numpy as np
from gpu_extras.batch import batch_for_shader

from .camera import picture_of
from .photo_view import PhotoView

#: How much of the photo is seen above the head.
_PHOTO = 0.55
#: What would lie on the face.
_HIDDEN = ("show_bones", "show_outline_selected", "show_cursor", "show_relationship_lines")
_COLOURS = {
    "point": (0.35, 0.8, 1.0, 0.9),
    "pin": (1.0, 0.45, 0.1, 1.0),
    "held": (1.0, 1.0, 1.0, 1.0),
}
_SIZES = {"point": 3.0, "pin": 9.0, "held": 9.0}


def clear(space: bpy.types.SpaceView3D) -> dict[str, bool]:
    """Nothing is drawn over the face; returns what to hand to look_back()."""
    before = {name: getattr(space.overlay, name) for name in _HIDDEN}
    for name in _HIDDEN:
        setattr(space.overlay, name, False)
    return before


def look_back(space: bpy.types.SpaceView3D, before: dict[str, bool]) -> None:
    """The viewport is drawn as it was."""
    for name, value in before.items():
        setattr(space.overlay, name, value)


def draw_photo_of(
    camera: bpy.types.Object,
    view: PhotoView,
    region: bpy.types.Region,
    data: bpy.types.RegionView3D,
    size: tuple[int, int],
) -> None:
    """Draws the picture behind the camera where its photo, ``size`` pixels, is in the viewport."""
    corners = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    corners = corners * [size[0], -size[1]] + [0.0, size[1]]
    image = picture_of(camera)
    if image is not None:
        draw_photo(image, view.to_region(region, data, corners))


def draw_photo(image: bpy.types.Image, corners: np.ndarray) -> None:
    """Draws the photo half transparent; corners (4, 2): bottom left, bottom right, top right and
    top left, region pixels.
    """
    if 0 in image.size or not np.isfinite(corners).all():
        return  # the file is gone: the viewport shows that by itself
    texture = gpu.texture.from_image(image)
    shader = gpu.shader.from_builtin("IMAGE_COLOR")
    places = {"pos": corners.tolist(), "texCoord": [(0, 0), (1, 0), (1, 1), (0, 1)]}
    batch = batch_for_shader(shader, "TRIS", places, indices=[(0, 1, 2), (2, 3, 0)])
    gpu.state.blend_set("ALPHA")
    shader.uniform_sampler("image", texture)
    shader.uniform_float("color", (1.0, 1.0, 1.0, _PHOTO))
    batch.draw(shader)
    gpu.state.blend_set("NONE")


def draw_dots(at: np.ndarray, groups: dict[str, list[int]]) -> None:
    """Draws region pixels (n, 2) as dots; groups: rows of "point", "pin" and "held"."""
    shader = gpu.shader.from_builtin("UNIFORM_COLOR")
    gpu.state.blend_set("ALPHA")
    for name, members in groups.items():
        if members:
            gpu.state.point_size_set(_SIZES[name])
            shader.uniform_float("color", _COLOURS[name])
            dots = [(*at[i], 0.0) for i in members]
            batch_for_shader(shader, "POINTS", {"pos": dots}).draw(shader)
    gpu.state.point_size_set(1.0)
    gpu.state.blend_set("NONE")
