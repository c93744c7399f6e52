# SPDX-License-Identifier: GPL-3.0-or-later
"""The extension in a real Blender window: the true event loop, undo, Esc, the sidebar.

Needs a windowed Blender in a chroot, as ../shared/gui/blender_window.sh sets it up:
``ROOT=/some/folder ../shared/gui/blender_window.sh setup``, and PIXEL3DMM_WINDOW_ROOT=/some/folder
where that is not the script's own place. Screenshots are kept in out/gui.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from conftest import missing

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def seen(shared_dir, repository, example_photo):
    """What the walk through the window saw."""
    recipe = shared_dir / "gui" / "blender_window.sh"
    root = Path(os.environ.get("PIXEL3DMM_WINDOW_ROOT", "~/.cache/blender-window/trixie"))
    root = root.expanduser()
    if not recipe.is_file() or not (root / "usr/bin/blender").exists() or os.geteuid() != 0:
        missing(f"a windowed Blender (as root, set up by {recipe.name} in {root})")
    archive = os.environ.get("PIXEL3DMM_ZIP")
    if not archive:
        from tools.package import build_zip

        archive = str(build_zip(repository / "dist"))
    with tempfile.TemporaryDirectory() as share:
        shutil.copy(archive, Path(share, "extension.zip"))
        shutil.copy(example_photo, Path(share, "photo.jpg"))
        shutil.copy(HERE / "drive_window.py", share)
        variables = {**os.environ, "ROOT": str(root), "SHARE": share, "TIMEOUT": "300"}
        variables["BLENDER_USER_RESOURCES"] = "/mnt/share/profile"
        command = ["bash", str(recipe), "run", "--enable-event-simulate"]
        command += ["--python", "/mnt/share/drive_window.py"]
        try:
            done = subprocess.run(command, env=variables, capture_output=True, text=True)
            result = Path(share, "result.json")
            assert result.is_file(), done.stdout[-3000:] + done.stderr[-3000:]
            kept = repository / "out" / "gui"
            kept.mkdir(parents=True, exist_ok=True)
            for file in [result, *Path(share).glob("*.png"), *Path(share).glob("*.blend")]:
                shutil.copy(file, kept)
            found = json.loads(result.read_text())
        finally:
            subprocess.run(["umount", str(root / "mnt" / "share")], check=False)
    assert "traceback" not in found, found["traceback"]
    return found


def test_the_walk_came_to_its_end(seen):
    assert seen["done"]


def test_button_starts_a_modal_job_and_the_head_appears(seen):
    assert seen["invoke"] == ["RUNNING_MODAL"]
    assert not seen["failed"], seen["message"]
    assert "px from the landmarks" in seen["message"]
    assert seen["heads_after"] == 1
    assert seen["keys"] == 54


def test_one_undo_removes_all_and_redo_brings_it_back(seen):
    assert seen["heads_after_undo"] == 0
    assert seen["after_undo"] == seen["at_start"]
    assert seen["heads_after_redo"] == 1


def test_escape_cancels_and_leaves_nothing(seen):
    assert seen["message_cancelled"] == "Cancelled, nothing was changed"
    assert seen["heads_after_cancel"] == 0


def test_the_next_job_after_a_cancel_works(seen):
    assert seen["heads_at_last"] == 1


def test_another_file_while_a_job_runs(seen):
    assert seen["running_after_new_file"] is False


def test_disabling_the_extension_while_a_job_runs(seen):
    assert seen["running_after_disable"] is False
    assert seen["heads_after_enable"] == 1
