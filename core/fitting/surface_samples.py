# SPDX-License-Identifier: GPL-3.0-or-later
"""Which point of the head's surface each pixel of dense cues shows.

A uv map names a point of the texture layout for every pixel, and the layout names a point of the
surface. The published rule goes the other way, from each vertex to its nearest pixel in uv: that
needs a search, a radius, and rounds targets to whole pixels (and, for maps of 8 bits, to whole
plateaus of pixels). Asked from the pixels, a look-up in a drawing of the layout is all, targets
are exact, texture seams do no harm and every pixel counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cues.screen_cues import ScreenCues
from ..errors import FitError
from ..geometry.camera import Camera
from ..geometry.raster import Raster, rasterise
from ..heads.corners import is_skin, triangle_uv
from ..heads.model import HeadModel

Array = NDArray[np.float64]

ATLAS_SIZE = 1024
#: Pixels of one photo that a fit looks at; more change nothing but the time.
MOST_SAMPLES = 20000
#: Fewer than this cannot carry a face's shape.
FEWEST_SAMPLES = 200
#: Pixels of the photo across which a face must reach.
SMALLEST_FACE = 24.0
#: Confidence below which a pixel is not looked at.
LEAST_CONFIDENCE = 0.05
#: Triangles that a point may lie away from the one in the middle of its cell.
_STEPS = 8


@dataclass(frozen=True, eq=False)
class SurfaceSamples:
    """m pixels. triangle (m,) index into ``head.triangles``; barycentric (m, 3) on it; pixel
    (m, 2) of the photo; weight (m,) confidence; normal (m, 3) in the head frame, or None if the
    cues have none.
    """

    triangle: NDArray[np.intp]
    barycentric: Array
    pixel: Array
    weight: Array
    normal: Array | None

    @property
    def count(self) -> int:
        """m."""
        return len(self.triangle)

    def points(self, head: HeadModel, vertices: Array) -> Array:
        """The points (m, 3) of a surface with vertices (V, 3)."""
        corners = vertices[head.triangles[self.triangle]]
        out: Array = np.einsum("mk,mkc->mc", self.barycentric, corners)
        return out

    def only(self, which: NDArray[np.bool_] | NDArray[np.intp]) -> SurfaceSamples:
        """A selection."""
        normal = None if self.normal is None else self.normal[which]
        return SurfaceSamples(
            self.triangle[which],
            self.barycentric[which],
            self.pixel[which],
            self.weight[which],
            normal,
        )


@dataclass(frozen=True, eq=False)
class UvAtlas:
    """A drawing of the texture layout: triangle (N, N), -1 where there is no skin; for each
    triangle of the head ``to_barycentric`` (T, 2, 3), which takes (u, 1 - v, 1) to the second and
    third barycentric coordinate, and ``across`` (T, 3), the triangle on the other side of the edge
    opposite to each corner, or itself where there is none.
    """

    triangle: NDArray[np.int32]
    to_barycentric: Array
    across: NDArray[np.intp]

    def find(self, uv: Array) -> tuple[NDArray[np.intp], Array]:
        """Triangle (m,), -1 for none, and barycentric (m, 3) of points (m, 2), v downward."""
        size = len(self.triangle)
        inside: NDArray[np.bool_] = np.all((uv >= 0) & (uv < 1), axis=1)
        cell = (np.where(inside.reshape(-1, 1), uv, 0) * size).astype(np.intp)
        found = np.where(inside, self.triangle[cell[:, 1], cell[:, 0]], -1).astype(np.intp)
        barycentric = self._barycentric(found, uv)
        # A cell is of the triangle at its middle; small ones beside it are reached on foot.
        walking = np.nonzero((found >= 0) & (barycentric.min(axis=1) < 0))[0]
        for _ in range(_STEPS):
            if not len(walking):
                break
            here, at = found[walking], barycentric[walking]
            there = self.across[here, at.argmin(axis=1)]
            new = self._barycentric(there, uv[walking])
            # At the edge of the layout there is no way on, or it leads elsewhere.
            better = new.min(axis=1) > at.min(axis=1)
            walking, new = walking[better], new[better]
            found[walking], barycentric[walking] = there[better], new
            walking = walking[new.min(axis=1) < 0]
        return found, barycentric

    def _barycentric(self, triangle: NDArray[np.intp], uv: Array) -> Array:
        matrix = self.to_barycentric[triangle]
        vw = np.einsum("mij,mj->mi", matrix[:, :, :2], uv) + matrix[:, :, 2]
        return np.column_stack([1 - vw.sum(axis=1), vw])


@lru_cache(maxsize=2)
def uv_atlas(head: HeadModel) -> UvAtlas:
    """The atlas of a head's skin without the neck, which turns apart from the head."""
    uv, skin = triangle_uv(head), fitted_skin(head)
    triangles = np.arange(3 * len(uv)).reshape(-1, 3)[skin]
    flat = np.stack([uv[..., 0], 1 - uv[..., 1]], axis=-1)
    points = flat.reshape(-1, 2) * ATLAS_SIZE
    drawn = rasterise(points, np.ones(len(points)), triangles, ATLAS_SIZE, ATLAS_SIZE).triangle
    ids = np.nonzero(skin)[0].astype(np.int32)
    square = np.concatenate([flat, np.ones((*flat.shape[:2], 1))], axis=2).transpose(0, 2, 1)
    # A triangle without area in the layout is drawn nowhere; any matrix does for it.
    square[np.abs(np.linalg.det(square)) < 1e-15] = np.eye(3)
    table = np.where(drawn >= 0, ids[drawn], -1).astype(np.int32)
    return UvAtlas(table, np.linalg.inv(square)[:, 1:], _across(head.triangles, ids))


