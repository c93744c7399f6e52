# SPDX-License-Identifier: GPL-3.0-or-later
"""What a fitted photo says to the neural head: points of the mesh, normals of the maps, outline."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..cues.screen_cues import ScreenCues
from ..geometry.mesh import triangle_normals, vertex_normals
from ..heads.model import HeadModel
from ..reconstruction import PhotoFit
from .fit import Observation
from .placement import Placement

Array = NDArray[np.float64]

#: Points of the mesh; how much the face's count against the rest, and skin under hair.
POINTS, _FACE, _HAIR = 360, 4.0, 0.3
#: Rays beside the head, points on each, and metres around the head's middle that they cover.
_RAYS, _ON_A_RAY, _REACH = 60, 32, 0.16
#: Cosine towards the camera below which a map's normals are not asked for; confidence at least.
_FACING, _SURE = 0.25, 0.3


def observe(
    head: HeadModel,
    photo: PhotoFit,
    cues: ScreenCues | None,
    place: Placement,
    *,
    posed: bool = True,
) -> Observation:
    """posed: the head as the photo shows it, else at rest (for weights without expressions)."""
    vertices = photo.vertices if posed else photo.neutral
    rows, weights = _spread(head, vertices)
    corners = head.outer_triangles[rows]
    points = np.einsum("nk,nkc->nc", weights, vertices[corners])
    mesh = vertex_normals(vertices, head.outer_triangles)
    normals = np.einsum("nk,nkc->nc", weights, mesh[corners])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    hair = head.regions.get("scalp", np.zeros(head.vertex_count, bool))[corners].any(axis=1)
    weight = np.where(hair, _HAIR, 1.0)
    trust = np.zeros(len(points))
    if posed and cues is not None and cues.normal is not None:
        normals, trust = _measured(points, normals, photo, cues)
    beside = np.zeros((0, 1, 3))
    if posed and cues is not None and cues.background is not None:
        beside = _beside(vertices, photo, cues, place)
    return Observation(
        place.to_units(points),
        place.turned(normals),
        weight,
        trust,
        place.to_units(place.anchors(photo.neutral)),
        beside,
    )


def _spread(head: HeadModel, vertices: Array) -> tuple[NDArray[np.intp], Array]:
    """Triangles (n,) of the outer surface and weights (n, 3) of points on them, the same at every
    call: by area, and denser on the face.
    """
    triangles = head.outer_triangles
    area = np.linalg.norm(triangle_normals(vertices, triangles), axis=1)
    face = head.regions.get("face", np.zeros(head.vertex_count, bool))[triangles].all(axis=1)
    share = np.cumsum(area * np.where(face, _FACE, 1.0))
    rng = np.random.default_rng(3)
    at = (np.arange(POINTS) + rng.random(POINTS)) / POINTS * share[-1]
    rows = np.minimum(np.searchsorted(share, at), len(triangles) - 1)
    return rows, rng.dirichlet(np.ones(3), POINTS)


def _measured(
    points: Array, normals: Array, photo: PhotoFit, cues: ScreenCues
) -> tuple[Array, Array]:
    """Normals of the map where it shows a point, and how sure it is there; the mesh's elsewhere."""
    assert cues.normal is not None and cues.confidence is not None
    assert cues.crop_to_photo is not None
    to_camera = photo.camera.centre - points
    to_camera /= np.linalg.norm(to_camera, axis=1, keepdims=True)
    facing = (normals * to_camera).sum(axis=1) > _FACING
    whole = np.vstack([cues.crop_to_photo, [0.0, 0.0, 1.0]])
    pixels = np.column_stack([photo.camera.project(points), np.ones(len(points))])
    crop = (pixels @ np.linalg.inv(whole).T)[:, :2]
    height, width = cues.confidence.shape
    at = np.floor(np.nan_to_num(crop, nan=-1.0, posinf=-1.0, neginf=-1.0)).astype(int)
    inside = ((at >= 0) & (at < [width, height])).all(axis=1)
    at = np.where(inside[:, None], at, 0)
    sure = np.where(inside & facing, cues.confidence[at[:, 1], at[:, 0]], 0.0)
    said = cues.normal[at[:, 1], at[:, 0]].astype(float)
    length = np.linalg.norm(said, axis=1)
    sure = np.where((sure > _SURE) & (length > 0.5), sure, 0.0)
    unit = said / np.maximum(length, 1e-9)[:, None]
    return np.where((sure > 0)[:, None], unit, normals), sure


def _beside(vertices: Array, photo: PhotoFit, cues: ScreenCues, place: Placement) -> Array:
    """(m, k, 3) units: points on rays through pixels that surely show nothing of the head."""
    assert cues.background is not None and cues.crop_to_photo is not None
    rows, columns = np.nonzero(cues.background > 0.9)
    if not len(rows):
        return np.zeros((0, 1, 3))
    rng = np.random.default_rng(4)
    some = rng.permutation(len(rows))[:4000]
    crop = np.stack([columns[some] + 0.5, rows[some] + 0.5, np.ones(len(some))], axis=1)
    pixels = crop @ cues.crop_to_photo.T
    seen = photo.camera.project(vertices)
    # Those nearest to the head say most.
    gap = np.array([((seen - p) ** 2).sum(axis=1).min() for p in pixels[:600]])
    pixels = pixels[:600][np.argsort(gap)[:_RAYS]]
    K, R = photo.camera.K, photo.camera.R
    away = np.column_stack([pixels, np.ones(len(pixels))]) @ np.linalg.inv(K).T @ R
    away /= np.linalg.norm(away, axis=1, keepdims=True)
    centre = photo.camera.centre
    middle = ((vertices.mean(axis=0) - centre) * away).sum(axis=1)
    depth = middle[:, None] + np.linspace(-_REACH, _REACH, _ON_A_RAY)
    points = centre + depth[..., None] * away[:, None]
    return place.to_units(points.reshape(-1, 3)).reshape(len(pixels), _ON_A_RAY, 3)
