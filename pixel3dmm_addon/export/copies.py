# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies of the head and its rigs on the stage, on which an export may do what it likes."""

from __future__ import annotations

from dataclasses import dataclass, field

import bpy

from ..scene import hair, likeness, parts, smooth
from .family import rigs_of


@dataclass
class Copies:
    """head and rigs stand for the artist's; lods are the head's coarser levels, if any.

    others belong to it, such as the photo's camera. left_out: names of the modifiers that no
    file of keys can hold.
    """

    head: bpy.types.Object
    rigs: list[bpy.types.Object]
    lods: list[bpy.types.Object] = field(default_factory=list)
    others: list[bpy.types.Object] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    @property
    def meshes(self) -> list[bpy.types.Object]:
        """The head and its coarser levels."""
        return [self.head, *self.lods]

    @property
    def objects(self) -> list[bpy.types.Object]:
        """All of them."""
        return [*self.rigs, *self.meshes, *self.others]


def flush_edits(objects: list[bpy.types.Object]) -> None:
    """What is being edited becomes the object's data, as in any save; the mode stays."""
    for obj in objects:
        if obj.mode != "OBJECT":
            obj.update_from_editmode()


def make_copies(scene: bpy.types.Scene, head: bpy.types.Object, *, for_file: bool) -> Copies:
    """Copies, visible and selected in ``scene``, with animation, drivers and constraints.

    for_file: the head keeps no modifier but its armatures, since no exporter writes keys of a mesh
    that any other one changes.
    """
    rigs = rigs_of(head)
    flush_edits([head, *rigs])
    mapping: dict[bpy.types.ID, bpy.types.ID] = {}
    doubles: dict[bpy.types.Object, bpy.types.Object] = {}
    for obj in (*rigs, head):
        double = doubles[obj] = obj.copy()
        double.data = obj.data.copy()
        mapping[obj], mapping[obj.data] = double, double.data
        scene.collection.objects.link(double)
    copies = Copies(doubles[head], [doubles[rig] for rig in rigs])
    likeness.hide(copies.head)
    hair.drop_layout(copies.head)
    parts.drop_hidden(copies.head)
    if for_file:
        smooth.drop(copies.head)
    if head.data.shape_keys is not None:
        mapping[head.data.shape_keys] = copies.head.data.shape_keys
    if for_file:
        others = [m for m in copies.head.modifiers if m.type != "ARMATURE"]
        copies.left_out = [m.name for m in others]
        for modifier in others:
            copies.head.modifiers.remove(modifier)
    for obj in copies.objects:
        obj.hide_viewport = obj.hide_render = obj.hide_select = False
        if for_file:
            _switch_on(obj)
    for block in mapping.values():
        _redirect(block, mapping)
    layer = scene.view_layers[0]
    layer.update()
    for obj in copies.objects:
        obj.select_set(True, view_layer=layer)
    layer.objects.active = copies.head
    return copies


def _switch_on(obj: bpy.types.Object) -> None:
    """What the artist switched off to see the face at rest is the rig all the same."""
    obj.show_only_shape_key = False
    for modifier in obj.modifiers:
        modifier.show_viewport = modifier.show_render = True
    if obj.type == "ARMATURE":
        obj.data.pose_position = "POSE"


def _redirect(block: bpy.types.ID, mapping: dict[bpy.types.ID, bpy.types.ID]) -> None:
    """What pointed at an original now points at its copy."""
    if isinstance(block, bpy.types.Object):
        parent = None if block.parent is None else mapping.get(block.parent)
        if isinstance(parent, bpy.types.Object):
            block.parent = parent
        holders = [*block.modifiers, *block.constraints]
        for bone in block.pose.bones if block.pose else ():
            holders += bone.constraints
        for holder in holders:
            for name in ("object", "target", "pole_target"):
                if getattr(holder, name, None) in mapping:
                    setattr(holder, name, mapping[getattr(holder, name)])
            for target in getattr(holder, "targets", ()):
                if target.target in mapping:
                    target.target = mapping[target.target]
    if block.animation_data is None:
        return
    for curve in block.animation_data.drivers:
        for variable in curve.driver.variables:
            for target in variable.targets:
                if target.id in mapping:
                    target.id = mapping[target.id]
