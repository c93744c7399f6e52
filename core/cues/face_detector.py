# SPDX-License-Identifier: GPL-3.0-or-later
"""MediaPipe's face detectors: boxes and six keypoints of faces in a photo.

Two single-shot nets (Bazarevsky et al., "BlazeFace", 2019): the short-range one for faces of
about 1/8 of the photo's long side and more, the full-range one down to about 1/16. What neither
finds is looked for in overlapping tiles and in the photo turned by quarter turns.
Boxes are (x0, y0, x1, y1) in pixels of the photo; keypoints are, in the subject's sides: right
eye, left eye, nose tip, mouth, right ear, left ear.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .image_warp import Image, Region, crop
from .tensor_program import TensorProgram

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Detection:
    """One detected face: box (4,) and keypoints (6, 2) in pixels, score 0..1."""

    box: Array
    score: float
    keypoints: Array

    @property
    def angle(self) -> float:
        """Angle of the line from the right to the left eye in radians, clockwise positive."""
        dx, dy = self.keypoints[1] - self.keypoints[0]
        return float(np.arctan2(dy, dx))


@dataclass(frozen=True)
class DetectorSettings:
    """A net's file and the constants that MediaPipe's graph gives it.

    grid: for each output layer, cells per side and anchors per cell, in the order of the output.
    """

    file: str
    grid: tuple[tuple[int, int], ...]
    boxes: str
    scores: str
    threshold: float


SHORT_RANGE = DetectorSettings(
    "face_detection_short_range.npz",
    ((16, 2), (8, 6)),
    "regressors",
    "classificators",
    0.5,
)
FULL_RANGE = DetectorSettings(
    "face_detection_full_range_sparse.npz", ((48, 1),), "Identity", "Identity_1", 0.6
)

#: Photos are shrunk before sampling only from 8 pixels a sample on. Below that the crop is
#: MediaPipe's own, aliasing included, so that boxes and thus landmarks agree with it.
_REACH = 4
#: Two boxes that overlap more than this (intersection over union) are one face (the graph's).
OVERLAP = 0.3


class FaceDetector:
    """One of the two nets, run on a square region of a photo.

    Raises `core.errors.ModelFileError` if the net's file is missing or damaged.
    """

    def __init__(self, settings: DetectorSettings, models_dir: Path) -> None:
        self._settings = settings
        self._net = TensorProgram(models_dir / settings.file)
        self._size = self._net.input_shape[1]
        self._anchors = np.concatenate([_anchors(n, k) for n, k in settings.grid])

    def __call__(self, image: Image, region: Region) -> list[Detection]:
        """Faces in a region of ``image``, each once, the surest first.

        Faces upright in the region are found best. Boxes and keypoints are the photo's; a box
        keeps its size and is turned by whole quarter turns.
        """
        tensor = crop(image, region, self._size, outside="zero", reach=_REACH)
        output = self._net((tensor / np.float32(127.5) - np.float32(1))[None])
        logits = output[self._settings.scores][0, :, 0].astype(np.float64)
        scores = 1 / (1 + np.exp(-np.clip(logits, -80, 80)))
        sure = scores >= self._settings.threshold
        values = output[self._settings.boxes][0, sure].astype(np.float64) / self._size
        anchors = self._anchors[sure]
        middle, half = values[:, :2] + anchors, values[:, 2:4] / 2
        points = values[:, 4:].reshape(-1, 6, 2) + anchors[:, None]
        matrix = region.matrix(1)
        centres = middle @ matrix[:, :2].T + matrix[:, 2]
        reach = region.side * (half[:, ::-1] if _lies(region.angle) else half)
        boxes = np.concatenate([centres - reach, centres + reach], axis=1)
        return _merged(boxes, points @ matrix[:, :2].T + matrix[:, 2], scores[sure])


def _lies(angle: float) -> bool:
    """Whether a turn in radians is nearer to a quarter turn than to none or a half."""
    return bool(abs(np.sin(angle)) > abs(np.cos(angle)))


def _anchors(cells: int, per_cell: int) -> Array:
    """Centres of a layer's anchors (cells * cells * per_cell, 2) in 0..1."""
    at = (np.arange(cells) + 0.5) / cells
    x, y = np.meshgrid(at, at)
    return np.repeat(np.stack([x.ravel(), y.ravel()], axis=1), per_cell, axis=0)


def _merged(boxes: Array, points: Array, scores: Array) -> list[Detection]:
    """Weighted suppression: each group of overlapping boxes becomes its mean, by score."""
    order = np.argsort(-scores, kind="stable")
    faces = []
    while order.size:
        together = overlap(boxes[order[0]], boxes[order]) > OVERLAP
        together[0] = True
        group = order[together]
        weights = scores[group] / scores[group].sum()
        faces.append(
            Detection(
                box=weights @ boxes[group],
                score=float(scores[order[0]]),
                keypoints=np.tensordot(weights, points[group], axes=1),
            )
        )
        order = order[~together]
    return faces


def overlap(box: Array, others: Array) -> Array:
    """Intersection over union of one box (4,) with others (N, 4)."""
    low = np.maximum(box[:2], others[:, :2])
    high = np.minimum(box[2:], others[:, 2:])
    common = np.prod(np.maximum(high - low, 0), axis=1)
    areas = np.prod(others[:, 2:] - others[:, :2], axis=1)
    total = np.prod(box[2:] - box[:2]) + areas - common
    result: Array = common / np.maximum(total, np.finfo(float).tiny)
    return result


def distinct(faces: list[Detection]) -> list[Detection]:
    """Each face once, an earlier detection before a later one of the same face.

    The nets frame faces differently, and a tile may hold a part of a face; so one box that
    covers most of the smaller one is the same face, too.
    """
    kept: list[Detection] = []
    for face in faces:
        if not any(same_face(face.box, other.box) for other in kept):
            kept.append(face)
    return kept


def same_face(a: Array, b: Array) -> bool:
    """Whether two boxes (4,) frame one face."""
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    common = np.prod(np.maximum(high - low, 0))
    smaller = min(np.prod(a[2:] - a[:2]), np.prod(b[2:] - b[:2]))
    return bool(common > 0.5 * smaller or overlap(a, b[None])[0] > OVERLAP)
