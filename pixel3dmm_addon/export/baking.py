# SPDX-License-Identifier: GPL-3.0-or-later
"""Motion of the copies, frame by frame: first looked at, then written as keyframes.

Drivers, constraints, strips and parents outside the file all end as numbers here, so that no
exporter has to know of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np
from mathutils import Matrix

from ..scene import curves
from .copies import Copies

#: Less than this is no motion.
_STILL = 1e-6
_AT_REST = (0, 0, 0, 1, 0, 0, 0, 1, 1, 1)
_TRANSFORM = (("location", 3), ("rotation_quaternion", 4), ("scale", 3))


@dataclass(frozen=True, eq=False)
class Motion:
    """F frames, of which ``current`` is the index of the one that the artist sees.

    keys (F, K) in the order of key_names; bones: for each rig (F, B, 10) location, quaternion and
    scale in the bone's own axes; objects (F, rigs + 1, 4, 4) world matrices of rigs and head.
    """

    frames: np.ndarray
    current: int
    key_names: tuple[str, ...]
    keys: np.ndarray
    bones: tuple[np.ndarray, ...]
    objects: np.ndarray


def watch(scene: bpy.types.Scene, copies: Copies, *, animated: bool) -> Motion:
    """Plays the scene's frames, or looks at the current one alone."""
    now = scene.frame_current_final
    frames = [now]
    if animated:
        frames = [float(f) for f in range(scene.frame_start, scene.frame_end + 1)]
    rows = []
    for frame in (now, *frames):
        whole = int(np.floor(frame))
        scene.frame_set(whole, subframe=frame - whole)
        rows.append(_look(copies))
    keys, bones, objects = zip(*rows, strict=True)
    names = tuple(b.name for b in _blocks(copies.head)[1:])
    per_rig = [np.array([row[i] for row in bones]) for i in range(len(copies.rigs))]
    # The current frame comes first, whether or not it is one of those that are played.
    return Motion(
        np.array([now, *frames]), 0, names, np.array(keys), tuple(per_rig), np.array(objects)
    )


def _look(copies: Copies) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
    keys = np.array([0.0 if b.mute else b.value for b in _blocks(copies.head)[1:]])
    bones = []
    for rig in copies.rigs:
        rows = np.empty((len(rig.pose.bones), 10))
        for i, bone in enumerate(rig.pose.bones):
            own = rig.convert_space(
                pose_bone=bone, matrix=bone.matrix, from_space="POSE", to_space="LOCAL"
            )
            place, turn, size = own.decompose()
            rows[i] = (*place, *turn, *size)
        bones.append(rows)
    objects = np.array([obj.matrix_world for obj in (*copies.rigs, copies.head)])
    return keys, bones, objects


def freeze(copies: Copies, motion: Motion) -> None:
    """The copies stand alone, as they are in the current frame: nothing moves them any more."""
    for obj in copies.objects:
        obj.animation_data_clear()
        obj.data.animation_data_clear()
        for constraint in list(obj.constraints):
            obj.constraints.remove(constraint)
        obj.parent = None
        obj.matrix_parent_inverse.identity()
        for bone in obj.pose.bones if obj.pose else ():
            for constraint in list(bone.constraints):
                bone.constraints.remove(constraint)
            bone.rotation_mode = "QUATERNION"
    blocks = _blocks(copies.head)
    if blocks:
        copies.head.data.shape_keys.animation_data_clear()
    for block, value in zip(blocks[1:], motion.keys[motion.current], strict=True):
        block.mute = False
        block.value = value
    for rig, rows in zip(copies.rigs, motion.bones, strict=True):
        for bone, row in zip(rig.pose.bones, rows[motion.current], strict=True):
            bone.location, bone.rotation_quaternion, bone.scale = row[:3], row[3:7], row[7:]
    worlds = motion.objects[motion.current]
    for obj, world in zip((*copies.rigs, copies.head), worlds, strict=True):
        obj.rotation_mode = "QUATERNION"
        obj.matrix_world = Matrix(world.tolist())
    if copies.rigs:
        _be_child(copies.head, copies.rigs[0], worlds[-1], worlds[0])


