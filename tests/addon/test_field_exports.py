# SPDX-License-Identifier: GPL-3.0-or-later
"""Heads as artists leave them, into files: scaled, turned, mirrored, carried, named in any script.

Reports of each kind of fault: docs/field.md.
"""

from __future__ import annotations

import importlib
import json
import struct

import bpy
import numpy as np
import pytest
from looking import datablocks, evaluated
from mathutils import Matrix
from strangers import KINDS, make_body
from test_body import attach
from test_export import matched
from test_export_presets import PRESETS, animate, export, losing, result

pytestmark = pytest.mark.few_keys

FILES = ["UNREAL", "UNITY", "FBX", "GODOT", "VRM", "USD"]


def fbx_nodes(path) -> dict[str, dict[str, list[float]]]:
    """The file's own objects with their translation, rotation and scale, read without an importer
    of scenes.
    """
    parse = importlib.import_module("io_scene_fbx.parse_fbx").parse
    root, _ = parse(str(path))
    objects = next(e for e in root.elems if e.id == b"Objects")
    out = {}
    for node in (e for e in objects.elems if e.id == b"Model"):
        if node.props[2] not in (b"Null", b"Mesh"):
            continue
        found = {
            p.props[0].decode(): list(p.props[4:])
            for block in node.elems if block.id == b"Properties70" for p in block.elems
        }  # fmt: skip
        out[node.props[1].split(b"\0")[0].decode()] = found
    return out


def clean_in_fbx(path) -> None:
    for name, found in fbx_nodes(path).items():
        assert found.get("Lcl Rotation", [0, 0, 0]) == pytest.approx([0, 0, 0], abs=1e-3), name
        assert found.get("Lcl Scaling", [1, 1, 1]) == pytest.approx([1, 1, 1], abs=1e-5), name


def clean_in_glb(path) -> None:
    data = path.read_bytes()
    length = struct.unpack("<I", data[12:16])[0]
    document = json.loads(data[20 : 20 + length])
    joints = {j for skin in document.get("skins", []) for j in skin["joints"]}
    for i, node in enumerate(document["nodes"]):
        if i not in joints:
            assert node.get("scale", [1, 1, 1]) == pytest.approx([1, 1, 1], abs=1e-5), node
            assert node.get("rotation", [0, 0, 0, 1]) == pytest.approx([0, 0, 0, 1], abs=1e-5)


def read(path):
    """(mesh, armature) out of an empty file, at frame 1."""
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    if path.suffix == ".fbx":
        bpy.ops.import_scene.fbx(filepath=str(path), anim_offset=0.0)
    elif path.suffix == ".glb":
        bpy.ops.import_scene.gltf(filepath=str(path))
    else:
        bpy.ops.wm.usd_import(filepath=str(path))
    bpy.context.scene.frame_set(1)
    mesh = next(o for o in bpy.data.objects if o.type == "MESH" and o.data.shape_keys)
    return mesh, next(o for o in bpy.data.objects if o.type == "ARMATURE")


def larger_and_turned(person):
    person.rig.scale, person.rig.rotation_euler = (2, 2, 2), (0.3, -0.2, 1.57)
    person.rig.location = (1, 2, 3)


def in_centimetres(person):
    bpy.context.scene.unit_settings.scale_length = 0.01
    person.rig.scale = (100, 100, 100)


def in_other_units(person):
    """The head is a third of a unit, which here is three millimetres: it is what the artist has."""
    bpy.context.scene.unit_settings.scale_length = 0.01


def carried(person):
    empty = bpy.data.objects.new("Character", None)
    bpy.context.scene.collection.objects.link(empty)
    empty.scale, empty.rotation_euler = (1.8, 1.8, 1.8), (0, 0, 0.5)
    person.rig.parent = empty


def on_a_body(person):
    body = make_body(KINDS["mixamo"], Matrix.Scale(1.7, 4) @ Matrix.Rotation(0.7, 4, "Z"))
    attach(person, body.rig, match_neck=False)


def the_head_alone_larger(person):
    person.head.scale = (1.5, 1.5, 1.5)


