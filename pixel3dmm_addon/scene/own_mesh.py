# SPDX-License-Identifier: GPL-3.0-or-later
"""Meshes of the artist's own: read as they are, and copied with a person on them.

Several objects, as a head with its eyes and teeth, are one mesh to the registration; the first
one's axes are those of all. The originals are never written to.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np

from ...core.conform.mesh import OwnMesh
from ...core.conform.person import BONES, Conformed
from ...core.conform.profile import HeadProfile
from ...core.geometry import axes
from ..paths import user_folder
from .drivers import drive_product
from .head import PREFIX, is_head
from .pictures import packed, principled
from .rig import bone_name
from .skin import ALBEDO, skin_of

PROFILE, DIGEST = PREFIX + "profile", PREFIX + "profile_digest"
#: The colour attribute that shows how far the registration is off.
DISTANCE = "Registration Distance"
#: Metres at which it is red.
_RED = 0.002


@dataclass(frozen=True, eq=False)
class Chosen:
    """Objects, the largest first, as one mesh; start: the first vertex of each, and the end."""

    objects: tuple[bpy.types.Object, ...]
    mesh: OwnMesh
    start: tuple[int, ...]


def candidates(context: bpy.types.Context) -> list[bpy.types.Object]:
    """Selected meshes that are no head of ours, the largest first."""
    found = [o for o in context.selected_objects if o.type == "MESH" and not is_head(o)]
    return sorted(found, key=lambda o: len(o.data.vertices), reverse=True)


def why_not(objects: Sequence[bpy.types.Object]) -> str:
    """Why these cannot be worked with, in a sentence; empty if they can."""
    for obj in objects:
        if obj.library is not None or obj.data.library is not None:
            return "The mesh is linked from another file: make it local (Object, Relations) first"
        if obj.mode != "OBJECT":
            return "Leave edit mode first"
        if any(m.type == "MIRROR" for m in obj.modifiers):
            return "The mesh has a Mirror modifier: apply it first"
        keys = obj.data.shape_keys
        if keys is not None and keys.animation_data is not None and keys.animation_data.drivers:
            return "The mesh's shape keys have drivers: remove them, or apply them, first"
    return ""


def read(objects: Sequence[bpy.types.Object]) -> Chosen:
    """The meshes at rest, without modifiers. Raises MeshError."""
    first = objects[0]
    back = first.matrix_world.inverted_safe()
    points, triangles, layouts, start = [], [], [], [0]
    for obj in objects:
        matrix = np.array(back @ obj.matrix_world)
        local = _rest(obj) @ matrix[:3, :3].T + matrix[:3, 3]
        obj.data.calc_loop_triangles()
        loops = np.empty(3 * len(obj.data.loop_triangles), np.int32)
        obj.data.loop_triangles.foreach_get("loops", loops)
        corner = np.empty(len(obj.data.loops), np.int32)
        obj.data.loops.foreach_get("vertex_index", corner)
        triangles.append(corner[loops].reshape(-1, 3).astype(np.int64) + start[-1])
        layer = obj.data.uv_layers.active
        uv = np.zeros(2 * len(obj.data.loops), np.float32)
        if layer is not None:
            layer.data.foreach_get("uv", uv)
        layouts.append(uv.reshape(-1, 2)[loops].reshape(-1, 3, 2))
        points.append(local)
        start.append(start[-1] + len(local))
    has_layout = first.data.uv_layers.active is not None
    mesh = OwnMesh.of(
        first.name,
        np.concatenate(points),
        np.concatenate(triangles),
        np.concatenate(layouts) if has_layout else None,
    )
    return Chosen(tuple(objects), mesh, tuple(start))


def _rest(obj: bpy.types.Object) -> np.ndarray:
    """(V, 3) the Basis, or the mesh where there are no keys."""
    keys = obj.data.shape_keys
    co = np.empty(3 * len(obj.data.vertices), np.float32)
    if keys is None:
        obj.data.vertices.foreach_get("co", co)
    else:
        keys.reference_key.points.foreach_get("co", co)
    return co.reshape(-1, 3).astype(np.float64)


def known_profile(mesh: OwnMesh) -> bytes:
    """The file of the mesh's profile, from the .blend or the user's folder; nothing if it has none.
    Whoever gets it reads it with care.
    """
    for obj in bpy.data.objects:
        if obj.get(DIGEST) == mesh.digest and isinstance(obj.get(PROFILE), str):
            try:
                return base64.b64decode(obj[PROFILE], validate=True)
            except ValueError:
                continue
    try:
        return _file(mesh).read_bytes()
    except OSError:
        return b""


def keep_profile(mesh: OwnMesh, data: bytes) -> str:
    """Into the user's folder. Returns a sentence where that cannot be written to."""
    try:
        _file(mesh).parent.mkdir(parents=True, exist_ok=True)
        _file(mesh).write_bytes(data)
    except OSError as error:
        return f"The mesh's profile could not be kept ({error.strerror}): it is in the .blend only."
    return ""


def _file(mesh: OwnMesh) -> Path:
    return user_folder("profiles") / f"{mesh.digest[:32]}.npz"


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
        _groups(obj, person.weights[own])
        _paint_distance(obj.data, profile.distance[own], profile.mask[own])
        if image is not None and (profile.mask[own] > 0.5).any():
            _dress(obj, image)
    made[0][PROFILE] = base64.b64encode(profile_file).decode("ascii")
    made[0][DIGEST] = profile.digest
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
    rest = _rest(obj)
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


def _groups(obj: bpy.types.Object, weights: np.ndarray) -> None:
    """Vertex groups of jaw and eyes by the names of our bones, and of the head for the rest of the
    face; a group that the artist has stays as it is.
    """
    for k, joint in enumerate(BONES):
        name = bone_name(joint)
        rows = np.nonzero(weights[:, k] > 1e-4)[0]
        if not len(rows) or name in obj.vertex_groups:
            continue
        group = obj.vertex_groups.new(name=name)
        values = np.round(weights[rows, k], 3)
        for value in np.unique(values):
            group.add(rows[values == value].tolist(), float(value), "REPLACE")


def _paint_distance(mesh: bpy.types.Mesh, distance: np.ndarray, mask: np.ndarray) -> None:
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


def person_at_rest(head: bpy.types.Object) -> np.ndarray:
    """(n, 3) a head of ours at rest, in the head frame, metres: what was sculpted into its Basis
    counts.
    """
    return axes.to_head(_rest(head))


def skin_picture(head: bpy.types.Object) -> bytes:
    """The PNG of a head's painted skin without the photo's light; nothing if it has none."""
    material = skin_of(head)
    node = None if material is None else material.node_tree.nodes.get(ALBEDO)
    image = None if node is None else node.image
    if image is None or image.packed_file is None:
        return b""
    return bytes(image.packed_file.data)
