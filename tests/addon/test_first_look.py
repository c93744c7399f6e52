# SPDX-License-Identifier: GPL-3.0-or-later
"""What a new head's bones and an absent exporter look like; the viewport itself: tests/gui."""

from __future__ import annotations

from types import SimpleNamespace

import addon_utils
import bpy
import pytest
from recording import Layout, draw

pytestmark = pytest.mark.blender


@pytest.fixture
def head(example_photo):
    bpy.context.scene.pixel3dmm.photo = str(example_photo)
    assert bpy.ops.pixel3dmm.reconstruct_face() == {"FINISHED"}
    return bpy.context.object


def test_bones_are_in_a_collection_of_their_own_behind_a_switch(ours, head):
    rig = head.find_armature()
    bones = ours("pixel3dmm_addon.scene.rig").shown_bones(rig)
    assert {bone.name for bone in bones.bones} == {bone.name for bone in rig.data.bones}
    assert not bones.is_visible
    assert ("prop", "is_visible") in draw(ours, "PIXEL3DMM_PT_rig")
    rig.data.collections.remove(bones)  # a head of an earlier version
    assert ("prop", "is_visible") not in draw(ours, "PIXEL3DMM_PT_rig")


def test_framing_knows_how_large_the_head_is(ours, head):
    middle, size = ours("pixel3dmm_addon.scene.first_look").box_of(head)
    assert 0.2 < size < 0.6
    assert (middle - head.matrix_world.translation).length < 0.5


@pytest.mark.parametrize(
    ("module", "preset", "words"),
    [("io_scene_fbx", "UNREAL", "FBX format is switched off"),
     ("io_scene_gltf2", "GODOT", "glTF 2.0 format is switched off")],
)  # fmt: skip
def test_a_format_whose_add_on_is_off_says_so(ours, head, tmp_path, module, preset, words):
    addon_utils.disable(module)
    try:
        with pytest.raises(RuntimeError, match=words):
            bpy.ops.pixel3dmm.export_head(filepath=str(tmp_path / "head"), preset=preset)
        assert list(tmp_path.iterdir()) == []
        assert any(words in text.replace("\n", " ") for text in _menu(ours))
    finally:
        addon_utils.enable(module)
    assert ours("pixel3dmm_addon.export.formats").why_missing("FBX") == ""


def test_a_blender_without_usd_says_so(ours, head, tmp_path, monkeypatch):
    formats = ours("pixel3dmm_addon.export.formats")
    assert formats.why_missing("USD") == ""
    monkeypatch.setitem(formats._OPERATORS, "USD", (("wm", "usd_export_of_another_build"),))
    with pytest.raises(RuntimeError, match="built without USD"):
        bpy.ops.pixel3dmm.export_head(filepath=str(tmp_path / "head"), preset="USD")
    assert any("built without USD" in text for text in _menu(ours))


def _menu(ours) -> list[str]:
    """The labels of the menu of programs, joined line by line and as a whole."""
    menu = next(
        c for c in ours("pixel3dmm_addon.panels").CLASSES if c.__name__ == "PIXEL3DMM_MT_export"
    )
    layout = Layout()
    menu.draw(SimpleNamespace(layout=layout), bpy.context)
    labels = [text for kind, text in layout.drawn if kind == "label"]
    return [*labels, " ".join(labels)]
