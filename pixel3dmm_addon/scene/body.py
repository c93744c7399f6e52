# SPDX-License-Identifier: GPL-3.0-or-later
"""A head on somebody else's body: which bones are its head and neck, and how ours follow them."""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np
from mathutils import Matrix, Vector

from ...core.errors import ModelFileError
from ...core.rig import bone_names
from ...core.rig.body_frame import Skeleton, body_frame, in_world
from ...core.rig.neck_match import nearest_loop, neck_offsets, open_loops
from . import parts
from .body_bridge import is_aligned, make_bridge, remove_bridges
from .rig_data import find_bone

#: Constraints that we add to a head's bones, to know them again.
FOLLOWS = "Pixel3DMM body"
NECK_KEY = "bodyNeck"
#: Of the head's height above its joint, at most: between the middles of two open necks that belong
#: together.
_NECK_REACH = 0.6
#: Of its length that a bone must rise to end at a crown.
_RISES = 0.8


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
    head = head or bone_names.head_name(bones.keys()) or ""
    if head not in bones:
        return None
    necks = []
    bone = bones[head].parent
    while bone is not None and bone_names.is_neck(bone.name):
        necks.append(bone.name)
        bone = bone.parent
    return BodyBones(head, tuple(reversed(necks)), None if bone is None else bone.name)


def skeleton(body: bpy.types.Object) -> Skeleton:
    """The armature's bones at rest, as numbers."""
    bones = list(body.data.bones)
    at = {bone.name: i for i, bone in enumerate(bones)}
    return Skeleton(
        names=[bone.name for bone in bones],
        heads=np.array([bone.head_local for bone in bones]).reshape(-1, 3),
        tails=np.array([bone.tail_local for bone in bones]).reshape(-1, 3),
        parents=[at[bone.parent.name] if bone.parent else -1 for bone in bones],
        to_world=np.array(body.matrix_world.to_3x3()),
    )


def detach(rig: bpy.types.Object, head: bpy.types.Object) -> None:
    """Takes a head off its body; it stays where it is."""
    world = rig.matrix_world.copy()
    remove_bridges(rig)
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
    """Moves the rig so that its head's joint is at the body's, upright as the body's bones are.

    Returns the scale, which makes our head as high above that joint as the body's; without
    match_scale it stays as large as it is. Raises ModelFileError, before anything is moved, for a
    rig that has lost its head bone.
    """
    ours = _head_bone(rig)
    theirs = body.data.bones[bones.head]
    own = (ours.tail_local - ours.head_local).length
    before = rig.matrix_world.median_scale
    frame = in_world(skeleton(body), body_frame(skeleton(body), bones.head))
    upright = body_frame(skeleton(rig), ours.name)
    size = before
    if match_scale:
        size = _height(body, theirs, Vector(frame[:, 2].tolist()), _eye_share(rig, ours)) / own
    turn = Matrix((frame @ upright.T).tolist()).to_4x4()
    joint = body.matrix_world @ theirs.head_local
    rig.matrix_world = (
        Matrix.Translation(joint)
        @ turn
        @ Matrix.Scale(size, 4)
        @ Matrix.Translation(-ours.head_local)
    )
    return float(size / before)


def _head_bone(rig: bpy.types.Object) -> bpy.types.Bone:
    bone = find_bone(rig, "head")
    if bone is None:
        raise ModelFileError(f"{rig.name} has no head bone any more: undo its removal first.")
    return bone.bone


def _eye_share(rig: bpy.types.Object, head: bpy.types.Bone) -> float:
    """How high our eyes are above the head's joint, as a share of the head's height."""
    eyes = [find_bone(rig, joint) for joint in ("eye_l", "eye_r")]
    way = head.tail_local - head.head_local
    high = [(e.bone.head_local - head.head_local).dot(way) / way.length_squared for e in eyes if e]
    return sum(high) / len(high) if high else 0.5


def _height(body: bpy.types.Object, bone: bpy.types.Bone, up: Vector, eye_share: float) -> float:
    """World length from the bone's head to the crown: of the skin that follows it, or else to
    the bone's own end; where that does not rise, as an FBX may bring it, by the body's eyes.
    """
    joint = body.matrix_world @ bone.head_local
    below = [bone, *bone.children_recursive]
    for names in ({bone.name}, {b.name for b in below}):
        best = max((_crown(mesh, names, joint, up) for mesh in _skins(body)), default=0.0)
        if best > 0:
            return best
    ends = [bone.tail_local, *(b.head_local for b in bone.children)]
    rises = [(body.matrix_world @ end - joint).dot(up) for end in ends]
    whole = body.matrix_world.to_3x3() @ (bone.tail_local - bone.head_local)
    if rises[0] >= _RISES * whole.length:
        return rises[0]
    eyes = bone_names.eye_names([b.name for b in below])
    high = [(body.matrix_world @ body.data.bones[n].head_local - joint).dot(up)
            for n in eyes.values()]  # fmt: skip
    if high and min(high) > 0 and 0.1 < eye_share < 0.9:
        return float(sum(high) / len(high) / eye_share)
    return max(rises) if max(rises) >= 0.5 * whole.length else float(whole.length)


def _crown(mesh: bpy.types.Object, names: set[str], joint: Vector, up: Vector) -> float:
    """How high above the joint is what follows one of these bones; 0 where nothing does."""
    groups = {g.index for g in mesh.vertex_groups if g.name in names}
    best = 0.0
    for vertex in mesh.data.vertices if groups else ():
        if sum(g.weight for g in vertex.groups if g.group in groups) > 0.5:
            best = max(best, float((mesh.matrix_world @ vertex.co - joint).dot(up)))
    return best


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
    target = body
    if not is_aligned(rig, body):
        target = make_bridge(rig, body, (*bones.neck, bones.head), f"{rig.name} on {body.name}")
        place = target.matrix_world.copy()
        target.parent, target.parent_type, target.parent_bone = body, "BONE", rig.parent_bone
        target.matrix_world = place
    for joint, sources in (("neck", bones.neck), ("head", (bones.head,))):
        bone = find_bone(rig, joint)
        if bone is None:
            continue
        for source in sources:
            copied = bone.constraints.new("COPY_ROTATION")
            copied.name, copied.target, copied.subtarget = FOLLOWS, target, source
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
    bone = _head_bone(rig)
    reach = _NECK_REACH * (bone.tail_local - bone.head_local).length
    target = nearest_loop(loops, vertices[lowest].mean(axis=0), reach)
    if target is None:
        return False
    moved = vertices + neck_offsets(vertices, np.array(lowest), target, bone.head_local.z)
    key = head.shape_key_add(name=NECK_KEY, from_mix=False)
    key.points.foreach_set("co", np.ascontiguousarray(moved, np.float32).ravel())
    key.value = 1.0
    parts.show(head, "neck cut", False)  # the neck goes on
    return True
