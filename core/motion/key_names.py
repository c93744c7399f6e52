# SPDX-License-Identifier: GPL-3.0-or-later
"""Which slider of a stranger's mesh is which of ARKit's, whatever its author calls it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..heads.arkit import ARKIT_NAMES

_SIDES = (("Left", "l"), ("Right", "r"))


def matched_names(names: Iterable[str]) -> dict[str, str]:
    """ARKit's name -> the one among ``names`` that means it; names that mean nothing are left out.

    Understood are other cases (EyeBlinkLeft), separators (eye_blink_left), short sides
    (eyeBlink_L) and what other programs put before a name (face.eyeBlinkLeft). An exact name
    goes before a similar one.
    """
    found: dict[str, str] = {}
    for name in names:
        arkit = name if name in _BY_PLAIN.values() else _BY_PLAIN.get(_plain(name))
        if arkit is not None and (arkit not in found or name == arkit):
            found[arkit] = name
    return found


def arkit_name(name: str) -> str | None:
    """ARKit's spelling of one name, or None if it is none of the 52."""
    return next(iter(matched_names([name])), None)


def _plain(name: str) -> str:
    """Letters alone, small, of what follows the last separator of paths."""
    return re.sub(r"[^a-z]", "", re.split(r"[.:|/]", name.strip())[-1].lower())


def _spellings() -> dict[str, str]:
    out = {}
    for name in ARKIT_NAMES:
        out[name.lower()] = name
        for side, short in _SIDES:
            if name.endswith(side):
                out[name[: -len(side)].lower() + short] = name
    return out


_BY_PLAIN = _spellings()
