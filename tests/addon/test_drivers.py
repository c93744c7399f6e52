# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys that follow other keys and bones, limits, and what Check Rig reads back."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from looking import evaluated
from recording import draw


def update() -> None:
    bpy.context.evaluated_depsgraph_get().update()


def value(head, name) -> float:
    graph = bpy.context.evaluated_depsgraph_get()
    return head.evaluated_get(graph).data.shape_keys.key_blocks[name].value


@pytest.fixture
def at_rest(person):
    """All keys at zero, bones unposed."""
    for key in person.head.data.shape_keys.key_blocks[1:]:
        key.value = 0.0
    for bone in person.rig.pose.bones:
        bone.rotation_mode = "XYZ"
        bone.rotation_euler = (0, 0, 0)
    update()
    return person


def test_a_corrective_is_the_product_of_its_two_keys(at_rest):
    keys = at_rest.head.data.shape_keys.key_blocks
    keys["eyeBlinkLeft"].value = 0.8
    update()
    assert value(at_rest.head, "corr_eyeBlinkLeft_eyeSquintLeft") == 0
    keys["eyeSquintLeft"].value = 0.5
    update()
    assert value(at_rest.head, "corr_eyeBlinkLeft_eyeSquintLeft") == pytest.approx(0.4)
    assert value(at_rest.head, "corr_eyeBlinkRight_eyeSquintRight") == 0


def test_every_driver_is_sound_and_runs_without_python(person, capfd):
    keys = person.head.data.shape_keys
    constraint = person.rig.animation_data.drivers
    drivers = [*keys.animation_data.drivers, *constraint]
    assert len(drivers) == 18
    update()
    for curve in drivers:
        assert curve.is_valid
        assert curve.driver.is_valid
        assert curve.driver.is_simple_expression
    said = capfd.readouterr()
    assert "cycle" not in (said.out + said.err).lower()


def test_the_jaw_bone_opens_the_mouth_like_its_key(at_rest, ours):
    head, jaw = at_rest.head, at_rest.rig.pose.bones["jaw"]
    keys = head.data.shape_keys.key_blocks
    rest = evaluated(head)
    keys["jawOpen"].value = 1.0
    update()
    by_key = evaluated(head) - rest
    keys["jawOpen"].value = 0.0
    jaw.rotation_euler[0] = np.radians(21)
    update()
    assert value(head, "corr_jaw") == pytest.approx(1.0, abs=0.06)
    by_bone = evaluated(head) - rest
    alike = (by_bone * by_key).sum() / np.linalg.norm(by_bone) / np.linalg.norm(by_key)
    assert alike > 0.97
    assert np.linalg.norm(by_bone) == pytest.approx(np.linalg.norm(by_key), rel=0.1)
    # Without the corrective the mouth opens like a box: its lips are off by millimetres.
    assert np.linalg.norm(by_bone - by_key, axis=1).max() < 0.006


def test_key_and_bone_do_not_open_the_jaw_twice(at_rest):
    head, jaw = at_rest.head, at_rest.rig.pose.bones["jaw"]
    keys = head.data.shape_keys.key_blocks
    keys["jawOpen"].value = 1.0
    update()
    once = evaluated(head)
    jaw.rotation_euler[0] = np.radians(21)
    update()
    assert np.abs(evaluated(head) - once).max() < 1e-5
    assert value(head, "corr_jaw") == pytest.approx(0, abs=1e-6)
    keys["jawOpen"].value = 0.5
    update()
    lowest = evaluated(head)[:, 2]
    assert (once[:, 2] - lowest).max() < 0.004
    assert value(head, "corr_jaw") == pytest.approx(0.52, abs=0.04)


def test_neck_and_head_stop_where_a_person_does(at_rest):
    for name in ("neck", "head"):
        bone = at_rest.rig.pose.bones[name]
        bone.rotation_euler = (np.radians(80), 0, 0)
        update()
        graph = bpy.context.evaluated_depsgraph_get()
        turned = at_rest.rig.evaluated_get(graph).pose.bones[name]
        relative = turned.parent.matrix.inverted() @ turned.matrix
        rest = turned.bone.parent.matrix_local.inverted() @ turned.bone.matrix_local
        angle = np.degrees((rest.inverted() @ relative).to_quaternion().angle)
        assert angle == pytest.approx(30, abs=0.1)
        bone.rotation_euler = (0, 0, 0)


def test_bones_nod_about_their_own_x(person):
    for bone in person.rig.data.bones:
        assert np.array(bone.matrix_local)[:3, 0] == pytest.approx([1, 0, 0], abs=2e-2)


# --- Check Rig ----------------------------------------------------------------------------------
def test_a_head_comes_back_as_it_was_made(ours, person, rigged):
    read = ours("pixel3dmm_addon.scene.rig_data").rig_arrays(person.head, person.rig)
    made = ours("core.rig.rig_arrays").RigArrays.of(rigged)
    assert read.key_names == made.key_names
    assert read.joint_names == made.joint_names
    for name, tolerance in (("basis", 1e-6), ("deltas", 1e-6), ("joints", 1e-6),
                            ("weights", 2e-6), ("landmark_barycentric", 1e-6)):  # fmt: skip
        assert np.abs(getattr(read, name) - getattr(made, name)).max() < tolerance, name
    for name in ("correctives", "mirror", "landmark_vertices"):
        assert np.array_equal(getattr(read, name), getattr(made, name)), name
    assert set(read.regions) == set(made.regions)
    assert all(np.array_equal(read.regions[n], made.regions[n]) for n in made.regions)
    order = np.lexsort(np.sort(read.triangles, axis=1).T)
    other = np.lexsort(np.sort(made.triangles, axis=1).T)
    assert np.array_equal(
        np.sort(read.triangles, axis=1)[order], np.sort(made.triangles, axis=1)[other]
    )
    assert np.array_equal(read.parts[order], made.parts[other])


