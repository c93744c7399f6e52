# SPDX-License-Identifier: GPL-3.0-or-later
"""Photo, expression and identity panels: what they show, and that their verbs do it."""

from __future__ import annotations

import json

import bpy
import numpy as np
import pytest
from looking import evaluated
from recording import draw


@pytest.fixture
def expression(ours):
    return ours("pixel3dmm_addon.scene.expression")


def labels(drawn):
    return [text for kind, text in drawn if kind == "label"]


@pytest.fixture
def two_faces(example_photo, tmp_path):
    """The example photo twice in one picture, the second one larger."""
    image = bpy.data.images.load(str(example_photo))
    width, height = image.size
    pixels = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(pixels)
    bpy.data.images.remove(image)
    pixels = pixels.reshape(height, width, 4)
    double = np.concatenate([pixels[150:, :362], pixels[150:, :362]], axis=1)
    out = bpy.data.images.new("two", double.shape[1], double.shape[0])
    out.pixels.foreach_set(np.ascontiguousarray(double).ravel())
    out.filepath_raw, out.file_format = str(tmp_path / "two.png"), "PNG"
    out.save()
    bpy.data.images.remove(out)
    return tmp_path / "two.png"


def test_check_photo_gives_advice_and_a_choice_of_faces(ours, scene, two_faces):
    with pytest.raises(RuntimeError, match="Pick a photo first"):
        bpy.ops.pixel3dmm.check_photo()
    scene.pixel3dmm.photo = str(two_faces)
    with pytest.raises(RuntimeError, match="Check the photo first"):
        bpy.ops.pixel3dmm.choose_face(number=1)
    assert bpy.ops.pixel3dmm.check_photo() == {"FINISHED"}
    drawn = draw(ours, "PIXEL3DMM_PT_photo")
    assert "Choose a Face" in labels(drawn)
    assert drawn.count(("operator", "pixel3dmm.choose_face")) == 2
    assert any("The face is small" in text for text in labels(drawn))
    assert bpy.ops.pixel3dmm.choose_face(number=2) == {"FINISHED"}
    assert scene.pixel3dmm.face == 1
    options = ours("pixel3dmm_addon.properties").job_options(scene.pixel3dmm)
    assert options.items() >= {"face": 1, "head": "open-head", "predictor": "mediapipe"}.items()
    with pytest.raises(RuntimeError, match="does not show that many"):
        bpy.ops.pixel3dmm.choose_face(number=3)


def test_panel_and_report_say_the_same_of_a_mask(ours, scene, example_photo, tmp_path):
    image = bpy.data.images.load(str(example_photo))
    width, height = image.size
    pixels = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(pixels)
    # Blender's rows go up: the cloth hangs from the nose's tip to below the chin.
    pixels.reshape(height, width, 4)[-184:-118, 158:252, :3] = (0.67, 0.80, 0.86)
    image.pixels.foreach_set(pixels)
    image.filepath_raw, image.file_format = str(tmp_path / "masked.png"), "PNG"
    image.save()
    bpy.data.images.remove(image)
    scene.pixel3dmm.photo = str(tmp_path / "masked.png")
    assert bpy.ops.pixel3dmm.check_photo() == {"FINISHED"}
    shown = " ".join(labels(draw(ours, "PIXEL3DMM_PT_photo")))
    assert bpy.ops.pixel3dmm.reconstruct_face() == {"FINISHED"}
    said = json.loads(bpy.context.object["pixel3dmm_report"])["warnings"]
    (sentence,) = [s for s in said if s.startswith("Covered or in the dark")]
    assert "mouth" in sentence
    assert "chin" in sentence
    assert sentence in shown


def test_the_chosen_face_is_the_one_that_is_reconstructed(scene, two_faces):
    scene.pixel3dmm.photo = str(two_faces)
    used = []
    for face in (0, 1):
        scene.pixel3dmm.face = face
        assert bpy.ops.pixel3dmm.reconstruct_face() == {"FINISHED"}
        report = json.loads(bpy.context.object["pixel3dmm_report"])
        used.append(report["photos"][0]["face_used"])
    assert used == [0, 1]
    assert bpy.data.objects["two camera"].location.x != pytest.approx(
        bpy.data.objects["two.001 camera"].location.x, abs=0.01
    )


