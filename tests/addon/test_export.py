# SPDX-License-Identifier: GPL-3.0-or-later
"""FBX and glTF written, read back by Blender's own importers, and compared."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from looking import datablocks, evaluated


def importers():
    """Every way this Blender reads each format."""
    ways = [("fbx", "import_scene.fbx"), ("glb", "import_scene.gltf")]
    if hasattr(bpy.types, "WM_OT_fbx_import") or "fbx_import" in dir(bpy.ops.wm):
        ways.append(("fbx", "wm.fbx_import"))
    return ways


def export(path):
    operator = {".fbx": bpy.ops.pixel3dmm.export_fbx, ".glb": bpy.ops.pixel3dmm.export_gltf}
    assert operator[path.suffix](filepath=str(path)) == {"FINISHED"}


def read_back(path, importer):
    """(mesh, armature) out of an empty file."""
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    group, name = importer.split(".")
    options = {} if path.suffix == ".glb" else {"anim_offset": 0.0}
    getattr(getattr(bpy.ops, group), name)(filepath=str(path), **options)
    meshes = [o for o in bpy.data.objects if o.type == "MESH" and o.data.shape_keys]
    armatures = [o for o in bpy.data.objects if o.type == "ARMATURE"]
    assert len(meshes) == len(armatures) == 1
    return meshes[0], armatures[0]


def matched(points, others):
    """For each of ``points`` the distance to the nearest of ``others``.

    glTF splits vertices at UV seams, so that order and number are not kept.
    """
    from mathutils.kdtree import KDTree

    tree = KDTree(len(others))
    for i, point in enumerate(others):
        tree.insert(point, i)
    tree.balance()
    return np.array([tree.find(point)[2] for point in points])


def weights_of(head):
    """bone name -> (V,) weights."""
    out = {g.name: np.zeros(len(head.data.vertices)) for g in head.vertex_groups}
    names = {g.index: g.name for g in head.vertex_groups}
    for vertex in head.data.vertices:
        for group in vertex.groups:
            out[names[group.group]][vertex.index] = group.weight
    return out


@pytest.mark.parametrize(("suffix", "importer"), importers())
def test_round_trip_keeps_all(ours, person, rigged, tmp_path, suffix, importer):
    shown = evaluated(person.head)
    keys = [b.name for b in person.head.data.shape_keys.key_blocks]
    values = {b.name: b.value for b in person.head.data.shape_keys.key_blocks}
    bones = {b.name: np.array(b.head_local) for b in person.rig.data.bones}
    weights, basis = weights_of(person.head), ours("core.geometry.axes").to_scene(rigged.basis)
    path = tmp_path / f"head.{suffix}"
    export(path)
    head, rig = read_back(path, importer)

    blocks = head.data.shape_keys.key_blocks
    assert [b.name for b in blocks] == keys
    assert {b.name: b.value for b in blocks[1:]} == pytest.approx(
        {k: v for k, v in values.items() if k != "Basis"}, abs=1e-4
    )
    assert set(bones) == {b.name for b in rig.data.bones}
    for bone in rig.data.bones:
        place = np.array(rig.matrix_world @ bone.head_local)
        assert np.abs(place - bones[bone.name]).max() < 1e-5, bone.name

    same_order = suffix == "fbx"
    now = evaluated(head)
    if same_order:
        assert np.abs(now - shown).max() < 1e-5
    else:
        assert matched(now, shown).max() < 1e-5
        assert matched(shown, now).max() < 1e-5
    for block in blocks[1:]:
        block.value = 0.0
    for bone in rig.pose.bones:
        bone.matrix_basis.identity()
        bone.rotation_quaternion = (1, 0, 0, 0)
        bone.location = (0, 0, 0)
    neutral = evaluated(head)
    if same_order:
        assert np.abs(neutral - basis).max() < 1e-5
        for name, expected in weights.items():
            assert np.abs(weights_of(head)[name] - expected).max() < 1e-4, name
    else:
        assert matched(neutral, basis).max() < 1e-5
        assert set(weights_of(head)) >= {n for n, w in weights.items() if w.max() > 0}
    assert head["pixel3dmm_licence"] == "CC0-1.0 AND MIT"
    assert head["pixel3dmm_commercial_use"] == "yes"


@pytest.mark.parametrize("suffix", ["fbx", "glb"])
def test_each_key_comes_back_as_it_was(ours, person, rigged, tmp_path, suffix):
    path = tmp_path / f"head.{suffix}"
    export(path)
    importer = {"fbx": "import_scene.fbx", "glb": "import_scene.gltf"}[suffix]
    head, rig = read_back(path, importer)
    for bone in rig.pose.bones:
        bone.rotation_mode = "QUATERNION"
        bone.rotation_quaternion = (1, 0, 0, 0)
    axes, blocks = ours("core.geometry.axes"), head.data.shape_keys.key_blocks
    for i in range(0, 53, 9):
        name = str(rigged.key_names[i])
        for block in blocks[1:]:
            block.value = float(block.name == name)
        expected = axes.to_scene(rigged.basis + rigged.key_deltas[i])
        assert matched(evaluated(head), expected).max() < 1e-5, name


@pytest.mark.parametrize("suffix", ["fbx", "glb"])
def test_a_subdivision_modifier_costs_no_key(person, tmp_path, suffix):
    """Blender's own defaults drop all keys here without a word."""
    person.head.modifiers.new("Smooth", "SUBSURF").levels = 1
    keys = person.head.data.shape_keys.key_blocks.keys()
    path = tmp_path / f"head.{suffix}"
    export(path)
    importer = {"fbx": "import_scene.fbx", "glb": "import_scene.gltf"}[suffix]
    head, _ = read_back(path, importer)
    assert head.data.shape_keys.key_blocks.keys() == keys
    assert len(keys) >= 54


