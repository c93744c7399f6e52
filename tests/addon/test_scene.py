# SPDX-License-Identifier: GPL-3.0-or-later
"""The scene is what the arrays say: shape, keys, bones, weights, camera, materials."""

from __future__ import annotations

import json
import re

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from looking import datablocks, evaluated
from mathutils import Vector


def test_evaluated_head_is_the_posed_head(ours, person, rigged):
    expected = ours("core.geometry.axes").to_scene(rigged.posed)
    assert np.abs(evaluated(person.head) - expected).max() < 1e-5


def test_without_keys_and_pose_the_head_is_neutral(ours, person, rigged):
    for key in person.head.data.shape_keys.key_blocks[1:]:
        key.value = 0.0
    for bone in person.rig.pose.bones:
        bone.rotation_quaternion = (1, 0, 0, 0)
    expected = ours("core.geometry.axes").to_scene(rigged.basis)
    assert np.abs(evaluated(person.head) - expected).max() < 1e-5


def test_each_key_moves_its_own_offsets(ours, person, rigged):
    axes, keys = ours("core.geometry.axes"), person.head.data.shape_keys.key_blocks
    for i in (0, 24, 44, 51, 52):
        name = str(rigged.key_names[i])
        points = np.empty(len(rigged.basis) * 3, np.float32)
        keys[name].points.foreach_get("co", points)
        expected = axes.to_scene(rigged.basis + rigged.key_deltas[i])
        assert np.abs(points.reshape(-1, 3) - expected).max() < 1e-6, name


def test_key_names_values_and_ranges(ours, person, rigged):
    blocks = person.head.data.shape_keys.key_blocks
    names = ours("core.heads.arkit").ARKIT_NAMES
    assert [block.name for block in blocks][:54] == ["Basis", *names, "photoResidual"]
    more = [block.name for block in blocks][54:]
    assert more == rigged.key_names.tolist()[53:]
    assert all(name.startswith("corr_") for name in more)
    assert len(names) == 52
    assert [b.value for b in blocks[1:]] == pytest.approx(rigged.key_values.tolist(), abs=1e-6)
    assert {(b.slider_min, b.slider_max) for b in blocks[1:]} == {(0.0, 1.0)}
    assert not any(b.mute for b in blocks)


def test_faces_are_the_models_quads_smooth_and_unwrapped(person, rigged):
    mesh = person.head.data
    corners = [tuple(p.vertices) for p in mesh.polygons]
    assert corners == [tuple(int(v) for v in q if v >= 0) for q in rigged.quads]
    assert all(p.use_smooth for p in mesh.polygons)
    uv = np.empty(len(mesh.loops) * 2, np.float32)
    mesh.uv_layers["UVMap"].data.foreach_get("uv", uv)
    expected = rigged.uv[rigged.uv_quads[rigged.quads >= 0]]
    assert np.abs(uv.reshape(-1, 2) - expected).max() < 1e-6


def test_bones_stand_at_the_joints(ours, person, rigged):
    bones = person.rig.data.bones
    assert [b.name for b in bones] == ["root", "neck", "head", "jaw", "eye.L", "eye.R"]
    parents = {b.name: b.parent.name if b.parent else None for b in bones}
    assert parents == {
        "root": None, "neck": "root", "head": "neck", "jaw": "head", "eye.L": "head",
        "eye.R": "head",
    }  # fmt: skip
    at = ours("core.geometry.axes").to_scene(rigged.joints)
    for bone, expected in zip(bones, at, strict=True):
        assert np.abs(np.array(bone.head_local) - expected).max() < 1e-6
        assert bone.length > 0.004
        assert bone.use_deform
    assert bones["eye.L"].head_local.x > 0  # the subject's left
    assert bones["eye.L"].tail_local.y < bones["eye.L"].head_local.y  # eyes look along -Y


def test_vertex_groups_hold_the_weights(person, rigged):
    head = person.head
    names = [g.name for g in head.vertex_groups]
    assert names == ["root", "neck", "head", "jaw", "eye.L", "eye.R"]
    found = np.zeros_like(rigged.weights)
    for vertex in head.data.vertices:
        for group in vertex.groups:
            found[vertex.index, group.group] = group.weight
    assert np.abs(found - rigged.weights).max() < 2e-6
    assert head.parent == person.rig
    assert [m.object for m in head.modifiers if m.type == "ARMATURE"] == [person.rig]


def test_eyes_look_where_the_photos_do(ours, person, rigged):
    """The eye bone's direction is the rotated one: head frame rotation, scene axes."""
    matrix = ours("core.geometry.rotation").matrix_from_vector(rigged.joint_rotations[4])
    bpy.context.view_layer.update()
    bone = person.rig.pose.bones["eye.L"]
    along = np.array((bone.tail - bone.head).normalized())
    expected = ours("core.geometry.axes").to_scene(matrix @ np.array([0.0, 0.0, 1.0]))
    assert np.abs(along - expected).max() < 1e-5


