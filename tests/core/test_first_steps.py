# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of first steps: five small pictures beside it, nothing from a network."""

from __future__ import annotations

import re

import pytest

PAGES = ("en", "ja", "zh")
#: Bytes of all pictures together: the extension has to stay small.
MOST = 300_000


@pytest.fixture(scope="module")
def folder(repository):
    return repository / "docs" / "first_steps"


@pytest.mark.parametrize("language", PAGES)
def test_a_page_shows_five_pictures_and_needs_no_network(folder, language):
    text = (folder / f"{language}.html").read_text(encoding="utf-8")
    shown = re.findall(r'(?:src|href)="([^"]+)"', text)
    assert shown == [f"{n}.jpg" for n in range(1, 6)]
    assert "http" not in text
    assert "<script" not in text


def test_the_pictures_are_small_and_ship(folder, repository):
    pictures = sorted(folder.glob("*.jpg"))
    assert [p.name for p in pictures] == [f"{n}.jpg" for n in range(1, 6)]
    assert sum(p.stat().st_size for p in pictures) <= MOST
    from tools.package import shipped_files

    shipped = {path.as_posix() for path in shipped_files(repository)}
    wanted = {f"docs/first_steps/{p.name}" for p in folder.iterdir()}
    assert wanted <= shipped
