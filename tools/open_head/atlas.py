# SPDX-License-Identifier: GPL-3.0-or-later
"""Lays out the uv atlas: one tile for the skin, and a tile of its own for every other material.

Skin tile: the unwrapped skin, with mouth bag and eye sockets in its upper corners.  Teeth, tongue
and eyeballs each fill their own 0..1 tile.
"""

from __future__ import annotations

import numpy as np

from .mesh import PART_NAMES, HeadMesh
from .unwrap import FREE_CORNER, unwrap_skin

_MARGIN = 0.004
"""Free border of the tile, and the gap between islands: 8 texels of 2048."""
_TILE_OF_ITS_OWN = (("gums_upper", 0.25), ("gums_lower", 0.25), ("tongue", 1.0))
"""Parts and where on the tile's height they end: the gums' ridges leave room for gums and teeth."""


def build_atlas(mesh: HeadMesh, template: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Texture coordinates (U, 2), v upwards, and their numbers per face corner (F, 4)."""
    uv, uv_quads = mesh.uv.copy(), mesh.uv_quads.copy()
    sockets = [mesh.sockets["r"], mesh.sockets["l"]]
    outer = np.setdiff1d(_faces(mesh, "skin"), np.concatenate(sockets))
    for name, high in _TILE_OF_ITS_OWN:
        box = (_MARGIN, _MARGIN), (1 - _MARGIN, high - _MARGIN)
        _fit_into(uv, uv_quads[_faces(mesh, name)], *box)
    reach = FREE_CORNER - 4 * _MARGIN
    top = 1 - _MARGIN
    bag = uv_quads[_faces(mesh, "mouth_interior")]
    _fit_into(uv, bag, (_MARGIN, top - 0.43 * reach), (_MARGIN + 0.57 * reach, top))
    for i, socket in enumerate(sockets):
        right = top - 0.3 * reach * i
        low = (right - 0.29 * reach, top - 0.4 * reach)
        _fit_into(uv, uv_quads[socket], low, (right, top))

    island = unwrap_skin(mesh.quads[outer], template, mesh.mirror, importance(template))
    uv_quads[outer] = island.faces + len(uv)
    uv = np.concatenate([uv, _MARGIN + (1 - 2 * _MARGIN) * island.uv])
    used, compact = np.unique(uv_quads, return_inverse=True)
    compact = compact.reshape(uv_quads.shape) - (used[0] < 0)
    return uv[used[used >= 0]], compact.astype(np.int32)


def importance(template: np.ndarray) -> np.ndarray:
    """(V,) wanted texels per area, relative to the back of the head: face 4, eyes and mouth 7."""
    x, y, z = template.T
    frontal = np.clip((z - 0.03) / 0.03, 0, 1)
    face = np.exp(-((x / 0.078) ** 4) - ((y - 0.01) / 0.1) ** 4) * frontal
    eyes = np.exp(-((np.abs(x) - 0.031) ** 2 + (y - 0.03) ** 2) / 0.018**2)
    mouth = np.exp(-(x**2 + (y + 0.04) ** 2) / 0.025**2)
    return (1 + 3.2 * face) * (1 + 0.8 * (eyes + mouth) * (z > 0.06))


def _faces(mesh: HeadMesh, part: str) -> np.ndarray:
    return np.flatnonzero(mesh.face_part == PART_NAMES.index(part))


def _fit_into(uv: np.ndarray, corners: np.ndarray, low: tuple, high: tuple) -> None:
    """Scale an island uniformly into a box, in place, towards the box's upper middle."""
    used = np.unique(corners)
    points = uv[used] - uv[used].min(axis=0)
    size = np.array(high) - np.array(low)
    points = points * (size / np.ptp(points, axis=0)).min()
    slack = size - np.ptp(points, axis=0)
    uv[used] = np.array(low) + slack * [0.5, 1.0] + points
