# SPDX-License-Identifier: GPL-3.0-or-later
"""A face's motion onto meshes: keyframes on shape keys, head and eyes onto bones.

Any mesh with ARKit's names will do, whoever made it. Keys and bones that a driver moves are left
to their driver.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import bpy
import numpy as np
from mathutils import Matrix

from ...core.errors import MotionError
from ...core.geometry import axes
from ...core.heads.arkit import ARKIT_NAMES
from ...core.motion import FaceMotion
from ...core.motion.key_names import arkit_name, matched_names
from ...core.rig import bone_names
from ...core.rig.body_frame import body_frame
from . import curves
from .body import skeleton
from .eyes import FOLLOW_NAME
from .rig import JOINT

_KEY_PATH = re.compile(r'key_blocks\["((?:[^"\\]|\\.)+)"\]\.value')
_PROPERTY_PATH = re.compile(r'(?:.*)\["((?:[^"\\]|\\.)+)"\]')
_BONE_PATH = re.compile(
    r'pose\.bones\["((?:[^"\\]|\\.)+)"\]\.(location|rotation_quaternion|rotation_euler|scale)'
)


@dataclass(frozen=True)
class Applied:
    """keys and bones that move now; frames (first, last); missing: ARKit names without a key."""

    keys: tuple[str, ...]
    bones: tuple[str, ...]
    frames: tuple[int, int]
    missing: tuple[str, ...]


def can_show(obj: bpy.types.Object | None) -> bool:
    """True for a mesh that has at least one key with an ARKit name."""
    if obj is None or obj.type != "MESH" or obj.data.shape_keys is None:
        return False
    return bool(matched_names(key.name for key in obj.data.shape_keys.key_blocks))


def rig_of(mesh: bpy.types.Object) -> bpy.types.Object | None:
    """The armature that deforms it, or the one that carries it."""
    found = mesh.find_armature()
    if found is None and mesh.parent is not None and mesh.parent.type == "ARMATURE":
        found = mesh.parent
    return found


def joint_bones(rig: bpy.types.Object) -> dict[str, str]:
    """Of head, eye_l, eye_r those that the rig has, with the bones' names."""
    joints = ("head", "eye_l", "eye_r")
    names = rig.data.bones.keys()
    guessed = bone_names.eye_names(names)
    head = bone_names.head_name(names)
    if head is not None:
        guessed["head"] = head
    found = {str(bone[JOINT]): bone.name for bone in rig.data.bones if JOINT in bone}
    found = {**guessed, **found}
    return {joint: found[joint] for joint in joints if joint in found}


def apply_motion(
    mesh: bpy.types.Object,
    motion: FaceMotion,
    *,
    rate: float,
    start: int,
    name: str,
    joints: Iterable[str] = ("head", "eye_l", "eye_r"),
) -> Applied:
    """Keyframes from ``start`` on at ``rate`` frames a second; the motion has one moment a frame.

    An action that was there stays in the file. Raises MotionError if no key of the mesh is named.
    """
    frames = start + np.round(motion.times * rate)
    found = {
        arkit: key
        for arkit, key in _keys(mesh).items()
        if not is_driven(mesh.data.shape_keys, key_path(key))
    }
    shared = [n for n in motion.names if n in found]
    if not shared:
        raise MotionError(f"{mesh.name} has no shape key with an ARKit name: choose another mesh.")
    keys = mesh.data.shape_keys
    _fresh_action(keys, f"{name} {mesh.name}")
    for i, arkit in enumerate(motion.names):
        if arkit in found:
            curves.set_curve(keys, key_path(found[arkit]), 0, frames, motion.values[:, i])
    rig, bones = rig_of(mesh), []
    if rig is not None:
        at = joint_bones(rig)
        turning = [joint for joint in joints if joint in motion.turns and joint in at]
        turning = [j for j in turning if not _bone_is_driven(rig, at[j])]
        if turning:
            _fresh_action(rig, f"{name} {rig.name}")
        upright = body_frame(skeleton(rig), at.get("head", rig.data.bones[0].name))
        for joint in turning:
            _turn(rig, at[joint], frames, motion.turns[joint], upright)
            bones.append(at[joint])
    missing = tuple(n for n in ARKIT_NAMES if n in motion.names and n not in shared)
    moved = tuple(found[n] for n in shared)
    return Applied(moved, tuple(bones), (int(frames[0]), int(frames[-1])), missing)


