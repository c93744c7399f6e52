# SPDX-License-Identifier: GPL-3.0-or-later
"""What one photo says of each place on the skin: where it lies in the photo, and how far to
believe it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..geometry.bilinear import bilinear
from ..geometry.camera import Camera
from ..geometry.mesh import vertex_normals
from ..geometry.raster import rasterise
from ..geometry.smooth_step import smooth_step
from ..heads.model import HeadModel
from ..photos.photo import Photo
from ..reconstruction import PhotoFit
from .atlas import Atlas
from .eye_white import eye_white
from .photo_trust import Trust, look
from .vertex_links import neighbours, smoothed
from .visibility import responses

Array = NDArray[np.float64]
Floats = NDArray[np.float32]

#: Long side of the picture in which it is found out what hides what.
_BUFFER = 448
#: Metres by which a surface may seem to lie behind itself.
_SLACK = 0.004
#: Cosines of the angle to the view: below the first nothing is believed, above the second all.
_GRAZING, _FACING = 0.15, 0.75
_PERSON = (0.35, 0.85)
#: Rounds of smoothing of the normals; a few millimetres on the face.
_SMOOTHING = 12


@dataclass(frozen=True, eq=False)
class Sight:
    """Texels in a photo: pixels (n, 2), depth (n,) metres, facing (n,) cosine to the view."""

    pixels: Floats
    depth: Floats
    facing: Floats


@dataclass(frozen=True, eq=False)
class View:
    """One photo, or one photo seen in the mirror, on one head: values at the vertices.

    sight (V, 4): of the points that are painted (the mirrored ones, in a mirror), pixels of the
    photo, depth in metres, and the cosine between the surface and the view; responses (V, COUNT)
    to the lobes of light, of the same points as they are turned in the photo, with smoothed
    normals: light is told from them, and folds that the fit made up must not look lit.
    """

    camera: Camera
    sight: Floats
    responses: Floats
    buffer: Floats
    corner: Array
    scale: float
    trust: Trust
    eye_white: Floats | None = None

    def mirrored(self, mirror: NDArray[np.integer]) -> View:
        """The same photo for the other half: each vertex sees what its counterpart sees."""
        return replace(self, sight=self.sight[mirror], responses=self.responses[mirror])

    def on(self, atlas: Atlas) -> Sight:
        """What the photo is to the texels. Triangles are too small for perspective within one."""
        spread = atlas.spread(self.sight)
        return Sight(np.ascontiguousarray(spread[:, :2]), spread[:, 2], spread[:, 3])

    def belief(self, sight: Sight) -> Floats:
        """How far each texel (n,) is seen, and seen to be the person's skin: 0 to 1."""
        pixels = sight.pixels
        near = bilinear(
            self.buffer[..., None], (pixels - np.float32(self.corner)) * np.float32(self.scale)
        )[:, 0]
        seen = smooth_step(near - sight.depth, -2 * _SLACK, -_SLACK)
        facing = smooth_step(sight.facing, _GRAZING, _FACING)
        inside = (pixels > 1).all(axis=1) & (
            pixels < np.array([self.camera.width - 1, self.camera.height - 1], np.float32)
        ).all(axis=1)
        person = smooth_step(self.trust.at(pixels, self.trust.person), *_PERSON)
        skin = 1.0 - self.trust.at(pixels, self.trust.opening)
        out: Floats = seen * facing * inside * person * skin
        return out


def view_of(head: HeadModel, fit: PhotoFit, photo: Photo) -> View:
    """One fitted photo of a head."""
    in_camera = fit.camera.to_camera(fit.vertices)
    normals = vertex_normals(fit.vertices, head.triangles)
    smooth = unit(smoothed(normals.astype(np.float32), neighbours(head), _SMOOTHING))
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
    facing = (normals * towards).sum(axis=1)
    sight = np.column_stack([points, in_camera[:, 2], facing]).astype(np.float32)
    trust = look(photo.pixels, fit.landmarks, fit.unseen)
    return View(
        fit.camera,
        sight,
        responses(head, smooth),
        buffer,
        low,
        scale,
        trust,
        eye_white(photo.pixels, fit.landmarks, fit.unseen),
    )


def unit(vectors: Floats) -> Floats:
    """Vectors (n, 3) of length one."""
    out: Floats = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
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
