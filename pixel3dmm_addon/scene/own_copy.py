# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies of the artist's meshes with a person on them. The originals are never written to."""

from __future__ import annotations

import bpy
import numpy as np

from ...core.conform.person import Conformed
from ...core.conform.profile import HeadProfile
from . import own_rig, profiles
from .drivers import drive_product
from .own_mesh import Chosen, rest_of
from .pictures import packed, principled

#: The colour attribute that shows how far the registration is off.
DISTANCE = "Registration Distance"
#: Metres at which it is red.
_RED = 0.002


def copies(
    context: bpy.types.Context,
    chosen: Chosen,
    person: Conformed,
    profile: HeadProfile,
    profile_file: bytes,
    skin: bytes,
    name: str,
) -> tuple[list[bpy.types.Object], list[str]]:
    """Copies of the objects with the person on them, and what is to be said of them."""
    notes: list[str] = []
    made: list[bpy.types.Object] = []
    back = chosen.objects[0].matrix_world
    image = packed(f"{name} skin", np.frombuffer(skin, np.uint8)) if skin else None
    for i, source in enumerate(chosen.objects):
        obj = source.copy()
        obj.data = source.data.copy()
        obj.name = f"{name} {source.name}"
        for collection in source.users_collection:
            collection.objects.link(obj)
        made.append(obj)
        own = slice(chosen.start[i], chosen.start[i + 1])
        to_own = np.array(source.matrix_world.inverted_safe() @ back)[:3]
        _shape(obj, person, own, to_own, notes)
        paint_distance(obj.data, profile.distance[own], profile.mask[own])
        if image is not None and (profile.mask[own] > 0.5).any():
            _dress(obj, image)
    notes += own_rig.add_weights(context, made, chosen.objects[0], person, chosen.start)
    profiles.remember(made[0], profile.mesh, profile_file)
    for obj in context.selected_objects:
        obj.select_set(False)
    for obj in made:
        obj.select_set(True)
    context.view_layer.objects.active = made[0]
    return made, notes


def _shape(
    obj: bpy.types.Object, person: Conformed, own: slice, to_own: np.ndarray, notes: list[str]
) -> None:
    """The neutral face, the artist's own keys moved along with it, and the person's keys."""
    rest = rest_of(obj)
    inside = (person.rows >= own.start) & (person.rows < own.stop)
    rows = person.rows[inside] - own.start
    goal = rest.copy()
    goal[rows] = person.vertices[own][rows] @ to_own[:, :3].T + to_own[:, 3]
    if not inside.any():
        return
    keys = obj.data.shape_keys
    if keys is None:
        obj.data.vertices.foreach_set("co", goal.astype(np.float32).ravel())
        obj.shape_key_add(name="Basis", from_mix=False)
    else:
        for block in keys.key_blocks:
            co = np.empty(3 * len(rest), np.float32)
            block.points.foreach_get("co", co)
            block.points.foreach_set("co", (co + (goal - rest).ravel()).astype(np.float32))
        obj.data.vertices.foreach_set("co", goal.astype(np.float32).ravel())
    blocks = obj.data.shape_keys.key_blocks
    taken = [n for n in person.key_names if n in blocks]
    for key in taken:
        blocks[key].name = f"{key} (own)"
    if taken:
        notes.append(f"{len(taken)} keys of {obj.name} had names of ours: they end with (own) now.")
    deltas = person.deltas[:, inside] @ to_own[:, :3].T.astype(np.float32)
    for k, key in enumerate(person.key_names):
        block = obj.shape_key_add(name=key, from_mix=False)
        block.slider_min, block.slider_max, block.value = 0.0, 1.0, 0.0
        co = goal.copy()
        co[rows] += deltas[k]
        block.points.foreach_set("co", co.astype(np.float32).ravel())
    names = person.key_names
    for driven, one, other in person.drives:
        drive_product(obj.data.shape_keys, names[driven], names[one], names[other])
    obj.data.update()


def paint_distance(mesh: bpy.types.Mesh, distance: np.ndarray, mask: np.ndarray) -> None:
    """From blue, on the open head, over green to red, two millimetres off; grey where unbound."""
    old = mesh.color_attributes.get(DISTANCE)
    if old is not None:
        mesh.color_attributes.remove(old)
    layer = mesh.color_attributes.new(DISTANCE, "FLOAT_COLOR", "POINT")
    share = np.clip(distance / _RED, 0.0, 1.0)
    colour = np.stack(
        [
            np.clip(2 * share - 1, 0, 1),
            1 - np.abs(2 * share - 1),
            np.clip(1 - 2 * share, 0, 1),
            np.ones_like(share),
        ],
        axis=1,
    )
    colour[mask <= 0] = [0.3, 0.3, 0.3, 1.0]
    layer.data.foreach_set("color", colour.astype(np.float32).ravel())


def _dress(obj: bpy.types.Object, image: bpy.types.Image) -> None:
    """Copies of the object's materials with the skin laid over their colour where it has some."""
    if not obj.data.materials:
        obj.data.materials.append(bpy.data.materials.new(f"{obj.name} skin"))
        obj.data.materials[0].use_nodes = True
    for slot in obj.material_slots:
        if slot.material is None:
            continue
        material = slot.material.copy()
        material.use_nodes = True
        slot.material = material
        nodes, links = material.node_tree.nodes, material.node_tree.links
        if not any(node.type == "BSDF_PRINCIPLED" for node in nodes):
            continue
        base = principled(material).inputs["Base Color"]
        texture, mix = nodes.new("ShaderNodeTexImage"), nodes.new("ShaderNodeMix")
        texture.image, mix.data_type = image, "RGBA"
        texture.location, mix.location = (-520, 420), (-220, 420)
        if base.links:
            links.new(base.links[0].from_socket, mix.inputs[6])
        else:
            mix.inputs[6].default_value = base.default_value
        links.new(texture.outputs["Color"], mix.inputs[7])
        links.new(texture.outputs["Alpha"], mix.inputs[0])
        links.new(mix.outputs[2], base)
