# SPDX-License-Identifier: GPL-3.0-or-later
"""The skin's textures in the scene, in the .blend and in exported files."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import pytest
from looking import reconstruct

ALBEDO, PHOTO = (200, 120, 90), (90, 60, 50)


def picture(colour):
    """A texture of one colour but for a dark stripe at its top."""
    out = np.full((64, 64, 3), colour, np.uint8)
    out[:8] //= 2
    return out


@pytest.fixture
def painted(ours, rigged, loaded):
    encode = ours("core.files.png").encode_png
    files = {
        f"skin_{name}": np.frombuffer(encode(picture(colour)), np.uint8)
        for name, colour in (("albedo", ALBEDO), ("photo", PHOTO))
    }
    files["skin_relief"] = np.frombuffer(encode(picture((128, 128, 255))), np.uint8)
    files["skin_roughness"] = np.frombuffer(encode(picture((99, 99, 99))[..., 0]), np.uint8)
    build = ours("pixel3dmm_addon.scene.build")
    return build.build_person(bpy.context, replace(rigged, **files), loaded)


@pytest.fixture
def slider(ours, painted):
    skin = ours("pixel3dmm_addon.scene.skin")
    return skin.light(skin.skin_of(painted.head))


def base_colour(material):
    """The node that feeds the skin's colour."""
    shader = next(n for n in material.node_tree.nodes if n.type == "BSDF_PRINCIPLED")
    (link,) = shader.inputs["Base Color"].links
    return link.from_node


