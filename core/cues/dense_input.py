# SPDX-License-Identifier: GPL-3.0-or-later
"""What the dense network sees: a crop of the photo beside the landmark fit drawn in its place.

The crop is a square around the face of the fit, turned so that the head's vertical runs up. The
photo is sampled at SIZE x SIZE; the network works on a grid half as fine, of which each cell
holds its 2 x 2 colours (12 channels, -1..1) and what the fit shows at its middle: its normal in the
crop's frame (3), the place of the surface point on the average head (3, decimetres about the
middle of the face) and 1 where there is anything (1).

The crop's frame: x right and y down along the crop, z away from the camera, so that a normal
that faces the camera is (0, 0, -1). Training builds its input with the same functions.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FitError
from ..geometry.camera import Camera
from ..geometry.mesh import vertex_normals
from ..geometry.raster import Raster, rasterise
from ..heads.corners import triangle_part
from ..heads.model import STRIP_PARTS, HeadModel
from .image_warp import Region, crop

Array = NDArray[np.float64]

#: Side of the crop in samples of the photo, and of the grid on which the network works.
SIZE, GRID = 128, 64
CHANNELS = 12 + 7
#: Side of the crop over the longer side of the box around the face's landmarks.
CROP_SCALE = 1.15
#: Landmarks of the skin; the irises' come after them.
_SKIN = 468
#: About the middle of the face in the head frame, metres, and the unit of places.
MIDDLE, UNIT = np.array([0.0, 0.0, 0.06]), 0.1


@dataclass(frozen=True, eq=False)
class Drawing:
    """The fit as the crop's grid shows it. seen: the raster; normal (GRID, GRID, 3) in the crop's
    frame and place (GRID, GRID, 3), zero where nothing is seen.
    """

    seen: Raster
    normal: Array
    place: Array

    @property
    def mask(self) -> NDArray[np.bool_]:
        """(GRID, GRID) where the fit shows anything."""
        return self.seen.triangle >= 0


def face_region(
    head: HeadModel, vertices: Array, camera: Camera, scale: float = CROP_SCALE
) -> Region:
    """The crop's place in the photo, of vertices (V, 3) in the head frame. scale: its side over
    the longer side of the box around the face's landmarks.

    Raises FitError if the face is not in front of the camera.
    """
    ids = head.landmark_ids[head.landmark_ids < _SKIN]
    points = camera.project(head.landmarks(vertices, ids))
    if not np.isfinite(points).all():
        raise FitError("The face is not in front of the camera: move the camera back.")
    up = camera.R[:, 1]
    # Seen from above the head's vertical is a point; its direction means nothing then.
    angle = float(np.arctan2(up[0], -up[1])) if np.hypot(up[0], up[1]) > 0.3 else 0.0
    turn = turned(angle)
    along = points @ turn
    low, high = along.min(axis=0), along.max(axis=0)
    return Region(turn @ ((low + high) / 2), scale * float((high - low).max()), angle)


def turned(angle: float) -> Array:
    """(2, 2): from the axes of a crop with an angle to the photo's."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s], [s, c]])


def to_crop_frame(region: Region) -> Array:
    """(3, 3): from the camera frame to the crop's."""
    out = np.eye(3)
    out[:2, :2] = turned(region.angle).T
    return out


def sampled(pixels: NDArray[np.uint8], region: Region) -> NDArray[np.float32]:
    """The photo in the crop (SIZE, SIZE, 3), 0..255, each sample at its true place."""
    # crop() reads half a pixel and half a sample beside the geometry; see `image_warp`.
    true = Region(region.centre - region.centring(SIZE), region.side, region.angle)
    return crop(pixels, true, SIZE)


def in_crop(points: Array, region: Region, size: int) -> Array:
    """Pixels of the photo (..., 2) -> of the crop with size x size samples."""
    matrix = region.matrix(size)
    out: Array = (points - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
    return out


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


def draw(
    head: HeadModel, vertices: Array, camera: Camera, region: Region, size: int = GRID
) -> Drawing:
    """The head (V, 3), head frame, as a crop of size x size shows it."""
    points = in_crop(camera.project(vertices), region, size)
    depth = camera.to_camera(vertices)[:, 2]
    seen = rasterised(points, depth, head, size)
    normals = vertex_normals(vertices, head.triangles) @ (to_crop_frame(region) @ camera.R).T
    normal = normalised(seen.interpolate(normals[head.triangles]))
    place = seen.interpolate(((head.template - MIDDLE) / UNIT)[head.triangles])
    return Drawing(seen, normal, place)


def normalised(vectors: Array) -> Array:
    """Unit vectors (..., 3); zero stays zero."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0)


def network_input(
    colors: NDArray[np.floating[Any]], normal: Array, place: Array, mask: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """(GRID, GRID, CHANNELS) of colours (SIZE, SIZE, 3), 0..255, and a drawing's maps."""
    cells = np.asarray(colors, np.float32).reshape(GRID, 2, GRID, 2, 3).transpose(0, 2, 1, 3, 4)
    return np.concatenate(
        [
            cells.reshape(GRID, GRID, 12) / np.float32(127.5) - 1,
            normal.astype(np.float32),
            place.astype(np.float32),
            mask[..., None].astype(np.float32),
        ],
        axis=-1,
    )