@pytest.mark.parametrize("size", [None, (1920, 1080), (500, 900)])
def test_mesh_lies_on_the_photo(ours, rigged, loaded, size):
    """Blender's own projection against K, R, t, in the photo's pixels."""
    scene = bpy.context.scene
    if size:
        scene.render.resolution_x, scene.render.resolution_y = size
    build = ours("pixel3dmm_addon.scene.build").build_person
    person = build(bpy.context, rigged, loaded, match_render_size=size is None)
    assert scene.camera == person.camera
    width, height = (int(s) for s in rigged.image_size)
    frame = np.array([scene.render.resolution_x, scene.render.resolution_y], float)
    fit = min(frame / (width, height))
    bpy.context.view_layer.update()
    seen = []
    for point in evaluated(person.head)[::50]:
        x, y, depth = world_to_camera_view(scene, person.camera, Vector(point))
        assert depth > 0
        seen.append(((np.array([x, 1 - y]) - 0.5) * frame / fit) + (width / 2, height / 2))
    expected = rigged.camera.project(rigged.posed[::50].astype(float))
    assert np.abs(np.array(seen) - expected).max() < 0.05


def test_photo_is_behind_the_head_in_the_camera(person, example_photo):
    (background,) = person.camera.data.background_images
    assert person.camera.data.show_background_images
    assert bpy.path.abspath(background.image.filepath) == str(example_photo)
    assert background.display_depth == "BACK"
    assert background.frame_method == "FIT"
    assert background.alpha == 1.0


def test_render_size_is_left_alone_unless_asked_for(ours, rigged, loaded):
    render = bpy.context.scene.render
    before = (render.resolution_x, render.resolution_y)
    build = ours("pixel3dmm_addon.scene.build").build_person
    build(bpy.context, rigged, loaded)
    assert (render.resolution_x, render.resolution_y) == before
    build(bpy.context, rigged, loaded, match_render_size=True)
    assert (render.resolution_x, render.resolution_y) == tuple(rigged.image_size)


def test_materials_by_part_in_the_photos_tint(person, rigged):
    mesh = person.head.data
    slots = [m["pixel3dmm_kind"] for m in mesh.materials]
    assert [m.name for m in mesh.materials] == [f"someone {kind}" for kind in slots]
    assert slots == [
        "skin",
        "eye",
        "teeth",
        "tongue",
        "mouth",
        "gums",
        "lashes",
        "brows",
        "neck cut",
        "tears",
    ]
    kinds = {str(part): set() for part in rigged.part_names}
    for polygon, part in zip(mesh.polygons, rigged.face_part, strict=True):
        kinds[str(rigged.part_names[part])].add(slots[polygon.material_index])
    assert kinds["skin"] == {"skin"}
    assert kinds["iris_l"] == kinds["iris_r"] == kinds["eyeball_l"] == {"eye"}
    assert kinds["teeth_upper"] == {"teeth"}
    assert kinds["mouth_interior"] == {"mouth"}
    colours = {"skin": rigged.skin_color}
    for material, kind in zip(mesh.materials, slots, strict=True):
        (shader,) = [n for n in material.node_tree.nodes if n.type == "BSDF_PRINCIPLED"]
        if kind in colours:
            colour = shader.inputs["Base Color"].default_value[:3]
            assert colour == pytest.approx(colours[kind].tolist(), abs=1e-6)


def test_eyes_wear_one_picture_with_the_photos_iris(ours, person, rigged):
    (eye,) = [m for m in person.head.data.materials if m.name.endswith(" eye")]
    (node,) = [n for n in eye.node_tree.nodes if n.type == "TEX_IMAGE"]
    assert node.outputs["Color"].links[0].to_socket.name == "Base Color"
    image = node.image
    assert image.packed_file is not None
    width, height = image.size
    pixels = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(pixels)
    linear = ours("core.photos.colour").linear_from_srgb(
        pixels.reshape(height, width, 4)[..., :3].astype(float)
    )
    at = (np.arange(width) + 0.5) / width - 0.5
    degrees = 180 * (2 * np.hypot(*np.meshgrid(at, at))) ** (1 / 0.7)
    assert linear[degrees < 6].max() < 0.02  # the pupil
    iris = np.median(linear[(degrees > 10) & (degrees < 16)], axis=0)
    assert iris == pytest.approx(rigged.iris_color, rel=0.4)
    white = np.median(linear[(degrees > 25) & (degrees < 32)], axis=0)
    assert white.min() > 0.5
    assert white.max() < 0.9


def visible_faces(head):
    evaluated = head.evaluated_get(bpy.context.evaluated_depsgraph_get())
    return len(evaluated.to_mesh().polygons)


