# SPDX-License-Identifier: GPL-3.0-or-later
"""F-curves of an action, in the one way that every Blender from 4.2 on understands.

Until 4.3 an action holds its curves itself; from 4.4 on they lie in a slot's channel bag, and 5.0
has no other way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import bpy
import numpy as np

_LINEAR = 1  # of bpy.types.Keyframe.interpolation, as foreach_set wants it
#: What makes a keyframe: name, numbers, their kind. A handle's type comes before its place.
_POINT = (
    ("co", 2, np.float32),
    ("interpolation", 1, np.int32),
    ("easing", 1, np.int32),
    ("handle_left_type", 1, np.int32),
    ("handle_right_type", 1, np.int32),
    ("handle_left", 2, np.float32),
    ("handle_right", 2, np.float32),
)


def new_action(block: bpy.types.ID, name: str) -> bpy.types.Action:
    """An empty action that animates ``block``, which loses the one that it has."""
    action = bpy.data.actions.new(name)
    assign(block, action)
    return action


def assign(block: bpy.types.ID, action: bpy.types.Action) -> None:
    """Lets the action animate the block, by a slot of its own kind where there are slots."""
    data = block.animation_data_create()
    data.action = action
    if hasattr(action, "slots"):
        kind = block.id_type
        slot = next((s for s in action.slots if s.target_id_type in (kind, "UNSPECIFIED")), None)
        data.action_slot = slot or action.slots.new(id_type=kind, name=block.name)


def curves_of(block: bpy.types.ID) -> Iterator[bpy.types.FCurve]:
    """The curves of the block's own action."""
    data = block.animation_data
    if data is not None and data.action is not None:
        yield from _curves(data.action, getattr(data, "action_slot", None))


def all_curves(action: bpy.types.Action) -> Iterator[bpy.types.FCurve]:
    """The curves of an action, whoever they animate."""
    if hasattr(action, "slots"):
        for slot in action.slots:
            yield from _curves(action, slot)
    else:
        yield from action.fcurves


def set_curve(
    block: bpy.types.ID,
    path: str,
    index: int,
    frames: Sequence[float] | np.ndarray,
    values: np.ndarray,
    group: str = "",
) -> None:
    """Keyframes (F,) at ``frames`` (F,), straight lines between them; the curve is made anew.

    The block must have an action, see :func:`new_action`.
    """
    owner = _owner(block)
    old = owner.fcurves.find(path, index=index)
    if old is not None:
        owner.fcurves.remove(old)
    curve = owner.fcurves.new(path, index=index)
    if group:
        groups = owner.groups
        curve.group = groups.get(group) or groups.new(group)
    points = curve.keyframe_points
    points.add(len(frames))
    points.foreach_set("co", np.column_stack([frames, values]).astype(np.float32).ravel())
    points.foreach_set("interpolation", np.full(len(frames), _LINEAR, dtype=np.int32))
    curve.update()


def copy_curve(curve: bpy.types.FCurve, block: bpy.types.ID, path: str) -> None:
    """The curve's keyframes, with handles and easing, onto another block that has an action."""
    owner = _owner(block)
    old = owner.fcurves.find(path, index=curve.array_index)
    if old is not None:
        owner.fcurves.remove(old)
    new = owner.fcurves.new(path, index=curve.array_index)
    new.extrapolation = curve.extrapolation
    count = len(curve.keyframe_points)
    new.keyframe_points.add(count)
    for name, size, kind in _POINT:
        values = np.empty(count * size, dtype=kind)
        curve.keyframe_points.foreach_get(name, values)
        new.keyframe_points.foreach_set(name, values)
    new.update()


def continuous(turns: np.ndarray) -> np.ndarray:
    """Quaternions (F, 4) of the same rotations, none more than half a turn from the one before."""
    flips = np.where(np.einsum("ij,ij->i", turns[1:], turns[:-1]) < 0, -1.0, 1.0)
    return turns * np.concatenate([[1.0], np.cumprod(flips)])[:, None]


def _curves(action: bpy.types.Action, slot: object) -> Iterator[bpy.types.FCurve]:
    if not hasattr(action, "layers"):
        yield from action.fcurves
        return
    for layer in action.layers:
        for strip in layer.strips:
            bag = strip.channelbag(slot) if slot is not None else None
            if bag is not None:
                yield from bag.fcurves


def _owner(block: bpy.types.ID) -> Any:
    """What has ``fcurves`` and ``groups`` of the block's action, which it must have."""
    data = block.animation_data
    assert data is not None and data.action is not None
    action, slot = data.action, getattr(data, "action_slot", None)
    if slot is None:
        return action
    layer = action.layers[0] if action.layers else action.layers.new("Layer")
    strip = layer.strips[0] if layer.strips else layer.strips.new(type="KEYFRAME")
    return strip.channelbag(slot, ensure=True)