CHANGES = [larger_and_turned, in_centimetres, in_other_units, carried, on_a_body,
           the_head_alone_larger]  # fmt: skip


@pytest.mark.parametrize("preset", ["UNREAL", "UNITY", "GODOT", "USD", "FBX"])
@pytest.mark.parametrize("change", CHANGES, ids=lambda f: f.__name__)
def test_no_object_of_a_file_has_a_rotation_or_a_scale(ours, person, tmp_path, change, preset):
    change(person)
    bpy.context.view_layer.update()
    unit = bpy.context.scene.unit_settings.scale_length
    shown = evaluated(person.head) * unit
    path = tmp_path / f"head{PRESETS[preset]}"
    assert export(path, preset) == {"FINISHED"}
    written = result(ours)
    assert written.verdict.passed
    assert "no rotation or scale on any object" in written.verdict.sentence
    if preset in ("UNREAL", "UNITY"):
        clean_in_fbx(path)
    elif preset == "GODOT":
        clean_in_glb(path)
    mesh, rig = read(path)
    size = max(1.0, np.abs(shown).max())
    assert matched(evaluated(mesh), shown).max() < 1e-4 * size
    assert matched(shown, evaluated(mesh)).max() < 1e-4 * size
    if preset != "FBX" and path.suffix != ".fbx":
        assert np.array(rig.matrix_world.to_scale()) == pytest.approx(np.ones(3), rel=1e-4)


@pytest.mark.parametrize("preset", ["UNREAL", "UNITY", "GODOT", "USD"])
def test_every_frame_of_a_file_is_where_the_artist_has_it(person, tmp_path, preset):
    """With a rig that moves, turns and is scaled: not only at rest."""
    scene = bpy.context.scene
    animate(person, frames=4)
    person.rig.scale, person.rig.rotation_euler = (2, 2, 2), (0, 0, 0.3)
    person.rig.keyframe_insert("rotation_euler", frame=1)
    person.rig.rotation_euler = (0, 0, 0.9)
    person.rig.keyframe_insert("rotation_euler", frame=4)
    for key in person.head.data.shape_keys.key_blocks[1:]:
        key.slider_max = max(key.slider_max, 1.0)
    shown = {}
    for frame in (1, 2, 4):
        scene.frame_set(frame)
        shown[frame] = evaluated(person.head)
    scene.frame_set(1)
    path = tmp_path / f"head{PRESETS[preset]}"
    assert export(path, preset, animation=True) == {"FINISHED"}
    rate = scene.render.fps
    mesh, _ = read(path)
    assert bpy.context.scene.render.fps == rate
    for frame, points in shown.items():
        bpy.context.scene.frame_set(frame)
        bpy.context.view_layer.update()
        assert matched(evaluated(mesh), points).max() < 3e-4, frame


def test_a_stretched_head_keeps_its_scale_and_that_is_said(ours, person, tmp_path):
    person.rig.scale = (1, 1.3, 0.8)
    bpy.context.view_layer.update()
    export(tmp_path / "head.fbx", "UNREAL")
    written = result(ours)
    assert written.verdict.passed
    assert any("is stretched (1 x 1.3 x 0.8)" in note for note in written.notes)
    assert "transforms kept" in written.verdict.sentence


def scale_the_rig(head):
    rig = head.find_armature()
    rig.scale = [2 * s for s in rig.scale]
    head.scale = [s / 2 for s in head.scale]


@pytest.mark.parametrize("preset", ["UNREAL", "GODOT"])
def test_the_check_looks_at_transforms(ours, person, tmp_path, monkeypatch, preset):
    """The rig twice as large, its skin half: what is seen is nearly the same."""
    losing(ours, monkeypatch, scale_the_rig)
    with pytest.raises(RuntimeError, match="has a rotation or a scale"):
        export(tmp_path / f"head{PRESETS[preset]}", preset)


def mirrored_rig(person):
    person.rig.scale = (-1, 1, 1)
    return person.rig.name, "-1, 1, 1"


def mirrored_all_ways(person):
    person.rig.scale = (-1, -1, -1)
    return person.rig.name, "-1, -1, -1"


