# SPDX-License-Identifier: GPL-3.0-or-later
"""Heads of earlier versions open, and what the user has set and imported stays."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import bpy
import numpy as np
import pytest
from looking import evaluated
from recording import draw

EARLIER = Path(__file__).with_name("earlier")
NAMES = ["1-driven", "1-first", "2-continued"]
PANELS = ["PIXEL3DMM_PT_head", "PIXEL3DMM_PT_sliders", "PIXEL3DMM_PT_pins"]


def test_every_earlier_head_is_tried():
    assert sorted(path.stem for path in EARLIER.glob("*.blend")) == NAMES
    assert sorted(path.stem for path in EARLIER.glob("*.npz")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_head_file_of_an_earlier_version(ours, name, loaded):
    """It is read, and becomes a head in the scene that stands as it did."""
    rigged = ours("core.rigged_head").RiggedHead.load(EARLIER / f"{name}.npz")
    build = ours("pixel3dmm_addon.scene.build")
    person = build.build_person(bpy.context, rigged, loaded)
    bpy.context.view_layer.update()
    there = ours("core.geometry.axes").to_scene(rigged.posed.astype(np.float64))
    # The bones carry it, so that only the resolution of their rest pose is lost.
    assert np.abs(evaluated(person.head) - there).max() < 2e-5
    assert len(person.head.data.shape_keys.key_blocks) == 1 + len(rigged.key_names)


def appended(name):
    with bpy.data.libraries.load(str(EARLIER / f"{name}.blend"), link=False) as (found, wanted):
        wanted.collections = found.collections
    (collection,) = wanted.collections
    bpy.context.scene.collection.children.link(collection)
    (head,) = [o for o in collection.objects if o.type == "MESH"]
    bpy.context.view_layer.objects.active = head
    bpy.context.view_layer.update()
    return head


@pytest.mark.parametrize("name", NAMES)
def test_a_head_in_a_file_of_an_earlier_version(ours, name, example_photo, tmp_path):
    """It shows, moves, says what it cannot, and is rebuilt as today's version makes it."""
    head = appended(name)
    assert ours("pixel3dmm_addon.scene.head").is_head(head)
    rest = evaluated(head)
    assert np.isfinite(rest).all()
    for panel in PANELS:
        assert draw(ours, panel)
    head.data.shape_keys.key_blocks["jawOpen"].value = 1.0
    bpy.context.view_layer.update()
    assert np.abs(evaluated(head) - rest).max() > 1e-3
    assert bpy.ops.pixel3dmm.look_through() == {"FINISHED"}
    says = "made by an earlier version" if name.startswith("1") else "vertices and not"
    with pytest.raises(RuntimeError, match=says):
        bpy.ops.pixel3dmm.pin_landmark(landmark=4, x=1.0, y=1.0)
    path = tmp_path / "today.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    bpy.ops.wm.open_mainfile(filepath=str(path))
    bpy.context.view_layer.objects.active = the_head()
    if name == "1-driven":  # as the one before it
        return
    done = bpy.ops.pixel3dmm.rebuild_from_recipe(filepath=str(example_photo))
    assert done == {"FINISHED"}
    new = bpy.context.object
    assert len(new.data.vertices) > 4000
    assert new["pixel3dmm_schema"] == ours("pixel3dmm_addon.scene.head").SCHEMA


def the_head():
    (head,) = [o for o in bpy.data.objects if "pixel3dmm_recipe" in o]
    return head


USER = """
import importlib, json, sys
from pathlib import Path
import bpy
PACKAGE = "bl_ext.user_default.pixel3dmm"
bpy.ops.wm.read_userpref()
for archive in sys.argv[2:]:
    bpy.ops.extensions.package_install_files(
        filepath=archive, repo="user_default", enable_on_install=True, overwrite=True)
chosen = bpy.context.preferences.addons[PACKAGE].preferences
folders = [bpy.utils.extension_path_user(PACKAGE, path=n, create=True)
           for n in ("models", "runtime", "logs")]
kept = [Path(folder, "kept.txt") for folder in folders]
if sys.argv[1] == "set":
    chosen.idle_minutes, chosen.wheels_folder = 42.0, "//wheels"
    for path in kept:
        path.write_text(path.parent.name)
    bpy.ops.wm.save_userpref()
manifest = Path(sys.modules[PACKAGE].__file__).with_name("blender_manifest.toml").read_text()
heads = importlib.import_module(PACKAGE + ".pixel3dmm_addon.installed").heads()
sys.stdout.write(json.dumps({
    "idle": chosen.idle_minutes, "wheels": chosen.wheels_folder, "heads": len(heads),
    "kept": [path.is_file() for path in kept], "old": 'version = "0.0.1"' in manifest}) + "\\n")
sys.stdout.flush()
importlib.import_module("os")._exit(0)
"""


@pytest.mark.skipif(
    bpy.app.version < (4, 3, 0), reason="the bpy module of 4.2 crashes in wm.read_userpref"
)
def test_settings_and_models_survive_an_update_and_another_install(ours, tmp_path):
    today = Path(os.environ["PIXEL3DMM_ZIP"])
    older = tmp_path / "pixel3dmm-0.0.1.zip"
    with zipfile.ZipFile(today) as source, zipfile.ZipFile(older, "w") as target:
        for item in source.infolist():
            data = source.read(item)
            if item.filename.endswith("blender_manifest.toml"):
                version = next(x for x in data.splitlines() if x.startswith(b"version ="))
                data = data.replace(version, b'version = "0.0.1"')
            target.writestr(item, data)

    def user(what, *archives):
        env = {**os.environ, "BLENDER_USER_RESOURCES": str(tmp_path / "profile")}
        command = [sys.executable, "-c", USER, what, *map(str, archives)]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
        assert lines, done.stderr
        return json.loads(lines[-1])

    wanted = {"idle": 42.0, "wheels": "//wheels", "heads": 1, "kept": [True] * 3}
    assert user("set", older) == {**wanted, "old": True}
    assert user("look", today, today) == {**wanted, "old": False}
    assert user("look") == {**wanted, "old": False}
