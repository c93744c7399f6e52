# SPDX-License-Identifier: GPL-3.0-or-later
"""Export Head: every preset is read back, red is red, and the artist's scene stays as it was."""

from __future__ import annotations

import json

import bpy
import numpy as np
import pytest
from looking import datablocks, evaluated
from test_export import matched

pytestmark = pytest.mark.few_keys

PRESETS = {
    "UNREAL": ".fbx",
    "UNITY": ".fbx",
    "FBX": ".fbx",
    "GODOT": ".glb",
    "VRM": ".glb",
    "USD": ".usdc",
    "BLENDER": ".blend",
}


def export(path, preset, **options):
    return bpy.ops.pixel3dmm.export_head(filepath=str(path), preset=preset, **options)


def result(ours):
    last = ours("pixel3dmm_addon.export.last_export")
    return last.of(ours("pixel3dmm_addon.scene.head").active_head(bpy.context))


def animate(person, frames=6):
    """Every key of ARKit's, three bones and the whole rig move."""
    random = np.random.default_rng(3)
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = 1, frames
    for frame in (1, 3, frames):
        for key in person.head.data.shape_keys.key_blocks[1:53]:
            key.value = float(random.uniform())
            key.keyframe_insert("value", frame=frame)
        for name in ("head", "jaw", "eye.L"):
            bone = person.rig.pose.bones[name]
            bone.rotation_mode = "QUATERNION"
            bone.rotation_quaternion = (1.0, *random.uniform(-0.2, 0.2, 3))
            bone.keyframe_insert("rotation_quaternion", frame=frame)
        person.rig.location = random.uniform(-0.1, 0.1, 3)
        person.rig.keyframe_insert("location", frame=frame)


def figures(written):
    return {check.name: check.figure for check in written.verdict.checks}


@pytest.mark.every_key
@pytest.mark.parametrize("preset", PRESETS)
def test_nothing_is_lost_with_modifiers_and_motion(ours, person, tmp_path, preset):
    animate(person)
    for kind in ("SUBSURF", "MIRROR", "DECIMATE"):
        person.head.modifiers.new(kind, kind)
    count = len(person.head.data.shape_keys.key_blocks) - 1
    path = tmp_path / f"head{PRESETS[preset]}"
    assert export(path, preset, animation=True) == {"FINISHED"}
    written = result(ours)
    assert written.verdict.passed and written.files[0] == path
    # USD keeps pictures beside it.
    assert [f.name for f in written.files[1:]] == (
        ["someone_eye.png", "someone_teeth_and_gums.png"] if path.suffix == ".usdc" else []
    )
    said = figures(written)
    assert said["keys"] == f"{count} of {count} keys" and count >= 53
    assert said["bones"] == "6 of 6 bones"
    assert said["animation"].startswith("6 frames")
    left_out = [note for note in written.notes if "Left out" in note]
    assert bool(left_out) == (preset != "BLENDER")


@pytest.mark.parametrize("preset", PRESETS)
def test_keys_alone_move_and_the_gaze_stays(ours, person, tmp_path, preset):
    """The eyes look aside without a keyframe."""
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = 1, 4
    key = person.head.data.shape_keys.key_blocks["jawOpen"]
    for frame, value in ((1, 0.0), (4, 1.0)):
        key.value = value
        key.keyframe_insert("value", frame=frame)
    assert person.rig.animation_data is None or person.rig.animation_data.action is None
    export(tmp_path / f"head{PRESETS[preset]}", preset, animation=True)
    assert result(ours).verdict.passed


def masked(person):
    blocks = person.head.data.shape_keys.key_blocks
    blocks["jawOpen"].vertex_group, blocks["jawOpen"].value = "jaw", 1.0


def relative(person):
    blocks = person.head.data.shape_keys.key_blocks
    blocks["mouthSmileLeft"].relative_key = blocks["jawOpen"]
    blocks["mouthSmileLeft"].value, blocks["jawOpen"].value = 0.5, 0.3


def muted(person):
    block = person.head.data.shape_keys.key_blocks["jawOpen"]
    block.value, block.mute = 1.0, True


def in_centimetres(person):
    bpy.context.scene.unit_settings.scale_length = 0.01
    person.rig.scale = (100, 100, 100)


def with_lists(person):
    person.head["numbers"], person.head["words"] = [1, 2, 3], {"a": 1}


def strangely_named(person):
    person.head.data.shape_keys.key_blocks["photoResidual"].name = 'a "key" / é'


def without_a_rig(person):
    bpy.data.objects.remove(person.rig)