def test_another_photo_forgets_the_face(scene, example_photo):
    scene.pixel3dmm.face = 3
    scene.pixel3dmm.photo = str(example_photo)
    assert scene.pixel3dmm.face == -1


def test_check_photo_of_no_photo_says_why(scene, tmp_path):
    (tmp_path / "x.jpg").write_text("no picture")
    scene.pixel3dmm.photo = str(tmp_path / "x.jpg")
    with pytest.raises(RuntimeError, match=r"x\.jpg"):
        bpy.ops.pixel3dmm.check_photo()


def test_what_is_not_installed_is_said(ours, scene):
    scene.pixel3dmm.head = "/models/somebody.npz"
    assert "somebody.npz is not installed here" in labels(draw(ours, "PIXEL3DMM_PT_reconstruct"))
    assert ours("pixel3dmm_addon.properties").job_options(scene.pixel3dmm)["head"] == (
        "/models/somebody.npz"
    )
    scene.pixel3dmm.head_choice = "open-head"
    assert scene.pixel3dmm.head == "open-head"
    said = " ".join(labels(draw(ours, "PIXEL3DMM_PT_more_options")))
    assert "CC0-1.0 AND MIT, commercial use" in said
    # What everybody may use needs no line of the panel that is always open.
    assert not any("commercial" in text for text in labels(draw(ours, "PIXEL3DMM_PT_reconstruct")))


def test_imported_heads_are_offered_with_their_licence(ours, scene):
    folder = ours("pixel3dmm_addon.installed").models_folder()
    info = {"title": "FLAME 2020", "licence": {"spdx": "FLAME", "commercial": False}}
    flame = folder / "flame.npz"
    try:
        np.savez(flame, info_json=np.array(json.dumps(info)))
        (folder / "broken.npz").write_text("no archive")
        scene.pixel3dmm.head_choice = str(flame)
        assert scene.pixel3dmm.head == str(flame)
        said = labels(draw(ours, "PIXEL3DMM_PT_reconstruct"))
        assert "FLAME 2020: FLAME, non-commercial" in " ".join(said)
        with pytest.raises(TypeError):
            scene.pixel3dmm.head_choice = str(folder / "broken.npz")
    finally:
        for path in folder.glob("*.npz"):
            path.unlink()
    assert "flame.npz is not installed here" in labels(draw(ours, "PIXEL3DMM_PT_reconstruct"))


def test_search_shows_what_is_called_so(ours, scene, person):
    scene.pixel3dmm.search = "brow inner"
    drawn = [text for kind, text in draw(ours, "PIXEL3DMM_PT_sliders") if kind == "prop"]
    assert "browInnerUp" in drawn
    assert "jawOpen" not in drawn
    scene.pixel3dmm.search = "zebra"
    assert "No slider is called so" in labels(draw(ours, "PIXEL3DMM_PT_sliders"))


def test_amount_of_the_photo(person, expression):
    head = person.head
    photo = expression.photo_values(head)
    assert photo["mouthSmileLeft"] > 0.3
    assert head.pixel3dmm.photo_expression == pytest.approx(1.0, abs=1e-4)
    head.pixel3dmm.photo_expression = 0.5
    for name, value in photo.items():
        assert expression.values(head)[name] == pytest.approx(value / 2, abs=1e-4)
    head.pixel3dmm.photo_expression = 1.0
    for name, value in photo.items():
        assert expression.values(head)[name] == pytest.approx(value, abs=1e-4)


