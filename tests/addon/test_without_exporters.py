# SPDX-License-Identifier: GPL-3.0-or-later
"""A Blender that lacks exporters: whatever is pressed, a person reads a sentence, no traceback."""

from __future__ import annotations

from types import SimpleNamespace

import addon_utils
import bpy
import pytest
from test_reasons import verbs

ADD_ONS = {"FBX": "io_scene_fbx", "GLB": "io_scene_gltf2"}
USD = ("usd_export", "usd_import")


class WithoutUsd:
    """bpy.ops.wm of a Blender that was built without USD, for modules of the export."""

    def __getattr__(self, name):
        if name in USD:
            # As bpy.ops does for what is not there.
            raise AttributeError(f'Calling operator "bpy.ops.wm.{name}" error, could not be found')
        return getattr(bpy.ops.wm, name)

    def __dir__(self):
        return [name for name in dir(bpy.ops.wm) if name not in USD]


class Instead:
    """Stands for a module or a group: one member is another."""

    def __init__(self, whole, **members):
        self._whole = whole
        vars(self).update(members)

    def __getattr__(self, name):
        return getattr(self._whole, name)


@pytest.fixture
def without(ours, monkeypatch):
    """Takes exporters and importers away by their format; they come back."""
    gone = []

    def take(*formats):
        for kind in formats:
            if kind == "USD":
                blender = Instead(bpy, ops=Instead(bpy.ops, wm=WithoutUsd()))
                for name in ("formats", "read_back"):
                    monkeypatch.setattr(ours(f"pixel3dmm_addon.export.{name}"), "bpy", blender)
            else:
                addon_utils.disable(ADD_ONS[kind])
                gone.append(ADD_ONS[kind])

    yield take
    for module in gone:
        addon_utils.enable(module)


def sentence_of(verb, **options):
    """What is said where an operator does not do its work; empty where it does."""
    try:
        verb(**options)
    except RuntimeError as error:
        said = str(error)
        assert "Traceback" not in said, said
        assert "Python:" not in said, said
        return " ".join(said.split())
    return ""


@pytest.mark.parametrize("kind", ["FBX", "GLB", "USD"])
def test_each_preset_says_what_is_missing_or_writes(ours, person, without, tmp_path, kind):
    presets = ours("pixel3dmm_addon.export.presets").PRESETS
    reason = ours("pixel3dmm_addon.export.formats")._MISSING[kind]
    without(kind)
    bpy.context.view_layer.objects.active = person.head
    asked = [p for p in presets if p.format == kind]
    assert asked
    for preset in asked:
        path = str(tmp_path / preset.identifier)
        said = sentence_of(bpy.ops.pixel3dmm.export_head, filepath=path, preset=preset.identifier)
        assert reason in said
    assert list(tmp_path.iterdir()) == []
    # What another program needs is written all the same.
    done = bpy.ops.pixel3dmm.export_head(filepath=str(tmp_path / "head.blend"), preset="BLENDER")
    assert done == {"FINISHED"}


def test_no_operator_shows_a_traceback(ours, person, without, tmp_path):
    """Every operator of the extension, with all exporters gone, and a head in the scene."""
    online = bpy.context.preferences.system
    if hasattr(online, "use_online_access"):
        online.use_online_access = False  # nothing is to be installed from here
    without("FBX", "GLB", "USD")
    tried, said = 0, {}
    for name in verbs(ours):
        group, verb = name.split(".")
        bpy.context.view_layer.objects.active = person.head
        operator = getattr(getattr(bpy.ops, group), verb)
        known = operator.get_rna_type().properties.keys()
        options = {"filepath": str(tmp_path / "file")} if "filepath" in known else {}
        said[name] = sentence_of(operator, **options)
        tried += 1
        if bpy.context.mode != "OBJECT":
            bpy.ops.object.mode_set(mode="OBJECT")
    assert tried > 50
    for name in ("export_head", "export_fbx", "export_gltf"):
        assert "switched off" in said[f"pixel3dmm.{name}"], said[f"pixel3dmm.{name}"]


def test_the_menu_greys_them_out_with_the_reason(ours, person, without):
    from recording import Layout

    without("FBX", "GLB", "USD")
    menu = next(
        c for c in ours("pixel3dmm_addon.panels").CLASSES if c.__name__ == "PIXEL3DMM_MT_export"
    )
    layout = Layout()
    menu.draw(SimpleNamespace(layout=layout), bpy.context)
    words = " ".join(text for kind, text in layout.drawn if kind == "label")
    for reason in ours("pixel3dmm_addon.export.formats")._MISSING.values():
        assert reason in words
