# SPDX-License-Identifier: GPL-3.0-or-later
"""sheet.png: a head from all sides and in five expressions, to judge it at a glance.

Runs inside Blender. Above: from the front, from three quarters on either side; in the middle its
profile and, from the front and a little aside, expressions; below the rest of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Vector

from .installed_extension import module
from .pictures import Pixels, save_pixels

TILE = (360, 430)
"""Width and height of one of the nine pictures, pixels."""

SAMPLES = 8
"""Light paths a pixel; the denoiser smooths what is left of the noise."""

VIEWS = {"Front": 0, "Three quarters, left": 45, "Three quarters, right": -45, "Profile": 90}
"""Degrees to the person's left, the head as in the photo."""

EXPRESSIONS = ("Broad smile", "Surprised", "Angry", "Kiss", "Eyes squeezed")
"""Of the extension's own library."""

ASIDE = 15
"""Degrees to the left from which expressions are seen: a little depth without hiding a side."""

COLUMNS = 3
LETTER = 0.032
"""Height of the titles' letters as a share of a picture's."""


def render_sheet(head: bpy.types.Object, out_png: Path) -> None:
    """Renders all pictures and writes them as one PNG. The head's expression is as it was then."""
    expression = module("pixel3dmm_addon.scene.expression")
    before = expression.values(head)
    bpy.context.view_layer.objects.active = head
    tiles: list[Pixels] = []
    rooms = module("pixel3dmm_addon.scene.studio")
    with rooms.studio(head, TILE, samples=SAMPLES) as studio:
        for title, degrees in VIEWS.items():
            tiles.append(_tile(studio, title, degrees))
        for title in EXPRESSIONS:
            bpy.ops.pixel3dmm.apply_pose(pose=title)
            tiles.append(_tile(studio, title, ASIDE))
        expression.set_values(head, before)
    rows = [tiles[i : i + COLUMNS] for i in range(0, len(tiles), COLUMNS)]
    whole = np.concatenate([np.concatenate(row, axis=1) for row in rows])
    save_pixels(whole[..., :3], out_png)


def _tile(studio: Any, title: str, degrees: float) -> Pixels:
    """One picture with its title below."""
    camera = studio.portrait(degrees)
    text = _title(camera, title)
    studio.scene.collection.objects.link(text)
    picture = studio.shoot(camera)
    studio.scene.collection.objects.unlink(text)
    return picture


def _title(camera: bpy.types.Object, title: str) -> bpy.types.Object:
    """Letters that glow at the lower edge of what a camera sees, in front of everything."""
    data = camera.data
    away = 2 * data.clip_start
    high = away * data.sensor_height / data.lens
    curve = bpy.data.curves.new("Title", "FONT")
    curve.body, curve.align_x, curve.size = title, "CENTER", 1.4 * LETTER * high
    curve.materials.append(_glow())
    text = bpy.data.objects.new("Title", curve)
    text.matrix_world = camera.matrix_world
    text.matrix_world.translation = camera.matrix_world @ Vector(
        (0.0, (LETTER - 0.5) * high, -away)
    )
    # Seen by the camera, and shining on nobody.
    for ray in ("diffuse", "glossy", "transmission", "volume_scatter", "shadow"):
        setattr(text, f"visible_{ray}", False)
    return text


def _glow() -> bpy.types.Material:
    material = bpy.data.materials.new("Title")
    if material.node_tree is None:  # from 5.0 on every material has nodes
        material.use_nodes = True
    tree = material.node_tree
    tree.nodes.clear()
    glow = tree.nodes.new("ShaderNodeEmission")
    glow.inputs["Color"].default_value = (0.8, 0.8, 0.8, 1.0)
    out = tree.nodes.new("ShaderNodeOutputMaterial")
    tree.links.new(glow.outputs["Emission"], out.inputs["Surface"])
    return material
