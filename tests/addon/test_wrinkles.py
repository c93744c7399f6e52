# SPDX-License-Identifier: GPL-3.0-or-later
"""Folds in the scene: amounts that follow the keys, the skin's bumps, and what they survive."""

from __future__ import annotations

from dataclasses import replace

import bpy
import numpy as np
import pytest
from recording import draw

KINDS_OF = {
    "mouthSmile": "nasolabial",
    "cheekSquint": "crows_feet",
    "browOuterUp": "forehead_outer",
    "browDown": "frown",
    "noseSneer": "nose",
}


@pytest.fixture
def scene_wrinkles(ours):
    return ours("pixel3dmm_addon.scene.wrinkles")


@pytest.fixture
def amounts(ours):
    """Of a head, (kind, side) -> how deep its folds are now."""
    folds, core = ours("pixel3dmm_addon.scene.wrinkles"), ours("core.appearance.wrinkles")

    def read(head):
        # Cycles and EEVEE look at the evaluated object.
        shown = head.evaluated_get(bpy.context.evaluated_depsgraph_get())
        return {
            (kind, side): round(float(value), 4)
            for tile, kinds in core.TILES.items()
            for side in core.SIDES
            for kind, value in zip(kinds, shown[folds.amounts_name(tile, side)], strict=True)
        }

    return read


@pytest.fixture
def painted(ours, rigged, loaded):
    """A head whose skin was painted from a photo, at the photo's expression."""
    encode = ours("core.files.png").encode_png
    grey = np.frombuffer(encode(np.full((8, 8, 3), 128, np.uint8)), np.uint8)
    flat = np.frombuffer(encode(np.full((8, 8, 3), (128, 128, 255), np.uint8)), np.uint8)
    head = replace(rigged, skin_albedo=grey, skin_photo=grey, skin_relief=flat)
    return ours("pixel3dmm_addon.scene.build").build_person(bpy.context, head, loaded).head


def relax(head):
    for key in head.data.shape_keys.key_blocks[1:]:
        if not key.name.startswith("corr") and key.name != "photoResidual":
            key.value = 0.0


def test_a_face_at_rest_has_none(person, amounts):
    relax(person.head)
    assert set(amounts(person.head).values()) == {0.0}


@pytest.mark.parametrize("side", ["Left", "Right"])
@pytest.mark.parametrize("slider", KINDS_OF)
def test_a_slider_brings_out_the_folds_of_its_side(person, amounts, slider, side):
    head = person.head
    relax(head)
    head.data.shape_keys.key_blocks[slider + side].value = 1.0
    found = amounts(head)
    assert found[KINDS_OF[slider], side] == 1.0
    assert {which for (_, which), value in found.items() if value} == {side}


def test_the_brows_middle_raises_lines_on_both_sides(person, amounts):
    relax(person.head)
    person.head.data.shape_keys.key_blocks["browInnerUp"].value = 0.5
    found = {key: value for key, value in amounts(person.head).items() if value}
    assert found == {("forehead_inner", "Left"): 0.5, ("forehead_inner", "Right"): 0.5}


def test_folds_that_the_photo_shows_are_not_made_twice(painted, amounts):
    keys = painted.data.shape_keys.key_blocks
    in_photo = keys["mouthSmileLeft"].value
    assert in_photo > 0.5
    assert max(amounts(painted).values()) < 1e-4
    keys["mouthSmileLeft"].value = 1.0
    assert amounts(painted)["nasolabial", "Left"] == pytest.approx(1 - in_photo, abs=1e-4)
    keys["mouthSmileLeft"].value = 0.0
    assert amounts(painted)["nasolabial", "Left"] == 0.0


def test_a_plain_skin_has_those_of_the_photos_expression(person, amounts):
    in_photo = person.head.data.shape_keys.key_blocks["mouthSmileLeft"].value
    assert amounts(person.head)["nasolabial", "Left"] > 0.99 * in_photo > 0.5


