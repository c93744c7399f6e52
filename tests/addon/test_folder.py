# SPDX-License-Identifier: GPL-3.0-or-later
"""Reconstruct Folder: people of a folder into the scene or into .blend files, and its rows."""

from __future__ import annotations

import shutil
from types import SimpleNamespace

import bpy
import pytest


@pytest.fixture
def people(example_photo, tmp_path, scene):
    """Two people, one on a photo that is none."""
    folder = tmp_path / "people"
    (folder / "anna").mkdir(parents=True)
    shutil.copy(example_photo, folder / "anna" / "a.jpg")
    (folder / "bad.jpg").write_text("no photo")
    scene.pixel3dmm.folder = str(folder)
    scene.pixel3dmm.texture = "off"
    return folder


def rows(ours):
    return {r.name: r for r in ours("pixel3dmm_addon.jobs.folder_run").rows}


def test_a_folder_becomes_heads_in_the_scene(ours, people, scene, status):
    shutil.copy(people / "anna" / "a.jpg", people / "ben.jpg")
    assert bpy.ops.pixel3dmm.reconstruct_folder() == {"FINISHED"}
    is_head = ours("pixel3dmm_addon.scene.head").is_head
    heads = [o for o in scene.objects if is_head(o)]
    assert len(heads) == 2
    bpy.context.view_layer.update()
    places = sorted(round(h.matrix_world.translation.x, 3) for h in heads)
    assert places[1] - places[0] == pytest.approx(0.5, abs=1e-3)
    cameras = sorted(o.matrix_world.translation.x for o in scene.objects if o.type == "CAMERA")
    assert cameras[1] - cameras[0] == pytest.approx(0.5, abs=1e-3)
    found = rows(ours)
    assert {n: r.state for n, r in found.items()} == {
        "anna": "Made", "bad": "Failed", "ben": "Made",
    }  # fmt: skip
    assert "not a picture" in found["bad"].message
    assert status.message == "Made 2 of 3 heads, 1 failed"


def test_a_blend_each_leaves_the_scene_alone(ours, people, scene, tmp_path):
    scene.pixel3dmm.folder_into = "BLEND"
    scene.pixel3dmm.folder_out = str(tmp_path / "blends")
    assert bpy.ops.pixel3dmm.reconstruct_folder() == {"FINISHED"}
    assert len(scene.objects) == 0
    assert [p.name for p in (tmp_path / "blends").iterdir()] == ["anna.blend"]
    with bpy.data.libraries.load(str(tmp_path / "blends" / "anna.blend")) as (there, _):
        assert any(name.startswith("a") for name in there.objects)
    assert rows(ours)["anna"].state == "Made"


def test_a_wish_to_cancel_keeps_what_is_made(ours, people):
    folder_run = ours("pixel3dmm_addon.jobs.folder_run")
    plan = ours("core.batch.plan").plan_people(people)
    run = folder_run.FolderRun(people, {"texture": "off"}, plan)
    for news in run.steps(0.05):
        if news is not None and run.rows[0].state == "At work":
            run.finish_early()
    assert [row.state for row in run.rows if row.name == "anna"] == ["Left out"]
    assert not run.made


def test_what_is_missing_is_said(scene, status, tmp_path):
    assert not bpy.ops.pixel3dmm.reconstruct_folder.poll()
    scene.pixel3dmm.folder = str(tmp_path)
    with pytest.raises(RuntimeError, match="no photo in"):
        bpy.ops.pixel3dmm.reconstruct_folder()
    scene.pixel3dmm.folder_into = "BLEND"
    with pytest.raises(RuntimeError, match=r"Pick a folder for the \.blend files"):
        bpy.ops.pixel3dmm.reconstruct_folder()


def test_the_panel_shows_a_row_a_person(ours, scene):
    folder_run = ours("pixel3dmm_addon.jobs.folder_run")
    folder_run.rows[:] = [folder_run.Row(f"p{i}", ()) for i in range(30)]
    folder_run.rows[29].state, folder_run.rows[29].message = "Failed", "No face."
    drawn = []

    class Layout:
        def __getattr__(self, name):
            return lambda *a, **k: drawn.append((name, a, k)) or Layout()

    panel = ours("pixel3dmm_addon.panels.folder").PIXEL3DMM_PT_folder
    panel.draw(SimpleNamespace(layout=Layout()), bpy.context)
    folder_run.rows.clear()
    texts = [k["text"] for name, _, k in drawn if name == "label"]
    assert texts[:3] == ["p29", "Failed", "No face."]
    assert texts[-1] == "and 6 more"
