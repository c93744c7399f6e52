# SPDX-License-Identifier: GPL-3.0-or-later
"""Where to trust a fitted head: what a photo measured there, and how far off it may be.

Each vertex has a source: MEASURED if a photo shows it, faces it and has landmarks near it (or
maps); MIRRORED if that is so of the vertex across the face; else INFERRED, a guess of the head's
statistics. And a bound: 95 of 100 vertices are expected to lie nearer than that to the person's
true surface, once size and place are set right, which no photo shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry.camera import Camera
from ..geometry.mesh import vertex_normals
from ..geometry.raster import rasterise
from ..heads.face_landmarks import SKIN_LANDMARKS
from ..heads.model import INNER_REGIONS, HeadModel
from ..reconstruction import PhotoFit, Reconstruction
from ..rigged_head import SOURCES

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Index = NDArray[np.integer[Any]]

#: Places in SOURCES.
MEASURED, MIRRORED, INFERRED = range(len(SOURCES))

#: Pixels along the longer side of the picture in which a head hides parts of itself.
PICTURE = 400
#: Metres by which a vertex may lie behind what its pixel shows: a pixel is a millimetre wide, and
#: the surface falls off steeply at the angle below.
BEHIND = 0.004
#: Cosine of the angle from the normal to the camera below which a surface is seen edge on.
FACING = 0.35
#: The same to straight ahead, of lips that show.
FRONT = 0.2
#: Metres around a landmark in which it says something of the surface.
REACH = 0.015
#: The fit believes that faces are sums of its head's components, which people are not. So the bound
#: is so many of its own spreads, and so many metres that no component can express: measured by
#: tools.calibration.bound on 80 fits of 40 rendered people outside of the components' span, never
#: on heads of a benchmark.
SPREADS, BEYOND = 3.2, 0.0022
#: Shares of the smallest thing that a photo resolves by which a landmark may lie beside its place.
RESOLVED = 0.7


@dataclass(frozen=True, eq=False)
class Likeness:
    """source (V,) of SOURCES; bound (V,) metres, infinite nowhere."""

    source: NDArray[np.int8]
    bound: Array

    def fields(self) -> dict[str, Any]:
        """As RiggedHead keeps them."""
        return {"likeness_source": self.source, "likeness_bound": self.bound.astype(np.float32)}


@lru_cache(maxsize=1)
def likeness_of(head: HeadModel, fit: Reconstruction) -> Likeness | None:
    """Of a fit's neutral surface; None for a fit that did not say how sure it is. The last answer
    is kept, since every photo's head asks for it.
    """
    if fit.information is None:
        return None
    measured = np.zeros(head.vertex_count, bool)
    for photo in fit.photos:
        measured |= seen(photo.vertices, head.triangles, photo.camera) & supported(head, photo)
    spread = normal_spread(head, fit.photos[0].neutral, fit.information)
    detail = RESOLVED * min(photo.detail for photo in fit.photos)
    return Likeness(sources(measured, head.mirror), np.hypot(bound_of(spread), detail))


def sources(measured: Mask, mirror: Index | None) -> NDArray[np.int8]:
    """(V,) of SOURCES; mirror (V,) is the vertex across the face, None if it is not known."""
    out = np.where(measured, MEASURED, INFERRED)
    if mirror is not None:
        out = np.where(~measured & measured[mirror], MIRRORED, out)
    return out.astype(np.int8)


def seen(vertices: Array, triangles: Index, camera: Camera) -> Mask:
    """(V,) vertices in the picture that face the camera and that nothing hides. World frame."""
    points, depth = camera.project(vertices), camera.to_camera(vertices)[:, 2]
    low = np.floor(np.nanmin(points, axis=0)) - 1
    scale = PICTURE / float((np.nanmax(points, axis=0) - low).max() + 2)
    points = (points - low) * scale
    size = np.ceil(np.nanmax(points, axis=0)).astype(int) + 1
    nearest = rasterise(points, depth, triangles, int(size[0]), int(size[1])).depth
    inside = np.isfinite(points).all(axis=1)
    pixel = np.where(inside[:, None], points, 0).astype(int)
    towards = camera.centre - vertices
    towards /= np.linalg.norm(towards, axis=1, keepdims=True)
    facing = (vertex_normals(vertices, triangles) * towards).sum(axis=1) > FACING
    at = points / scale + low
    framed = (at >= 0).all(axis=1) & (at <= [camera.width, camera.height]).all(axis=1)
    shown: Mask = depth <= nearest[pixel[:, 1], pixel[:, 0]] + BEHIND
    return inside & facing & framed & shown


def supported(head: HeadModel, photo: PhotoFit) -> Mask:
    """(V,) where the photo's cues say something: near landmarks that are seen, and where there
    are maps on all skin but the scalp, which has hair on it.
    """
    ids = head.landmark_ids
    points, unseen = head.landmarks(head.template, ids), photo.unseen[ids]
    if unseen.all():
        return np.zeros(head.vertex_count, bool)
    near: Mask = nearest_distance(head.template, points[~unseen]) < REACH
    if "dense" in photo.report:
        scalp = head.regions.get("scalp", np.zeros(head.vertex_count, bool))
        near |= outer_skin(head) & ~scalp
    # Of a closed eye the iris is not seen, and its lids are.
    hidden = unseen & (ids < SKIN_LANDMARKS)
    if hidden.any():
        covered = nearest_distance(head.template, points[hidden])
        near &= nearest_distance(head.template, points[~unseen]) < covered
    return near


def outer_skin(head: HeadModel) -> Mask:
    """(V,) skin that is seen from outside."""
    out = np.zeros(head.vertex_count, bool)
    corners = head.quads[head.face_part == head.part_names.index("skin")]
    out[corners[corners >= 0]] = True
    for name in INNER_REGIONS:
        if name in head.regions:
            out &= ~head.regions[name]
    return out


def showing(outer: Mask, basis: Array, triangles: Index, regions: Mapping[str, Mask]) -> Mask:
    """(V,) outer without the lips' inner sides, which no photo of a closed mouth shows.

    basis (V, 3) at rest, head frame.
    """
    lips = regions.get("lips", np.zeros(len(basis), bool))
    front = vertex_normals(basis, triangles)[:, 2] > FRONT
    return np.asarray(outer & (~lips | front), dtype=bool)


def nearest_distance(points: Array, others: Array) -> Array:
    """(n,) metres from points (n, 3) to the nearest of others (m, 3)."""
    squares = (points**2).sum(axis=1)[:, None] + (others**2).sum(axis=1) - 2 * points @ others.T
    return np.asarray(np.sqrt(np.maximum(squares.min(axis=1), 0.0)), dtype=np.float64)


def normal_spread(head: HeadModel, neutral: Array, information: Array) -> Array:
    """(V,) metres: the standard deviation of the neutral surface along its normal, by the fit's
    own account, once the face is laid on the truth as well as a similarity can.

    information (I, I): inverse covariance of the identity. The displacements that are similarities
    of the face (Umeyama, "Least-squares estimation of transformation parameters between two point
    patterns", PAMI 1991, to first order) are projected out of each component.
    """
    count = len(information)
    basis = head.identity_basis[:, :, :count]
    face = head.regions.get("face", np.ones(head.vertex_count, bool))
    moves = similarities(neutral - neutral[face].mean(axis=0))
    on_face = moves[face].reshape(-1, 7)
    amount = np.linalg.lstsq(on_face, basis[face].reshape(-1, count), rcond=None)[0]
    normals = vertex_normals(neutral, head.triangles)
    along = np.einsum("va,vai->vi", normals, basis)
    along -= np.einsum("va,vak->vk", normals, moves) @ amount
    covariance = np.linalg.inv(information)
    variance = ((along @ covariance) * along).sum(axis=1)
    return np.asarray(np.sqrt(np.maximum(variance, 0.0)), dtype=np.float64)


def bound_of(spread: Array) -> Array:
    """(V,) metres that 95 of 100 vertices of such normal spreads stay within."""
    return np.asarray(np.hypot(SPREADS * spread, BEYOND), dtype=np.float64)


def similarities(points: Array) -> Array:
    """(V, 3, 7): what a small shift, turn or growth about the origin moves points (V, 3) by."""
    out = np.zeros((*points.shape, 7))
    out[:, :, :3] = np.eye(3)
    for k, axis in enumerate(np.eye(3)):
        out[:, :, 3 + k] = np.cross(axis, points)
    out[:, :, 6] = points
    return out
