# SPDX-License-Identifier: GPL-3.0-or-later
"""Named traits of a head in the scene: face, keys and bones of the changed person.

What core computes is added to what stands there, so that hand edits stay. The values are kept on
the mesh, which the keys belong to.
"""

from __future__ import annotations

import json

import bpy
import numpy as np

from ...core.geometry import axes
from ...core.rig.traits import NAMES, Change, bones_of, change_of
from . import custom_properties
from .rig import JOINT
from .rig_data import VERTEX_COUNT

#: On the mesh, as JSON: the traits' values, and those that the bones were last moved for.
TRAITS, TRAITS_OF_BONES = "pixel3dmm_traits", "pixel3dmm_traits_of_bones"

#: Metres that joints move before the bones do.
_WORTH_IT = 5e-5


def why_not(head: bpy.types.Object) -> str:
    """Why this head has no traits to change, in a sentence; empty if it has."""
    if not head.data.is_editable or not head.is_editable:
        return "The head is linked from another file"
    if head.data.shape_keys is None:
        return "The head's shape keys were removed"
    if str(head.get("pixel3dmm_head_model")) != "Open Head":
        return "Only the Open Head has named traits"
    if len(head.data.vertices) != head.data.get(VERTEX_COUNT, 0):
        return "The head's mesh was changed, so its traits cannot be"
    return ""


def traits(head: bpy.types.Object) -> dict[str, float]:
    """Values other than zero."""
    return _read(head.data, TRAITS)


def set_trait(context: bpy.types.Context, head: bpy.types.Object, name: str, value: float) -> None:
    """One trait gets a value in -1..1; face, keys and, where they can, bones follow."""
    set_traits(context, head, {**traits(head), name: value})


def set_traits(
    context: bpy.types.Context, head: bpy.types.Object, wanted: dict[str, float]
) -> None:
    """All traits at once; those that are not named are zero."""
    wanted = {name: float(v) for name, v in wanted.items() if name in NAMES and v}
    if why_not(head) or wanted == traits(head):
        return
    basis = _points(head.data.shape_keys.reference_key)
    _add(head, basis, change_of(basis, traits(head), wanted))
    head.data[TRAITS] = json.dumps(wanted)
    move_bones(context, head)


def move_bones(context: bpy.types.Context, head: bpy.types.Object) -> bool:
    """Brings the bones to the changed face; False where the rig cannot be edited now.

    Then they are brought there with the next change.
    """
    rig = head.find_armature()
    wanted, placed = traits(head), _read(head.data, TRAITS_OF_BONES)
    if rig is None or wanted == placed:
        return True
    basis = _points(head.data.shape_keys.reference_key)
    by = bones_of(basis, placed, wanted)
    if max(np.abs(by.joints).max(), np.abs(by.tails).max()) < _WORTH_IT:
        return True
    if context.mode != "OBJECT" or not rig.visible_get() or not rig.data.is_editable:
        return False
    layer = context.view_layer
    active = layer.objects.active
    layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    try:
        bones = {bone.get(JOINT): bone for bone in rig.data.edit_bones}
        heads, tails = axes.to_scene(by.joints), axes.to_scene(by.tails)
        for joint, head_by, tail in zip(by.joint_names, heads, tails, strict=True):
            bone = bones.get(joint)
            if bone is not None:
                bone.head = np.array(bone.head) + head_by
                bone.tail = np.array(bone.tail) + tail
    finally:
        bpy.ops.object.mode_set(mode="OBJECT")
        layer.objects.active = active
    head.data[TRAITS_OF_BONES] = json.dumps(wanted)
    return True


def _add(head: bpy.types.Object, basis: np.ndarray, change: Change) -> None:
    blocks = head.data.shape_keys.key_blocks
    reference = head.data.shape_keys.reference_key
    offset = axes.to_scene(change.basis)
    for key in blocks:
        points = axes.to_scene(basis) if key == reference else _scene_points(key)
        moved = points + offset
        if key != reference and key.name in change.keys:
            moved += axes.to_scene(change.keys[key.name])
        flat = np.ascontiguousarray(moved, dtype=np.float32).reshape(-1)
        key.points.foreach_set("co", flat)
        if key == reference:
            head.data.vertices.foreach_set("co", flat)
    head.data.shape_keys.update_tag()
    head.data.update()


def _scene_points(key: bpy.types.ShapeKey) -> np.ndarray:
    flat = np.empty(3 * len(key.points), np.float32)
    key.points.foreach_get("co", flat)
    return flat.reshape(-1, 3).astype(np.float64)


def _points(key: bpy.types.ShapeKey) -> np.ndarray:
    return axes.to_head(_scene_points(key))


def _read(mesh: bpy.types.Mesh, name: str) -> dict[str, float]:
    return custom_properties.numbers(mesh, name, NAMES)