def test_poses_visemes_reset_random_mirror(person, expression, ours):
    poses = ours("core.rig.poses")
    head = person.head
    bpy.ops.pixel3dmm.apply_pose(pose="Smile", strength=0.5)
    values = expression.values(head)
    assert values["mouthSmileLeft"] == pytest.approx(poses.POSES["Smile"]["mouthSmileLeft"] / 2)
    assert values["jawOpen"] == 0
    head.data.shape_keys.key_blocks["browInnerUp"].value = 0.3
    bpy.ops.pixel3dmm.apply_viseme(viseme="aa")
    values = expression.values(head)
    assert values["jawOpen"] == pytest.approx(poses.VISEMES["aa"]["jawOpen"])
    assert values["mouthSmileLeft"] == 0
    assert values["browInnerUp"] == pytest.approx(0.3)
    bpy.ops.pixel3dmm.reset_expression(region="Mouth")
    assert expression.values(head)["jawOpen"] > 0
    bpy.ops.pixel3dmm.reset_expression(region="All")
    assert set(expression.values(head).values()) == {0.0}
    bpy.ops.pixel3dmm.random_expression(seed=5)
    by_chance = expression.values(head)
    assert max(by_chance.values()) > 0.2
    bpy.ops.pixel3dmm.mirror_expression()
    assert expression.values(head)["mouthSmileLeft"] == by_chance["mouthSmileRight"]
    bpy.ops.pixel3dmm.mirror_expression()
    assert expression.values(head) == by_chance


def test_linked_sides_are_drivers(person, expression):
    head = person.head
    keys = head.data.shape_keys
    before = {d.data_path for d in keys.animation_data.drivers}
    bpy.ops.pixel3dmm.link_sides()
    assert expression.is_linked(head)
    for name in ("browDownLeft", "eyeLookOutLeft"):
        keys.key_blocks[name].value = 0.6
    bpy.context.view_layer.update()
    assert keys.key_blocks["browDownRight"].value == pytest.approx(0.6)
    assert keys.key_blocks["eyeLookInRight"].value == pytest.approx(0.6)
    bpy.ops.pixel3dmm.link_sides()
    assert {d.data_path for d in keys.animation_data.drivers} == before
    keys.key_blocks["browDownRight"].value = 0.1
    bpy.context.view_layer.update()
    assert keys.key_blocks["browDownRight"].value == pytest.approx(0.1)
    assert keys.key_blocks["browDownLeft"].value == pytest.approx(0.6)


def test_gaze_and_head_pose_live_on_bones(person):
    head = person.head
    before = evaluated(head)
    head.pixel3dmm.head_turn = np.radians(20)
    bpy.context.view_layer.update()
    tip = before[:, 1].argmin()  # the nose's: the face looks along -Y
    after = evaluated(head)
    assert after[tip, 0] > before[tip, 0] + 0.02, "to the person's left, which is +X"
    assert head.pixel3dmm.head_turn == pytest.approx(np.radians(20), abs=1e-5)
    assert head.pixel3dmm.head_nod == pytest.approx(0, abs=1e-5)
    bone = person.rig.pose.bones["head"]
    assert bone.matrix_basis.to_quaternion().angle == pytest.approx(np.radians(20), abs=1e-5)
    up = head.pixel3dmm.gaze_up
    head.pixel3dmm.gaze_up = up + 0.2
    assert head.pixel3dmm.gaze_up == pytest.approx(up + 0.2, abs=1e-5)
    bpy.ops.pixel3dmm.mirror_expression()
    assert head.pixel3dmm.head_turn == pytest.approx(np.radians(-20), abs=1e-5)
    bpy.ops.pixel3dmm.reset_turns()
    assert head.pixel3dmm.head_turn == pytest.approx(0, abs=1e-5)
    assert head.pixel3dmm.gaze_up == pytest.approx(0, abs=1e-5)


def test_key_all_keys_keys_and_bones(person, expression):
    head, scene = person.head, bpy.context.scene
    keys = head.data.shape_keys.key_blocks
    scene.frame_set(1)
    assert bpy.ops.pixel3dmm.key_all() == {"FINISHED"}
    scene.frame_set(11)
    bpy.ops.pixel3dmm.apply_pose(pose="Surprised")
    head.pixel3dmm.head_turn = 0.3
    bpy.ops.pixel3dmm.key_all()
    scene.frame_set(1)
    smile = keys["mouthSmileLeft"].value
    assert smile == pytest.approx(expression.photo_values(head)["mouthSmileLeft"], abs=1e-4)
    assert head.pixel3dmm.head_turn == pytest.approx(0, abs=1e-5)
    scene.frame_set(11)
    assert keys["mouthSmileLeft"].value == 0
    assert head.pixel3dmm.head_turn == pytest.approx(0.3, abs=1e-5)
    scene.frame_set(6)
    assert 0 < keys["mouthSmileLeft"].value < smile


