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
        done = window.run(SUITE, Path(share), arguments, seconds=600)
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
    assert 0.45 < seen["share"] < 0.7  # close to the face, with the skull in view
    for turn in range(2):
        ((landmark, x, y),) = seen[f"pins_{turn}"]
        assert landmark == 61
        assert np.abs(seen[f"off_{turn}"]).max() <= 1  # pixels of the window
        assert np.linalg.norm(np.array(seen[f"fitted_{turn}"]) - (x, y)) < 1
    assert seen["pins_0"] != seen["pins_1"]


def test_wire_and_head_follow_the_mouse_before_it_lets_go(seen):
    for turn in range(2):
        assert np.abs(seen[f"pins_drag_{turn}_off"]).max() <= 2  # pixels of the window
        assert seen[f"pins_drag_{turn}_moved"] > 5e-4
    assert np.abs(seen["pins_surface_off"]).max() <= 3


def test_any_place_can_be_pinned_nudged_and_let_go(seen):
    assert 30 < seen["handles"] < 80
    assert seen["handles_all"] > 300
    (pin,) = seen["surface"]
    assert pin[1] == -1
    (nudged,) = seen["nudged"]
    assert nudged[4] == pin[4]
    assert nudged[2] < pin[2]
    assert nudged[3] == pytest.approx(pin[3], abs=0.05)


def test_both_sides_and_the_skull(seen):
    assert [p[1] for p in seen["both"]] == [379, 150]
    left, right = seen["both"]
    assert right[2] < left[2]
    assert len(seen["skull"]) == 3
    assert seen["skull"][-1][1] == -1


def test_another_photo_of_the_person(seen):
    assert seen["camera"]
    ((photo, landmark, *_),) = seen["in_photo_1"]
    assert (photo, landmark) == (1, 152)
    assert seen["tools_done"] == 0


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
