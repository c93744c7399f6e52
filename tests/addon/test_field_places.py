# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders that a studio or a class room keeps its people from writing to.

Reports: docs/field.md. The tests may run as a user whom no permission stops, so a file stands where
the extension's own folder would be made: nobody can write below it.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import bpy
import pytest
from looking import datablocks, reconstruct


@pytest.fixture
def no_folder(ours, profile):
    """The extension's own folder cannot be made."""
    ours("pixel3dmm_addon.jobs.session").close()
    folder = profile / "extensions" / ".user"
    aside = profile / "extensions" / "aside"
    if folder.exists():
        folder.rename(aside)
    folder.write_text("in the way")
    yield folder
    ours("pixel3dmm_addon.jobs.session").close()
    folder.unlink()
    if aside.exists():
        aside.rename(folder)
    shutil.rmtree(Path(tempfile.gettempdir(), "pixel3dmm"), ignore_errors=True)


def test_a_head_is_made_without_a_folder_of_our_own(ours, no_folder, example_photo):
    assert reconstruct(example_photo) == {"FINISHED"}
    log = ours("pixel3dmm_addon.paths").log_file()
    assert log.is_file() and no_folder not in log.parents
    assert bpy.ops.pixel3dmm.open_log() == {"FINISHED"}


def test_a_head_is_made_without_any_log(ours, no_folder, example_photo, monkeypatch):
    """Nor may anybody write where the log would go instead."""
    Path(tempfile.gettempdir(), "pixel3dmm").write_text("in the way")
    try:
        assert reconstruct(example_photo) == {"FINISHED"}
        assert not ours("pixel3dmm_addon.paths").log_file().is_file()
    finally:
        ours("pixel3dmm_addon.jobs.session").close()
        Path(tempfile.gettempdir(), "pixel3dmm").unlink()


def test_the_folder_that_is_meant_is_named(example_photo, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", "/proc/nowhere")
    before = datablocks()
    with pytest.raises(RuntimeError, match="see that the folder /proc/nowhere can be written to"):
        reconstruct(example_photo)
    assert datablocks() == before