def test_several_sliders_do_not_add_up_without_end(ours, person, amounts):
    for name in ("mouthSmileLeft", "noseSneerLeft", "mouthUpperUpLeft", "cheekSquintLeft"):
        person.head.data.shape_keys.key_blocks[name].value = 1.0
    most = ours("core.appearance.wrinkles").MOST
    assert amounts(person.head)["nasolabial", "Left"] == pytest.approx(most)


def test_they_follow_relief_and_lead_to_the_shader(scene_wrinkles, painted):
    tree = scene_wrinkles.skin_of(painted).node_tree
    node = tree.nodes[scene_wrinkles.NODE]
    (out,) = node.outputs["Normal"].links
    assert out.to_node.type == "BSDF_PRINCIPLED" and out.to_socket.name == "Normal"
    assert node.inputs["Normal"].links[0].from_node.type == "NORMAL_MAP"
    slider = scene_wrinkles.strength(scene_wrinkles.skin_of(painted))
    assert (slider.default_value, slider.node.node_tree.users) == (1.0, 1)
    images = [n.image for n in node.node_tree.nodes if n.type == "TEX_IMAGE"]
    assert images[0] == images[1] and images[0].packed_file is not None
    assert images[0].colorspace_settings.name == "Non-Color"


def test_saved_and_opened_again_they_move_on(scene_wrinkles, painted, amounts, tmp_path):
    name, path = painted.name, str(tmp_path / "saved.blend")
    scene_wrinkles.strength(scene_wrinkles.skin_of(painted)).default_value = 0.4
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    head = bpy.data.objects[name]
    assert scene_wrinkles.strength(scene_wrinkles.skin_of(head)).default_value == pytest.approx(0.4)
    head.data.shape_keys.key_blocks["browDownRight"].value = 0.25
    assert amounts(head)["frown", "Right"] == 0.25


def test_appended_or_linked_elsewhere_they_move_on(painted, amounts, tmp_path):
    name, path = painted.name, str(tmp_path / "saved.blend")
    painted.data.shape_keys.key_blocks["browDownRight"].value = 0.25
    bpy.ops.wm.save_as_mainfile(filepath=path)
    for link in (False, True):
        bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
        with bpy.data.libraries.load(path, link=link) as (_, wanted):
            wanted.objects = [name]
        (head,) = wanted.objects
        bpy.context.scene.collection.objects.link(head)
        assert amounts(head)["frown", "Right"] == 0.25
        if not link:
            head.data.shape_keys.key_blocks["browDownRight"].value = 0.75
            assert amounts(head)["frown", "Right"] == 0.75


def test_a_fit_that_went_on_moves_the_start(scene_wrinkles, rigged, painted, amounts):
    names = list(rigged.key_names)
    values = rigged.key_values.copy()
    values[names.index("browDownRight")] = 0.5
    count = len(painted.animation_data.drivers)
    after = replace(rigged, key_values=values)
    scene_wrinkles.drive(painted, after, is_painted=True)
    assert len(painted.animation_data.drivers) == count
    painted.data.shape_keys.key_blocks["browDownRight"].value = 0.75
    assert amounts(painted)["frown", "Right"] == 0.25


def test_the_panel_shows_the_slider(ours, scene_wrinkles, painted):
    def sockets():
        return draw(ours, "PIXEL3DMM_PT_head").count(("prop", "default_value"))

    bpy.context.view_layer.objects.active = painted
    assert sockets() == 2
    scene_wrinkles.strip(scene_wrinkles.skin_of(painted))
    assert sockets() == 1


def test_a_copy_has_folds_of_its_own(person, amounts):
    relax(person.head)
    bpy.ops.object.select_all(action="DESELECT")
    person.head.select_set(True)
    bpy.context.view_layer.objects.active = person.head
    bpy.ops.object.duplicate()
    copy = bpy.context.object
    assert copy != person.head and copy.data.materials[0] == person.head.data.materials[0]
    copy.data.shape_keys.key_blocks["browDownLeft"].value = 1.0
    assert amounts(copy)["frown", "Left"] == 1.0
    assert amounts(person.head)["frown", "Left"] == 0.0