@pytest.mark.parametrize(
    ("name", "part"),
    [("lashes", "lashes"), ("brows", "brows"), ("tears", "tears"), ("neck_base", "neck_cut")],
)
def test_parts_can_be_put_away_and_come_back(person, rigged, name, part):
    head = person.head
    of_part = (rigged.face_part == rigged.part_names.tolist().index(part)).sum()
    everything, groups = visible_faces(head), len(head.vertex_groups)
    assert getattr(head.pixel3dmm, name)
    setattr(head.pixel3dmm, name, False)
    bpy.context.view_layer.update()
    assert visible_faces(head) == everything - of_part
    assert not getattr(head.pixel3dmm, name)
    setattr(head.pixel3dmm, name, True)
    bpy.context.view_layer.update()
    assert visible_faces(head) == everything
    assert len(head.vertex_groups) == groups


def test_an_export_leaves_out_what_is_put_away(ours, person, tmp_path):
    head = person.head
    head.pixel3dmm.brows = False
    made = ours("pixel3dmm_addon.export.copies").make_copies(
        bpy.data.scenes.new("stage"), head, for_file=True
    )
    kinds = [m.get("pixel3dmm_kind") for m in made.head.data.materials]
    faces = np.empty(len(made.head.data.polygons), np.int32)
    made.head.data.polygons.foreach_get("material_index", faces)
    assert kinds.index("brows") not in faces
    assert kinds.index("lashes") in faces
    assert len(made.head.data.vertices) < len(head.data.vertices)
    before, after = head.data.shape_keys.key_blocks, made.head.data.shape_keys.key_blocks
    assert before.keys() == after.keys()
    count = 3 * len(made.head.data.vertices)
    moved, original = np.empty(count, np.float32), np.empty(3 * len(head.data.vertices), np.float32)
    after["jawOpen"].points.foreach_get("co", moved)
    before["jawOpen"].points.foreach_get("co", original)
    assert np.array_equal(moved[:9000], original[:9000])
    assert not made.left_out


def test_head_remembers_recipe_report_and_licence(person, rigged):
    head = person.head
    assert json.loads(head["pixel3dmm_recipe"]) == {"made": "up"}
    assert json.loads(head["pixel3dmm_report"])["warnings"]
    assert head["pixel3dmm_licence"] == "CC0-1.0 AND MIT"
    assert head["pixel3dmm_commercial_use"] == "yes"
    assert head["pixel3dmm_schema"] == 2
    assert re.fullmatch(r"[0-9a-f-]{36}", head["pixel3dmm_uuid"])


def test_everything_is_in_one_collection_named_after_the_photo(person):
    assert person.collection.name == "someone"
    assert {o.name for o in person.collection.objects} == {
        "someone", "someone rig", "someone camera",
    }  # fmt: skip
    assert list(bpy.context.scene.collection.children) == [person.collection]
    assert bpy.context.view_layer.objects.active == person.head
    assert bpy.context.selected_objects == [person.head]


def test_second_person_of_the_same_name_stands_beside_the_first(ours, person, rigged, loaded):
    build = ours("pixel3dmm_addon.scene.build").build_person
    other = build(bpy.context, rigged, loaded)
    assert other.collection.name == other.head.name == "someone.001"
    assert other.rig.name == "someone.001 rig"
    assert other.head["pixel3dmm_uuid"] != person.head["pixel3dmm_uuid"]
    assert other.head.data.shape_keys.key_blocks[1].name == "browDownLeft"
    assert (
        len([i for i in bpy.data.images if i.name.startswith("astronaut")]) == 1
    )  # one photo, shared


@pytest.mark.parametrize("step", ["add_keys", "remember", "bind", "pose", "make_camera"])
def test_failure_half_way_leaves_nothing(ours, rigged, loaded, monkeypatch, step):
    scene = bpy.context.scene
    cube = bpy.data.objects.new("mine", bpy.data.meshes.new("mine"))
    scene.collection.objects.link(cube)
    cube.select_set(True)
    bpy.context.view_layer.objects.active = cube
    before, size = datablocks(), (scene.render.resolution_x, scene.render.resolution_y)

    def fail(*arguments, **named):
        raise ValueError("no")

    for name in ("head", "rig", "camera"):
        module = ours(f"pixel3dmm_addon.scene.{name}")
        if hasattr(module, step):
            monkeypatch.setattr(module, step, fail)
    build = ours("pixel3dmm_addon.scene.build").build_person
    with pytest.raises(ours("core.errors").PersonError, match="nothing was changed"):
        build(bpy.context, rigged, loaded, match_render_size=True)
    assert datablocks() == before
    assert (scene.render.resolution_x, scene.render.resolution_y) == size
    assert bpy.context.view_layer.objects.active == cube
    assert bpy.context.selected_objects == [cube]
    assert scene.camera is None


def test_builds_out_of_another_objects_edit_mode(ours, rigged, loaded):
    bpy.ops.mesh.primitive_cube_add()
    bpy.ops.object.mode_set(mode="EDIT")
    person = ours("pixel3dmm_addon.scene.build").build_person(bpy.context, rigged, loaded)
    assert bpy.context.mode == "OBJECT"
    assert len(person.rig.data.bones) == 6
