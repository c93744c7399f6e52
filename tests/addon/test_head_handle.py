# SPDX-License-Identifier: GPL-3.0-or-later
"""The handle for scripts: the manual's own example, what it leaves behind, and its sentences."""

from __future__ import annotations

import importlib
import logging
import re
import runpy
import shutil

import bpy
import numpy as np
import pytest
from looking import datablocks, evaluated

from core.heads.arkit import ARKIT_NAMES
from tools.processes import ROOT

MANUAL = ROOT / "docs" / "scripting.md"


@pytest.fixture
def head_class(ours):
    """As the manual says: from the extension's own package."""
    ours("pixel3dmm_addon.head")
    return importlib.import_module("bl_ext.user_default.pixel3dmm").Head


@pytest.fixture
def handle(head_class, person):
    return head_class(person.head)


@pytest.fixture
def errors(ours):
    return ours("core.errors")


def example() -> str:
    (code,) = re.findall(r"```python\n(.*?)```", MANUAL.read_text(encoding="utf-8"), re.DOTALL)
    return code


def test_the_manuals_example_runs(example_photo, tmp_path, monkeypatch):
    shutil.copyfile(example_photo, tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    script = tmp_path / "example.py"
    script.write_text(example(), encoding="utf-8")
    head = runpy.run_path(str(script))["head"]
    keys = head.object.data.shape_keys.key_blocks
    assert keys["eyeBlinkLeft"].value == pytest.approx(1.0)
    assert keys["mouthSmileLeft"].value > 0.3
    assert head.report["photos"][0]["reprojection_px"]["mean"] < 5
    assert bpy.context.view_layer.objects.active == head.object
    assert head.camera == bpy.context.scene.camera and head.rig.type == "ARMATURE"
    for name in ("head.fbx", "head.glb"):
        assert (tmp_path / name).stat().st_size > 100_000


def test_it_makes_what_the_button_makes(head_class, usual, example_photo):
    head = head_class.reconstruct(example_photo)
    assert np.abs(evaluated(head.object) - usual).max() < 1e-6


def test_options_are_those_of_the_run(head_class, example_photo):
    head = head_class.reconstruct(str(example_photo), texture="off", photo_expression=0.0)
    assert not any("albedo" in image.name for image in bpy.data.images)
    keys = head.object.data.shape_keys.key_blocks
    assert [keys[name].value for name in ARKIT_NAMES] == [0.0] * len(ARKIT_NAMES)


def test_a_further_photo_is_added(head_class, example_photo, tmp_path):
    copy = tmp_path / "again.jpg"
    shutil.copyfile(example_photo, copy)
    head = head_class.reconstruct(example_photo, texture="off")
    assert head.add_photos(copy) is head
    cameras = [o for o in head.object.users_collection[0].objects if o.type == "CAMERA"]
    assert len(cameras) == 2


@pytest.mark.parametrize(
    ("options", "kind", "sentence"),
    [
        ({"photo": "/nowhere/at-all.jpg"}, "PhotoError", "at-all.jpg"),
        ({"texture": "9k"}, "PersonError", "There is no texture of size '9k'"),
        ({"face": 7}, "PersonError", "face"),
        ({"nonsense": 1}, "PersonError", "There is no option 'nonsense'"),
    ],
)
def test_what_goes_wrong_is_a_sentence_and_changes_nothing(
    head_class, errors, example_photo, options, kind, sentence
):
    before = datablocks()
    with pytest.raises(getattr(errors, kind), match=sentence) as caught:
        head_class.reconstruct(**{"photo": example_photo, **options})
    assert "\n" not in str(caught.value)
    assert datablocks() == before


def test_expressions_and_visemes_by_name_and_sliders_by_theirs(handle, errors):
    keys = handle.object.data.shape_keys.key_blocks
    handle.set_expression({"browInnerUp": 0.5, "jawOpen": 0.7})
    handle.set_expression("sil")
    assert keys["jawOpen"].value == 0.0
    assert keys["browInnerUp"].value == pytest.approx(0.5)
    handle.set_expression("Neutral")
    assert keys["browInnerUp"].value == 0.0
    with pytest.raises(errors.PersonError, match="no expression 'Grump': use one of Neutral"):
        handle.set_expression("Grump")
    with pytest.raises(errors.PersonError, match="no slider 'jawWide'"):
        handle.set_expression({"jawOpen": 1.0, "jawWide": 1.0})
    assert keys["jawOpen"].value == 0.0


def test_exports_say_what_is_wrong(handle, errors, tmp_path):
    for path, preset, sentence in (
        ("head.stl", None, "no ending of a known format"),
        ("head.fbx", "MAYA", "There is no preset 'MAYA'"),
        ("gone/head.fbx", None, "cannot be written to"),
    ):
        with pytest.raises(errors.OutputError, match=sentence):
            handle.export(tmp_path / path, preset)
    with pytest.raises(errors.OutputError, match="no option 'lod'"):
        handle.export(tmp_path / "head.fbx", lod=True)
    written = handle.export(tmp_path / "head.fbx", animation=False)
    assert written.verdict.passed and [f.name for f in written.files] == ["head.fbx"]


def test_a_handle_of_what_is_no_head_or_gone(handle, head_class, errors):
    assert head_class.active().object == handle.object
    cube = bpy.data.objects.new("cube", bpy.data.meshes.new("cube"))
    with pytest.raises(errors.PersonError, match="cube was not made by Pixel3DMM"):
        head_class(cube)
    bpy.data.objects.remove(handle.object)
    assert repr(handle) == "<Head, deleted>"
    with pytest.raises(errors.PersonError, match="The head was deleted"):
        handle.set_expression("Smile")


def test_one_run_at_a_time(head_class, errors, status, example_photo):
    status.running = True
    try:
        with pytest.raises(errors.PersonError, match="wait for it or cancel it"):
            head_class.reconstruct(example_photo)
    finally:
        status.running = False


def test_warnings_reach_the_log(handle, caplog, tmp_path):
    handle.object["pixel3dmm_commercial_use"] = "no"
    with caplog.at_level(logging.WARNING, "pixel3dmm"):
        handle.export(tmp_path / "head.glb", animation=False)
    assert "non-commercial" in caplog.text
