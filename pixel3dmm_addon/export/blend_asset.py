# SPDX-License-Identifier: GPL-3.0-or-later
"""A .blend file with the head as an asset: everything as it is, modifiers and drivers included."""

from __future__ import annotations

from pathlib import Path

import bpy

from .asset import describe
from .copies import Copies
from .licence import Licence


def write_blend(path: Path, copies: Copies, name: str, licence: Licence) -> None:
    """A collection of the copies, marked as an asset with its licence.

    Images keep their files, by absolute paths; packed ones travel along.
    """
    collection = bpy.data.collections.new(name)
    for obj in copies.objects:
        collection.objects.link(obj)
    collection.asset_mark()
    describe(collection, licence, copies.head)
    bpy.data.libraries.write(str(path), {collection}, path_remap="ABSOLUTE", compress=True)