def turned_and_stretched(person):
    person.rig.scale, person.rig.rotation_euler = (1, 1.5, 2), (0.3, 0.2, 1.0)
    person.rig.location = (5, 6, 7)


ODD = [masked, relative, muted, in_centimetres, with_lists, strangely_named, without_a_rig,
       turned_and_stretched]  # fmt: skip


@pytest.mark.parametrize("preset", ["UNREAL", "GODOT", "USD"])
@pytest.mark.parametrize("change", ODD, ids=lambda f: f.__name__)
def test_what_other_files_do_not_know_looks_the_same(ours, person, tmp_path, change, preset):
    change(person)
    bpy.context.view_layer.update()
    shown = evaluated(person.head)
    unit = bpy.context.scene.unit_settings.scale_length
    path = tmp_path / f"head{PRESETS[preset]}"
    assert export(path, preset) == {"FINISHED"}
    assert result(ours).verdict.passed
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    if preset == "UNREAL":
        bpy.ops.import_scene.fbx(filepath=str(path), anim_offset=0.0)
    elif preset == "GODOT":
        bpy.ops.import_scene.gltf(filepath=str(path))
    else:
        bpy.ops.wm.usd_import(filepath=str(path))
    bpy.context.scene.frame_set(1)  # USD holds a pose as an animation of one frame
    meshes = [o for o in bpy.data.objects if o.type == "MESH" and o.data.shape_keys]
    far = matched(evaluated(meshes[0]), shown * unit).max()
    assert far < 1e-4 * max(1.0, np.abs(shown).max())


def state():
    """What an artist could notice."""
    context = bpy.context
    layer = context.view_layer
    active = layer.objects.active
    return {
        "names": sorted((b.id_type, b.name) for b in bpy.data.user_map()),
        "scene": context.window.scene.name,
        "layer": context.window.view_layer.name,
        "selected": {o.name for o in layer.objects if o.select_get()},
        "active": active and active.name,
        "mode": context.mode,
        "frame": (context.scene.frame_current, context.scene.frame_start, context.scene.frame_end),
        "hidden": {o.name: (o.hide_get(), o.hide_viewport, o.hide_select) for o in layer.objects},
        "modifiers": {o.name: [m.name for m in o.modifiers] for o in layer.objects},
        "matrices": {o.name: [tuple(r) for r in o.matrix_world] for o in layer.objects},
        "camera": context.scene.camera and context.scene.camera.name,
        "properties": {o.name: sorted(o.keys()) for o in layer.objects},
    }


def in_edit_mode(person):
    bpy.ops.object.mode_set(mode="EDIT")
    bpy.ops.mesh.select_all(action="SELECT")


def in_pose_mode(person):
    bpy.context.view_layer.objects.active = person.rig
    bpy.ops.object.mode_set(mode="POSE")


def in_edit_mode_of_the_rig(person):
    bpy.context.view_layer.objects.active = person.rig
    bpy.ops.object.mode_set(mode="EDIT")


def hidden(person):
    person.rig.hide_viewport = True
    person.head.hide_select = True
    person.head.hide_set(True)


def renamed(person):
    person.head.name, person.rig.name = "Grandma's head / 2", "Armature"
    person.head.data.name = person.head.data.shape_keys.name = "someone"
    bpy.data.objects.new("astronaut", None)


def on_a_later_frame(person):
    animate(person)
    bpy.context.scene.frame_set(4)


def on_another_layer(person):
    layer = bpy.context.scene.view_layers.new("Second")
    bpy.context.window.view_layer = layer
    layer.objects.active = person.head


def carried_by_an_empty(person):
    empty = bpy.data.objects.new("carrier", None)
    bpy.context.scene.collection.objects.link(empty)
    empty.location, empty.rotation_euler, empty.scale = (1, 2, 3), (0.1, 0.2, 0.3), (2, 2, 2)
    person.rig.parent = empty
    bpy.context.view_layer.update()


def in_the_scenes_own_collection(person):
    bpy.context.scene.collection.objects.link(person.head)
    person.collection.objects.unlink(person.head)
    person.collection.name = "someone"


STATES = [in_the_scenes_own_collection, in_edit_mode, in_pose_mode, in_edit_mode_of_the_rig,
          hidden, renamed, on_a_later_frame, on_another_layer, carried_by_an_empty]  # fmt: skip


@pytest.mark.parametrize("preset", ["UNREAL", "GODOT", "USD", "BLENDER"])
@pytest.mark.parametrize("change", STATES, ids=lambda f: f.__name__)
def test_the_artists_scene_stays_as_it_is(ours, person, tmp_path, change, preset):
    change(person)
    bpy.context.view_layer.update()
    before = state()
    assert export(tmp_path / f"head{PRESETS[preset]}", preset) == {"FINISHED"}
    assert result(ours).verdict.passed
    assert state() == before


