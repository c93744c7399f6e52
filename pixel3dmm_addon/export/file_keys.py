# SPDX-License-Identifier: GPL-3.0-or-later
"""Shape keys as files know them: full offsets from the first one, with names that files can hold.

Blender's keys may start from another key than the basis and may be held to a vertex group; its
glTF and USD exporters know neither and write something else without a word (4.2 to 5.0).
"""

from __future__ import annotations

from collections.abc import Sequence

import bpy
import numpy as np

from .lods import key_positions
from .presets import identifier_name, unique_names


def make_keys_independent(head: bpy.types.Object) -> None:
    """Puts masks and other starting points into the keys themselves; nothing is seen of it."""
    keys = head.data.shape_keys
    if keys is None:
        return
    blocks = list(keys.key_blocks)
    rest, moved = key_positions(head)
    for block, points in zip(blocks[1:], moved, strict=True):
        if block.relative_key == blocks[0] and not block.vertex_group:
            continue
        mask = _mask(head, block.vertex_group)
        block.relative_key, block.vertex_group = blocks[0], ""
        co = rest + mask[:, None] * (points - rest)
        block.points.foreach_set("co", co.astype(np.float32).ravel())


def give_identifiers(head: bpy.types.Object) -> None:
    """Names of letters, digits and underscores, since USD changes any other by itself."""
    keys = head.data.shape_keys
    blocks = list(keys.key_blocks) if keys is not None else []
    names = unique_names([identifier_name(block.name, "") for block in blocks])
    rename(blocks, names)


def rename(blocks: Sequence[bpy.types.ShapeKey | bpy.types.Bone], names: Sequence[str]) -> None:
    """By way of names that none of them has, since no two may have one at a time."""
    if [block.name for block in blocks] == list(names):
        return
    for i, block in enumerate(blocks):
        block.name = f".passing {i}"
    for block, name in zip(blocks, names, strict=True):
        block.name = name


def _mask(head: bpy.types.Object, name: str) -> np.ndarray:
    """(V,) how much of the key each vertex takes."""
    count = len(head.data.vertices)
    group = head.vertex_groups.get(name)
    if group is None:
        return np.ones(count)
    weights = ((g.weight for g in v.groups if g.group == group.index) for v in head.data.vertices)
    return np.array([next(w, 0.0) for w in weights])
