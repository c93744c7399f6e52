# SPDX-License-Identifier: GPL-3.0-or-later
"""Sentences over as many lines as a panel or a dialog has room for, since labels do not wrap."""

from __future__ import annotations

import re
from collections.abc import Callable

import blf
import bpy

#: Pieces after which a line may end: words with the space behind them; in Chinese and Japanese
#: each character, with what must not begin a line.
_PIECES = re.compile(
    r"[\u3000-\u30ff\u3400-\u9fff\uff00-\uffef][、。，．：；！？）」』ー]*\s*"
    r"|[^\s\u3000-\u30ff\u3400-\u9fff\uff00-\uffef]+\s*"
)
#: Widths in Blender's unit of 20 pixels: a line's icon and margins, and the least that is used.
_MARGIN, _LEAST = 4.1, 6.0
#: Where nothing tells the width: a sidebar as Blender opens it, about 34 letters.
_USUAL_LETTERS = 34
_POINTS, _UNIT = 11.0, 20.0


def lines(sentence: str, fits: Callable[[str], bool]) -> list[str]:
    """The sentence's lines, each as long as ``fits`` allows; a longer piece has a line of its own.

    >>> lines("one two three", lambda line: len(line) <= 7)
    ['one two', 'three']
    """
    out: list[str] = []
    line = ""
    for piece in _PIECES.findall(sentence):
        if line and not fits((line + piece).rstrip()):
            out.append(line.rstrip())
            line = ""
        line += piece
    return [*out, line.rstrip()] if line else out


def wrapped(sentence: str, width: float | None = None, inset: float = 0.0) -> list[str]:
    """Lines for the region that is being drawn, or for a dialog ``width`` pixels wide at a user
    interface of scale 1. inset: what boxes and columns beside take, in Blender's units.
    """
    if width is None:
        region = bpy.context.region
        if bpy.app.background or region is None or region.type not in ("UI", "WINDOW"):
            return lines(sentence, lambda line: len(line) <= _USUAL_LETTERS)
        width = region.width / max(bpy.context.preferences.system.ui_scale, 0.1)
    room = max(width / _UNIT - _MARGIN - inset, _LEAST) * _UNIT
    blf.size(0, _POINTS)
    return lines(sentence, lambda line: _width(line) <= room)


def _width(line: str) -> float:
    """Pixels at a user interface of scale 1."""
    width: float = blf.dimensions(0, line)[0]  # type: ignore[func-returns-value]
    return width
