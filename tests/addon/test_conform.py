# SPDX-License-Identifier: GPL-3.0-or-later
"""Send to My Mesh and Wrap, on a head with eyes of its own, lying as Blender's heads do, with what
an artist has on it: keys, groups, a material, a texture layout.
"""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest

SCALE = 3.0
EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "astronaut.jpg"


def mesh_object(name, points, triangles):
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(points.tolist(), [], triangles.tolist())
    obj = bpy.data.objects.new(name, mesh)
    bpy.context.collection.objects.link(obj)
    return obj


def coordinates(obj) -> np.ndarray:
    out = np.empty(3 * len(obj.data.vertices), np.float32)
    keys = obj.data.shape_keys
    (obj.data.vertices if keys is None else keys.reference_key.points).foreach_get("co", out)
    return out.reshape(-1, 3)


@pytest.fixture
def theirs(ours):
    """(head, eyes): three times as large as life, the head with an own key, group and material."""
    model = ours("core.heads.open_head").load_open_head()
    corners = ours("core.heads.corners")
    balls = ours("core.heads.eyeballs").is_eyeball
    random = np.random.default_rng(5)
    neutral = SCALE * ours("core.geometry.axes").to_scene(
        model.neutral(random.normal(scale=0.5, size=30))
    )
    made = []
    for name, kept in (
        ("hers", corners.is_skin(model)),
        ("eyes", balls(model, "l") | balls(model, "r")),
    ):
        triangles = model.triangles[kept]
        used, local = np.unique(triangles, return_inverse=True)
        made.append(mesh_object(name, neutral[used], local.reshape(-1, 3)))
    head = made[0]
    layer = head.data.uv_layers.new(name="own")
    corner = np.array([v.co for v in head.data.vertices])[[x.vertex_index for x in head.data.loops]]
    layer.data.foreach_set("uv", (corner[:, [0, 2]] / 2 + 0.5).astype(np.float32).ravel())
    head.vertex_groups.new(name="wig").add([0, 1, 2], 0.5, "REPLACE")
    head.data.materials.append(bpy.data.materials.new("her skin"))
    head.shape_key_add(name="Basis", from_mix=False)
    key = head.shape_key_add(name="jawOpen", from_mix=False)
    key.points[7].co.x += 0.5
    head.data.normals_split_custom_set([(0.0, 0.0, 1.0)] * len(head.data.loops))
    head.location = (4, 0, 1)
    bpy.context.view_layer.update()
    return made


def choose(active, *others):
    for obj in bpy.context.selected_objects:
        obj.select_set(False)
    for obj in (active, *others):
        obj.select_set(True)
    bpy.context.view_layer.objects.active = active