def test_traits_change_face_keys_and_bones_and_come_back(person, ours):
    identity = ours("pixel3dmm_addon.scene.identity")
    head, rig = person.head, person.rig
    assert identity.why_not(head) == ""
    names = ("Basis", "mouthSmileLeft", "corr_jawOpen_mouthSmileLeft")

    def state():
        out = []
        for name in names:
            points = np.empty(3 * len(head.data.vertices), np.float32)
            head.data.shape_keys.key_blocks[name].points.foreach_get("co", points)
            out.append(points.reshape(-1, 3))
        return np.stack(out)

    before, eye = state(), np.array(rig.data.bones["eye.L"].head_local)
    head.pixel3dmm.trait_eye_distance = 0.8
    head.pixel3dmm.trait_mouth_width = 0.5
    after = state()
    assert np.abs(after[0] - before[0]).max() > 2e-3
    smile = [s[1] - s[0] for s in (before, after)]
    assert np.abs(smile[1] - smile[0]).max() > 1e-4, "the keys are those of the new person"
    assert rig.data.bones["eye.L"].head_local[0] > eye[0] + 0.001
    assert bpy.context.object == head
    assert bpy.context.mode == "OBJECT"
    assert head.pixel3dmm.trait_mouth_width == pytest.approx(0.5)
    with pytest.raises(TypeError):
        bpy.ops.pixel3dmm.reset_traits(region="Tail")
    bpy.ops.pixel3dmm.reset_traits(region="Mouth")
    assert identity.traits(head) == {"eye_distance": pytest.approx(0.8)}
    bpy.ops.pixel3dmm.reset_traits(region="All")
    assert np.abs(state() - before).max() < 2e-6
    assert np.allclose(rig.data.bones["eye.L"].head_local, eye, atol=1e-4)
    with pytest.raises(RuntimeError, match="No trait was changed"):
        bpy.ops.pixel3dmm.reset_traits()


def test_a_sculpted_head_keeps_its_sculpting(person):
    head = person.head
    basis = head.data.shape_keys.key_blocks["Basis"]
    by_hand = np.empty(3 * len(head.data.vertices), np.float32)
    basis.points.foreach_get("co", by_hand)
    by_hand[0] += 0.01
    basis.points.foreach_set("co", by_hand)
    head.pixel3dmm.trait_chin_width = 1.0
    head.pixel3dmm.trait_chin_width = 0.0
    now = np.empty_like(by_hand)
    basis.points.foreach_get("co", now)
    assert np.abs(now - by_hand).max() < 2e-6


def test_heads_without_traits_say_why(person, ours):
    head = person.head
    assert draw(ours, "PIXEL3DMM_PT_identity").count(("operator", "pixel3dmm.reset_traits")) == 9
    head["pixel3dmm_head_model"] = "FLAME 2023"
    assert "Only the Open Head has named" in " ".join(labels(draw(ours, "PIXEL3DMM_PT_identity")))
    head.pixel3dmm.trait_chin_width = 1.0
    assert head.pixel3dmm.trait_chin_width == 0.0


def test_verbs_without_a_head_say_why(scene):
    for verb in ("apply_pose", "random_expression", "key_all", "link_sides", "reset_traits"):
        with pytest.raises(RuntimeError, match="Select a head that was made from a photo"):
            getattr(bpy.ops.pixel3dmm, verb)()


def test_help(ours, scene, monkeypatch):
    help_ = ours("pixel3dmm_addon.operators.help")
    assert help_.MANUAL.is_file()
    assert bpy.ops.pixel3dmm.open_manual() == {"FINISHED"}
    assert "manual.md" in bpy.data.texts
    drawn = draw(ours, "PIXEL3DMM_PT_help")
    assert ("operator", "pixel3dmm.copy_diagnostics") in drawn
    assert bpy.ops.pixel3dmm.copy_diagnostics() == {"FINISHED"}