def _across(triangles: NDArray[np.int32], which: NDArray[np.int32]) -> NDArray[np.intp]:
    """(T, 3) for the triangles ``which``: the one among them beyond the edge opposite to each
    corner; a triangle itself where there is none.
    """
    across = np.tile(np.arange(len(triangles))[:, None], (1, 3))
    corners = triangles[which]
    edges = np.stack([corners[:, [1, 2]], corners[:, [2, 0]], corners[:, [0, 1]]], axis=1)
    edges = np.sort(edges.reshape(-1, 2), axis=1)
    owner, corner = np.repeat(which, 3), np.tile(np.arange(3), len(which))
    order = np.lexsort(edges.T)
    same = np.nonzero((edges[order[1:]] == edges[order[:-1]]).all(axis=1))[0]
    one, other = order[same], order[same + 1]
    across[owner[one], corner[one]] = owner[other]
    across[owner[other], corner[other]] = owner[one]
    return across


def fitted_skin(head: HeadModel) -> NDArray[np.bool_]:
    """(T,) which of ``head.triangles`` dense cues are fitted to: skin that is not the neck's."""
    skin, neck = is_skin(head), head.regions.get("neck")
    return skin if neck is None else skin & ~neck[head.triangles].any(axis=1)


def pixel_places(cues: ScreenCues) -> tuple[Array, NDArray[np.intp], NDArray[np.intp], Array]:
    """Pixels of the maps that say something, thinned evenly: place in the photo (m, 2), row and
    column (m,), and confidence (m,).
    """
    assert cues.confidence is not None and cues.crop_to_photo is not None
    trusted = np.isfinite(cues.confidence) & (cues.confidence > LEAST_CONFIDENCE)
    for values in (cues.uv, cues.normal):
        if values is not None:
            trusted &= np.isfinite(values).all(axis=-1)
    step = max(1, int(np.ceil(np.sqrt(trusted.sum() / MOST_SAMPLES))))
    grid = np.zeros_like(trusted)
    grid[step // 2 :: step, step // 2 :: step] = True
    rows, columns = np.nonzero(trusted & grid)
    at = np.column_stack([columns + 0.5, rows + 0.5])
    place = at @ cues.crop_to_photo[:, :2].T + cues.crop_to_photo[:, 2]
    return place, rows, columns, cues.confidence[rows, columns].astype(np.float64)


def samples_from_uv(head: HeadModel, cues: ScreenCues) -> SurfaceSamples:
    """The pixels of a uv map that show skin. Raises FitError if they are too few for a face."""
    assert cues.uv is not None
    place, rows, columns, weight = pixel_places(cues)
    triangle, barycentric = uv_atlas(head).find(cues.uv[rows, columns].astype(np.float64))
    normal = None if cues.normal is None else cues.normal[rows, columns].astype(np.float64)
    samples = SurfaceSamples(triangle, barycentric, place, weight, normal).only(triangle >= 0)
    check_enough(samples, cues)
    return samples


def samples_from_mesh(
    head: HeadModel, cues: ScreenCues, vertices: Array, camera: Camera
) -> SurfaceSamples:
    """For cues without uv: each pixel shows what a mesh (V, 3) in the head frame shows there.

    Raises FitError if the pixels that show skin are too few for a face.
    """
    assert cues.normal is not None and cues.crop_to_photo is not None
    place, rows, columns, weight = pixel_places(cues)
    drawn = rasterise_crop(camera, vertices, head.triangles, cues.crop_to_photo, cues.normal.shape)
    triangle = drawn.triangle[rows, columns].astype(np.intp)
    samples = SurfaceSamples(
        triangle,
        drawn.barycentric[rows, columns],
        place,
        weight,
        cues.normal[rows, columns].astype(np.float64),
    ).only((triangle >= 0) & fitted_skin(head)[triangle])
    check_enough(samples, cues)
    return samples


def rasterise_crop(
    camera: Camera,
    vertices: Array,
    triangles: NDArray[np.integer[Any]],
    crop_to_photo: Array,
    shape: tuple[int, ...],
) -> Raster:
    """What a crop (height, width, ...) of a camera's photo shows of a mesh, seen from outside."""
    points, depth = camera.project(vertices), camera.to_camera(vertices)[:, 2]
    in_crop = (points - crop_to_photo[:, 2]) @ np.linalg.inv(crop_to_photo[:, :2]).T
    return rasterise(in_crop, depth, triangles, shape[1], shape[0], both_sides=False)


def check_enough(samples: SurfaceSamples, cues: ScreenCues) -> None:
    """Raises FitError if the samples cannot carry a face."""
    if samples.count < FEWEST_SAMPLES:
        raise FitError(
            f"The {cues.predictor} predictor saw almost no skin: choose a photo in which the face "
            "is larger and less covered."
        )
    # Outliers must not make a face larger, so that its size is that of the middle nine tenths.
    low, high = np.quantile(samples.pixel, [0.05, 0.95], axis=0)
    if float((high - low).max()) < 0.9 * SMALLEST_FACE:
        raise FitError(
            f"The face is smaller than {SMALLEST_FACE:.0f} pixels: choose a larger photo."
        )