def test_a_person_is_sent_to_a_mesh_and_back(ours, person, theirs, tmp_path):
    head, eyes = theirs
    eyes.location = head.location
    bpy.context.view_layer.update()
    before = [coordinates(obj) for obj in theirs]
    choose(person.head, head, eyes)
    assert bpy.ops.pixel3dmm.send_to_my_mesh() == {"FINISHED"}
    for obj, was in zip(theirs, before, strict=True):
        assert np.array_equal(coordinates(obj), was)
    assert [k.name for k in head.data.shape_keys.key_blocks] == ["Basis", "jawOpen"]
    copy = bpy.context.view_layer.objects.active
    assert copy not in theirs
    names = ours("core.heads.arkit").ARKIT_NAMES
    blocks = copy.data.shape_keys.key_blocks
    assert set(names) <= set(blocks.keys())
    own = np.array([p.co for p in blocks["jawOpen (own)"].points]) - coordinates(copy)
    assert own[7] == pytest.approx([0.5, 0, 0], abs=1e-5)
    assert np.abs(np.delete(own, 7, axis=0)).max() < 1e-5
    jaw = np.array([p.co for p in blocks["jawOpen"].points]) - coordinates(copy)
    assert 0.02 < np.linalg.norm(jaw, axis=1).max() / SCALE < 0.06
    assert jaw[np.linalg.norm(jaw, axis=1).argmax(), 2] < 0
    assert {"wig", "jaw"} <= set(copy.vertex_groups.keys())
    assert copy.vertex_groups["wig"].weight(1) == 0.5
    assert copy.data.has_custom_normals
    assert copy.data.materials[0].name == "her skin"
    moved = np.linalg.norm(coordinates(copy) - before[0], axis=1)
    assert moved.max() > 0.002 * SCALE
    top = before[0][:, 2] > before[0][:, 2].max() - 0.05 * SCALE
    assert moved[top].max() == 0
    assert "Registration Distance" in copy.data.color_attributes
    other = next(o for o in bpy.context.selected_objects if o != copy)
    assert len(other.data.vertices) == len(eyes.data.vertices)
    # The profile is known now: the same mesh is not registered again.
    own_mesh = ours("pixel3dmm_addon.scene.own_mesh")
    chosen = own_mesh.read([head, eyes])
    assert ours("pixel3dmm_addon.scene.profiles").known_profile(chosen.mesh)
    # Without an armature the copies got one of ours, and all of them hangs on it.
    rig = copy.find_armature()
    assert rig is not None
    assert {"head", "neck", "jaw", "eye.L", "eye.R"} <= set(rig.data.bones.keys())
    assert head.find_armature() is None
    assert all(v.groups for v in copy.data.vertices)
    where = rig.matrix_world @ rig.data.bones["eye.L"].head_local
    lefts = [eyes.matrix_world @ v.co for v in eyes.data.vertices if v.co.x > 0]
    middle = np.mean([tuple(p) for p in lefts], axis=0)
    assert np.linalg.norm(middle - np.array(where)) < 0.02 * SCALE
    check_target(ours, head, eyes, tmp_path)
    choose(head, eyes)
    assert bpy.ops.pixel3dmm.wrap() == {"FINISHED"}
    made = bpy.context.view_layer.objects.active
    assert made.data.shape_keys.key_blocks["photoResidual"].value == 1.0
    assert ours("pixel3dmm_addon.scene.head").is_head(made)


def check_target(ours, head, eyes, folder):
    """The mesh is among the heads now; a face is reconstructed on it, and its fit goes on there."""
    from looking import reconstruct

    installed = ours("pixel3dmm_addon.installed")
    entry = installed.heads()[-1]
    assert entry.label == f"{head.name} (my mesh)"
    choices = bpy.context.scene.pixel3dmm
    choices.head = entry.name
    options = ours("pixel3dmm_addon.properties").job_options(choices)
    assert options["head"] == "open-head"
    assert options["head_mesh"] == entry.name
    reconstruct(EXAMPLE)
    made = bpy.context.view_layer.objects.active
    count = len(head.data.vertices) + len(eyes.data.vertices)
    assert len(made.data.vertices) == count
    assert any(m.name.endswith("her skin") for m in made.data.materials)
    assert made.find_armature() is not None
    blocks = made.data.shape_keys.key_blocks
    assert set(ours("core.heads.arkit").ARKIT_NAMES) <= set(blocks.keys())
    before = coordinates(made)
    text = made["pixel3dmm_continuation"]
    known = ours("core.reconstruct.continuation").Continuation.from_json(text)
    x, y = known.photos[0].cues.landmarks[1][:2]
    assert bpy.ops.pixel3dmm.pin_landmark(photo=0, landmark=1, x=x + 6, y=y) == {"FINISHED"}
    assert len(made.data.vertices) == count
    assert 1e-4 < np.abs(coordinates(made) - before).max() < 0.05
    choices.head = "open-head"
    assert not bpy.ops.pixel3dmm.grow_hair.poll()
    # What it is exported as holds all of it: the file is read back and compared.
    assert bpy.ops.pixel3dmm.export_gltf(filepath=str(folder / "theirs.glb")) == {"FINISHED"}
    assert (folder / "theirs.glb").stat().st_size > 1e5


