# SPDX-License-Identifier: GPL-3.0-or-later
"""How a viewport looks while a fit is corrected: photo, wire, handles and words over the head."""

from __future__ import annotations

import blf
import bpy
import gpu
import numpy as np
from gpu_extras.batch import batch_for_shader

from .camera import picture_of
from .photo_view import PhotoView

#: What would lie on the face.
_HIDDEN = ("show_bones", "show_outline_selected", "show_cursor", "show_relationship_lines")
#: The wire's colour, and its shadow's, so that it shows on light and on dark skin.
_WIRE, _WIRE_SHADOW = (0.55, 0.95, 1.0), (0.0, 0.05, 0.1)
#: Colour and radius in region pixels of what can be taken hold of.
_DOTS = {
    "point": ((0.35, 0.85, 1.0, 0.9), 2.5),
    "handle": ((0.15, 0.75, 1.0, 1.0), 5.0),
    "pin": ((1.0, 0.45, 0.1, 1.0), 5.5),
    "held": ((1.0, 1.0, 1.0, 1.0), 7.0),
}
_RIM, _RIM_WIDTH = (0.02, 0.03, 0.05, 0.9), 1.5
_CORNERS = 14
_TEXT = 13


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
    opacity: float,
) -> None:
    """Draws the picture behind the camera where its photo, ``size`` pixels, is in the viewport."""
    corners = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    corners = corners * [size[0], -size[1]] + [0.0, size[1]]
    image = picture_of(camera)
    if image is not None and opacity > 0:
        draw_photo(image, view.to_region(region, data, corners), opacity)


def draw_photo(image: bpy.types.Image, corners: np.ndarray, opacity: float) -> None:
    """Draws the photo; corners (4, 2): bottom left, bottom right, top right and top left, region
    pixels.
    """
    if 0 in image.size or not np.isfinite(corners).all():
        return  # the file is gone: the viewport shows that by itself
    texture = gpu.texture.from_image(image)
    shader = gpu.shader.from_builtin("IMAGE_COLOR")
    places = {"pos": corners.tolist(), "texCoord": [(0, 0), (1, 0), (1, 1), (0, 1)]}
    batch = batch_for_shader(shader, "TRIS", places, indices=[(0, 1, 2), (2, 3, 0)])
    gpu.state.blend_set("ALPHA")
    shader.uniform_sampler("image", texture)
    shader.uniform_float("color", (1.0, 1.0, 1.0, opacity))
    batch.draw(shader)
    gpu.state.blend_set("NONE")


def draw_wire(at: np.ndarray, edges: np.ndarray, opacity: float) -> None:
    """Draws edges (n, 2) of region pixels (V, 2)."""
    known = np.isfinite(at).all(axis=1)
    edges = edges[known[edges].all(axis=1)]
    if opacity <= 0 or not len(edges):
        return
    places = np.zeros((2 * len(edges), 3), np.float32)
    places[:, :2] = at[edges.reshape(-1)]
    shader = gpu.shader.from_builtin("UNIFORM_COLOR")
    gpu.state.blend_set("ALPHA")
    gpu.state.line_width_set(1.0)
    for colour, share, shift in ((_WIRE_SHADOW, 0.35, -1.0), (_WIRE, 1.0, 0.0)):
        shader.uniform_float("color", (*colour, share * opacity))
        shifted = places + np.array([0.0, shift, 0.0], np.float32)
        batch_for_shader(shader, "LINES", {"pos": shifted}).draw(shader)
    gpu.state.blend_set("NONE")


def draw_dots(at: np.ndarray, kinds: list[str], scale: float) -> None:
    """Draws region pixels (n, 2) as discs, each of its kind: "point", "handle", "pin", "held";
    scale: of the interface.
    """
    shader = gpu.shader.from_builtin("UNIFORM_COLOR")
    gpu.state.blend_set("ALPHA")
    for kind, (colour, radius) in _DOTS.items():
        rows = [i for i, k in enumerate(kinds) if k == kind and np.isfinite(at[i]).all()]
        if rows:
            for size, paint in ((radius + _RIM_WIDTH, _RIM), (radius, colour)):
                discs = _discs(at[rows], size * scale)
                shader.uniform_float("color", paint)
                batch_for_shader(shader, "TRIS", {"pos": discs}).draw(shader)
    gpu.state.blend_set("NONE")


def draw_name(at: np.ndarray, text: str, scale: float) -> None:
    """Draws words beside a region pixel (2,)."""
    if not text or not np.isfinite(at).all():
        return
    blf.size(0, _TEXT * scale)
    blf.enable(0, blf.SHADOW)
    blf.shadow(0, 5, 0.0, 0.0, 0.0, 1.0)
    blf.color(0, 1.0, 1.0, 1.0, 1.0)
    blf.position(0, float(at[0]) + 12 * scale, float(at[1]) + 8 * scale, 0.0)
    blf.draw(0, text)
    blf.disable(0, blf.SHADOW)


def _discs(at: np.ndarray, radius: float) -> np.ndarray:
    """(3 n _CORNERS, 3) triangles of discs around (n, 2)."""
    turns = 2 * np.pi * np.arange(_CORNERS + 1) / _CORNERS
    rim = radius * np.column_stack([np.cos(turns), np.sin(turns)])
    fan = np.stack([np.zeros((_CORNERS, 2)), rim[:-1], rim[1:]], axis=1).reshape(-1, 2)
    out = np.zeros((len(at), len(fan), 3), np.float32)
    out[:, :, :2] = at[:, None] + fan
    return out.reshape(-1, 3)
