# SPDX-License-Identifier: GPL-3.0-or-later
"""Landmarks dragged with the mouse in a real Blender window: head, undo, redo, the tool's ends."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from conftest import missing

from tools import window

HERE = Path(__file__).parent
SUITE = os.environ.get("PIXEL3DMM_WINDOW_SUITE", "trixie")


@pytest.fixture(scope="module")
def seen(repository, example_photo):
    """What the drags came to."""
    reason = window.missing(SUITE)
    if reason:
        missing(reason)
    archive = os.environ.get("PIXEL3DMM_ZIP")
    if not archive:
        missing("the extension's zip (python3 build.py gui makes it)")
    kept = repository / "out" / "gui"
    kept.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as share:
        shutil.copy(archive, Path(share, "extension.zip"))
        shutil.copy(example_photo, Path(share, "photo.jpg"))
        for name in ("one.jpg", "two.jpg"):
            Path(share, "more").mkdir(exist_ok=True)
            shutil.copy(example_photo, Path(share, "more", name))
        for name in ("drive_pins.py", "window_hands.py"):
            shutil.copy(HERE / name, share)
        arguments = ["--enable-event-simulate", "--python", "/mnt/share/drive_pins.py"]
        done = window.run(SUITE, Path(share), arguments, seconds=420)
        said = done.stdout + done.stderr
        for file in Path(share).glob("pins*.*"):
            shutil.copy(file, kept)
        result = Path(share, "pins.json")
        assert result.is_file(), said[-3000:]
        found = json.loads(result.read_text())
    assert "traceback" not in found, found["traceback"]
    assert "Traceback" not in said, said[-3000:]
    return found


def test_a_landmark_goes_where_the_mouse_lets_it_go(seen):
    assert seen["invoke"] == ["RUNNING_MODAL"]
    assert 0.6 < seen["share"] < 0.8  # close to the face
    for turn in range(2):
        ((landmark, x, y),) = seen[f"pins_{turn}"]
        assert landmark == 61
        assert np.abs(seen[f"off_{turn}"]).max() <= 1  # pixels of the window
        assert np.linalg.norm(np.array(seen[f"fitted_{turn}"]) - (x, y)) < 1
    assert seen["pins_0"] != seen["pins_1"]


def test_a_drag_is_one_step_to_undo_and_the_tool_stays(seen):
    assert seen["undo_0"] == seen["pins_0"]
    assert seen["undo_1"] == []
    assert seen["redo"] == seen["pins_0"]
    assert seen["tools"] == 1
    assert len(seen["after_undo"]) == 1
    assert seen["after_undo"] != seen["redo"]


def test_the_tool_ends_and_leaves_nothing(seen):
    assert seen["done"]
    assert seen["tools_at_last"] == 0
    assert seen["tools_in_new_file"] == 0


def test_photos_chosen_in_the_file_browser_are_added_or_not(seen):
    assert seen["cancelled"] == [["photo"], []]
    assert seen["added"] == [["photo", "one", "two"], ["one.jpg", "two.jpg"]]
    assert "3 photos" in seen["said"]
    assert seen["undone"] == [["photo"], []]
