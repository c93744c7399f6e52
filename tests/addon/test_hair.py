# SPDX-License-Identifier: GPL-3.0-or-later
"""Hair in the scene: it follows the head, is grown by the worker, undone, and left out of files."""

from __future__ import annotations

import bpy
import numpy as np
import pytest


@pytest.fixture
def scene_hair(ours):
    return ours("pixel3dmm_addon.scene.hair")


def points(hair):
    shown = hair.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    flat = np.empty(3 * len(shown.points), np.float32)
    shown.attributes["position"].data.foreach_get("vector", flat)
    return flat.reshape(len(shown.curves), -1, 3)


def grow(head, style, **sliders):
    bpy.context.view_layer.objects.active = head
    head.pixel3dmm.hair_style = style
    for name, value in sliders.items():
        setattr(head.pixel3dmm, f"hair_{name}", value)
    assert bpy.ops.pixel3dmm.grow_hair() == {"FINISHED"}


def test_hair_grows_follows_and_goes(ours, person, scene_hair):
    head = person.head
    grow(head, "short", density=0.2)
    hair = scene_hair.hair_of(head)
    assert scene_hair.about(hair)["style"] == "short"
    before = points(hair)
    assert 5000 < len(before) < 7000
    # Every root is on the skin, and none is lost when the head turns.
    bone = person.rig.pose.bones["head"]
    bone.rotation_mode = "XYZ"
    bone.rotation_euler = (0.0, 0.4, 0.0)
    bpy.context.view_layer.update()
    after = points(hair)
    moved = np.linalg.norm(after[:, 0] - before[:, 0], axis=1)
    assert np.quantile(moved, 0.001) > 1e-3
    lengths = [np.linalg.norm(np.diff(p, axis=1), axis=2).sum(axis=1) for p in (before, after)]
    assert np.allclose(*lengths, rtol=1e-3)
    # Sliders work on what was grown.
    grow(head, "photo", length=0.5)
    assert scene_hair.about(scene_hair.hair_of(head))["style"] == "short"
    shorter = np.linalg.norm(np.diff(points(scene_hair.hair_of(head)), axis=1), axis=2).sum(axis=1)
    assert shorter.mean() < 0.65 * lengths[0].mean()
    assert len(bpy.data.hair_curves) == 1
    assert bpy.ops.pixel3dmm.remove_hair() == {"FINISHED"}
    assert not bpy.data.hair_curves
    assert [layer.name for layer in head.data.uv_layers] == ["UVMap"]


def test_hair_for_a_head_without_any_needs_a_style(person):
    bpy.context.view_layer.objects.active = person.head
    person.head.pixel3dmm.hair_style = "photo"
    with pytest.raises(RuntimeError, match="choose a style"):
        bpy.ops.pixel3dmm.grow_hair()


def test_the_photos_hair_comes_with_the_head(ours, example_photo, scene_hair):
    choices = bpy.context.scene.pixel3dmm
    choices.photo, choices.hair, choices.texture = str(example_photo), "photo", "off"
    try:
        assert bpy.ops.pixel3dmm.reconstruct_face() == {"FINISHED"}
    finally:
        choices.hair, choices.texture = "none", "auto"
    head = bpy.context.object
    hair = scene_hair.hair_of(head)
    assert scene_hair.about(hair)["style"] == "fringe"
    assert len(hair.data.curves) > 20_000
    assert hair.data.surface == head