def test_what_is_being_edited_is_in_the_file(person, tmp_path):
    """Also what edit mode holds and the mesh does not know yet."""
    import bmesh

    bpy.ops.object.mode_set(mode="EDIT")
    mesh = bmesh.from_edit_mesh(person.head.data)
    mesh.verts.ensure_lookup_table()
    mesh.verts[100].co.x += 0.05
    moved = tuple(mesh.verts[100].co)
    path = tmp_path / "head.blend"
    export(path, "BLENDER")
    with bpy.data.libraries.load(str(path)) as (stored, wanted):
        wanted.objects = [name for name in stored.objects if "rig" not in name]
    head = next(o for o in wanted.objects if o.type == "MESH")
    assert tuple(head.data.vertices[100].co) == pytest.approx(moved, abs=1e-7)
    bpy.ops.object.mode_set(mode="OBJECT")


def test_names_in_the_file_are_the_artists(person, tmp_path):
    for preset in ("FBX", "GODOT", "BLENDER"):
        path = tmp_path / f"head{PRESETS[preset]}"
        export(path, preset)
        text = path.read_bytes()
        if preset != "BLENDER":  # that one is compressed
            assert b"someone rig" in text
            assert b"someone.0" not in text


@pytest.mark.parametrize("preset", ["UNREAL", "UNITY"])
def test_an_engine_sees_no_rotation_and_no_scale(ours, person, tmp_path, preset):
    """Every node's own transform is the identity, and the data is in centimetres."""
    path = tmp_path / "head.fbx"
    export(path, preset)
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    bpy.ops.import_scene.fbx(
        filepath=str(path), use_manual_orientation=True, axis_forward="Y", axis_up="Z"
    )
    rig = next(o for o in bpy.data.objects if o.type == "ARMATURE")
    assert rig.rotation_euler[:] == pytest.approx((0, 0, 0), abs=1e-5)
    assert rig.scale[:] == pytest.approx((0.01,) * 3, rel=1e-5)
    heights = np.array([bone.head_local for bone in rig.data.bones])
    tall = np.ptp(heights, axis=0)
    assert tall[{"UNREAL": 2, "UNITY": 1}[preset]] == pytest.approx(tall.max())
    assert 10 < tall.max() < 40
    assert rig.name == {"UNREAL": "Armature", "UNITY": "someone rig"}[preset]
    names = {bone.name for bone in rig.data.bones}
    assert ("eye_L" in names) == (preset == "UNREAL")


@pytest.mark.every_key
def test_levels_of_detail_keep_keys_and_shape(ours, person, tmp_path):
    export(tmp_path / "head.fbx", "UNITY", lods=True)
    written = result(ours)
    assert written.verdict.passed and len(written.files) == 1
    whole = evaluated_keys(person.head)
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    bpy.ops.import_scene.fbx(filepath=str(tmp_path / "head.fbx"), anim_offset=0.0)
    levels = sorted((o for o in bpy.data.objects if o.type == "MESH"), key=lambda o: o.name)
    assert [o.name for o in levels] == [f"someone_LOD{i}" for i in range(3)]
    faces = [triangles(level) for level in levels]
    assert faces[1] == pytest.approx(faces[0] / 2, rel=0.02)
    assert faces[2] == pytest.approx(faces[0] / 4, rel=0.02)
    for level in levels:
        assert level.data.shape_keys.key_blocks.keys() == list(whole)
        assert level.find_armature() is not None
    # Two jaws that open by the same millimetres, though one has a quarter of the faces.
    for name in ("jawOpen", "mouthSmileLeft", "eyeBlinkRight"):
        for level, near in zip(levels, (1.001, 1.15, 1.3), strict=True):
            assert 1 / near < reach(level, name) / whole[name] < near, (level.name, name)


def evaluated_keys(head):
    return {block.name: reach(head, block.name) for block in head.data.shape_keys.key_blocks}


def reach(head, name):
    """Metres that a key moves the vertex that it moves most, hairs and tears aside: coarser
    levels have none.
    """
    blocks = head.data.shape_keys.key_blocks
    bald = np.zeros(len(head.data.vertices), bool)
    names = [m.name if m else "" for m in head.data.materials] or [""]
    for face in head.data.polygons:
        if not names[face.material_index].endswith(("lashes", "brows", "tears")):
            bald[list(face.vertices)] = True
    points = []
    for block in (blocks[0], blocks[name]):
        co = np.empty(len(head.data.vertices) * 3, np.float32)
        block.points.foreach_get("co", co)
        points.append(co.reshape(-1, 3))
    scale = np.array(head.matrix_world.to_scale())
    away = np.linalg.norm((points[1] - points[0]) * scale, axis=1)
    return float(away[bald].max()) or 1e-9


