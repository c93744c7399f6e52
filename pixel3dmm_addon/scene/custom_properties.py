# SPDX-License-Identifier: GPL-3.0-or-later
"""What a .blend says in custom properties, where anybody may have written anything.

Panels ask at every redraw, so that nothing here raises: what makes no sense is as if it were not
there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import bpy

#: Characters of JSON and of a text; more than a report or a slider's name ever has.
_LONGEST_JSON, _LONGEST_TEXT = 4_000_000, 500
#: Of a slider's or a trait's value.
_LARGEST = 1000.0


def json_object(block: bpy.types.ID, name: str) -> dict[str, Any]:
    """The JSON object in a property; empty where there is none."""
    text = block.get(name)
    if not isinstance(text, str) or len(text) > _LONGEST_JSON:
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def numbers(block: bpy.types.ID, name: str, wanted: Iterable[str]) -> dict[str, float]:
    """Of a JSON object those members that are wanted, and are numbers of a sensible size."""
    found = json_object(block, name)
    return {
        key: float(found[key])
        for key in wanted
        # Compared before it is a float: JSON knows integers that no float can hold.
        if type(found.get(key)) in (int, float) and -_LARGEST < found[key] < _LARGEST
    }


def sentences(found: object) -> list[str]:
    """A list's texts, none longer than a panel has room for."""
    if not isinstance(found, list):
        return []
    return [text[:_LONGEST_TEXT] for text in found[:50] if isinstance(text, str)]


def text(block: bpy.types.ID, name: str, otherwise: str = "unknown") -> str:
    """A property that holds a text."""
    found = block.get(name)
    return found[:_LONGEST_TEXT] if isinstance(found, str) else otherwise
