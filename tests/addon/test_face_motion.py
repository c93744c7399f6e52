# SPDX-License-Identifier: GPL-3.0-or-later
"""Recordings and actions onto our heads and onto other people's meshes."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from looking import datablocks
from mathutils import Vector

COUNT = 60


def recording(path, arkit_names):
    """One second at 60: jaw opens, gaze wanders left and up, the head turns to its left."""
    parts = [f"{p}{k}" for p in ("Head", "LeftEye", "RightEye") for k in ("Yaw", "Pitch", "Roll")]
    columns = [n[0].upper() + n[1:] for n in arkit_names] + parts
    lines = [",".join(["Timecode", "BlendShapeCount", *columns])]
    for i in range(COUNT):
        share = i / (COUNT - 1)
        values = {
            "JawOpen": share, "EyeLookOutLeft": share, "EyeLookInRight": share,
            "EyeLookUpLeft": share, "EyeLookUpRight": share,
            # As the phone counts when it lies on its side: left is positive, up is negative.
            "LeftEyeYaw": 0.3 * share, "RightEyeYaw": 0.3 * share,
            "LeftEyePitch": -0.2 * share, "RightEyePitch": -0.2 * share,
            "HeadYaw": 0.5 * share, "HeadPitch": -0.25 * share,
        }  # fmt: skip
        cells = [repr(values.get(c, 0.0)) for c in columns]
        lines.append(",".join([f"10:00:00:{i:02d}.000", "61", *cells]))
    path.write_text("\n".join(lines))
    return path


@pytest.fixture
def take(ours, tmp_path):
    return recording(tmp_path / "take 1.csv", ours("core.heads.arkit").ARKIT_NAMES)


def looks(rig, bone):
    """Where what lies in front of a bone at rest is looked for now (armature space)."""
    pose = rig.pose.bones[bone]
    return (pose.matrix @ pose.bone.matrix_local.inverted()).to_3x3() @ Vector((0, -1, 0))


def test_a_recording_moves_keys_and_bones(ours, person, take):
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base, scene.frame_end = 30, 1.0, 10
    keys = person.head.data.shape_keys
    assert bpy.ops.pixel3dmm.import_motion(filepath=str(take)) == {"FINISHED"}
    assert scene.frame_end == 30
    for frame in (1, 11, 30):
        scene.frame_set(frame)
        share = min((frame - 1) / 30 * 60 / (COUNT - 1), 1.0)
        assert keys.key_blocks["jawOpen"].value == pytest.approx(share, abs=1e-5)
        assert keys.key_blocks["mouthSmileLeft"].value == pytest.approx(0.0)
    # The subject's left is +x in the scene, the face looks along -y.
    eye, head = looks(person.rig, "eye.L"), looks(person.rig, "head")
    assert head.x > 0.4 and head.z > 0.2
    assert eye.x > head.x + 0.2 and eye.z > head.z
    assert person.head["pixel3dmm_photo"] == "someone"


def test_eyes_that_follow_the_sliders_do_not_turn_twice(person, take):
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = 30, 1.0
    assert bpy.ops.pixel3dmm.eyes_follow() == {"FINISHED"}
    assert bpy.ops.pixel3dmm.import_motion(filepath=str(take), head=False) == {"FINISHED"}
    # The action of the bones would be there for the head, which was not asked for.
    assert person.rig.animation_data is None or person.rig.animation_data.action is None
    scene.frame_set(30)
    eye = looks(person.rig, "eye.L")
    assert eye.x > 0.2  # the sliders turn it, to its left


def test_flipped_and_without_turns(ours, person, take):
    scene = bpy.context.scene
    bpy.ops.pixel3dmm.import_motion(filepath=str(take), flip_yaw=True, eyes=False)
    scene.frame_set(scene.frame_end)
    assert looks(person.rig, "head").x < -0.4
    paths = {c.data_path for c in ours("pixel3dmm_addon.scene.curves").curves_of(person.rig)}
    assert paths == {'pose.bones["head"].rotation_quaternion'}


def test_driven_keys_stay_with_their_drivers(ours, person, take):
    keys = person.head.data.shape_keys
    driver = keys.key_blocks["mouthSmileLeft"].driver_add("value").driver
    driver.type, driver.expression = "SCRIPTED", "0.25"
    bpy.ops.pixel3dmm.import_motion(filepath=str(take))
    moved = {c.data_path for c in ours("pixel3dmm_addon.scene.curves").curves_of(keys)}
    assert 'key_blocks["jawOpen"].value' in moved
    assert 'key_blocks["mouthSmileLeft"].value' not in moved
    bpy.context.scene.frame_set(5)
    assert keys.key_blocks["mouthSmileLeft"].value == pytest.approx(0.25)


def test_the_action_of_before_stays_in_the_file(person, take):
    keys = person.head.data.shape_keys
    keys.key_blocks["jawOpen"].keyframe_insert("value", frame=1)
    old = keys.animation_data.action
    bpy.ops.pixel3dmm.import_motion(filepath=str(take))
    assert keys.animation_data.action != old
    assert old.use_fake_user


def stranger(names):
    """A cube of somebody's, with keys and a rig of other names."""
    bpy.ops.object.armature_add()
    rig = bpy.context.object
    rig.data.bones[0].name = "Head"
    bpy.ops.mesh.primitive_cube_add()
    cube = bpy.context.object
    cube.modifiers.new("Rig", "ARMATURE").object = rig
    cube.shape_key_add(name="Basis")
    for name in names:
        cube.shape_key_add(name=name).value = 0.0
    return cube, rig


