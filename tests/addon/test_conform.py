# SPDX-License-Identifier: GPL-3.0-or-later
"""Send to My Mesh and Wrap, on a head with eyes of its own, lying as Blender's heads do, with what
an artist has on it: keys, groups, a material, a texture layout.
"""

from __future__ import annotations

import bpy
import numpy as np
import pytest

SCALE = 3.0


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
    head.location = (4, 0, 1)
    bpy.context.view_layer.update()
    return made


def choose(active, *others):
    for obj in bpy.context.selected_objects:
        obj.select_set(False)
    for obj in (active, *others):
        obj.select_set(True)
    bpy.context.view_layer.objects.active = active


def test_a_person_is_sent_to_a_mesh_and_back(ours, person, theirs):
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
    assert own_mesh.known_profile(chosen.mesh)
    choose(head, eyes)
    assert bpy.ops.pixel3dmm.wrap() == {"FINISHED"}
    made = bpy.context.view_layer.objects.active
    assert made.data.shape_keys.key_blocks["photoResidual"].value == 1.0
    assert ours("pixel3dmm_addon.scene.head").is_head(made)


def test_what_cannot_be_worked_with_is_said(ours, person, theirs):
    own_mesh = ours("pixel3dmm_addon.scene.own_mesh")
    head, eyes = theirs
    assert own_mesh.why_not([head, eyes]) == ""
    head.modifiers.new("half", "MIRROR")
    assert "Mirror modifier" in own_mesh.why_not([head, eyes])
    head.modifiers.clear()
    head.data.shape_keys.key_blocks["jawOpen"].driver_add("value")
    assert "drivers" in own_mesh.why_not([head])
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
