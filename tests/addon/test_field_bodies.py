# SPDX-License-Identifier: GPL-3.0-or-later
"""Heads and recordings on bodies from other programs: up and front are what the bones say.

Reports of each kind of fault: docs/field.md.
"""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from looking import datablocks, evaluated
from mathutils import Matrix
from strangers import BONES, KINDS, Y_UP, Kind, make_body
from test_body import attach, joint, ring

PLACES = {
    "as it came": Matrix(),
    "moved by an artist": Matrix.Translation((0.4, -2.0, 0.3))
    @ Matrix.Rotation(0.7, 4, "Z")
    @ Matrix.Rotation(0.3, 4, "X")
    @ Matrix.Scale(1.7, 4),
}


def rotation(matrix) -> np.ndarray:
    return np.array(matrix.to_3x3().normalized())


def angle(one, other) -> float:
    """Degrees between two rotations."""
    cosine = (np.trace(one.T @ other) - 1) / 2
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def rest(person) -> None:
    for bone in person.rig.pose.bones:
        bone.matrix_basis.identity()
        bone.rotation_quaternion = (1, 0, 0, 0)


def set_world_turn(rig, name, turn) -> None:
    """Turns a pose bone about its own head by a rotation of the scene."""
    bone = rig.pose.bones[name]
    world = rig.matrix_world @ bone.matrix
    at = Matrix.Translation(world.translation)
    turned = at @ Matrix(turn.tolist()).to_4x4() @ at.inverted() @ world
    bone.matrix = rig.matrix_world.inverted() @ turned
    bpy.context.view_layer.update()


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", KINDS)
def test_the_head_stands_as_the_bones_do(person, name, place):
    body = make_body(KINDS[name], PLACES[place])
    rest(person)
    attach(person, body.rig)
    assert np.abs(joint(person, "head") - body.at("head")).max() < 1e-4
    assert angle(rotation(person.rig.matrix_world), body.turn) < 0.1
    points = (evaluated(person.head) - body.at("head")) @ body.turn
    assert points[:, 2].max() == pytest.approx(body.tall, rel=0.03)
    nose = points[np.argmin(points[:, 1])]
    assert nose[1] < -0.3 * body.tall and -0.1 < nose[2] / body.tall < 0.6


@pytest.mark.parametrize("name", KINDS)
def test_the_head_turns_as_the_bodys_does(person, name):
    """By the same rotation in the scene, whichever axes the body's bones have."""
    body = make_body(KINDS[name], PLACES["moved by an artist"])
    rest(person)
    attach(person, body.rig)
    for bone in person.rig.pose.bones:  # a person's neck stops sooner than the body's may
        for limit in [c for c in bone.constraints if c.type == "LIMIT_ROTATION"]:
            bone.constraints.remove(limit)
    bones = [person.rig.pose.bones[b] for b in ("neck", "head")]
    before = [rotation(person.rig.matrix_world @ b.matrix) for b in bones]
    for axis in "XYZ":
        turn = np.array(Matrix.Rotation(0.4, 3, axis))
        set_world_turn(body.rig, body.bones["head"], turn)
        now = rotation(person.rig.matrix_world @ bones[1].matrix)
        assert angle(now, turn @ before[1]) < 0.1, axis
        body.rig.pose.bones[body.bones["head"]].matrix_basis = Matrix()
        bpy.context.view_layer.update()
        set_world_turn(body.rig, body.bones["neck"], turn)
        now = rotation(person.rig.matrix_world @ bones[0].matrix)
        assert angle(now, turn @ before[0]) < 0.1, axis
        body.rig.pose.bones[body.bones["neck"]].matrix_basis = Matrix()
        bpy.context.view_layer.update()


def recording(path, yaw, pitch, roll):
    """Two moments: straight ahead, and turned by radians in Unreal's signs."""
    lines = ["Timecode,BlendShapeCount,JawOpen,HeadYaw,HeadPitch,HeadRoll"]
    lines += ["00:00:00:00.000,4,0,0,0,0", f"00:00:00:01.000,4,1,{yaw},{pitch},{roll}"]
    path.write_text("\n".join(lines))
    return path


@pytest.mark.parametrize("name", KINDS)
def test_a_recording_turns_the_head_about_the_bodys_own_axes(ours, scene, tmp_path, name):
    body = make_body(KINDS[name], PLACES["moved by an artist"])
    body.skin.shape_key_add(name="Basis")
    body.skin.shape_key_add(name="jawOpen")
    bpy.context.view_layer.objects.active = body.skin
    body.skin.select_set(True)
    take = recording(tmp_path / "take.csv", -0.4, 0.2, 0.1)
    scene.render.fps = 60
    bone = body.rig.pose.bones[body.bones["head"]]
    before = rotation(body.rig.matrix_world @ bone.matrix)
    assert bpy.ops.pixel3dmm.import_motion(filepath=str(take)) == {"FINISHED"}
    scene.frame_set(2)
    now = rotation(body.rig.matrix_world @ bone.matrix)
    axes = ours("core.geometry.axes")
    own = (
        axes.HEAD_TO_SCENE
        @ ours("core.motion.angles").rotations(*(np.array([value]) for value in (0.4, 0.2, -0.1)))[
            0
        ]
        @ axes.HEAD_TO_SCENE.T
    )
    wanted = body.turn @ own @ body.turn.T
    assert angle(now @ before.T, wanted) < 0.1
    # To its left and up, in words.
    looks = body.turn.T @ now @ before.T @ body.turn @ [0, -1, 0]
    assert looks[0] > 0.3 and looks[2] > 0.15


