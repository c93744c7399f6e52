# SPDX-License-Identifier: GPL-3.0-or-later
"""Diagnostics say versions and the log's end, and nobody's name."""

from __future__ import annotations

import pytest

from core import __version__
from core.jobs.diagnostics import LAST_LINES, diagnostics, masked, user_name


@pytest.mark.parametrize(
    ("text", "home", "user"),
    [
        ("/people/marie/photos/a.jpg", "/people/marie", "marie"),
        (r"D:\People\Marie\a.jpg and D:/People/marie/b.jpg", r"D:\People\Marie", "Marie"),
        (r'{"path": "D:\\People\\Marie\\a.jpg"}', r"D:\People\Marie", "Marie"),
        ("/Volumes/Marie/a.jpg", "/people/marie", "marie"),
        ("file owned by marie", "/people/other", "MARIE"),
    ],
)
def test_name_and_home_are_masked(text, home, user):
    out = masked(text, home, user)
    assert "marie" not in out.lower()
    assert out != text


def test_short_names_do_not_eat_words():
    assert masked("/people/al/a.txt: also al", "/people/al", "al") == "~/a.txt: also USER"
    assert masked("/people/alfred/x", "/people/al", "al") == "/people/alfred/x"
    assert masked("/x", "/", "") == "/x"


def test_diagnostics_hold_versions_and_the_end_of_the_log(tmp_path):
    log = tmp_path / "worker.log"
    log.write_text("\n".join(f"line {k} of /people/marie/x" for k in range(100)))
    text = diagnostics({"Blender": "4.5.1"}, log, "/people/marie", "marie")
    assert f"Pixel3DMM: {__version__}" in text
    assert "Blender: 4.5.1" in text
    assert "numpy: " in text
    assert "line 99 of ~/x" in text
    assert text.count("line ") == LAST_LINES
    assert "(no log)" in diagnostics({}, tmp_path / "none", "/people/marie", "marie")


@pytest.mark.parametrize(
    ("text", "masked_text"),
    [
        ("No such file: '/mnt/Client X/Jane Doe 3.JPG'", "No such file: 'PHOTO'"),
        ('open("D:\\shoot\\jane doe.tiff")', 'open("PHOTO")'),
        ("reading /mnt/client/jane.png, then b.exr.", "reading PHOTO, then PHOTO."),
        ("/opt/blender/lib/foo.py line 3: jpeg", "/opt/blender/lib/foo.py line 3: jpeg"),
        ("jane: 1.2 px from the landmarks", "PHOTO: 1.2 px from the landmarks"),
        ("janet is another", "janet is another"),
    ],
)
def test_photos_are_masked_by_path_and_by_name(text, masked_text):
    assert masked(text, "/people/marie", "marie", ["jane", "", "x"]) == masked_text


def test_masking_a_long_line_takes_no_time():
    line = "x/" * 100_000 + "a.jp"
    assert masked(line, "/people/marie", "marie") == line
    assert masked(line + "g", "/people/marie", "marie") == "PHOTO"


def test_the_user_has_a_name_or_none(monkeypatch):
    monkeypatch.setattr("getpass.getuser", lambda: "marie")
    assert user_name() == "marie"

    def nobody():
        raise KeyError("no such uid")

    monkeypatch.setattr("getpass.getuser", nobody)
    assert user_name() == ""
