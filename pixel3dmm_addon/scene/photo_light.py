# SPDX-License-Identifier: GPL-3.0-or-later
"""The light that a head's photo was taken in, as a world of the scene."""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Matrix

from ...core.rigged_head import RiggedHead
from . import skin

#: Of the head's custom property, after its prefix: radiance, rows from the top, RGB.
PROPERTY = "pixel3dmm_light"
#: More rows than any photo's light has.
_MOST = 512
_NAME = "Photo's Light"


def remember(head: bpy.types.Object, rigged: RiggedHead) -> None:
    """Keeps the light with the head, if it is known."""
    if rigged.photo_light.size:
        head[PROPERTY] = rigged.photo_light.astype(np.float64).ravel().tolist()


def light_of(head: bpy.types.Object) -> np.ndarray | None:
    """(h, 2 h, 3), or None where none is known or somebody edited it beyond recognition."""
    kept = head.get(PROPERTY)
    if not hasattr(kept, "to_list"):
        return None
    values = np.array(kept.to_list(), object)
    rows = round((len(values) / 6) ** 0.5)
    if not 1 <= rows <= _MOST or len(values) != 6 * rows * rows:
        return None
    try:
        light = values.astype(np.float32).reshape(rows, 2 * rows, 3)
    except (TypeError, ValueError):
        return None
    return light if np.isfinite(light).all() else None


def match(scene: bpy.types.Scene, head: bpy.types.Object, light: np.ndarray) -> bpy.types.World:
    """Lights the scene as the photo was: a new world, turned with the head, colours shown as they
    are, and the skin without the photo's own light.
    """
    world = bpy.data.worlds.new(_NAME)
    if world.node_tree is None:  # from 5.0 on every world has nodes
        world.use_nodes = True
    nodes, links = world.node_tree.nodes, world.node_tree.links
    picture = nodes.new("ShaderNodeTexEnvironment")
    picture.image = _image(light)
    picture.location = (-320, 300)
    turn = nodes.new("ShaderNodeMapping")
    turn.inputs["Rotation"].default_value = _turn(head).inverted().to_euler()
    turn.location = (-520, 300)
    place = nodes.new("ShaderNodeTexCoord")
    place.location = (-720, 300)
    ground = next(n for n in nodes if n.type == "BACKGROUND")
    links.new(place.outputs["Generated"], turn.inputs["Vector"])
    links.new(turn.outputs["Vector"], picture.inputs["Vector"])
    links.new(picture.outputs["Color"], ground.inputs["Color"])
    ground.inputs["Strength"].default_value = 1.0
    scene.world = world
    # A film-like transform would bleach what was read out of the photo.
    scene.view_settings.view_transform = "Standard"
    scene.view_settings.look = "None"
    scene.view_settings.exposure, scene.view_settings.gamma = 0.0, 1.0
    slider = skin.light(skin.skin_of(head))
    if slider is not None and not slider.is_linked:
        slider.default_value = 0.0
    return world


def lamps(scene: bpy.types.Scene) -> int:
    """How many lamps add their light to the world's."""
    return sum(o.type == "LIGHT" and not o.hide_render for o in scene.objects)


def _image(light: np.ndarray) -> bpy.types.Image:
    height, width = light.shape[:2]
    image = bpy.data.images.new(_NAME, width, height, float_buffer=True)
    pixels = np.ones((height, width, 4), np.float32)
    pixels[..., :3] = light[::-1]
    image.pixels.foreach_set(pixels.ravel())
    image.pack()
    return image


def _turn(head: bpy.types.Object) -> Matrix:
    """From the head's axes to the world's."""
    return (head.find_armature() or head).matrix_world.to_3x3().normalized()