def _be_child(
    child: bpy.types.Object, parent: bpy.types.Object, world: np.ndarray, above: np.ndarray
) -> None:
    child.parent = parent
    child.matrix_parent_inverse.identity()
    child.matrix_basis = Matrix((np.linalg.inv(above) @ world).tolist())


def write(copies: Copies, motion: Motion, length: float, *, pose_too: bool = False) -> bool:
    """Keyframes of all that moves. length: units of the bones' data to one of the scene's.

    pose_too: also of bones that stand still, but not at rest. Returns whether anything moves.
    """
    head, played = copies.head, slice(1, None)
    frames = motion.frames[played]
    moved = False
    moving = _moves(motion.keys[played], motion.keys[0])
    if moving.any():
        for mesh in copies.meshes:
            keys = mesh.data.shape_keys
            curves.new_action(keys, head.name)
            for i in np.flatnonzero(moving).tolist():
                path = f'key_blocks["{bpy.utils.escape_identifier(motion.key_names[i])}"].value'
                curves.set_curve(keys, path, 0, frames, motion.keys[played, i])
        moved = True
    for i, rig in enumerate(copies.rigs):
        now = motion.bones[i][0]
        still = np.broadcast_to(_AT_REST, now.shape) if pose_too else now
        moved = moved or bool(_moves(_flat(motion.bones[i][played]), now.ravel()).any())
        channels = _bone_channels(rig, motion.bones[i][played], still, length)
        shifts = _object_channels(motion.objects[played, i], motion.objects[0, i])
        moved = moved or bool(shifts)
        _write_channels(rig, head.name, frames, [*channels, *shifts])
    if not copies.rigs:
        shifts = _object_channels(motion.objects[played, 0], motion.objects[0, 0])
        moved = moved or bool(shifts)
        _write_channels(head, head.name, frames, shifts)
    return moved


Channel = tuple[str, int, np.ndarray, str]


def _bone_channels(
    rig: bpy.types.Object, rows: np.ndarray, still: np.ndarray, length: float
) -> list[Channel]:
    """still (B, 10): bones of which every row is this need no curve."""
    out: list[Channel] = []
    for b, bone in enumerate(rig.pose.bones):
        own = rows[:, b].copy()
        own[:, 3:7] = curves.continuous(own[:, 3:7])
        start = 0
        for name, count in _TRANSFORM:
            values = own[:, start : start + count]
            if _moves(values, still[b, start : start + count]).any():
                scale = length if name == "location" else 1.0
                path = f'pose.bones["{bpy.utils.escape_identifier(bone.name)}"].{name}'
                out += [(path, i, scale * values[:, i], bone.name) for i in range(count)]
            start += count
    return out


def _write_channels(
    obj: bpy.types.Object, name: str, frames: np.ndarray, channels: list[Channel]
) -> None:
    if channels:
        curves.new_action(obj, name)
    for path, index, values, group in channels:
        curves.set_curve(obj, path, index, frames, values, group)


def _object_channels(worlds: np.ndarray, now: np.ndarray) -> list[Channel]:
    if not _moves(_flat(worlds), now.ravel()).any():
        return []
    parts = [Matrix(world.tolist()).decompose() for world in worlds]
    rows = np.array([[*place, *turn, *size] for place, turn, size in parts])
    rows[:, 3:7] = curves.continuous(rows[:, 3:7])
    out: list[Channel] = []
    start = 0
    for name, count in _TRANSFORM:
        out += [(name, i, rows[:, start + i], "Object Transforms") for i in range(count)]
        start += count
    return out


def _flat(rows: np.ndarray) -> np.ndarray:
    return rows.reshape(len(rows), -1)


def _moves(values: np.ndarray, now: np.ndarray) -> np.ndarray:
    """(C,) which columns of (F, C) are not what they are ``now`` in every frame."""
    return np.abs(values - now).max(axis=0) > _STILL


def _blocks(head: bpy.types.Object) -> list[bpy.types.ShapeKey]:
    keys = head.data.shape_keys
    return list(keys.key_blocks) if keys is not None else []