def test_points_are_set_by_name_and_weights_go_to_bones_of_that_name(ours, theirs):
    head, _ = theirs
    points = ours("pixel3dmm_addon.scene.face_points")
    choose(head)
    assert bpy.ops.pixel3dmm.set_face_point(point="Tip of the Nose", location=(4.0, -0.3, 1.0)) == {
        "FINISHED"
    }
    assert points.points(head)["Tip of the Nose"] == pytest.approx([0, -0.3, 0], abs=1e-6)
    assert points.next_name(head) == "Right Eye, Outer Corner"
    assert points.usable(head) == {}
    assert bpy.ops.pixel3dmm.clear_face_points() == {"FINISHED"}
    assert points.points(head) == {}
    names = ours("core.rig.bone_names")
    for bones, jaw in (
        (["DEF-jaw", "DEF-jaw.L", "jaw_master", "DEF-spine.006"], "DEF-jaw"),
        (["CC_Base_Head", "CC_Base_JawRoot", "CC_Base_L_Eye"], "CC_Base_JawRoot"),
        (["FACIAL_C_Jaw", "head"], "FACIAL_C_Jaw"),
        (["mixamorig:Head", "mixamorig:Neck"], None),
        (["jaw", "head"], "jaw"),
        (["J_Bip_C_Head", "Jaw"], "Jaw"),
    ):
        assert names.jaw_name(bones) == jaw
    # An armature of theirs: the jaw gets its share of what the head's bone holds.
    armature = bpy.data.armatures.new("theirs")
    rig = bpy.data.objects.new("theirs", armature)
    bpy.context.collection.objects.link(rig)
    bpy.context.view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    for name in ("head", "CC_Base_JawRoot"):
        bone = armature.edit_bones.new(name)
        bone.head, bone.tail = (0, 0, 0), (0, 0, 1)
    bpy.ops.object.mode_set(mode="OBJECT")
    everything = list(range(len(head.data.vertices)))
    head.vertex_groups.new(name="head").add(everything, 1.0, "REPLACE")
    head.modifiers.new("Armature", "ARMATURE").object = rig
    weights = np.zeros((len(everything), 6), np.float32)
    weights[:, 2] = 1.0
    weights[5, 2:4] = 0.25, 0.75
    said = ours("pixel3dmm_addon.scene.own_rig")._onto(head, rig, weights)
    assert said == []
    assert head.vertex_groups["CC_Base_JawRoot"].weight(5) == pytest.approx(0.75)
    assert head.vertex_groups["head"].weight(5) == pytest.approx(0.25)
    assert head.vertex_groups["head"].weight(6) == 1.0
    assert head.vertex_groups["wig"].weight(1) == 0.5


def test_what_cannot_be_worked_with_is_said(ours, person, theirs, tmp_path):
    own_mesh = ours("pixel3dmm_addon.scene.own_mesh")
    head, eyes = theirs
    assert own_mesh.why_not([head, eyes]) == ""
    head.modifiers.new("half", "MIRROR")
    assert "Mirror modifier" in own_mesh.why_not([head, eyes])
    head.modifiers.clear()
    head.data.shape_keys.key_blocks["jawOpen"].driver_add("value")
    assert "drivers" in own_mesh.why_not([head])
    head.data.shape_keys.key_blocks["jawOpen"].driver_remove("value")
    choose(head)
    bpy.ops.object.mode_set(mode="EDIT")
    assert "edit mode" in own_mesh.why_not([head])
    assert not bpy.ops.pixel3dmm.register_my_mesh.poll()
    assert not bpy.ops.pixel3dmm.click_face_points.poll()
    bpy.ops.object.mode_set(mode="OBJECT")
    bpy.data.libraries.write(str(tmp_path / "theirs.blend"), {eyes})
    with bpy.data.libraries.load(str(tmp_path / "theirs.blend"), link=True) as (_, wanted):
        wanted.objects = ["eyes"]
    assert "linked" in own_mesh.why_not([wanted.objects[0]])
    choose(person.head)
    assert not bpy.ops.pixel3dmm.send_to_my_mesh.poll()
    assert not bpy.ops.pixel3dmm.wrap.poll()


def test_what_is_no_head_changes_nothing(person):
    bpy.ops.mesh.primitive_uv_sphere_add()
    ball = bpy.context.object
    choose(person.head, ball)
    before = set(bpy.data.objects)
    with pytest.raises(RuntimeError, match=r"Sphere.*choose the mesh of a"):
        bpy.ops.pixel3dmm.send_to_my_mesh()
    assert set(bpy.data.objects) == before
