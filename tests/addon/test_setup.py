# SPDX-License-Identifier: GPL-3.0-or-later
"""The setup wizard in the real Blender: rows, imports, and what is refused.

The whole way of the neural tier, with a real torch, runs on request: PIXEL3DMM_WHEELS names a
folder with the wheels of core/runtime/lock-cpu.txt.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import bpy
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
WHEELS = os.environ.get("PIXEL3DMM_WHEELS", "")


@pytest.fixture
def ours_preferences(ours):
    preferences = bpy.context.preferences.addons[ours.__globals__["PACKAGE"]].preferences
    yield preferences
    preferences.wheels_folder = preferences.existing_python = ""


@pytest.fixture
def empty_models(ours):
    """The models folder, emptied again afterwards."""
    folder = ours("pixel3dmm_addon.installed").models_folder()
    yield folder
    for path in folder.iterdir():
        path.unlink()


def flame_file(folder: Path) -> Path:
    from support.flame_like import flame_like, write_template

    from core.heads import load_open_head

    like = flame_like(load_open_head())
    write_template(like, folder / "head_template.obj")
    return like.write(folder / "like.pkl")


def test_nothing_is_installed_at_first(ours, empty_models):
    state = ours("pixel3dmm_addon.setup.state")
    assert ours("pixel3dmm_addon.neural_runtime").runtime().words == "Not installed"
    assert state.weights_words() == state.flame_words() == "Not imported"
    there = ours("pixel3dmm_addon.installed").predictors()
    assert [e.name for e in there] == ["mediapipe", "landmarks"]


def test_a_folder_with_everything_is_imported_at_once(
    ours, empty_models, shared_dir, tmp_path, scene
):
    flame_file(tmp_path)
    for kind in ("uv", "normals"):
        name = f"pixel3dmm_{kind}_tiny.ckpt"
        (tmp_path / name).write_bytes((shared_dir / "fixtures" / name).read_bytes())
    assert bpy.ops.pixel3dmm.import_models(filepath=str(tmp_path)) == {"FINISHED"}
    state, installed = ours("pixel3dmm_addon.setup.state"), ours("pixel3dmm_addon.installed")
    assert state.weights_words() == "Ready: normals and uv"
    assert state.flame_words().startswith("Ready: ")
    assert [e.name for e in installed.predictors()] == [
        "mediapipe",
        "landmarks",
        "pixel3dmm",
    ]
    assert len(installed.heads()) == 2
    assert installed.predictors()[2].commercial is False


def test_files_that_do_harm_are_refused_in_one_sentence(ours, empty_models, shared_dir, tmp_path):
    for name in ("flame_malicious.pkl", "pixel3dmm_malicious.ckpt"):
        with pytest.raises(RuntimeError, match=name):
            bpy.ops.pixel3dmm.import_models(filepath=str(shared_dir / "fixtures" / name))
    with pytest.raises(RuntimeError, match=r"There is no \.ckpt, \.tar, \.pkl or \.npz file"):
        bpy.ops.pixel3dmm.import_models(filepath=str(tmp_path))
    assert not list(empty_models.iterdir())


def test_networks_without_a_runtime_say_what_to_do(
    ours, empty_models, shared_dir, scene, example_photo, status
):
    for kind in ("uv", "normals"):
        path = shared_dir / "fixtures" / f"pixel3dmm_{kind}_tiny.ckpt"
        bpy.ops.pixel3dmm.import_models(filepath=str(path))
    scene.pixel3dmm.photo, scene.pixel3dmm.predictor = str(example_photo), "pixel3dmm"
    with pytest.raises(RuntimeError, match="need the neural runtime"):
        bpy.ops.pixel3dmm.reconstruct_face()
    # The embedded tier does not mind.
    scene.pixel3dmm.predictor = "mediapipe"
    assert bpy.ops.pixel3dmm.reconstruct_face() == {"FINISHED"}


def test_a_runtime_that_cannot_be_made_is_one_sentence(ours, ours_preferences, tmp_path):
    ours_preferences.wheels_folder = str(tmp_path)
    with pytest.raises(RuntimeError, match="There are no wheels"):
        bpy.ops.pixel3dmm.install_runtime()
    assert ours("pixel3dmm_addon.neural_runtime").runtime().words == "Not installed"
    ours_preferences.existing_python = str(tmp_path / "python3")
    with pytest.raises(RuntimeError, match="There is no file"):
        bpy.ops.pixel3dmm.check_python()


@pytest.mark.skipif(not WHEELS, reason="PIXEL3DMM_WHEELS names no folder of wheels")
def test_from_nothing_to_a_head_with_networks(
    ours, ours_preferences, empty_models, shared_dir, tmp_path, scene, example_photo
):
    """Random networks say nothing: the head comes from the landmarks, and that is said."""
    ours_preferences.wheels_folder = WHEELS
    assert bpy.ops.pixel3dmm.install_runtime() == {"FINISHED"}
    assert ours("pixel3dmm_addon.neural_runtime").runtime().ready
    flame_file(tmp_path)
    for kind in ("uv", "normals"):
        name = f"pixel3dmm_{kind}_tiny.ckpt"
        (tmp_path / name).write_bytes((shared_dir / "fixtures" / name).read_bytes())
    bpy.ops.pixel3dmm.import_models(filepath=str(tmp_path))
    installed = ours("pixel3dmm_addon.installed")
    scene.pixel3dmm.photo, scene.pixel3dmm.predictor = str(example_photo), "pixel3dmm"
    for head in installed.heads():
        scene.pixel3dmm.head = head.name
        assert bpy.ops.pixel3dmm.reconstruct_face() == {"FINISHED"}
        made = bpy.context.object
        warnings = ours("pixel3dmm_addon.panels.head").warnings_of(made)
        assert any("Pixel3DMM" in w or "networks" in w for w in warnings), warnings
    assert bpy.ops.pixel3dmm.remove_runtime() == {"FINISHED"}


def test_a_neural_head_is_a_choice_once_its_weights_are_there(ours, empty_models):
    from support.nphm_like import SMALL, nphm_arrays

    from core.heads import load_open_head
    from training.nphm.export import write_models

    state, installed = ours("pixel3dmm_addon.setup.state"), ours("pixel3dmm_addon.installed")
    assert state.neural_words() == "Not imported" and installed.neural_head() is None
    arrays, sizes = nphm_arrays(load_open_head(), SMALL)
    write_models(arrays, sizes, "Planes", "0" * 64, empty_models)
    assert state.neural_words() == "Ready" and state.flame_words() == "Not imported"
    assert [e.name for e in installed.heads()] == ["open-head", "nphm"]
    bpy.context.scene.pixel3dmm.head_choice = "nphm"
    assert ours("pixel3dmm_addon.properties").job_options(bpy.context.scene.pixel3dmm)["head"] == (
        "nphm"
    )
    bpy.context.scene.pixel3dmm.property_unset("head")
