# SPDX-License-Identifier: GPL-3.0-or-later
"""The head mesh: quads, UVs, material slots, shape keys, and what the head remembers of itself."""

from __future__ import annotations

import uuid

import bpy
import numpy as np

from ...core.geometry import axes
from ...core.rig.person_keys import COMPONENT
from ...core.rigged_head import RiggedHead
from . import expression, material, own_material, photo_light, rig_data

#: Version of the custom properties below, for files that outlive this version of the add-on.
SCHEMA = 2

#: Marks a head of ours: its custom properties start so.
PREFIX = "pixel3dmm_"


def make_head(rigged: RiggedHead, name: str) -> bpy.types.Object:
    """The mesh object at the scene's origin, in no collection yet."""
    mesh = make_mesh(rigged, name)
    head = bpy.data.objects.new(name, mesh)
    add_keys(head, rigged)
    remember(head, rigged)
    rig_data.remember(mesh, rigged)
    expression.remember_photo(mesh, rigged)
    return head


def make_mesh(rigged: RiggedHead, name: str) -> bpy.types.Mesh:
    """The neutral face in quads, smooth, with UVs and a material slot for every kind of part."""
    mesh = bpy.data.meshes.new(name)
    corner = rigged.quads >= 0
    size = corner.sum(axis=1)
    mesh.vertices.add(len(rigged.basis))
    mesh.vertices.foreach_set("co", _flat(axes.to_scene(rigged.basis)))
    mesh.loops.add(int(size.sum()))
    mesh.loops.foreach_set("vertex_index", rigged.quads[corner].astype(np.int32))
    mesh.polygons.add(len(size))
    mesh.polygons.foreach_set("loop_start", (np.cumsum(size) - size).astype(np.int32))
    if len(rigged.own_material):
        slots = own_material.add_slots(mesh, rigged)
    else:
        slots = material.add_slots(mesh, rigged)[rigged.face_part]
    mesh.polygons.foreach_set("material_index", slots.astype(np.int32))
    mesh.polygons.foreach_set("use_smooth", np.ones(len(size), dtype=bool))
    layer = mesh.uv_layers.new(name="UVMap")
    layer.data.foreach_set("uv", _flat(rigged.uv[rigged.uv_quads[corner]]))
    mesh.update(calc_edges=True)
    # validate() repairs what cannot be drawn; a sound head model has nothing to repair.
    if mesh.validate():
        raise ValueError("The head's faces are damaged.")
    return mesh


def add_keys(head: bpy.types.Object, rigged: RiggedHead) -> None:
    """Basis at the neutral face, and every key at the photo's value, with a slider of 0 to 1."""
    head.shape_key_add(name="Basis", from_mix=False)
    names = [str(name) for name in rigged.key_names]
    for name, value in zip(names, rigged.key_values, strict=True):
        key = head.shape_key_add(name=name, from_mix=False)
        key.slider_min, key.slider_max = (-3.0, 3.0) if name.startswith(COMPONENT) else (0.0, 1.0)
        # Set even where it is zero: Blender 5.0 makes new keys with a value of 1.
        key.value = float(value)
    shape_keys = head.data.shape_keys
    shape_keys.name = head.name
    if list(shape_keys.key_blocks.keys()) != ["Basis", *names]:
        raise ValueError("The head's shape keys do not have names of their own.")
    for name, delta in zip(names, rigged.key_deltas, strict=True):
        # points.foreach_set is about twenty times faster than data.foreach_set.
        points = shape_keys.key_blocks[name].points
        points.foreach_set("co", _flat(axes.to_scene(rigged.basis + delta)))
    shape_keys.update_tag()


def remember(head: bpy.types.Object, rigged: RiggedHead) -> None:
    """Custom properties: what made this head, how well it fits, and under which licence."""
    values = {
        "schema": SCHEMA,
        "uuid": str(uuid.uuid4()),
        "photo": rigged.name,
        "head_model": rigged.head_name,
        "licence": rigged.licence_spdx,
        "commercial_use": {1: "yes", 0: "no"}.get(int(rigged.licence_commercial), "unknown"),
        "recipe": rigged.recipe_json,
        "report": rigged.report_json,
    }
    for name, value in values.items():
        head[PREFIX + name] = value
    photo_light.remember(head, rigged)


def is_head(obj: bpy.types.Object | None) -> bool:
    """True for a mesh that this add-on made, however often it was copied or renamed."""
    return obj is not None and obj.type == "MESH" and PREFIX + "recipe" in obj


def active_head(context: bpy.types.Context) -> bpy.types.Object | None:
    """The head that the active object is or belongs to (its rig, its camera, a sibling)."""
    obj = context.view_layer.objects.active if context.view_layer else None
    if obj is None:
        return None
    if is_head(obj):
        return obj
    family = [*obj.children, *(o for c in obj.users_collection for o in c.objects)]
    return next((o for o in family if is_head(o)), None)


def polled_head(context: bpy.types.Context) -> bpy.types.Object:
    """The active head, for an operator or a panel whose poll has seen that there is one."""
    head = active_head(context)
    assert head is not None
    return head


def _flat(points: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(points, dtype=np.float32).reshape(-1)
