# SPDX-License-Identifier: GPL-3.0-or-later
"""What one photo says of each place on the skin: where it lies in the photo, and how far to
believe it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..camera import Camera
from ..geometry.mesh import edges, scatter_add, vertex_normals
from ..heads.model import HeadModel
from ..images import Photo
from ..raster import rasterise
from ..reconstruction import PhotoFit
from .atlas import Atlas
from .photo_trust import Trust, look, sample

Array = NDArray[np.float64]
Floats = NDArray[np.float32]

#: Long side of the picture in which it is found out what hides what.
_BUFFER = 640
#: Metres by which a surface may seem to lie behind itself.
_SLACK = 0.004
#: Cosines of the angle to the view: below the first nothing is believed, above the second all.
_GRAZING, _FACING = 0.15, 0.75
_PERSON = (0.35, 0.85)
#: Rounds of smoothing of the normals; a few millimetres on the face.
_SMOOTHING = 12


@dataclass(frozen=True, eq=False)
class View:
    """One photo, or one photo seen in the mirror, on one head: values at the vertices.

    in_camera (V, 3) metres, of the points that are painted (the mirrored ones, in a mirror);
    normals (V, 3) in the head frame, of the same points, turned as they are in the photo, and
    smoothed: light is told from them, and folds that the fit made up must not look lit.
    facing (V,): cosine between the surface and the view.
    """

    camera: Camera
    in_camera: Array
    normals: Array
    facing: Array
    buffer: Floats
    corner: Array
    scale: float
    trust: Trust

    def mirrored(self, mirror: NDArray[np.integer]) -> View:
        """The same photo for the other half: each vertex sees what its counterpart sees."""
        return View(
            self.camera, self.in_camera[mirror], self.normals[mirror], self.facing[mirror],
            self.buffer, self.corner, self.scale, self.trust,
        )  # fmt: skip

    def pixels(self, atlas: Atlas) -> Floats:
        """Where each texel lies in the photo (n, 2), pixels."""
        at = atlas.spread(self.in_camera)
        focal = self.camera.K[[0, 1], [0, 1]].astype(np.float32)
        middle = self.camera.K[:2, 2].astype(np.float32)
        depth = np.maximum(at[:, 2:], 1e-3)
        out: Floats = (at[:, :2] / depth * focal + middle).astype(np.float32)
        return out

    def belief(self, atlas: Atlas, pixels: Floats) -> Floats:
        """How far each texel (n,) is seen, and seen to be the person's skin: 0 to 1."""
        depth = atlas.spread(self.in_camera[:, 2])
        near = sample(
            self.buffer[..., None], (pixels - np.float32(self.corner)) * np.float32(self.scale)
        )[:, 0]
        seen = _ramp(near - depth, -2 * _SLACK, -_SLACK)
        facing = _ramp(atlas.spread(self.facing), _GRAZING, _FACING)
        inside = (pixels > 1).all(axis=1) & (
            pixels < np.array([self.camera.width - 1, self.camera.height - 1], np.float32)
        ).all(axis=1)
        person = _ramp(self.trust.at(pixels, self.trust.person), *_PERSON)
        skin = 1.0 - self.trust.at(pixels, self.trust.opening)
        out: Floats = seen * facing * inside * person * skin
        return out


def view_of(head: HeadModel, fit: PhotoFit, photo: Photo) -> View:
    """One fitted photo of a head."""
    in_camera = fit.camera.to_camera(fit.vertices)
    normals = vertex_normals(fit.vertices, head.triangles)
    smooth = _smoothed(normals, head.triangles)
    towards = fit.camera.centre - fit.vertices
    towards /= np.linalg.norm(towards, axis=1, keepdims=True)
    points = fit.camera.project(fit.vertices)
    low, high = points.min(axis=0), points.max(axis=0)
    scale = _BUFFER / float((high - low).max())
    width, height = (int(n) for n in np.ceil((high - low) * scale) + 1)
    raster = rasterise((points - low) * scale, in_camera[:, 2], head.triangles, width, height)
    # A texel beside something nearer is not believed either: there the fit is off by a pixel.
    depth = np.where(np.isfinite(raster.depth), raster.depth, 1e3).astype(np.float32)
    buffer = _least(depth)
    return View(
        fit.camera, in_camera, smooth, (normals * towards).sum(axis=1), buffer, low, scale,
        look(photo.pixels, fit.landmarks),
    )  # fmt: skip


def _smoothed(normals: Array, triangles: NDArray[np.integer]) -> Array:
    """Unit vectors (V, 3), each repeatedly replaced by the mean of its own and its neighbours'."""
    links = edges(triangles)
    both = np.concatenate([links, links[:, ::-1]])
    count = np.bincount(both[:, 0], minlength=len(normals))[:, None] + 1.0
    for _ in range(_SMOOTHING):
        normals = (normals + scatter_add(both[:, 0], normals[both[:, 1]], len(normals))) / count
    out: Array = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    return out


def _least(depth: Floats) -> Floats:
    """The least of 5 x 5 pixels, but not less than a slope of the surface explains."""
    out = depth
    for axis in (0, 1):
        pad = [(0, 0), (0, 0)]
        pad[axis] = (2, 2)
        wide = np.pad(out, pad, mode="edge")
        n = depth.shape[axis]
        out = np.minimum.reduce([np.take(wide, range(k, k + n), axis=axis) for k in range(5)])
    return np.where(depth - out > 3 * _SLACK, out, depth)


def _ramp(x: Floats, low: float, high: float) -> Floats:
    """0 below ``low``, 1 above ``high``, smooth in between."""
    t = np.clip((x - low) / (high - low), 0.0, 1.0)
    out: Floats = (t * t * (3.0 - 2.0 * t)).astype(np.float32)
    return out
