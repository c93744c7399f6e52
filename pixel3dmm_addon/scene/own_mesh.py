# SPDX-License-Identifier: GPL-3.0-or-later
"""Meshes of the artist's own, read as they are.

Several objects, as a head with its eyes and teeth, are one mesh to the registration; the first
one's axes are those of all. The originals are never written to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import bpy
import numpy as np

from ...core.conform.mesh import OwnMesh
from ...core.geometry import axes
from .face_points import usable
from .head import is_head
from .skin import ALBEDO, skin_of


@dataclass(frozen=True, eq=False)
class Chosen:
    """Objects, the largest first, as one mesh; start: the first vertex of each, and the end;
    points: those that the artist set on the face, by name.
    """

    objects: tuple[bpy.types.Object, ...]
    mesh: OwnMesh
    start: tuple[int, ...]
    points: dict[str, list[float]]


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
    names: list[str] = []
    polygons, looks, faces = [], [], 0
    for obj in objects:
        matrix = np.array(back @ obj.matrix_world)
        local = rest_of(obj) @ matrix[:3, :3].T + matrix[:3, 3]
        obj.data.calc_loop_triangles()
        loops = np.empty(3 * len(obj.data.loop_triangles), np.int32)
        obj.data.loop_triangles.foreach_get("loops", loops)
        corner = np.empty(len(obj.data.loops), np.int32)
        obj.data.loops.foreach_get("vertex_index", corner)
        triangles.append(corner[loops].reshape(-1, 3).astype(np.int64) + start[-1])
        of_face = np.empty(len(obj.data.loop_triangles), np.int32)
        obj.data.loop_triangles.foreach_get("polygon_index", of_face)
        polygons.append(of_face.astype(np.int64) + faces)
        faces += len(obj.data.polygons)
        looks.append(_materials(obj, names)[of_face])
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
        np.concatenate(polygons),
        np.concatenate(looks),
        names,
    )
    return Chosen(tuple(objects), mesh, tuple(start), usable(first))


def _materials(obj: bpy.types.Object, names: list[str]) -> np.ndarray:
    """(F,) places in names of each face's material, -1 for none; names grows."""
    slots = []
    for slot in obj.material_slots:
        name = slot.material.name if slot.material is not None else ""
        if name and name not in names:
            names.append(name)
        slots.append(names.index(name) if name else -1)
    which = np.empty(len(obj.data.polygons), np.int32)
    obj.data.polygons.foreach_get("material_index", which)
    table = np.array(slots or [-1])
    return table[np.clip(which, 0, len(table) - 1)]


def rest_of(obj: bpy.types.Object) -> np.ndarray:
    """(V, 3) the Basis, or the mesh where there are no keys."""
    keys = obj.data.shape_keys
    co = np.empty(3 * len(obj.data.vertices), np.float32)
    if keys is None:
        obj.data.vertices.foreach_get("co", co)
    else:
        keys.reference_key.points.foreach_get("co", co)
    return co.reshape(-1, 3).astype(np.float64)


def person_at_rest(head: bpy.types.Object) -> dict[str, np.ndarray]:
    """neutral (n, 3) of a head at rest, in the head frame, metres: what was sculpted into its Basis
    counts; and triangles and name, for a head of another model.
    """
    head.data.calc_loop_triangles()
    triangles = np.empty(3 * len(head.data.loop_triangles), np.int32)
    head.data.loop_triangles.foreach_get("vertices", triangles)
    return {
        "neutral": axes.to_head(rest_of(head)),
        "triangles": triangles.reshape(-1, 3),
        "name": np.asarray(head.name),
    }


def skin_picture(head: bpy.types.Object) -> bytes:
    """The PNG of a head's painted skin without the photo's light; nothing if it has none."""
    material = skin_of(head)
    node = None if material is None else material.node_tree.nodes.get(ALBEDO)
    image = None if node is None else node.image
    if image is None or image.packed_file is None:
        return b""
    return bytes(image.packed_file.data)
