# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of a bare mesh for the face nets, and where on the mesh a pixel lies.

Parallel views: a mesh has no photographer. The surface is drawn in the colour of skin under a light
from the front and above; faces that are turned away are lit as if they were not, since a mesh may
be wound either way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry.mesh import vertex_normals
from ..geometry.raster import Raster, rasterise

Array = NDArray[np.float64]
Index = NDArray[np.integer[Any]]

_SKIN = np.array([205.0, 160.0, 138.0])
_LIGHT = np.array([0.25, 0.45, 0.86])
_FAR = 1e3


@dataclass(frozen=True, eq=False)
class View:
    """picture (n, n, 3) uint8 as seen along -z of ``turn`` (3, 3), whose rows are the picture's
    right, up and towards the viewer; raster: what its pixels see of the triangles.
    """

    picture: NDArray[np.uint8]
    raster: Raster
    turn: Array
    normals: Array

    def lift(self, pixels: Array, triangles: Index, vertices: Array) -> tuple[Array, Array]:
        """Points (n, 3) of the surface under pixels (n, 2), and how squarely (n,) each is seen,
        0 where there is no surface.
        """
        size = len(self.picture)
        at = np.floor(pixels).astype(np.intp)
        inside = ((at >= 0) & (at < size)).all(axis=1)
        at = np.clip(at, 0, size - 1)
        triangle = self.raster.triangle[at[:, 1], at[:, 0]]
        share = self.raster.barycentric[at[:, 1], at[:, 0]]
        corners = triangles[triangle]
        points = np.einsum("nk,nkc->nc", share, vertices[corners])
        normal = np.einsum("nk,nkc->nc", share, self.normals[corners])
        square = np.abs(normal @ self.turn[2])
        return points, np.where(inside & (triangle >= 0), square, 0.0)


def see(
    vertices: Array, triangles: Index, turn: Array, centre: Array, side: float, size: int
) -> View:
    """A square of ``side`` around ``centre`` (3,), both in the mesh's unit, on size x size pixels.

    turn (3, 3) rows: right, up, towards the viewer.
    """
    local = (vertices - centre) @ turn.T
    scale = size / side
    points = np.column_stack([size / 2 + scale * local[:, 0], size / 2 - scale * local[:, 1]])
    # Depths far off against the mesh's size: the raster's perspective becomes a parallel view.
    depth = _FAR - local[:, 2] / side
    raster = rasterise(points, depth, triangles, size, size)
    normals = vertex_normals(vertices, triangles)
    shown = raster.interpolate((normals @ turn.T)[triangles])
    shown *= np.sign(shown[..., 2:] + 1e-9)
    length = np.linalg.norm(shown, axis=2)
    light = np.clip((shown @ (_LIGHT / np.linalg.norm(_LIGHT))) / np.maximum(length, 1e-9), 0, 1)
    colour = (0.25 + 0.75 * light)[..., None] * _SKIN
    picture = np.where((raster.triangle >= 0)[..., None], colour, 120.0)
    return View(np.clip(picture, 0, 255).astype(np.uint8), raster, turn, normals)
