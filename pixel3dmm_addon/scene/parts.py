# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts of a head that can be put away: lashes, brows, line of tears, neck's base.

A part that is put away is behind a Mask modifier of its own with a vertex group of its own; both
are gone while it is shown, so that nothing of them reaches a file.
"""

from __future__ import annotations

from collections.abc import Sequence

import bmesh
import bpy
import numpy as np

from . import smooth
from .material import KIND

#: Part -> what its modifier and vertex group are called.
NAMES = {
    "lashes": "Pixel3DMM No Lashes",
    "brows": "Pixel3DMM No Brows",
    "tears": "Pixel3DMM No Tear Line",
    "neck cut": "Pixel3DMM No Neck Base",
}


def has(head: bpy.types.Object, part: str) -> bool:
    """Whether the head has this part at all."""
    return _slot(head, part) is not None


def shown(head: bpy.types.Object, part: str) -> bool:
    """Whether the part is to be seen."""
    return NAMES[part] not in head.modifiers


def show(head: bpy.types.Object, part: str, on: bool) -> None:
    """Shows the part or puts it away, in every view and in renders; nothing if it is so."""
    name, slot = NAMES[part], _slot(head, part)
    if slot is None or on == shown(head, part):
        return
    if on:
        head.modifiers.remove(head.modifiers[name])
        if name in head.vertex_groups:
            head.vertex_groups.remove(head.vertex_groups[name])
        return
    group = head.vertex_groups.new(name=name)
    group.add(_vertices(head, slot).tolist(), 1.0, "REPLACE")
    modifier = head.modifiers.new(name, "MASK")
    modifier.vertex_group, modifier.invert_vertex_group = group.name, True
    modifier.show_expanded = False
    smooth.keep_last(head)


def drop_hidden(head: bpy.types.Object) -> None:
    """On a copy for export: what is put away is gone, with its modifier and vertex group."""
    hidden = [part for part in NAMES if has(head, part) and not shown(head, part)]
    if not hidden:
        return
    for part in hidden:
        show(head, part, True)
    delete(head, hidden)


def delete(head: bpy.types.Object, which: Sequence[str]) -> None:
    """Removes parts from the mesh for good, and vertices that no face has."""
    slots = {_slot(head, part) for part in which}
    mesh = bmesh.new()
    try:
        mesh.from_mesh(head.data)
        faces = [face for face in mesh.faces if face.material_index in slots]
        bmesh.ops.delete(mesh, geom=faces, context="FACES")
        loose = [vertex for vertex in mesh.verts if not vertex.link_faces]
        bmesh.ops.delete(mesh, geom=loose, context="VERTS")
        mesh.to_mesh(head.data)
    finally:
        mesh.free()


def _slot(head: bpy.types.Object, part: str) -> int | None:
    for slot, material in enumerate(head.data.materials):
        if material is not None and material.get(KIND) == part:
            return slot
    return None


def _vertices(head: bpy.types.Object, slot: int) -> np.ndarray:
    mesh = head.data
    of_face = np.empty(len(mesh.polygons), np.int32)
    mesh.polygons.foreach_get("material_index", of_face)
    size, corner = np.empty_like(of_face), np.empty(len(mesh.loops), np.int32)
    mesh.polygons.foreach_get("loop_total", size)
    mesh.loops.foreach_get("vertex_index", corner)
    return np.unique(corner[np.repeat(of_face == slot, size)])