def check(**options):
    bpy.ops.pixel3dmm.check_rig(**options)
    return bpy.context.object["pixel3dmm_last_check"]


def test_check_rig_passes_a_head_and_says_what_an_artist_broke(person, tmp_path):
    assert check(folder=str(tmp_path)).startswith("The rig passes")
    assert len(list(tmp_path.glob("*.rig.*"))) == 2
    keys = person.head.data.shape_keys.key_blocks
    keys["jawOpen"].name = "mouthOpen"
    assert "first at names of jawOpen" in check()
    keys["mouthOpen"].name = "jawOpen"
    assert check().startswith("The rig passes")
    points = np.empty(len(person.head.data.vertices) * 3, np.float32)
    keys[0].points.foreach_get("co", points)
    keys["cheekPuff"].points.foreach_set("co", points)
    assert "of cheekPuff" in check()


def test_check_rig_works_on_a_copy_and_on_the_rig_object(person):
    bpy.context.view_layer.objects.active = person.rig
    assert bpy.ops.pixel3dmm.check_rig() == {"FINISHED"}
    assert person.head["pixel3dmm_last_check"].startswith("The rig passes")


def test_a_head_with_other_vertices_is_told(person):
    mesh = person.head.data
    mesh.vertices.add(1)
    with pytest.raises(RuntimeError, match="given other vertices"):
        bpy.ops.pixel3dmm.check_rig()


def test_a_head_of_an_earlier_version_is_told(person):
    mesh = person.head.data
    mesh.attributes.remove(mesh.attributes["pixel3dmm_regions"])
    with pytest.raises(RuntimeError, match="earlier version"):
        bpy.ops.pixel3dmm.check_rig()


# --- eyes ---------------------------------------------------------------------------------------
def looks(rig, bone) -> np.ndarray:
    """Where an eye looks, world direction."""
    graph = bpy.context.evaluated_depsgraph_get()
    posed = rig.evaluated_get(graph).pose.bones[bone]
    return np.array((posed.tail - posed.head).normalized())


@pytest.mark.parametrize("mode", ["QUATERNION", "XYZ"])
def test_eyes_follow_the_sliders_when_asked_to(person, mode):
    head, rig = person.head, person.rig
    keys = head.data.shape_keys.key_blocks
    for bone in ("eye.L", "eye.R"):
        rig.pose.bones[bone].rotation_mode = mode
    keys["eyeLookUpLeft"].value = 0.3
    keys["eyeLookOutLeft"].value = 0.6
    update()
    at_photo = {b: looks(rig, b) for b in ("eye.L", "eye.R")}
    keys["eyeLookUpRight"].value = 0.9
    update()
    assert np.abs(looks(rig, "eye.R") - at_photo["eye.R"]).max() < 1e-6  # lids alone
    keys["eyeLookUpRight"].value = 0.0
    assert bpy.ops.pixel3dmm.eyes_follow() == {"FINISHED"}
    update()
    for bone, before in at_photo.items():
        assert np.abs(looks(rig, bone) - before).max() < 1e-3, bone
    for name, axis, sign in (("eyeLookUpRight", 2, 1), ("eyeLookDownRight", 2, -1),
                             ("eyeLookInRight", 0, 1), ("eyeLookOutRight", 0, -1)):  # fmt: skip
        keys[name].value = 1.0
        update()
        moved = looks(rig, "eye.R") - at_photo["eye.R"]
        assert sign * moved[axis] > 0.12, name
        assert abs(moved[axis]) > 4 * abs(moved[2 - axis]), name
        keys[name].value = 0.0
    keys["eyeLookOutLeft"].value = 1.0
    update()
    assert looks(rig, "eye.L")[0] > at_photo["eye.L"][0] + 0.05
    keys["eyeLookOutLeft"].value = 0.6
    assert bpy.ops.pixel3dmm.eyes_follow() == {"FINISHED"}
    update()
    for bone, before in at_photo.items():
        assert np.abs(looks(rig, bone) - before).max() < 1e-3, bone
    assert not [d for d in rig.animation_data.drivers if "gaze" in d.data_path]


def test_the_rig_panel_offers_all_of_it_and_shows_the_last_check(ours, person):
    def shown(kind) -> list[str]:
        return [text for k, text in draw(ours, "PIXEL3DMM_PT_rig") if k == kind]

    offered = ("check_rig", "eyes_follow", "name_bones", "attach_to_body", "detach_from_body")
    assert shown("operator") == [f"pixel3dmm.{verb}" for verb in offered]
    assert not shown("label")
    bpy.ops.pixel3dmm.check_rig()
    assert " ".join(shown("label")).startswith("The rig passes")
