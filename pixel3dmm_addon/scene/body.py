# SPDX-License-Identifier: GPL-3.0-or-later
"""A head on somebody else's body: which bones are its head and neck, and how ours follow them."""

from __future__ import annotations

import re
from dataclasses import dataclass

import bpy
import numpy as np
from mathutils import Matrix

from ...core.errors import ModelFileError
from ...core.rig.neck_match import nearest_loop, neck_offsets, open_loops
from . import parts
from .rig_data import find_bone

#: Names of a head's bone, the surest first: Rigify's deform bone and metarig, then what others
#: call it. MPFB's rigs, Mixamo's, game engines' and VRM's end in "head".
_HEADS = ("DEF-spine.006", "ORG-spine.006", "spine.006")
_HEAD = re.compile(r"(?:^|[_:.\- ]|def|c_)head(?:[_.]?x|_m|\.m)?$", re.IGNORECASE)
_NECK = re.compile(r"neck|^(?:DEF-|ORG-)?spine\.00[45]$", re.IGNORECASE)

#: Constraints that we add to a head's bones, to know them again.
FOLLOWS = "Pixel3DMM body"
NECK_KEY = "bodyNeck"
#: Metres between the middles of two open necks that belong together.
_NECK_REACH = 0.12


@dataclass(frozen=True)
class BodyBones:
    """Names on the body: the head's bone, those of the neck from below, and what bears them
    (None where nothing does).
    """

    head: str
    neck: tuple[str, ...]
    base: str | None


def body_bones(body: bpy.types.Object, head: str = "") -> BodyBones | None:
    """The bones, the head's found by name unless it is given; None if there is none."""
    bones = body.data.bones
    if not head:
        names = [n for n in _HEADS if n in bones]
        names += sorted((b.name for b in bones if _HEAD.search(b.name)), key=len)
        if not names:
            return None
        head = names[0]
    if head not in bones:
        return None
    necks = []
    bone = bones[head].parent
    while bone is not None and _NECK.search(bone.name):
        necks.append(bone.name)
        bone = bone.parent
    return BodyBones(head, tuple(reversed(necks)), None if bone is None else bone.name)


def detach(rig: bpy.types.Object, head: bpy.types.Object) -> None:
    """Takes a head off its body; it stays where it is."""
    world = rig.matrix_world.copy()
    for bone in rig.pose.bones:
        for constraint in [c for c in bone.constraints if c.name.startswith(FOLLOWS)]:
            bone.constraints.remove(constraint)
    rig.parent = None
    rig.matrix_world = world
    keys = head.data.shape_keys
    if keys is not None and NECK_KEY in keys.key_blocks:
        head.shape_key_remove(keys.key_blocks[NECK_KEY])


def place(
    rig: bpy.types.Object, head: bpy.types.Object, body: bpy.types.Object, bones: BodyBones,
    *, match_scale: bool,
) -> float:  # fmt: skip
    """Moves the rig so that its head's joint is at the body's, upright as the body is.

    Returns the scale, which makes our head as high above that joint as the body's. Raises
    ModelFileError, before anything is moved, for a rig that has lost its head bone.
    """
    ours = _head_bone(rig)
    theirs = body.data.bones[bones.head]
    scale = 1.0
    if match_scale:
        own = (ours.tail_local - ours.head_local).length
        scale = _height(body, theirs) / (own * body.matrix_world.median_scale)
    turn = body.matrix_world.to_quaternion().to_matrix().to_4x4()
    size = Matrix.Scale(scale * body.matrix_world.median_scale, 4)
    joint = body.matrix_world @ theirs.head_local
    rig.matrix_world = (
        Matrix.Translation(joint) @ turn @ size @ Matrix.Translation(-ours.head_local)
    )
    return scale


def _head_bone(rig: bpy.types.Object) -> bpy.types.Bone:
    bone = find_bone(rig, "head")
    if bone is None:
        raise ModelFileError(f"{rig.name} has no head bone any more: undo its removal first.")
    return bone.bone


def _height(body: bpy.types.Object, bone: bpy.types.Bone) -> float:
    """World length from the bone's head to the crown: of the skin that follows it, or else to
    the bone's own tail.
    """
    up = (body.matrix_world.to_3x3() @ (bone.tail_local - bone.head_local)).normalized()
    joint = body.matrix_world @ bone.head_local
    best = 0.0
    for mesh in _skins(body):
        group = mesh.vertex_groups.get(bone.name)
        if group is None:
            continue
        for vertex in mesh.data.vertices:
            if any(g.group == group.index and g.weight > 0.5 for g in vertex.groups):
                best = max(best, (mesh.matrix_world @ vertex.co - joint).dot(up))
    own = (body.matrix_world.to_3x3() @ (bone.tail_local - bone.head_local)).length
    return best or own


def _skins(body: bpy.types.Object) -> list[bpy.types.Object]:
    """Meshes that the body's bones deform."""
    return [o for o in bpy.data.objects if o.type == "MESH" and o.find_armature() == body]


def follow(rig: bpy.types.Object, body: bpy.types.Object, bones: BodyBones) -> None:
    """The rig hangs on what bears the body's neck; neck and head turn as the body's do, and what
    they are posed themselves comes on top.
    """
    world = rig.matrix_world.copy()
    rig.parent, rig.parent_type = body, "BONE"
    rig.parent_bone = bones.base or bones.head
    rig.matrix_world = world
    if bones.base is None:
        return
    for joint, sources in (("neck", bones.neck), ("head", (bones.head,))):
        bone = find_bone(rig, joint)
        if bone is None:
            continue
        for source in sources:
            copied = bone.constraints.new("COPY_ROTATION")
            copied.name, copied.target, copied.subtarget = FOLLOWS, body, source
            copied.target_space, copied.owner_space = "LOCAL_OWNER_ORIENT", "LOCAL"
            copied.mix_mode = "BEFORE"


def match_neck(rig: bpy.types.Object, head: bpy.types.Object, body: bpy.types.Object) -> bool:
    """A key that brings the head's cut neck onto the body's open one; False if it has none near.

    The body is taken as it is at rest.
    """
    own = open_loops([list(p.vertices) for p in head.data.polygons])
    if not own:
        return False
    keys = head.data.shape_keys.key_blocks
    flat = np.empty(len(head.data.vertices) * 3, np.float32)
    keys[0].points.foreach_get("co", flat)
    vertices = flat.reshape(-1, 3).astype(float)
    lowest = min(own, key=lambda loop: float(vertices[loop, 2].mean()))
    to_head = np.array(head.matrix_world.inverted())
    loops = []
    for mesh in _skins(body):
        matrix = to_head @ np.array(mesh.matrix_world)
        for loop in open_loops([list(p.vertices) for p in mesh.data.polygons]):
            points = np.array([mesh.data.vertices[i].co for i in loop])
            loops.append(points @ matrix[:3, :3].T + matrix[:3, 3])
    reach = _NECK_REACH / head.matrix_world.median_scale
    target = nearest_loop(loops, vertices[lowest].mean(axis=0), reach)
    if target is None:
        return False
    top = _head_bone(rig).head_local.z
    moved = vertices + neck_offsets(vertices, np.array(lowest), target, top)
    key = head.shape_key_add(name=NECK_KEY, from_mix=False)
    key.points.foreach_set("co", np.ascontiguousarray(moved, np.float32).ravel())
    key.value = 1.0
    parts.show(head, "neck cut", False)  # the neck goes on
    return True
