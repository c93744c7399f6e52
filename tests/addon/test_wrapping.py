# SPDX-License-Identifier: GPL-3.0-or-later
"""Sentences over several lines: nothing is cut off, in any language."""

from __future__ import annotations

import pytest


@pytest.fixture
def lines(ours):
    return ours("pixel3dmm_addon.wrapping").lines


def test_words_stay_whole_and_in_order(lines):
    text = "The face is small (92 pixels wide): proportions will be coarse."
    found = lines(text, lambda line: len(line) <= 20)
    assert max(len(line) for line in found) <= 20
    assert " ".join(found) == text
    assert lines("", lambda line: True) == []


def test_a_word_that_is_too_long_has_a_line_of_its_own(lines):
    found = lines("See /a/very/long/path/to/a/photo.jpg now", lambda line: len(line) <= 10)
    assert found == ["See", "/a/very/long/path/to/a/photo.jpg", "now"]


@pytest.mark.parametrize(
    "text",
    [
        "\u9854\u304c\u5c0f\u3055\u3044\u3067\u3059\u3002200 \u4ee5\u4e0a\u304c"
        "\u9069\u5207\u3067\u3059\u3002",
        "\u8138\u8f83\u5c0f\uff1a200 \u4ee5\u4e0a\u8f83\u597d\u3002",
    ],
)
def test_text_without_spaces_is_broken_and_no_line_begins_with_a_full_stop(lines, text):
    found = lines(text, lambda line: len(line) <= 6)
    assert len(found) > 1
    assert "".join(found).replace(" ", "") == text.replace(" ", "")
    assert not [line for line in found if line[0] in "\u3002\uff0c\u3001\uff1a"]