def mirrored_head(person):
    person.head.scale = (1, -1, 1)
    return person.head.name, "1, -1, 1"


def mirrored_parent(person):
    carried(person)
    person.rig.parent.scale = (-2, 2, 2)
    return "Character", "-2, 2, 2"


@pytest.mark.parametrize("preset", FILES)
@pytest.mark.parametrize(
    "change", [mirrored_rig, mirrored_all_ways, mirrored_head, mirrored_parent],
    ids=lambda f: f.__name__,
)  # fmt: skip
def test_a_mirrored_head_is_refused_by_name(person, tmp_path, change, preset):
    name, scale = change(person)
    bpy.context.view_layer.update()
    before = datablocks()
    with pytest.raises(RuntimeError) as caught:
        export(tmp_path / f"head{PRESETS[preset]}", preset)
    said = str(caught.value)
    assert f"{name} is mirrored (scale {scale})" in said
    assert "make its scale positive" in said
    assert not list(tmp_path.iterdir()) and datablocks() == before


@pytest.mark.parametrize("preset", FILES)
def test_absolute_keys_are_refused_with_the_next_step(person, tmp_path, preset):
    person.head.data.shape_keys.use_relative = False
    with pytest.raises(RuntimeError, match=r"absolute.*tick Relative"):
        export(tmp_path / f"head{PRESETS[preset]}", preset)
    person.head.data.shape_keys.use_relative = True
    assert export(tmp_path / f"head{PRESETS[preset]}", preset) == {"FINISHED"}


@pytest.mark.parametrize("preset", ["UNREAL", "GODOT"])
def test_what_is_nowhere_or_nothing_is_refused(person, tmp_path, preset):
    path = tmp_path / f"head{PRESETS[preset]}"
    person.rig.scale = (0, 0, 0)
    bpy.context.view_layer.update()
    with pytest.raises(RuntimeError, match="scaled to nothing"):
        export(path, preset)
    person.rig.scale = (1, 1, 1)
    bpy.context.view_layer.update()
    person.head.data.shape_keys.key_blocks["jawOpen"].points[7].co.x = float("nan")
    with pytest.raises(RuntimeError, match="have no place"):
        export(path, preset)


def preserve_volume(person):
    person.head.modifiers["Armature"].use_deform_preserve_volume = True
    person.rig.pose.bones["neck"].rotation_quaternion = (0.9, 0.2, 0.3, 0.1)
    return "untick Preserve Volume"


def bendy_bones(person):
    person.rig.data.bones["neck"].bbone_segments = 6
    person.rig.pose.bones["neck"].bbone_curveoutx = 0.1
    return "give the bendy bone neck one segment"


def envelopes(person):
    """Of vertices that no group holds: the others do not hear of envelopes."""
    for group in person.head.vertex_groups:
        group.remove(list(range(200)))
    for bone in person.rig.data.bones:
        bone.envelope_distance = 1.0
    person.head.modifiers["Armature"].use_bone_envelopes = True
    person.rig.pose.bones["head"].rotation_quaternion = (0.9, 0.2, 0.3, 0.1)
    return "untick Bone Envelopes"


def loose_vertices(person):
    import bmesh

    mesh = bmesh.new()
    mesh.from_mesh(person.head.data)
    for _ in range(3):
        mesh.verts.new((0.5, 0.5, 0.5))
    mesh.to_mesh(person.head.data)
    return "delete 3 vertices that belong to no face"


def many_bones(person):
    """Six of a vertex, as heat weights of a finer rig have."""
    for i, name in enumerate(b.name for b in person.rig.data.bones):
        person.head.vertex_groups[name].add(list(range(500)), 0.1 + 0.1 * i, "REPLACE")
    return "limit vertex groups to 4 a vertex"


