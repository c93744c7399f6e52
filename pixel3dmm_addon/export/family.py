# SPDX-License-Identifier: GPL-3.0-or-later
"""What belongs to a head: the rigs that move it, and whether any of it is animated."""

from __future__ import annotations

from collections.abc import Iterator

import bpy


def rigs_of(head: bpy.types.Object) -> list[bpy.types.Object]:
    """The armatures that deform it, each once."""
    found = [m.object for m in head.modifiers if m.type == "ARMATURE" and m.object is not None]
    return list(dict.fromkeys(found))


def family(head: bpy.types.Object) -> list[bpy.types.Object]:
    """The head and the rigs that move it."""
    return [head, *rigs_of(head)]


def animated_blocks(head: bpy.types.Object) -> Iterator[bpy.types.ID]:
    """Everything of the family that can have curves or drivers."""
    for obj in family(head):
        yield obj
        yield obj.data
    if head.data.shape_keys is not None:
        yield head.data.shape_keys


def is_animated(head: bpy.types.Object) -> bool:
    """True if anything of the family has an action or strips, or follows something outside it."""
    blocks = list(animated_blocks(head))
    for block in blocks:
        data = block.animation_data
        if data is None:
            continue
        if data.action or data.nla_tracks:
            return True
        if any(_moves(curve.driver, blocks) for curve in data.drivers):
            return True
    return any(_follows(obj, blocks) for obj in family(head))


def _moves(driver: bpy.types.Driver, family_blocks: list[bpy.types.ID]) -> bool:
    """A driver that reads something outside the family, or the time."""
    if driver.type == "SCRIPTED" and "frame" in driver.expression:
        return True
    ids = [target.id for variable in driver.variables for target in variable.targets]
    return any(i is not None and i not in family_blocks for i in ids)


def _follows(obj: bpy.types.Object, family_blocks: list[bpy.types.ID]) -> bool:
    """A parent or a constraint's target outside the family."""
    constraints = list(obj.constraints)
    for bone in obj.pose.bones if obj.pose else ():
        constraints += bone.constraints
    others = [obj.parent, *(getattr(c, "target", None) for c in constraints)]
    return any(o is not None and o not in family_blocks for o in others)
