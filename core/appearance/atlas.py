# SPDX-License-Identifier: GPL-3.0-or-later
"""The skin's texture layout as texels: which point of the surface each texel shows.

Texels are counted from the top-left of the picture, as its rows are stored; the layout's v runs
upward. Only faces of the part ``skin`` are laid out: eyes, teeth and the mouth's inside have
materials and layouts of their own and never get skin painted on them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry.raster import rasterise
from ..heads.model import HeadModel

Floats = NDArray[np.float32]

#: The part of a head model that the photo is painted on; without it, all of the head.
SKIN = "skin"


@dataclass(frozen=True, eq=False)
class Atlas:
    """A picture of size x size texels of which n show skin.

    texel (n,) their places in the flat picture; corners (n, 3) the vertices around each and
    weights (n, 3) their shares.
    """

    size: int
    texel: NDArray[np.int32]
    corners: NDArray[np.int32]
    weights: Floats

    def spread(self, values: NDArray[Any]) -> Floats:
        """Values at the vertices (V, ...) at the texels (n, ...)."""
        values = np.asarray(values, np.float32)
        corner = (-1,) + (1,) * (values.ndim - 1)
        out: Floats = values.take(self.corners[:, 0], axis=0)
        out *= self.weights[:, 0].reshape(corner)
        for k in (1, 2):
            part = values.take(self.corners[:, k], axis=0)
            part *= self.weights[:, k].reshape(corner)
            out += part
        return out

    def picture(self, values: NDArray[Any], empty: float = 0.0) -> Floats:
        """Values at the texels (n, ...) as a picture (size, size, ...)."""
        out = np.full((self.size * self.size, *values.shape[1:]), empty, np.float32)
        out[self.texel] = values
        return out.reshape(self.size, self.size, *values.shape[1:])

    def at(self, chosen: NDArray[np.intp]) -> Atlas:
        """The atlas with the chosen (m,) of its texels only."""
        return Atlas(self.size, self.texel[chosen], self.corners[chosen], self.weights[chosen])

    def covered(self) -> NDArray[np.bool_]:
        """(size, size): where there is skin."""
        out = np.zeros(self.size * self.size, bool)
        out[self.texel] = True
        return out.reshape(self.size, self.size)


@lru_cache(maxsize=4)
def skin_atlas(head: HeadModel, size: int) -> Atlas:
    """The skin's layout at a size; kept, since it is the same for every person."""
    keep = skin_faces(head)
    quads, uv_quads = head.quads[keep], head.uv_quads[keep]
    second = quads[:, 3] >= 0
    triangles, uv_triangles = (
        np.concatenate([q[:, [0, 1, 2]], q[second][:, [0, 2, 3]]]) for q in (quads, uv_quads)
    )
    places = np.column_stack([head.uv[:, 0], 1.0 - head.uv[:, 1]]) * size
    seen = rasterise(places, np.ones(len(places)), uv_triangles, size, size)
    texel = np.nonzero(seen.triangle.ravel() >= 0)[0].astype(np.int32)
    return Atlas(
        size,
        texel,
        triangles[seen.triangle.ravel()[texel]].astype(np.int32),
        seen.barycentric.reshape(-1, 3)[texel].astype(np.float32),
    )


def skin_faces(head: HeadModel) -> NDArray[np.bool_]:
    """(F,): the faces that the photo is painted on."""
    if SKIN not in head.part_names:
        return np.ones(len(head.quads), bool)
    return head.face_part == head.part_names.index(SKIN)


@lru_cache(maxsize=16)
def region_share(head: HeadModel, atlas: Atlas, names: tuple[str, ...]) -> Floats:
    """1 inside of the named regions (those that the head has), with a soft edge; (n,). Kept, since
    it is the same for every photo: not to be written to.
    """
    inside = np.zeros(head.vertex_count, np.float32)
    for name in names:
        if name in head.regions:
            inside[head.regions[name]] = 1.0
    return atlas.spread(inside)