@pytest.mark.parametrize(
    ("change", "preset"),
    [(preserve_volume, "UNREAL"), (preserve_volume, "GODOT"), (bendy_bones, "GODOT"),
     (envelopes, "UNREAL"), (loose_vertices, "GODOT"), (many_bones, "GODOT")],
    ids=lambda f: getattr(f, "__name__", f),
)  # fmt: skip
def test_red_says_what_to_do(ours, person, tmp_path, change, preset):
    advice = change(person)
    bpy.context.view_layer.update()
    with pytest.raises(RuntimeError) as caught:
        export(tmp_path / f"head{PRESETS[preset]}", preset)
    assert advice in str(caught.value)


NAMES = [
    "portrait-of-young-woman-with-long-hair-looking-at-camera-in-studio",
    "写真" * 12,
    "a" * 63,
    "x\ny \"q\" 'r' <b>&amp; %s {0}",
    "CON",
    "😀 émigré",
    "..",
    "1.2.3",
]


@pytest.mark.parametrize("preset", ["USD", "UNITY", "GODOT", "BLENDER"])
@pytest.mark.parametrize("name", NAMES)
def test_names_of_any_length_and_script(ours, few_keys, loaded, tmp_path, name, preset):
    from dataclasses import replace

    build = ours("pixel3dmm_addon.scene.build")
    person = build.build_person(bpy.context, replace(few_keys, name=name), loaded)
    called = person.head.name
    path = tmp_path / f"head{PRESETS[preset]}"
    assert export(path, preset, lods=preset in ("USD", "UNITY")) == {"FINISHED"}
    assert result(ours).verdict.passed
    assert person.head.name == called


@pytest.mark.parametrize("preset", ["USD", "UNREAL", "GODOT"])
def test_keys_and_bones_whose_names_become_the_same(ours, person, tmp_path, preset):
    keys = person.head.data.shape_keys.key_blocks
    for old, new in (("jawOpen", "顎 開"), ("jawLeft", "顎:開"), ("jawRight", "a" * 63),
                     ("mouthLeft", "mouth.left"), ("mouthRight", "mouth_left")):  # fmt: skip
        keys[old].name = new
    person.rig.data.bones["neck"].name = "eye_L"
    assert export(tmp_path / f"head{PRESETS[preset]}", preset) == {"FINISHED"}
    assert result(ours).verdict.passed


@pytest.mark.parametrize("unit", [1.0, 0.01, 0.001, 0.3048])
def test_a_head_is_as_large_as_life_whatever_the_unit(
    ours, few_keys, loaded, scene, tmp_path, unit
):
    build = ours("pixel3dmm_addon.scene.build")
    wanted = np.ptp(ours("core.geometry.axes").to_scene(few_keys.basis), axis=0)
    scene.unit_settings.scale_length = unit
    person = build.build_person(bpy.context, few_keys, loaded, match_render_size=True)
    bpy.context.view_layer.update()
    for bone in person.rig.pose.bones:
        bone.rotation_quaternion = (1, 0, 0, 0)
    for key in person.head.data.shape_keys.key_blocks:
        key.value = 0.0
    bpy.context.view_layer.update()
    assert np.ptp(evaluated(person.head), axis=0) * unit == pytest.approx(wanted, rel=1e-4)
    # The camera sees what it sees in metres.
    from bpy_extras.object_utils import world_to_camera_view

    joint = person.rig.matrix_world @ person.rig.data.bones["head"].head_local
    seen = world_to_camera_view(scene, person.camera, joint)
    camera, axes = few_keys.camera, ours("core.geometry.axes")
    place = axes.to_head(np.array(person.rig.data.bones["head"].head_local)[None])
    pixel = camera.project(place)[0]
    assert seen.x == pytest.approx(pixel[0] / camera.width, abs=1e-4)
    assert 1 - seen.y == pytest.approx(pixel[1] / camera.height, abs=1e-4)
    assert person.camera.data.clip_start * unit == pytest.approx(0.01)
    assert export(tmp_path / "head.fbx", "UNREAL") == {"FINISHED"}
    clean_in_fbx(tmp_path / "head.fbx")
    translation = fbx_nodes(tmp_path / "head.fbx")
    assert "Armature" in translation
    mesh, _ = read(tmp_path / "head.fbx")
    assert np.ptp(evaluated(mesh), axis=0) == pytest.approx(wanted, rel=1e-3)
