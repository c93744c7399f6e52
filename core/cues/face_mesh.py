# SPDX-License-Identifier: GPL-3.0-or-later
"""MediaPipe's attention mesh: 478 landmarks of one face in a region of a photo.

468 points of the canonical mesh with eyes and lips refined, then two irises of five (centre,
then four around). x and y are pixels of the photo, z is in the same scale, relative to the
middle of the head, negative towards the camera (Kartynnik et al., "Real-time Facial Surface
Geometry from Monocular Video", 2019; Grishchenko et al., "Attention Mesh", 2020).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .face_geometry import canonical_face
from .image_warp import Image, Region, crop
from .model_files import damaged
from .tensor_program import TensorProgram

Array = NDArray[np.float64]

LANDMARKS = 478
#: Outer corners of the subject's right and left eye.
RIGHT_EYE_OUTER, LEFT_EYE_OUTER = 33, 263
#: MediaPipe's graph takes squares 1.5 times the long side of the face's box.
REGION_SCALE = 1.5

_OUTPUTS = {
    "lips": "output_lips",
    "left_eye": "output_left_eye",
    "right_eye": "output_right_eye",
    "left_iris": "output_left_iris",
    "right_iris": "output_right_iris",
}


class FaceMesh:
    """The landmark net. Raises `core.errors.ModelFileError` for missing or damaged files."""

    def __init__(self, models_dir: Path) -> None:
        self._net = TensorProgram(models_dir / "face_landmark_with_attention.npz")
        self.size = self._net.input_shape[1]
        self._tables = _refinement(models_dir / "attention_refinement.json")
        self._mirror = canonical_face(models_dir).mirror

    def __call__(
        self, image: Image, region: Region, *, mirrored: bool = False
    ) -> tuple[Array, float]:
        """Landmarks (478, 3) of the face in ``region`` and its presence, 0..1.

        Landmarks are in samples of the region's crop: x, y from 0 to `size`; `to_photo` carries
        them on. ``mirrored`` shows the net the mirror image and maps its answer back, so the
        result is a second opinion on the same landmarks.
        """
        tensor = crop(image, region, self.size) / np.float32(255)
        output = self._net(tensor[None, :, ::-1] if mirrored else tensor[None])
        points = self._joined(output)
        if mirrored:
            points = points[self._mirror]
            points[:, 0] = self.size - points[:, 0]
        logit = float(output["conv_faceflag"].ravel()[0])
        return points, float(1 / (1 + np.exp(-np.clip(logit, -80, 80))))

    def to_photo(self, points: Array, region: Region, *, centred: bool) -> Array:
        """Landmarks (478, 3) of a region's crop in pixels of the photo.

        ``centred``: put right the half sample by which MediaPipe's own pixels are off.
        """
        matrix = region.matrix(self.size)
        xy = points[:, :2] @ matrix[:, :2].T + matrix[:, 2]
        if centred:
            xy += region.centring(self.size)
        return np.column_stack([xy, points[:, 2] * (region.side / self.size)])

    def _joined(self, output: dict[str, Any]) -> Array:
        """The mesh with the regions' finer points written over it, in samples of the crop."""
        points = np.zeros((LANDMARKS, 3))
        points[:468] = output["output_mesh_identity"].reshape(468, 3)
        for region, name in _OUTPUTS.items():
            indices, depth_from = self._tables[region]
            points[indices, :2] = output[name].reshape(-1, 2)
            if depth_from:
                points[indices, 2] = points[depth_from, 2].mean()
        return points


def _refinement(path: Path) -> dict[str, tuple[list[int], list[int]]]:
    """For each output, the landmarks that it sets and those whose mean depth it takes."""
    try:
        tables = json.loads(path.read_text(encoding="utf-8"))
        return {name: (tables[name]["landmarks"], tables[name]["depth_from"]) for name in _OUTPUTS}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise damaged(path, error) from error


def region_of_box(box: Array, angle: float) -> Region:
    """The square that the net wants around a detected face."""
    side = float(max(box[2] - box[0], box[3] - box[1]))
    return Region((box[:2] + box[2:]) / 2, side * REGION_SCALE, angle)


def region_of_landmarks(landmarks: Array) -> Region:
    """The square for the next pass: upright box of the landmarks, turned with the eyes.

    The box is the axis-aligned one although the square is turned: so does MediaPipe's tracking.
    """
    dx, dy = landmarks[LEFT_EYE_OUTER, :2] - landmarks[RIGHT_EYE_OUTER, :2]
    low, high = landmarks[:, :2].min(axis=0), landmarks[:, :2].max(axis=0)
    return Region(
        (low + high) / 2, float((high - low).max()) * REGION_SCALE, float(np.arctan2(dy, dx))
    )
