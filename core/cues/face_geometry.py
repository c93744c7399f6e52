# SPDX-License-Identifier: GPL-3.0-or-later
"""MediaPipe's metric face geometry: landmarks in the image become a face in metres.

The landmarks' z is only as large as a weak-perspective guess. Given the camera's field of view,
this finds the depth at which the face has the canonical face's size, unprojects the landmarks
there, and takes out the head's pose. After the module "Face Geometry" of MediaPipe 0.10.21
(``modules/face_geometry/libs``, its documentation's "Metric 3D Space"); the pose is the weighted
orthogonal Procrustes fit (Akca, "Generalized Procrustes Analysis", 2003) of 33 stable points.
Absolute size is the canonical face's, not measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FitError
from .model_files import damaged, mediapipe_dir, read_arrays

Array = NDArray[np.float64]

MESH_POINTS = 468
METRES_PER_CENTIMETRE = 0.01
#: Centimetres; where MediaPipe's virtual camera has its near plane, on which pixels are laid.
_NEAR = 1.0


@dataclass(frozen=True, eq=False)
class CanonicalFace:
    """MediaPipe's mean face. The frame is the head frame's orientation with an own origin.

    vertices (468, 3) metres; uv (468, 2), v downward; triangles (898, 3) counter-clockwise from
    outside, mouth and eyes closed; weights (468,) of the Procrustes fit; mirror (478,) the
    landmark of the other side.
    """

    vertices: Array
    uv: Array
    triangles: NDArray[np.intp]
    weights: Array
    mirror: NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class FaceGeometry:
    """landmarks (468, 3) metres in the canonical face's frame, pose removed.

    pose (4, 4): that frame to the camera's (OpenCV: metres, y down, z away); it contains the
    uniform scale that is left between canonical face and landmarks, about 1.
    """

    landmarks: Array
    pose: Array


@lru_cache(maxsize=4)
def canonical_face(models_dir: Path | None = None) -> CanonicalFace:
    """The canonical face. Raises `core.errors.ModelFileError` for a missing or damaged file."""
    path = (models_dir or mediapipe_dir()) / "canonical_face.npz"
    arrays = read_arrays(path)
    shapes = {
        "vertices": (MESH_POINTS, 3),
        "uv": (MESH_POINTS, 2),
        "triangles": (898, 3),
        "weights": (MESH_POINTS,),
        "mirror": (478,),
    }
    for name, shape in shapes.items():
        if name not in arrays or arrays[name].shape != shape:
            raise damaged(path, f"{name} is missing or has another shape")
    return CanonicalFace(
        vertices=arrays["vertices"].astype(float) * METRES_PER_CENTIMETRE,
        uv=arrays["uv"].astype(float),
        triangles=arrays["triangles"].astype(np.intp),
        weights=arrays["weights"].astype(float),
        mirror=arrays["mirror"].astype(np.intp),
    )


def face_geometry(
    landmarks: NDArray[np.floating[Any]],
    width: int,
    height: int,
    vertical_fov: float,
    face: CanonicalFace | None = None,
) -> FaceGeometry:
    """Metric geometry of landmarks (468 or more, 3) in pixels of a photo, z negative towards
    the camera; ``vertical_fov`` in radians, the principal point in the middle of the photo.

    Raises `core.errors.FitError` if the landmarks are degenerate.
    """
    face = canonical_face() if face is None else face
    canonical = face.vertices / METRES_PER_CENTIMETRE
    points = np.asarray(landmarks, float)[:MESH_POINTS]
    if points.shape != (MESH_POINTS, 3) or not np.isfinite(points).all():
        raise FitError("The face landmarks are incomplete; choose another photo.")
    # On the near plane: centimetres, y up, depth growing away from the camera. Depth scales
    # with the photo's width, as x does.
    scale = 2 * _NEAR * np.tan(vertical_fov / 2) / height
    screen = (points - [width / 2, height / 2, 0]) * [scale, -scale, scale]
    screen[:, 2] -= screen[:, 2].mean()

    def unprojected(size: float) -> Array:
        """The points moved out to where a face of 1 / ``size`` fills the same pixels."""
        depth = (screen[:, 2:] + _NEAR) / size
        return np.concatenate([screen[:, :2] * depth / _NEAR, -depth], axis=1)

    # The first guess ignores perspective, the second measures what the guess left.
    size = _scale(similarity(canonical, screen * [1, 1, -1], face.weights))
    size *= _scale(similarity(canonical, unprojected(size), face.weights))
    metric = unprojected(size)
    pose = similarity(canonical, metric, face.weights)
    own = (metric - pose[:3, 3]) @ np.linalg.inv(pose[:3, :3]).T
    pose[:3, 3] *= METRES_PER_CENTIMETRE
    to_opencv = np.diag([1.0, -1.0, -1.0, 1.0])
    return FaceGeometry(own * METRES_PER_CENTIMETRE, to_opencv @ pose)


def _scale(matrix: Array) -> float:
    return float(np.linalg.norm(matrix[:3, 0]))


def similarity(source: Array, target: Array, weights: Array) -> Array:
    """The similarity (4, 4) that best maps ``source`` (N, 3) onto ``target``, weighted (N,).

    Raises `core.errors.FitError` if the points do not determine it.
    """
    share = weights / weights.sum()
    middle = share @ source
    centred, aim = source - middle, target - share @ target
    covariance = (aim * share[:, None]).T @ centred
    u, singular, vt = np.linalg.svd(covariance)
    if singular[1] <= 1e-12 * max(singular[0], 1.0):
        raise FitError("The face landmarks lie on a line or a point; choose another photo.")
    u[:, 2] *= np.sign(np.linalg.det(u) * np.linalg.det(vt))
    rotation = u @ vt
    scale = np.trace(rotation.T @ covariance) / (share @ (centred**2).sum(axis=1))
    matrix = np.eye(4)
    matrix[:3, :3] = scale * rotation
    matrix[:3, 3] = share @ target - matrix[:3, :3] @ middle
    return matrix
