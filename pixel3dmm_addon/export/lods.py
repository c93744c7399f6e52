# SPDX-License-Identifier: GPL-3.0-or-later
"""Coarser levels of a head that keep its keys, weights and UVs.

Blender's Decimate modifier drops shape keys but blends every attribute of the vertices that it
joins. So each key travels through it as an attribute that holds where the key moves a vertex.
"""

from __future__ import annotations

import bmesh
import bpy
import numpy as np

from ...core.heads.model import STRIP_PARTS
from ..scene import parts
from .copies import Copies

#: Faces of each level as a share of the head's.
RATIOS = (0.5, 0.25)
#: Times as dear as elsewhere is a vertex to remove where keys move the face most.
_GUARD = 4.0
_GUARDS = "pixel3dmm guard"


def add_lods(copies: Copies, scene: bpy.types.Scene) -> None:
    """Adds a mesh for each ratio, deformed by the same rigs, beside the head."""
    head = copies.head
    for ratio in RATIOS:
        lod = head.copy()
        lod.data = _coarser(scene, head, ratio)
        lod.vertex_groups.remove(lod.vertex_groups[_GUARDS])
        _add_keys(lod, head)
        scene.collection.objects.link(lod)
        lod.select_set(True, view_layer=scene.view_layers[0])
        copies.lods.append(lod)


def _coarser(scene: bpy.types.Scene, head: bpy.types.Object, ratio: float) -> bpy.types.Mesh:
    """The mesh at rest with fewer faces; where its keys go lies in its attributes."""
    draft = head.copy()
    draft.data = head.data.copy()
    draft.modifiers.clear()
    draft.shape_key_clear()
    rest, moved = key_positions(head)
    for i, delta in enumerate(moved - rest):
        layer = draft.data.attributes.new(_attribute(i), "FLOAT_VECTOR", "POINT")
        layer.data.foreach_set("vector", delta.astype(np.float32).ravel())
    guard = draft.vertex_groups.new(name=_GUARDS)
    far = np.linalg.norm(moved - rest, axis=2).max(axis=0) if len(moved) else np.zeros(len(rest))
    for index, weight in enumerate(far / max(far.max(), 1e-9)):
        guard.add([index], float(weight), "REPLACE")
    # Single hairs cannot become fewer: they would fall to pieces, and the thin line of tears too.
    whole = _triangle_count(draft.data)
    parts.delete(draft, STRIP_PARTS)
    modifier = draft.modifiers.new("Fewer Faces", "DECIMATE")
    modifier.ratio = min(1.0, ratio * whole / _triangle_count(draft.data))
    modifier.vertex_group = guard.name
    modifier.invert_vertex_group = True
    modifier.vertex_group_factor = _GUARD
    scene.collection.objects.link(draft)
    graph = bpy.context.evaluated_depsgraph_get()
    graph.update()
    mesh = bpy.data.meshes.new_from_object(
        draft.evaluated_get(graph), preserve_all_data_layers=True, depsgraph=graph
    )
    bpy.data.objects.remove(draft)
    _drop_loose_vertices(mesh)
    return mesh


def _drop_loose_vertices(mesh: bpy.types.Mesh) -> None:
    """Decimating may leave a vertex without a face, which no glTF file holds."""
    shape = bmesh.new()
    shape.from_mesh(mesh)
    loose = [v for v in shape.verts if not v.link_faces]
    bmesh.ops.delete(shape, geom=loose, context="VERTS")
    shape.to_mesh(mesh)
    shape.free()


def _triangle_count(mesh: bpy.types.Mesh) -> int:
    return len(mesh.loops) - 2 * len(mesh.polygons)


def _add_keys(lod: bpy.types.Object, head: bpy.types.Object) -> None:
    if head.data.shape_keys is None:
        return
    mesh = lod.data
    count = len(mesh.vertices)
    rest = np.empty(count * 3, np.float32)
    mesh.vertices.foreach_get("co", rest)
    blocks = head.data.shape_keys.key_blocks
    deltas = []
    for i in range(len(blocks) - 1):
        delta = np.empty(count * 3, np.float32)
        mesh.attributes[_attribute(i)].data.foreach_get("vector", delta)
        deltas.append(delta)
    for i in range(len(blocks) - 1):
        mesh.attributes.remove(mesh.attributes[_attribute(i)])
    lod.shape_key_add(name=blocks[0].name, from_mix=False)
    for block, delta in zip(blocks[1:], deltas, strict=True):
        key = lod.shape_key_add(name=block.name, from_mix=False)
        key.slider_min, key.slider_max = block.slider_min, block.slider_max
        key.value = block.value
        key.points.foreach_set("co", rest + delta)
    mesh.shape_keys.name = head.data.shape_keys.name


def key_positions(head: bpy.types.Object) -> tuple[np.ndarray, np.ndarray]:
    """(V, 3) at rest and (K, V, 3) under each key alone, in the object's own space."""
    count = len(head.data.vertices)
    rest = np.empty(count * 3)
    keys = head.data.shape_keys
    if keys is None:
        head.data.vertices.foreach_get("co", rest)
        return rest.reshape(-1, 3), np.zeros((0, count, 3))
    blocks = list(keys.key_blocks)
    found: dict[str, np.ndarray] = {}
    for block in blocks:
        co = np.empty(count * 3)
        block.points.foreach_get("co", co)
        found[block.name] = co.reshape(-1, 3)
    rest = found[blocks[0].name]
    moved = [rest + found[b.name] - found[b.relative_key.name] for b in blocks[1:]]
    return rest, np.array(moved).reshape(-1, count, 3)


def _attribute(index: int) -> str:
    return f"pixel3dmm key {index}"
