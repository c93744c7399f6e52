# SPDX-License-Identifier: GPL-3.0-or-later
"""Names for the copies: a file must say "astronaut", not "astronaut.001".

No two datablocks of a kind have one name, so while an export runs the artist's own step aside.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import bpy


@contextmanager
def borrowed_names(blocks: list[bpy.types.ID]) -> Iterator[dict[bpy.types.ID, str]]:
    """Within, none of these datablocks has its name, so that others may have it: block -> name.

    Whatever bears the name at the end loses it to its owner. Blocks of linked libraries keep
    theirs: local ones may have the same.
    """
    names = {block: block.name for block in blocks}
    mine = [(block, name) for block, name in names.items() if block.library is None]
    mark = secrets.token_hex(4)
    try:
        for i, (block, _) in enumerate(mine):
            block.name = f".{mark} {i}"
        yield names
    finally:
        for block, name in mine:
            holder = _collection(block).get((name, None))
            if holder is not None and holder != block:
                holder.name = f".{mark}"
            block.name = name


def holders(kind: str, names: list[str]) -> list[bpy.types.ID]:
    """The local datablocks of ``bpy.data.<kind>`` that bear these names."""
    collection = getattr(bpy.data, kind)
    found = [collection.get((name, None)) for name in names]
    return [block for block in found if block is not None]


def _collection(block: bpy.types.ID) -> bpy.types.bpy_prop_collection[bpy.types.ID]:
    kinds = {
        "OBJECT": "objects",
        "MESH": "meshes",
        "ARMATURE": "armatures",
        "COLLECTION": "collections",
        "SCENE": "scenes",
        "CAMERA": "cameras",
        "ACTION": "actions",
        "KEY": "shape_keys",
        "MATERIAL": "materials",
    }
    found: bpy.types.bpy_prop_collection[bpy.types.ID] = getattr(bpy.data, kinds[block.id_type])
    return found