def test_eyes_of_strangers_are_found(ours, scene):
    names = ours("core.rig.bone_names")
    for name, kind in KINDS.items():
        body = make_body(kind)
        found = names.eye_names(body.rig.data.bones.keys())
        wanted = {e: body.bones[e] for e in ("eye_l", "eye_r") if e in body.bones}
        assert found == wanted, name


@pytest.mark.parametrize("name", ["mixamo", "unity", "unreal", "biped", "x is up", "lying"])
def test_the_necks_edge_lies_on_the_bodys(person, name):
    """Farther from the origin than a metre and in the body's own units."""
    body = make_body(KINDS[name], PLACES["moved by an artist"])
    rest(person)
    person.head.pixel3dmm.neck_base = False
    attach(person, body.rig, match_neck=False)
    points = evaluated(person.head)
    own = (points - body.at("head")) @ body.turn
    size = body.tall / 0.25
    edge, middle = own[:, 2].min(), own[own[:, 2] < own[:, 2].min() + 0.005 * size].mean(axis=0)
    rings = np.array(ring(0.07 * size, edge - 0.015 * size) + ring(0.2 * size, edge - 0.3 * size))
    rings[:, :2] += middle[:2]
    world = rings @ body.turn.T + body.at("head")
    inverse = np.array(body.rig.matrix_world.inverted())
    mesh = bpy.data.meshes.new("torso")
    n = len(rings) // 2
    faces = [(k, (k + 1) % n, n + (k + 1) % n, n + k) for k in range(n)]
    mesh.from_pydata((world @ inverse[:3, :3].T + inverse[:3, 3]).tolist(), [], faces)
    torso = bpy.data.objects.new("torso", mesh)
    bpy.context.collection.objects.link(torso)
    torso.modifiers.new("Armature", "ARMATURE").object = body.rig
    torso.parent = body.rig
    bpy.context.view_layer.update()
    attach(person, body.rig)
    assert "bodyNeck" in person.head.data.shape_keys.key_blocks
    after = evaluated(person.head)
    lowest = np.argsort(((after - body.at("head")) @ body.turn)[:, 2])[:20]
    away = [np.linalg.norm(world[:n] - after[i], axis=1).min() for i in lowest]
    assert max(away) < 0.012 * size


@pytest.mark.parametrize("name", ["mixamo", "maya", "unity", "vrm", "mmd", "lying"])
def test_without_a_skin_eyes_or_bones_tell_the_height(person, name):
    body = make_body(KINDS[name], skinned=False)
    attach(person, body.rig)
    points = (evaluated(person.head) - body.at("head")) @ body.turn
    assert points[:, 2].max() == pytest.approx(body.tall, rel=0.35)


def test_a_head_keeps_its_size_on_a_body_in_centimetres(person):
    body = make_body(KINDS["mixamo"])
    attach(person, body.rig, match_scale=False)
    assert person.rig.matrix_world.median_scale == pytest.approx(1.0, abs=1e-5)


def test_a_body_of_mirrored_names_looks_where_its_toes_point(person):
    """An artist mirrored the armature and applied it: its left bones lie to the right."""
    swapped = KINDS["vrm"].names.split()
    for i in (4, 6, 8, 10):
        swapped[i], swapped[i + 1] = swapped[i + 1], swapped[i]
    body = make_body(Kind(" ".join(swapped)))
    rest(person)
    attach(person, body.rig)
    assert angle(rotation(person.rig.matrix_world), np.eye(3)) < 0.1


def test_a_mirrored_body_is_refused_by_name(person):
    body = make_body(KINDS["unity"], Matrix.Diagonal((-1, 1, 1, 1)))
    with pytest.raises(RuntimeError, match="stranger is mirrored"):
        attach(person, body.rig)
    assert person.rig.parent is None


def test_nothing_is_left_of_a_body_that_the_head_was_taken_from(person):
    body = make_body(KINDS["mixamo"])
    before = datablocks()
    attach(person, body.rig)
    attach(person, body.rig)
    assert bpy.ops.pixel3dmm.detach_from_body() == {"FINISHED"}
    assert datablocks() == before


@pytest.mark.parametrize("preset", ["UNITY", "UNREAL"])
def test_our_own_exports_are_bodies_too(person, tmp_path, preset):
    """Read back by Blender an FBX with Y up is a turned and scaled armature."""
    path = tmp_path / "body.fbx"
    rest(person)
    person.head.data.shape_keys.key_blocks.foreach_set(
        "value", np.zeros(len(person.head.data.shape_keys.key_blocks))
    )
    bpy.ops.pixel3dmm.export_head(filepath=str(path), preset=preset)
    wanted = np.ptp(evaluated(person.head), axis=0)
    before = set(bpy.data.objects)
    bpy.ops.import_scene.fbx(filepath=str(path))
    body = next(o for o in bpy.data.objects if o not in before and o.type == "ARMATURE")
    body.location.x = 1.0
    bpy.context.view_layer.update()
    attach(person, body, match_neck=False)
    got = np.ptp(evaluated(person.head), axis=0)
    assert got == pytest.approx(wanted, rel=0.03)


def test_kinds_cover_what_is_promised():
    """Axes, units and bones' directions differ; no two are the same body."""
    assert len(KINDS) >= 8
    assert len({(k.turn, k.unit, k.tail, k.applied) for k in KINDS.values()}) >= 8
    assert any(k.turn == Y_UP for k in KINDS.values()) and len(BONES) == 12
