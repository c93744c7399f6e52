# SPDX-License-Identifier: GPL-3.0-or-later
"""Synthetic people in photos, by a rasteriser: paint, light and camera of our own, in a tenth of a
second each.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from core.geometry.mesh import vertex_normals
from core.geometry.raster import Raster, rasterise
from core.heads import load_open_head
from core.heads.corners import triangle_part
from core.heads.model import STRIP_PARTS, HeadModel

from .appearance import Coat, Paint
from .develop import background, develop
from .light import shade
from .population import Population, Subject

Array = NDArray[np.float64]


class Studio:
    """Takes photos; the same generator gives the same photo."""

    def __init__(self, head: HeadModel | None = None) -> None:
        self.head = load_open_head() if head is None else head
        self.population = Population.of(self.head)
        self.paint = Paint(self.head)
        self.hairy = np.clip((above_hairline(self.head.template)) / 0.02, 0, 1)

    def hair(self, vertices: Array, rng: np.random.Generator) -> Array:
        """(V, 3) offsets of the scalp, as hair of some thickness."""
        if rng.random() < 0.35:
            return np.zeros_like(vertices)
        out = vertex_normals(vertices, self.head.triangles)
        waves = rng.normal(0, 60, (3, 3))
        uneven = 1 + 0.3 * np.sin(self.head.template @ waves).mean(axis=1)
        return out * (self.hairy * rng.uniform(0.003, 0.045) * uneven)[:, None]

    def photo(
        self, subject: Subject, size: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.uint8], Coat]:
        """The subject's whole photo, size x size, with nothing before the face."""
        head, camera = self.head, subject.camera
        vertices = subject.vertices + self.hair(subject.vertices, rng)
        normals = vertex_normals(vertices, head.triangles)
        points = camera.project(vertices) * (size / camera.width)
        drawn = rasterised(points, camera.to_camera(vertices)[:, 2], head, size)
        picture, skin, coat, _ = self.scene(subject, vertices, normals, drawn, rng)
        return develop(np.maximum(picture, 0), skin > 0, rng), coat

    def scene(
        self,
        subject: Subject,
        vertices: Array,
        normals: Array,
        drawn: Raster,
        rng: np.random.Generator,
    ) -> tuple[Array, Array, Coat, Array]:
        """A square raster of a subject (with hair: vertices and normals (V, 3)), lit: linear
        picture (s, s, 3), skin (s, s) 0 or 1, and of the head's pixels coat and light (n, 3).
        """
        head, camera, paint = self.head, subject.camera, self.paint
        seen = drawn.triangle >= 0
        at = paint.pixels(drawn.triangle[seen], drawn.barycentric[seen])
        corners = head.triangles[at.triangle]
        points = np.einsum("nk,nkc->nc", at.barycentric, vertices[corners])
        normal = normalised(np.einsum("nk,nkc->nc", at.barycentric, normals[corners]))
        view = normalised(camera.centre - points)
        up = camera.R.T @ np.array([0.0, -1.0, 0.0])
        coat = paint.colors(at, rng)
        picture = background(len(seen), paint.bank, rng)
        light = shade(paint, head, vertices, at, points, normal, view, up, coat, rng)
        picture *= np.exp(rng.normal(0.0, 0.6)) * float(light.mean() + 0.05) / 0.3
        picture[seen] = light
        skin = np.zeros(seen.shape)
        skin[seen] = coat.skin
        return picture, skin, coat, light


def rasterised(points: Array, depth: Array, head: HeadModel, size: int) -> Raster:
    """A head from outside, with points (V, 2) in a picture of size x size; triangles are those of
    ``head.triangles``. Strips of hair and tears are left out: they are drawn on the skin instead.
    """
    ids = _solid(head)
    seen = rasterise(points, depth, head.triangles[ids], size, size, both_sides=False)
    triangle = np.where(seen.triangle >= 0, ids[seen.triangle], -1).astype(np.int32)
    return replace(seen, triangle=triangle)


@lru_cache(maxsize=2)
def _solid(head: HeadModel) -> NDArray[np.intp]:
    strips = [i for i, name in enumerate(head.part_names) if name in STRIP_PARTS]
    return np.flatnonzero(~np.isin(triangle_part(head), strips))


def normalised(vectors: Array) -> Array:
    """Unit vectors (..., 3); zero stays zero."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0)


def above_hairline(points: Array) -> Array:
    """(n,) metres above a line from the forehead past the temples to the nape, ears apart."""
    x, y, z = points.T
    return np.where(np.abs(x) < 0.082, (y - 0.105) + 1.1 * (0.075 - z), 0)