def apply_action(mesh: bpy.types.Object, action: bpy.types.Action) -> Applied:
    """Curves of another face's action, by name: its shape keys or properties, and its bones.

    Keyframes are copied as they are, handles too. Raises MotionError if nothing fits.
    """
    keys, rig = mesh.data.shape_keys, rig_of(mesh)
    names = matched_names(k.name for k in keys.key_blocks) if keys is not None else {}
    exact = {k.name: k.name for k in keys.key_blocks[1:]} if keys is not None else {}
    onto_keys, onto_bones = [], []
    for curve in curves.all_curves(action):
        name = _slider(curve.data_path)
        key = None if name is None else exact.get(name) or names.get(arkit_name(name) or "")
        bone = _BONE_PATH.fullmatch(curve.data_path)
        if key is not None and not is_driven(keys, key_path(key)):
            onto_keys.append((key, curve))
        elif bone and rig is not None and bpy.utils.unescape_identifier(bone[1]) in rig.pose.bones:
            onto_bones.append((bpy.utils.unescape_identifier(bone[1]), curve))
    if not onto_keys and not onto_bones:
        raise MotionError(
            f"Nothing that {action.name} moves is found by its name on {mesh.name}: choose another."
        )
    if onto_keys:
        _fresh_action(keys, f"{action.name} {mesh.name}")
    for key, curve in onto_keys:
        curves.copy_curve(curve, keys, key_path(key))
    if onto_bones and rig is not None:
        _fresh_action(rig, f"{action.name} {rig.name}")
    for name, curve in onto_bones:
        assert rig is not None
        posed = rig.pose.bones[name]
        if curve.data_path.endswith("rotation_quaternion"):
            posed.rotation_mode = "QUATERNION"
        elif curve.data_path.endswith("rotation_euler") and posed.rotation_mode == "QUATERNION":
            posed.rotation_mode = "XYZ"
        curves.copy_curve(curve, rig, curve.data_path)
    first, last = action.frame_range[0], action.frame_range[1]
    return Applied(
        tuple(dict.fromkeys(key for key, _ in onto_keys)),
        tuple(dict.fromkeys(name for name, _ in onto_bones)),
        (int(np.floor(first)), int(np.ceil(last))),
        (),
    )


def is_face_action(action: bpy.types.Action) -> bool:
    """True if a curve of it has the name of an ARKit slider."""
    names = (_slider(curve.data_path) for curve in curves.all_curves(action))
    return any(name is not None and arkit_name(name) is not None for name in names)


def is_driven(block: bpy.types.ID, path: str) -> bool:
    """A driver moves what is at this data path."""
    data = block.animation_data
    return data is not None and any(curve.data_path == path for curve in data.drivers)


def key_path(key: str) -> str:
    """A shape key's value, from its datablock."""
    return f'key_blocks["{bpy.utils.escape_identifier(key)}"].value'


def _keys(mesh: bpy.types.Object) -> dict[str, str]:
    keys = mesh.data.shape_keys
    return matched_names(k.name for k in keys.key_blocks[1:]) if keys is not None else {}


def _slider(path: str) -> str | None:
    """The name that a curve's path ends in: a shape key's, or a custom property's."""
    match = _KEY_PATH.fullmatch(path) or _PROPERTY_PATH.fullmatch(path)
    return bpy.utils.unescape_identifier(match[1]) if match else None


def _bone_is_driven(rig: bpy.types.Object, bone: str) -> bool:
    """By drivers, or as an eye that follows the eyeLook keys and would turn twice."""
    if FOLLOW_NAME in rig.pose.bones[bone].constraints:
        return True
    path = f'pose.bones["{bpy.utils.escape_identifier(bone)}"].rotation_'
    data = rig.animation_data
    return data is not None and any(curve.data_path.startswith(path) for curve in data.drivers)


def _fresh_action(block: bpy.types.ID, name: str) -> None:
    data = block.animation_data
    if data is not None and data.action is not None:
        # Without a user it would be gone with the next save.
        data.action.use_fake_user = True
    curves.new_action(block, name)


def _turn(
    rig: bpy.types.Object,
    name: str,
    frames: Sequence[float] | np.ndarray,
    turns: np.ndarray,
    upright: np.ndarray,
) -> None:
    """turns (F, 3, 3) in the head frame; upright (3, 3): which way the rig's own axes lie."""
    bone = rig.pose.bones[name]
    rest = upright.T @ np.array(bone.bone.matrix_local.to_3x3())
    matrices = axes.bone_rotation(turns, rest)
    values = np.array([Matrix(m.tolist()).to_quaternion() for m in matrices])
    values = curves.continuous(values)
    bone.rotation_mode = "QUATERNION"
    path = f'pose.bones["{bpy.utils.escape_identifier(name)}"].rotation_quaternion'
    for i in range(4):
        curves.set_curve(rig, path, i, frames, values[:, i], name)
