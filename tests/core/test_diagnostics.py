# SPDX-License-Identifier: GPL-3.0-or-later
"""Diagnostics say versions and the log's end, and nobody's name."""

from __future__ import annotations

import pytest

from core import __version__
from core.diagnostics import LAST_LINES, diagnostics, masked


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
    assert masked("/people/al/a.jpg: also al", "/people/al", "al") == "~/a.jpg: also USER"
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
