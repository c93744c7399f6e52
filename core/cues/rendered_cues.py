# SPDX-License-Identifier: GPL-3.0-or-later
"""Exact cues of a head whose parameters are known, and ways to spoil them.

A predictor that never errs: what Pixel3DMM's networks would say of a head if they were perfect.
With it the fit is tested and measured without weights and without photos.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..errors import FitError
from ..geometry.camera import Camera
from ..geometry.mesh import vertex_normals
from ..geometry.raster import rasterise
from ..heads.corners import is_skin, triangle_uv
from ..heads.face_landmarks import LANDMARK_COUNT
from ..heads.model import HeadModel
from .screen_cues import ScreenCues

Array = NDArray[np.float64]

PREDICTOR = "rendered"
#: Side of the crop over the longer side of the face's box, as Pixel3DMM frames a face.
CROP_SCALE = 1.42
#: Joints whose rotation the normals do not show (see ScreenCues).
_STILL = ("root", "neck")


def rendered_cues(
    head: HeadModel,
    identity: Array,
    expression: Array,
    rotations: Array,
    camera: Camera,
    *,
    size: int = 512,
    crop_to_photo: Array | None = None,
    landmarks: bool = False,
    correctives: bool = False,
) -> ScreenCues:
    """Maps (size, size) of a head posed by ``head.pose`` in front of a camera.

    correctives: with the offsets that follow the joints; a reconstruction has none, since with
    its eyes it moves the eyeLook sliders.

    uv, v downward, and normals, in the head frame with the root's and the neck's rotation removed,
    of the skin; confidence 1 there and 0 on eyeballs, teeth, tongue, mouth and background;
    background 1 where no part of the head is seen.
    crop_to_photo (2, 3): where in the photo the maps lie; without it a square around the face.
    landmarks: also the 478 points, exact, hidden or not. Raises FitError if the face is not in
    front of the camera.
    """
    vertices = head.pose(identity, expression, rotations, correctives=correctives)
    still = np.array(rotations, dtype=np.float64)
    still[[head.joint_names.index(name) for name in _STILL if name in head.joint_names]] = 0
    upright = head.pose(identity, expression, still, correctives=correctives)
    normals = vertex_normals(upright, head.triangles)
    points, depth = camera.project(vertices), camera.to_camera(vertices)[:, 2]
    if crop_to_photo is None:
        crop_to_photo = face_square(points[_face(head)], size)
    linear, offset = crop_to_photo[:, :2], crop_to_photo[:, 2]
    in_crop = (points - offset) @ np.linalg.inv(linear).T
    seen = rasterise(in_crop, depth, head.triangles, size, size, both_sides=False)
    valid = (seen.triangle >= 0) & is_skin(head)[seen.triangle]
    uv = triangle_uv(head)
    texture = seen.interpolate(np.stack([uv[..., 0], 1 - uv[..., 1]], axis=-1))
    normal = seen.interpolate(normals[head.triangles])
    length = np.linalg.norm(normal, axis=-1, keepdims=True)
    normal = np.divide(normal, length, out=np.zeros_like(normal), where=length > 0)
    nowhere = ~valid[..., None]
    cues = ScreenCues(
        width=camera.width,
        height=camera.height,
        predictor=PREDICTOR,
        uv=np.where(nowhere, 0, texture).astype(np.float32),
        normal=np.where(nowhere, 0, normal).astype(np.float32),
        confidence=valid.astype(np.float32),
        crop_to_photo=crop_to_photo,
        background=(seen.triangle < 0).astype(np.float32),
    )
    return _with_landmarks(cues, head, vertices, camera) if landmarks else cues


def _with_landmarks(
    cues: ScreenCues, head: HeadModel, vertices: Array, camera: Camera
) -> ScreenCues:
    """Points in pixels, their depth in pixels at the face's scale; those that the head lacks lie
    in the middle of the face with a spread that makes them worthless.
    """
    ids = head.landmark_ids
    at = head.landmarks(vertices, ids)
    pixels, depth = camera.project(at), camera.to_camera(at)[:, 2]
    points = np.tile(pixels.mean(axis=0), (LANDMARK_COUNT, 1))
    deep, spread = np.zeros(LANDMARK_COUNT), np.full(LANDMARK_COUNT, 1e6)
    points[ids], spread[ids] = pixels, 0.5
    deep[ids] = camera.focal * (depth / depth.mean() - 1)
    return replace(cues, landmarks=points, landmark_depth=deep, landmark_sigma=spread)


def face_square(points: Array, size: int, scale: float = CROP_SCALE) -> Array:
    """(2, 3) from the pixels of a size x size crop around points (n, 2) to the photo's.

    Raises FitError if no point is in front of the camera.
    """
    if not np.isfinite(points).all() or not len(points):
        raise FitError("The face is not in front of the camera: move the camera back.")
    low, high = points.min(axis=0), points.max(axis=0)
    side = scale * float((high - low).max())
    corner = (low + high - side) / 2
    return np.array([[side / size, 0.0, corner[0]], [0.0, side / size, corner[1]]])


def _face(head: HeadModel) -> NDArray[np.bool_]:
    everything = np.ones(head.vertex_count, bool)
    return head.regions.get("face", everything)


@dataclass(frozen=True)
class Spoiling:
    """How far cues are from exact.

    uv_noise and normal_noise (radians): standard deviation of an error that each pixel draws on
    its own; uv_drift and normal_drift: of an error that is smooth over ``drift_length`` pixels of
    the crop, as a network's is. bits: levels of a stored map are 2**bits, None for floats.
    occluded: share of the face's pixels behind one straight edge that know nothing. outliers:
    share of the remaining pixels that say something unrelated, with full confidence.
    """

    uv_noise: float = 0.0
    normal_noise: float = 0.0
    uv_drift: float = 0.0
    normal_drift: float = 0.0
    drift_length: float = 40.0
    bits: int | None = None
    occluded: float = 0.0
    outliers: float = 0.0


def spoilt(cues: ScreenCues, how: Spoiling, rng: np.random.Generator) -> ScreenCues:
    """Rendered cues with noise, occlusion, outliers and rounding, in this order."""
    assert cues.uv is not None and cues.normal is not None and cues.confidence is not None
    shape = cues.confidence.shape
    confidence = cues.confidence.astype(np.float64)

    def error(channels: int, noise: float, drift: float) -> Array:
        white = noise * rng.normal(size=(*shape, channels))
        return white + drift * _smooth(shape, channels, how.drift_length, rng)

    uv = cues.uv + error(2, how.uv_noise, how.uv_drift)
    normal = cues.normal + error(3, how.normal_noise, how.normal_drift)
    rows, columns = np.indices(shape)
    face = confidence > 0
    angle = rng.uniform(0, 2 * np.pi)
    along = np.cos(angle) * columns + np.sin(angle) * rows
    behind = np.zeros(shape, bool)
    if how.occluded > 0 and face.any():
        behind = along > np.quantile(along[face], 1 - how.occluded)
    confidence[behind] = 0
    wrong = rng.random(shape) < how.outliers
    uv[wrong] = rng.random((int(wrong.sum()), 2))
    normal[wrong] = rng.normal(size=(int(wrong.sum()), 3))
    normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-12)
    if how.bits is not None:
        top = 2**how.bits - 1
        uv = np.round(np.clip(uv, 0, 1) * top) / top
        normal = np.round((normal + 1) / 2 * top) / top * 2 - 1
        normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-12)
    hidden = (confidence == 0)[..., None]
    return replace(
        cues,
        background=None if cues.background is None else np.where(behind, 0, cues.background),
        uv=np.where(hidden, 0, uv).astype(np.float32),
        normal=np.where(hidden, 0, normal).astype(np.float32),
        confidence=confidence.astype(np.float32),
    )


def _smooth(
    shape: tuple[int, ...], channels: int, length: float, rng: np.random.Generator
) -> Array:
    """(h, w, channels) of unit variance: random values every ``length`` pixels, in between by
    cosines whose squares sum to one, so that the variance is the same everywhere.
    """
    field = rng.normal(size=(*(int(n / length) + 2 for n in shape), channels))
    for axis, n in enumerate(shape):
        at, place = np.divmod(np.arange(n) / length, 1.0)
        first = np.take(field, at.astype(int), axis=axis)
        second = np.take(field, at.astype(int) + 1, axis=axis)
        broad = place.reshape([-1 if k == axis else 1 for k in range(3)]) * np.pi / 2
        field = np.cos(broad) * first + np.sin(broad) * second
    return field