def test_a_mesh_of_somebody_else(scene, ours, take):
    cube, rig = stranger(["EyeBlink_L", "JAW_OPEN", "frown"])
    bpy.ops.pixel3dmm.import_motion(filepath=str(take))
    scene.frame_set(scene.frame_end)
    assert cube.data.shape_keys.key_blocks["JAW_OPEN"].value == pytest.approx(23 / 24 * 60 / 59)
    assert cube.data.shape_keys.key_blocks["frown"].value == 0.0
    assert looks(rig, "Head").x > 0.2


def test_selected_meshes_all_move(person, take):
    cube, _ = stranger(["jawOpen"])
    person.head.select_set(True)
    bpy.ops.pixel3dmm.import_motion(filepath=str(take))
    for mesh in (cube, person.head):
        assert mesh.data.shape_keys.animation_data.action is not None


def test_an_action_goes_over_by_names(ours, person, scene):
    """Keys, a property of a puppet, bones: with their handles."""
    curves = ours("pixel3dmm_addon.scene.curves")
    cube, _ = stranger(["jawOpen", "eyeBlink_L", "nothingOfOurs"])
    blocks = cube.data.shape_keys.key_blocks
    for name in ("jawOpen", "eyeBlink_L", "nothingOfOurs"):
        for frame, value in ((1, 0.0), (7, 0.8), (12, 0.3)):
            blocks[name].value = value
            blocks[name].keyframe_insert("value", frame=frame)
    action = cube.data.shape_keys.animation_data.action
    bpy.context.view_layer.objects.active = person.head
    cube.select_set(False)
    assert bpy.ops.pixel3dmm.apply_action(action=action.name) == {"FINISHED"}
    keys = person.head.data.shape_keys
    wanted = {c.data_path: c for c in curves.curves_of(cube.data.shape_keys)}
    got = {c.data_path: c for c in curves.curves_of(keys)}
    assert set(got) == {'key_blocks["jawOpen"].value', 'key_blocks["eyeBlinkLeft"].value'}
    for frame in np.linspace(1, 12, 23):
        expected = wanted['key_blocks["jawOpen"].value'].evaluate(frame)
        assert got['key_blocks["jawOpen"].value'].evaluate(frame) == pytest.approx(
            expected, abs=1e-5
        )


def test_an_action_of_a_puppets_properties(ours, person, scene):
    puppet = bpy.data.objects.new("puppet", None)
    scene.collection.objects.link(puppet)
    for frame, value in ((1, 0.0), (10, 1.0)):
        puppet["jawOpen"] = value
        puppet.keyframe_insert('["jawOpen"]', frame=frame)
    name = puppet.animation_data.action.name
    bpy.context.view_layer.objects.active = person.head
    bpy.ops.pixel3dmm.apply_action(action=name)
    scene.frame_set(10)
    assert person.head.data.shape_keys.key_blocks["jawOpen"].value == pytest.approx(1.0)


def test_between_two_of_our_heads_bones_go_along(ours, rigged, person, loaded, scene):
    other = ours("pixel3dmm_addon.scene.build").build_person(bpy.context, rigged, loaded)
    bone = person.rig.pose.bones["head"]
    for frame, turn in ((1, (1, 0, 0, 0)), (9, (0.98, 0, 0.198997, 0))):
        bone.rotation_quaternion = turn
        bone.keyframe_insert("rotation_quaternion", frame=frame)
    motion = ours("pixel3dmm_addon.scene.motion")
    applied = motion.apply_action(other.head, person.rig.animation_data.action)
    assert applied.bones == ("head",)
    scene.frame_set(9)
    assert other.rig.pose.bones["head"].rotation_quaternion[2] == pytest.approx(0.199, abs=1e-3)


def test_what_is_no_recording_is_one_sentence_and_changes_nothing(person, tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("a,b\n1,2\n")
    before = datablocks()
    with pytest.raises(RuntimeError, match="no recording of Live Link Face") as caught:
        bpy.ops.pixel3dmm.import_motion(filepath=str(path))
    assert "Traceback" not in str(caught.value)
    assert datablocks() == before


def test_without_a_face_the_button_says_why(scene, take):
    with pytest.raises(RuntimeError, match="ARKit"):
        bpy.ops.pixel3dmm.import_motion(filepath=str(take))


def test_keys_that_are_missing_are_said(ours, scene, take):
    cube, _ = stranger(["jawOpen"])
    scene_motion = ours("pixel3dmm_addon.scene.motion")
    motion = ours("core.motion.arkit_csv").read_arkit_csv(take)
    applied = scene_motion.apply_motion(cube, motion, rate=60, start=1, name="take")
    assert applied.keys == ("jawOpen",)
    assert len(applied.missing) == 51