def triangles(mesh):
    mesh.data.calc_loop_triangles()
    return len(mesh.data.loop_triangles)


def test_teeth_are_painted_and_tears_are_clear_in_gltf(person, tmp_path):
    path = tmp_path / "head.glb"
    assert export(path, "GODOT") == {"FINISHED"}
    data = path.read_bytes()
    document = json.loads(data[20 : 20 + int.from_bytes(data[12:16], "little")])
    found = {material["name"].split()[-1]: material for material in document["materials"]}
    tears = found["tears"]
    assert tears["alphaMode"] == "BLEND"
    assert 0 < tears["pbrMetallicRoughness"]["baseColorFactor"][3] < 0.6
    assert tears["pbrMetallicRoughness"]["roughnessFactor"] < 0.1
    images = {
        document["textures"][found[kind]["pbrMetallicRoughness"]["baseColorTexture"]["index"]][
            "source"
        ]
        for kind in ("teeth", "gums")
    }
    assert len(images) == 1
    assert not any("alphaMode" in found[kind] for kind in ("teeth", "gums", "eye"))


def test_levels_of_detail_elsewhere_are_files_of_their_own(ours, person, tmp_path):
    export(tmp_path / "head.glb", "GODOT", lods=True)
    names = ["head.glb", "head_LOD1.glb", "head_LOD2.glb"]
    assert sorted(p.name for p in tmp_path.iterdir()) == names
    assert result(ours).verdict.passed


def losing(ours, monkeypatch, damage):
    """The exporter does something to the head behind our back."""
    formats = ours("pixel3dmm_addon.export.formats")
    original = formats.write_file

    def write(path, *rest, **options):
        damage(bpy.context.view_layer.objects.active)
        original(path, *rest, **options)

    monkeypatch.setattr(formats, "write_file", write)


def drop_a_key(head):
    head.shape_key_remove(head.data.shape_keys.key_blocks["jawOpen"])


def move_a_vertex(head):
    for block in head.data.shape_keys.key_blocks:
        block.points[1000].co.x += 0.0001


def weaken_a_key(head):
    block, basis = head.data.shape_keys.key_blocks["jawOpen"], head.data.shape_keys.key_blocks[0]
    for point, rest in zip(block.points, basis.points, strict=True):
        point.co = rest.co + 0.9 * (point.co - rest.co)


def loosen_weights(head):
    head.vertex_groups["jaw"].name = "jaws"


def move_a_bone(head):
    rig = head.find_armature()
    bpy.context.view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    rig.data.edit_bones["eye.L"].head.x += 0.001
    bpy.ops.object.mode_set(mode="OBJECT")


def forget_the_licence(head):
    del head["pixel3dmm_licence"]
    del head.find_armature()["pixel3dmm_licence"]


def slow_a_curve(head):
    from bl_ext.user_default.pixel3dmm.pixel3dmm_addon.scene import curves

    for curve in curves.curves_of(head.data.shape_keys):
        if "jawOpen" in curve.data_path:
            curve.keyframe_points[3].co.y += 0.01


DAMAGE = {
    drop_a_key: "of .* keys, lost: jawOpen",
    move_a_vertex: "vertices within 0.1 mm",
    weaken_a_key: "vertices within",
    loosen_weights: "weights within",
    move_a_bone: "bones' heads within 1 mm",
    forget_the_licence: "licence stamps lost: pixel3dmm_licence",
    slow_a_curve: "curves within 0.01",
}


@pytest.mark.parametrize("preset", ["FBX", "GODOT"])
@pytest.mark.parametrize("damage", DAMAGE, ids=lambda f: f.__name__)
def test_red_never_passes(ours, person, tmp_path, monkeypatch, damage, preset):
    animate(person)
    path = tmp_path / f"head{PRESETS[preset]}"
    path.write_bytes(b"old")
    losing(ours, monkeypatch, damage)
    with pytest.raises(RuntimeError, match=DAMAGE[damage]):
        export(path, preset)
    assert path.read_bytes() == b"old"
    written = result(ours)
    assert not written.verdict.passed and not written.kept
    with pytest.raises(RuntimeError, match="written all the same"):
        export(path, preset, keep_failed=True)
    assert path.stat().st_size > 1000


