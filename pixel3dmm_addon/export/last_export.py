# SPDX-License-Identifier: GPL-3.0-or-later
"""How the last export of each head went, for the panel; forgotten with the session."""

from __future__ import annotations

import bpy

from ..scene.head import PREFIX
from .exported_file import ExportedFile

_last: dict[str, ExportedFile] = {}


def remember(head: bpy.types.Object, written: ExportedFile) -> None:
    """Instead of what was remembered of this head."""
    _last[_key(head)] = written


def forget(head: bpy.types.Object) -> None:
    """Another export begins: what came of the one before is no longer true."""
    _last.pop(_key(head), None)


def of(head: bpy.types.Object) -> ExportedFile | None:
    """None if it was not exported since Blender started, or the last time failed earlier."""
    return _last.get(_key(head))


def _key(head: bpy.types.Object) -> str:
    return str(head.get(PREFIX + "uuid", head.name))
