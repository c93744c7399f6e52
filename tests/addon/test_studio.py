# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures that the extension takes: any head in the same light, assets, the turntable sheet."""

from __future__ import annotations

import subprocess
import sys

import bpy
import numpy as np
import pytest
from looking import datablocks, evaluated
from mathutils import Matrix

from tools import turntable

SIZE = (64, 80)


@pytest.fixture
def studio(ours):
    return ours("pixel3dmm_addon.scene.studio")


def shot(studio, head, degrees=20):
    with studio.studio(head, SIZE, samples=4, transparent=True) as room:
        return room.shoot(room.portrait(degrees))


def centred(picture):
    """What is seen fills the picture, from its middle."""
    rows, columns = np.nonzero(picture[..., 3] > 0.5)
    assert 0.25 < len(rows) / (SIZE[0] * SIZE[1]) < 0.95
    assert abs(columns.mean() / SIZE[0] - 0.5) < 0.12
    assert 2 < rows.min() < SIZE[1] / 4


def test_any_head_is_framed_and_lit_alike_wherever_it_stands(studio, person):
    before, scenes = datablocks(), len(bpy.data.scenes)
    usual = shot(studio, person.head)
    centred(usual)
    turn = Matrix.Rotation(2.0, 4, (1.0, 2.0, 0.5))
    person.rig.matrix_world = (
        Matrix.Translation((5, -3, 100)) @ turn @ Matrix.Scale(100, 4) @ person.rig.matrix_world
    )
    bpy.context.view_layer.update()
    moved = shot(studio, person.head)
    assert np.abs(moved - usual).mean() < 0.02
    from_left = shot(studio, person.head, 90)
    assert np.abs(from_left - usual).mean() > 0.1
    assert datablocks() == before
    assert len(bpy.data.scenes) == scenes


def test_a_head_whose_bones_were_renamed_or_that_has_no_rig_is_framed(studio, person):
    bpy.ops.pixel3dmm.name_bones(scheme="RIGIFY_DEF")
    centred(shot(studio, person.head))
    world = person.head.matrix_world.copy()
    person.head.parent = None
    person.head.modifiers.clear()
    person.head.matrix_world = world
    bpy.context.view_layer.update()
    assert (shot(studio, person.head)[..., 3] > 0.5).mean() > 0.2


def test_without_cycles_it_is_a_sentence_and_nothing_is_left(studio, person, monkeypatch):
    before = len(bpy.data.scenes)
    monkeypatch.setattr(studio, "hasattr", lambda *_: False, raising=False)
    with pytest.raises(RuntimeError, match="enable the Cycles add-on"):
        bpy.ops.pixel3dmm.mark_asset()
    assert len(bpy.data.scenes) == before
    assert person.collection.asset_data is None


def test_without_a_denoiser_there_is_a_picture_all_the_same(studio, person, monkeypatch):
    usual = shot(studio, person.head)
    monkeypatch.setattr(studio, "can_denoise", lambda: False)
    assert np.abs(shot(studio, person.head) - usual).mean() < 0.03


def test_a_render_that_fails_is_a_sentence(studio, person, monkeypatch):
    scenes = len(bpy.data.scenes)
    monkeypatch.setattr(studio, "Path", lambda *parts: "/proc/nowhere/view.png")
    with pytest.raises(RuntimeError, match="could not take the picture"):
        bpy.ops.pixel3dmm.mark_asset()
    assert len(bpy.data.scenes) == scenes


