# SPDX-License-Identifier: GPL-3.0-or-later
"""A .blend file with the head as an asset: everything as it is, modifiers and drivers included."""

from __future__ import annotations

from pathlib import Path

import bpy

from ..scene.head import PREFIX
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
    data = collection.asset_data
    data.description = licence.notice
    data.license = licence.head
    data.author = str(copies.head.get(PREFIX + "photo", ""))
    data.tags.new("Pixel3DMM", skip_if_exists=True)
    data.tags.new("ARKit", skip_if_exists=True)
    bpy.data.libraries.write(str(path), {collection}, path_remap="ABSOLUTE", compress=True)