def test_unread_is_said(ours, person, tmp_path):
    assert export(tmp_path / "head.glb", "GODOT", verify=False) == {"FINISHED"}
    assert "not checked" in result(ours).sentence


@pytest.mark.parametrize("preset", ["UNREAL", "GODOT", "USD", "BLENDER"])
def test_non_commercial_parts_are_said_and_stamped(ours, person, tmp_path, preset):
    person.head["pixel3dmm_report"] = (
        '{"licences": {"predictor": {"name": "p", "spdx": "CC-BY-NC-4.0"}, '
        '"commercial_use": false}}'
    )
    path = tmp_path / f"head{PRESETS[preset]}"
    export(path, preset)
    assert any("non-commercial parts" in note for note in result(ours).notes)
    if preset == "BLENDER":
        with bpy.data.libraries.load(str(path), assets_only=True) as (stored, wanted):
            wanted.collections = stored.collections
        data = wanted.collections[0].asset_data
        assert "NON-COMMERCIAL" in data.description and "CC0" in data.license
    else:
        assert b"NON-COMMERCIAL USE ONLY" in path.read_bytes()


def test_a_head_that_drives_itself_from_outside_is_baked(ours, person, tmp_path):
    """A slider of an empty that moves drives the jaw: no file knows drivers."""
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = 1, 5
    puppet = bpy.data.objects.new("puppet", None)
    scene.collection.objects.link(puppet)
    for frame, x in ((1, 0.0), (5, 1.0)):
        puppet.location.x = x
        puppet.keyframe_insert("location", frame=frame)
    driver = person.head.data.shape_keys.key_blocks["jawLeft"].driver_add("value").driver
    variable = driver.variables.new()
    variable.type = "TRANSFORMS"
    variable.targets[0].id = puppet
    variable.targets[0].transform_type = "LOC_X"
    driver.type, driver.expression = "SCRIPTED", "var"
    wanted = []
    for frame in range(1, 6):
        scene.frame_set(frame)
        wanted.append(person.head.data.shape_keys.key_blocks["jawLeft"].value)
    assert wanted[-1] == pytest.approx(1.0)
    export(tmp_path / "head.glb", "GODOT")
    assert result(ours).verdict.passed
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    bpy.ops.import_scene.gltf(filepath=str(tmp_path / "head.glb"))
    head = next(o for o in bpy.data.objects if o.type == "MESH" and o.data.shape_keys)
    seen = []
    for frame in range(1, 6):
        bpy.context.scene.frame_set(frame)
        seen.append(head.data.shape_keys.key_blocks["jawLeft"].value)
    assert seen == pytest.approx(wanted, abs=1e-3)


def test_textures_go_along(ours, person, tmp_path):
    image = bpy.data.images.new("skin", 64, 64)
    image.pixels.foreach_set(np.random.default_rng(0).random(64 * 64 * 4).astype(np.float32))
    image.filepath_raw, image.file_format = str(tmp_path / "skin.png"), "PNG"
    image.save()
    tree = person.head.data.materials[0].node_tree
    node = tree.nodes.new("ShaderNodeTexImage")
    node.image = image
    shader = next(n for n in tree.nodes if n.type == "BSDF_PRINCIPLED")
    tree.links.new(node.outputs["Color"], shader.inputs["Base Color"])
    sizes = {}
    for name, options in (("with", {}), ("without", {"embed_textures": False})):
        for suffix, preset in ((".glb", "GODOT"), (".fbx", "UNREAL")):
            path = tmp_path / f"{name}{suffix}"
            export(path, preset, **options)
            sizes[name, suffix] = path.stat().st_size
    stored = (tmp_path / "skin.png").stat().st_size
    for suffix in (".glb", ".fbx"):
        assert sizes["with", suffix] - sizes["without", suffix] > 0.8 * stored
    out = tmp_path / "usd"
    out.mkdir()
    export(out / "head.usdc", "USD")
    assert (out / "textures" / "skin.png").is_file()


@pytest.mark.every_key
def test_the_same_data_afterwards(person, tmp_path):
    """Not one vertex, key or weight of the artist's has moved."""
    before = datablocks(), evaluated(person.head), [b.value for b in blocks(person)]
    for preset, suffix in PRESETS.items():
        export(tmp_path / f"head{suffix}", preset, lods=preset == "UNITY")
    after = datablocks(), evaluated(person.head), [b.value for b in blocks(person)]
    assert before[0] == after[0] and before[2] == after[2]
    assert np.array_equal(before[1], after[1])


def blocks(person):
    return person.head.data.shape_keys.key_blocks