def test_an_asset_with_a_picture_comes_into_another_file_with_keys_and_rig(person, tmp_path):
    head, name = person.head, person.collection.name
    scenes = len(bpy.data.scenes)
    assert bpy.ops.pixel3dmm.mark_asset() == {"FINISHED"}
    assert len(bpy.data.scenes) == scenes
    collection = bpy.data.collections[name]
    assert collection.asset_data.license.startswith("Open Head: ")
    assert "Pixel3DMM" in collection.asset_data.tags
    pixels = preview_of(collection)
    assert 0.1 < (pixels[..., 3] > 0.5).mean() < 0.9
    assert pixels[pixels[..., 3] > 0.5][:, :3].std() > 0.03
    names = [key.name for key in head.data.shape_keys.key_blocks]
    head.data.shape_keys.key_blocks["jawOpen"].value = 0.8
    usual = evaluated(head)
    path = str(tmp_path / "library.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)

    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    with bpy.data.libraries.load(path, link=False, assets_only=True) as (there, here):
        assert there.collections == [name]
        here.collections = [name]
    (again,) = here.collections
    np.testing.assert_allclose(preview_of(again), pixels, atol=0.01)
    bpy.context.scene.collection.children.link(again)
    (head,) = [o for o in again.all_objects if o.type == "MESH"]
    rig = head.find_armature()
    assert rig in set(again.all_objects)
    assert head["pixel3dmm_camera"] in set(again.all_objects)
    assert [key.name for key in head.data.shape_keys.key_blocks] == names
    bpy.context.view_layer.update()
    np.testing.assert_allclose(evaluated(head), usual, atol=1e-5)
    bone = rig.pose.bones["head"]
    bone.rotation_mode = "XYZ"
    bone.rotation_euler.x += 0.3
    bpy.context.view_layer.update()
    assert np.abs(evaluated(head) - usual).max() > 0.01
    bpy.context.view_layer.objects.active = head
    assert bpy.ops.pixel3dmm.look_through() == {"FINISHED"}


def preview_of(collection):
    size = collection.preview.image_size
    flat = np.empty(size[0] * size[1] * 4, np.float32)
    collection.preview.image_pixels_float.foreach_get(flat)
    return flat.reshape(size[1], size[0], 4)


def test_what_is_not_the_heads_stays_out_of_the_asset(ours, person, monkeypatch):
    asset = ours("pixel3dmm_addon.export.asset")
    monkeypatch.setattr(asset, "thumbnail", lambda head: np.ones((256, 256, 4), np.float32))
    lamp = bpy.data.objects.new("lamp", bpy.data.lights.new("lamp", "POINT"))
    person.collection.objects.link(lamp)
    hat = bpy.data.objects.new("hat", bpy.data.meshes.new("hat"))
    person.collection.objects.link(hat)
    hat.parent = person.rig
    bpy.ops.pixel3dmm.mark_asset()
    assert person.collection.asset_data is None
    (marked,) = [c for c in bpy.data.collections if c.asset_data]
    assert {person.head, person.rig, person.camera, hat} == set(marked.objects)
    assert person.head.name in person.collection.objects
    bpy.ops.pixel3dmm.mark_asset()  # again: the same one
    assert [c for c in bpy.data.collections if c.asset_data] == [marked]


def test_the_sheet_shows_nine_pictures_and_leaves_the_head_as_it_was(person, tmp_path, monkeypatch):
    monkeypatch.setattr(turntable, "TILE", (48, 60))
    monkeypatch.setattr(turntable, "SAMPLES", 2)
    head, before, usual = person.head, datablocks(), evaluated(person.head)
    turntable.render_sheet(head, tmp_path / "sheet.png")
    np.testing.assert_allclose(evaluated(head), usual, atol=1e-6)
    assert datablocks() == before
    image = bpy.data.images.load(str(tmp_path / "sheet.png"))
    assert tuple(image.size) == (144, 180)
    pixels = np.array(image.pixels[:]).reshape(180, 144, 4)[::-1, :, :3]
    tiles = [t for row in np.split(pixels, 3) for t in np.split(row, 3, axis=1)]
    assert all(tile.std() > 0.02 for tile in tiles)
    for i, one in enumerate(tiles):
        for other in tiles[:i]:
            assert np.abs(one - other).mean() > 0.003


def test_the_sheet_is_one_command(repository):
    command = [sys.executable, "build.py", "sheet", "no-such-photo.jpg"]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "There is no photo at no-such-photo.jpg" in done.stderr