def pixel(image, row):
    """8-bit RGB in the middle of a row counted from the top."""
    flat = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(flat)
    width, height = image.size
    return np.round(255 * flat.reshape(height, width, -1)[::-1][row, width // 2, :3]).astype(int)


def test_the_textures_are_packed_and_upright(ours, painted, slider):
    skin = ours("pixel3dmm_addon.scene.skin")
    nodes = skin.skin_of(painted.head).node_tree.nodes
    for name, colour in ((skin.ALBEDO, ALBEDO), (skin.PHOTO, PHOTO)):
        image = nodes[name].image
        assert image.packed_file is not None and tuple(image.size) == (64, 64)
        assert image.colorspace_settings.name == "sRGB"
        np.testing.assert_array_equal(pixel(image, 40), colour)
        np.testing.assert_array_equal(pixel(image, 2), np.array(colour) // 2)
    assert nodes[skin.RELIEF].image.colorspace_settings.name == "Non-Color"
    np.testing.assert_array_equal(pixel(nodes[skin.ROUGHNESS].image, 40), [99, 99, 99])
    assert slider.default_value == 0.0
    assert base_colour(skin.skin_of(painted.head)).name == skin.LIGHT
    assert nodes.active == nodes[skin.ALBEDO]


def test_they_are_in_the_saved_file(ours, painted, tmp_path):
    skin = ours("pixel3dmm_addon.scene.skin")
    name = painted.head.name
    path = tmp_path / "saved.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    bpy.ops.wm.open_mainfile(filepath=str(path))
    nodes = skin.skin_of(bpy.data.objects[name]).node_tree.nodes
    np.testing.assert_array_equal(pixel(nodes[skin.PHOTO].image, 40), PHOTO)


@pytest.mark.parametrize(("share", "expected"), [(0.0, ALBEDO), (1.0, PHOTO), (0.5, None)])
@pytest.mark.parametrize(("suffix", "preset"), [(".fbx", "UNREAL"), (".glb", "GODOT")])
def test_an_engine_gets_one_plain_texture(
    ours, painted, slider, tmp_path, share, expected, suffix, preset
):
    slider.default_value = share
    name = next(m.name for m in painted.head.data.materials if m.name.endswith("skin"))
    before = {kind: set(getattr(bpy.data, kind)) for kind in ("materials", "images")}
    path = tmp_path / f"head{suffix}"
    bpy.ops.pixel3dmm.export_head(filepath=str(path), preset=preset)
    assert {kind: set(getattr(bpy.data, kind)) for kind in before} == before
    assert name in [m.name for m in painted.head.data.materials]
    if expected is None:
        blend = ours("core.photos.colour").mixed
        expected = np.round(255 * blend(np.array(ALBEDO) / 255, np.array(PHOTO) / 255, share))
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    if suffix == ".fbx":
        bpy.ops.import_scene.fbx(filepath=str(path))
    else:
        bpy.ops.import_scene.gltf(filepath=str(path))
    (skin,) = [m for m in bpy.data.materials if m.name.endswith("skin")]
    assert skin.name == name
    node = base_colour(skin)
    assert node.type == "TEX_IMAGE"
    assert abs(pixel(node.image, 40) - expected).max() <= 1
    shader = next(n for n in skin.node_tree.nodes if n.type == "BSDF_PRINCIPLED")
    assert shader.inputs["Roughness"].links and shader.inputs["Normal"].links
    normal = shader.inputs["Normal"].links[0].from_node
    relief = normal.inputs["Color"].links[0].from_node.image
    assert relief.colorspace_settings.name == "Non-Color"
    assert abs(pixel(relief, 40) - [128, 128, 255]).max() <= 1


def test_a_photo_paints_the_head(ours, example_photo):
    reconstruct(example_photo)
    skin = ours("pixel3dmm_addon.scene.skin")
    nodes = skin.skin_of(bpy.context.object).node_tree.nodes
    assert nodes[skin.ALBEDO].image.size[0] == 1024
    assert len({tuple(pixel(nodes[skin.PHOTO].image, row)) for row in range(0, 1024, 64)}) > 8


def test_none_is_none(ours, example_photo):
    bpy.context.scene.pixel3dmm.texture = "off"
    reconstruct(example_photo)
    head = bpy.context.object
    assert ours("pixel3dmm_addon.scene.skin").skin_of(head) is None
    material = next(m for m in head.data.materials if m.name.endswith("skin"))
    assert not [n for n in material.node_tree.nodes if n.type == "TEX_IMAGE"]


@pytest.mark.parametrize("suffix", [".usdc", ".usdz"])
def test_usd_takes_the_textures_along(painted, tmp_path, suffix):
    path = tmp_path / f"head{suffix}"
    bpy.ops.pixel3dmm.export_head(filepath=str(path), preset="USD")
    kinds = ["albedo", "eye", "gums", "relief", "roughness"]
    if suffix == ".usdc":
        written = {file.stem for file in (tmp_path / "textures").iterdir()}
    else:
        with zipfile.ZipFile(path) as archive:
            written = {Path(name).stem for name in archive.namelist() if name.endswith(".png")}
    assert sorted(name.rsplit("_", 1)[-1] for name in written) == kinds


@pytest.fixture
def lit(ours, rigged, loaded):
    """A head whose photo was lit from the person's left, in white, twice as bright as elsewhere."""
    light = np.ones((4, 8, 3), np.float32)
    light[:, 4] = 2.0  # the middle of an equirectangular picture is the scene's +X
    build = ours("pixel3dmm_addon.scene.build")
    return build.build_person(bpy.context, replace(rigged, photo_light=light), loaded)


def test_match_light_lights_the_scene_as_the_photo_was(ours, lit):
    scene, old = bpy.context.scene, bpy.context.scene.world
    assert bpy.ops.pixel3dmm.match_light() == {"FINISHED"}
    world = scene.world
    assert world is not None and world != old
    node = next(n for n in world.node_tree.nodes if n.type == "TEX_ENVIRONMENT")
    assert node.image.packed_file is not None and tuple(node.image.size) == (8, 4)
    flat = np.empty(4 * 8 * 4, np.float32)
    node.image.pixels.foreach_get(flat)
    rows = flat.reshape(4, 8, 4)[..., 0]
    np.testing.assert_allclose(rows[:, 4], 2.0, atol=1e-3)
    np.testing.assert_allclose(np.delete(rows, 4, axis=1), 1.0, atol=1e-3)
    assert scene.view_settings.view_transform == "Standard"


def test_match_light_turns_with_the_head(ours, lit):
    lit.rig.rotation_euler = (0.0, 0.0, 0.7)
    bpy.context.view_layer.update()
    assert bpy.ops.pixel3dmm.match_light() == {"FINISHED"}
    nodes = bpy.context.scene.world.node_tree.nodes
    turn = next(n for n in nodes if n.type == "MAPPING").inputs["Rotation"].default_value
    np.testing.assert_allclose(turn[:], (0.0, 0.0, -0.7), atol=1e-5)


def test_match_light_needs_light(ours, lit):
    photo_light = ours("pixel3dmm_addon.scene.photo_light")
    lit.head[photo_light.PROPERTY] = [1.0, 2.0]
    with pytest.raises(RuntimeError, match="damaged"):
        bpy.ops.pixel3dmm.match_light()
    del lit.head[photo_light.PROPERTY]
    assert not bpy.ops.pixel3dmm.match_light.poll()


def test_renders_are_smooth_and_files_are_not(ours, painted):
    smooth = ours("pixel3dmm_addon.scene.smooth")
    head = painted.head
    modifier = head.modifiers[smooth.NAME]
    assert (modifier.levels, modifier.render_levels) == (1, 2)
    assert modifier.show_render and not modifier.show_viewport
    head.pixel3dmm.smooth = True
    assert modifier.show_viewport
    head.pixel3dmm.lashes = not head.pixel3dmm.lashes
    assert head.modifiers[-1].name == smooth.NAME  # after what is put away