@pytest.mark.parametrize("suffix", ["fbx", "glb"])
def test_animation_of_keys_alone_survives(person, tmp_path, suffix):
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = 1, 5
    key = person.head.data.shape_keys.key_blocks["jawOpen"]
    for frame, value in ((1, 0.0), (3, 1.0), (5, 0.25)):
        key.value = value
        key.keyframe_insert("value", frame=frame)
    wanted = []
    for frame in range(1, 6):
        scene.frame_set(frame)
        wanted.append(key.value)
    path = tmp_path / f"head.{suffix}"
    export(path)
    importer = {"fbx": "import_scene.fbx", "glb": "import_scene.gltf"}[suffix]
    head, _ = read_back(path, importer)
    seen = []
    for frame in range(1, 6):
        bpy.context.scene.frame_set(frame)
        seen.append(head.data.shape_keys.key_blocks["jawOpen"].value)
    assert seen == pytest.approx(wanted, abs=1e-3)


def test_what_the_artist_had_selected_stays_so(person, tmp_path):
    person.head.hide_set(True)
    bpy.context.view_layer.objects.active = person.rig
    person.rig.select_set(True)
    person.camera.select_set(True)
    before = datablocks(), {o.name for o in bpy.context.selected_objects}
    export(tmp_path / "head.fbx")
    assert (datablocks(), {o.name for o in bpy.context.selected_objects}) == before
    assert bpy.context.view_layer.objects.active == person.rig
    assert person.head.hide_get()


def test_a_viewport_with_a_camera_of_its_own_keeps_it(person, tmp_path):
    """As a view in local view has one: the stage's scene does not hold that camera."""
    screen = bpy.context.window_manager.windows[0].screen
    spaces = [s for area in screen.areas for s in area.spaces if s.type == "VIEW_3D"]
    own = bpy.data.objects.new("own", bpy.data.cameras.new("own"))
    bpy.context.scene.collection.objects.link(own)
    for space in spaces:
        space.use_local_camera, space.camera = True, own
    bpy.context.view_layer.update()
    bpy.ops.pixel3dmm.export_fbx(filepath=str(tmp_path / "a.fbx"))
    assert spaces
    assert all(space.camera == own for space in spaces)
    for space in spaces:
        space.use_local_camera = False


def test_nothing_but_head_and_rig_is_written(person, tmp_path):
    bpy.ops.mesh.primitive_cube_add()
    bpy.context.view_layer.objects.active = person.head
    export(tmp_path / "head.fbx")
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    bpy.ops.import_scene.fbx(filepath=str(tmp_path / "head.fbx"))
    assert sorted(o.type for o in bpy.data.objects) == ["ARMATURE", "MESH"]
    assert not [b for b in bpy.data.armatures[0].bones if b.name.endswith("_end")]


@pytest.mark.parametrize("name", ["export_fbx", "export_gltf"])
def test_a_folder_that_is_not_there_is_one_sentence(person, tmp_path, name):
    operator = getattr(bpy.ops.pixel3dmm, name)
    with pytest.raises(RuntimeError, match="cannot be written to") as caught:
        operator(filepath=str(tmp_path / "nowhere" / "head.x"))
    assert "Traceback" not in str(caught.value)


def test_a_failed_export_leaves_the_old_file(person, tmp_path, monkeypatch, ours):
    path = tmp_path / "head.fbx"
    path.write_bytes(b"old")
    module = ours("pixel3dmm_addon.export.formats")
    before = datablocks()

    def fail(path, *_, **__):
        path.write_bytes(b"half")
        raise RuntimeError("Error: the exporter broke")

    monkeypatch.setattr(module, "write_file", fail)
    with pytest.raises(RuntimeError, match="could not be exported"):
        bpy.ops.pixel3dmm.export_fbx(filepath=str(path))
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["head.fbx"]
    assert datablocks() == before
    assert len(bpy.data.scenes) == 1


def test_without_a_head_the_button_says_why(scene):
    with pytest.raises(RuntimeError, match="Select a head"):
        bpy.ops.pixel3dmm.export_fbx(filepath="/nowhere.fbx")
