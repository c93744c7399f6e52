# SPDX-License-Identifier: GPL-3.0-or-later
"""Five tasks of a newcomer in a real Blender window, with their clicks beside file dialogs.

Seconds are written down and not judged: the window is drawn by the processor. docs/newcomer.md has
the table. Pictures are kept in out/gui.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from conftest import missing

from tools import window

HERE = Path(__file__).parent
SUITE = os.environ.get("PIXEL3DMM_WINDOW_SUITE", "trixie")


@pytest.fixture(scope="module")
def seen(repository, example_photo):
    """What the walk did and came to."""
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
        for name in ("photo.jpg", "second.jpg"):
            shutil.copy(example_photo, Path(share, name))
        for name in ("drive_newcomer.py", "button_finder.py", "window_hands.py"):
            shutil.copy(HERE / name, share)
        arguments = ["--enable-event-simulate", "--python", "/mnt/share/drive_newcomer.py"]
        done = window.run(SUITE, Path(share), arguments, seconds=900, size="1920x1080")
        said = done.stdout + done.stderr
        for file in Path(share).glob("newcomer*.*"):
            shutil.copy(file, kept)
        result = Path(share, "newcomer.json")
        assert result.is_file(), said[-3000:]
        found = json.loads(result.read_text())
    assert "traceback" not in found, found["traceback"]
    assert "Traceback" not in said, said[-3000:]
    return found


GOALS = {
    "photo to posed head in view": 3,
    "correct the nose": 4,
    "add a second photo": 3,
    "smile and key it": 3,
    "export to Unreal": 3,
}


@pytest.mark.parametrize("task", GOALS)
def test_a_task_takes_few_clicks(seen, task):
    done = seen["tasks"][task]
    assert done["clicks"] <= GOALS[task], done["did"]


def test_a_file_that_is_no_photo_is_one_sentence_with_a_next_step(seen):
    sentence, code = seen["error"]
    assert "bad.jpg is not a picture" in sentence
    assert code == "photo"


def test_each_task_came_to_its_end(seen):
    seen = seen["tasks"]
    assert seen["photo to posed head in view"]["view"] == "CAMERA"
    assert seen["photo to posed head in view"]["alone"], "the cube of a new file hid the head"
    assert seen["correct the nose"]["pins"] >= 1
    assert seen["correct the nose"]["moved"] > 1
    assert seen["add a second photo"]["photos"] == 2
    assert seen["smile and key it"]["smile"] > 0.5
    assert seen["smile and key it"]["keyed"]
    written = seen["export to Unreal"]
    assert (written["file"], written["preset"], written["passed"]) == (True, "UNREAL", True)