@pytest.mark.parametrize("texture", [True, False])
@pytest.mark.parametrize(("suffix", "preset"), [(".fbx", "UNREAL"), (".glb", "GODOT")])
def test_engines_get_a_skin_without_them(
    scene_wrinkles, painted, rigged, loaded, ours, tmp_path, suffix, preset, texture
):
    head = painted
    if not texture:
        build = ours("pixel3dmm_addon.scene.build")
        head = build.build_person(bpy.context, rigged, loaded).head
    kinds = ("materials", "images", "node_groups")
    before = {kind: set(getattr(bpy.data, kind)) for kind in kinds}
    name = scene_wrinkles.skin_of(head).name
    path = tmp_path / f"head{suffix}"
    assert bpy.ops.pixel3dmm.export_head(filepath=str(path), preset=preset) == {"FINISHED"}
    assert {kind: set(getattr(bpy.data, kind)) for kind in kinds} == before
    assert scene_wrinkles.skin_of(head).name == name and scene_wrinkles.AMOUNTS[0] in head
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    reader = bpy.ops.import_scene
    (reader.fbx if suffix == ".fbx" else reader.gltf)(filepath=str(path))
    skin = bpy.data.materials[name]
    shader = next(n for n in skin.node_tree.nodes if n.type == "BSDF_PRINCIPLED")
    # Importers make a Normal Map node whether there is a map or not.
    maps = [link.from_node.inputs["Color"] for link in shader.inputs["Normal"].links]
    assert any(colour.links for colour in maps) == texture
    assert not [image for image in bpy.data.images if "folds" in image.name]


def test_an_asset_keeps_them(painted, amounts, tmp_path):
    name, path = painted.name, tmp_path / "head.blend"
    assert bpy.ops.pixel3dmm.export_head(filepath=str(path), preset="BLENDER") == {"FINISHED"}
    bpy.ops.wm.open_mainfile(filepath=str(path))
    head = bpy.data.objects[name]
    bpy.context.scene.collection.objects.link(head)
    relax(head)
    assert set(amounts(head).values()) == {0.0}
    head.data.shape_keys.key_blocks["noseSneerLeft"].value = 1.0
    assert amounts(head)["nose", "Left"] == 1.0


def test_a_head_of_an_earlier_version_has_none(ours, scene_wrinkles, rigged, loaded):
    empty = np.zeros(0, np.uint8), np.zeros(0, np.float32)
    head = replace(rigged, folds_picture=empty[0], folds_layout=empty[1])
    person = ours("pixel3dmm_addon.scene.build").build_person(bpy.context, head, loaded)
    assert scene_wrinkles.skin_of(person.head) is None
    assert scene_wrinkles.AMOUNTS[0] not in person.head
    assert not bpy.data.node_groups


def test_cycles_sees_them_where_they_are_and_only_when_they_are_on(ours, scene_wrinkles, person):
    """Two pictures of the frown, which differ between the brows and nowhere else."""
    head = person.head
    relax(head)
    head.data.shape_keys.key_blocks["browDownLeft"].value = 1.0
    slider = scene_wrinkles.strength(scene_wrinkles.skin_of(head))
    shots = []
    with ours("pixel3dmm_addon.scene.studio").studio(head, (96, 112), samples=4) as studio:
        for value in (0.0, 0.0, 2.0):
            slider.default_value = value
            camera = studio.portrait(0)
            shots.append(studio.shoot(camera)[..., :3].mean(axis=2))
    np.testing.assert_allclose(shots[0], shots[1], atol=1e-3)
    change = np.abs(shots[2] - shots[0])
    assert change.max() > 0.02
    # The person's left is the picture's right. Hairs and rims of eyes are noise to the denoiser.
    between = change[int(112 * 0.2) : int(112 * 0.55), int(96 * 0.46) : int(96 * 0.62)]
    assert between.sum() > 0.7 * change[change > 0.005].sum()
