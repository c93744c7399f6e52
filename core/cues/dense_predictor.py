# SPDX-License-Identifier: GPL-3.0-or-later
"""DensePredictor: uv and normals per pixel from a photo and the landmark fit of the face in it.

The network corrects what the fit shows (see `dense_input` and `dense_output`). Here its words
become cues: each cell's uv is that of the surface point that the fit shows BELIEVED of the flow
away, and its normal is turned into the head frame. A turn of all normals alike is the pose's error
and not the shape's, and cues in the head frame must not hold it: it is taken out.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import FitError
from ..geometry.camera import Camera
from ..geometry.rotation import nearest_rotation
from ..heads.corners import is_skin, triangle_uv
from ..heads.model import HeadModel
from ..reconstruction import Reconstruction
from .dense_input import GRID, Drawing, draw, face_region, network_input, sampled, to_crop_frame
from .dense_output import Prediction, read_output
from .image_warp import Region
from .screen_cues import ScreenCues
from .tensor_program import TensorProgram

Array = NDArray[np.float64]

PREDICTOR = "dense"
#: Cells of the drawing in which the points of the flow are looked up, for each cell of the grid.
_FINER = 4
#: Pixels of the photo on a side of the crop; below it there is no face to be seen.
SMALLEST_CROP = 16.0
#: Share of the flow that is believed. Photos are not the pictures that the network was trained on:
#: with all of it heads come out no nearer on the mean, and more of them farther (docs/dense.md).
BELIEVED = 0.6
#: Expected error of a normal, radians, at which a cell counts as much as any.
SURE = 0.08


def dense_path() -> Path:
    """The network that comes with this package."""
    return Path(__file__).resolve().parents[2] / "vendor" / "dense" / "dense.npz"


class DensePredictor:
    """Keeps a network as exported; ``sha256`` is its file's.

    Raises ModelFileError if the file is missing or damaged.
    """

    def __init__(self, path: Path | None = None) -> None:
        path = path or dense_path()
        self._network = TensorProgram(path)
        self.sha256 = hashlib.sha256(path.read_bytes()).hexdigest()

    def cues(
        self, pixels: NDArray[np.uint8], head: HeadModel, fit: Reconstruction, index: int = 0
    ) -> ScreenCues:
        """Maps (GRID, GRID) for photo ``index`` of a landmark fit; no landmarks.

        Raises FitError if the fit's face is not in front of the camera or too small to be seen,
        and if the network says something that is no number.
        """
        photo = fit.photos[index]
        vertices = head.pose(fit.identity, photo.expression, photo.rotations, correctives=False)
        region = face_region(head, vertices, photo.camera)
        if not region.side > SMALLEST_CROP:
            raise FitError("The face is too small to be read: choose a larger photo.")
        drawn = draw(head, vertices, photo.camera, region)
        tensor = network_input(sampled(pixels, region), drawn.normal, drawn.place, drawn.mask)
        (output,) = self._network(tensor[None]).values()
        if not np.isfinite(output).all():
            raise FitError(
                "The dense network's answer is not a number: use the landmarks alone, or another "
                "photo."
            )
        prediction = read_output(output[0], drawn.normal)
        return cues_of(prediction, head, vertices, photo.camera, region, drawn)


def cues_of(
    prediction: Prediction,
    head: HeadModel,
    vertices: Array,
    camera: Camera,
    region: Region,
    drawn: Drawing,
) -> ScreenCues:
    """A prediction about a fit, with vertices (V, 3) and camera, as cues."""
    size = GRID * _FINER
    fine = draw(head, vertices, camera, region, size).seen
    x, y = np.meshgrid(*(np.arange(GRID) + 0.5,) * 2)
    goal = (BELIEVED * prediction.flow + np.stack([x, y], axis=-1)) * _FINER
    cell = np.clip(goal.astype(np.intp), 0, size - 1)
    column, row = cell[..., 0], cell[..., 1]
    triangle = fine.triangle[row, column]
    skin = (triangle >= 0) & is_skin(head)[triangle]
    shares = fine.barycentric[row, column]
    texture = np.einsum("hwk,hwkc->hwc", shares, triangle_uv(head)[triangle])
    uv = np.stack([texture[..., 0], 1 - texture[..., 1]], axis=-1)
    worth = prediction.skin * np.minimum(1, (SURE / prediction.normal_error) ** 2)
    confidence = np.where(skin & drawn.mask, worth, 0)
    turn = common_turn(prediction.normal, drawn.normal, confidence)
    to_head = camera.R.T @ to_crop_frame(region).T @ turn
    return ScreenCues(
        width=camera.width,
        height=camera.height,
        predictor=PREDICTOR,
        uv=np.where(skin[..., None], uv, 0).astype(np.float32),
        normal=(prediction.normal @ to_head.T).astype(np.float32),
        confidence=confidence.astype(np.float32),
        crop_to_photo=region.matrix(GRID),
        skin=prediction.skin.astype(np.float32),
    )


def common_turn(said: Array, fitted: Array, weight: Array) -> Array:
    """(3, 3): the rotation that takes directions (h, w, 3) nearest to others, weights (h, w)."""
    if not weight.sum() > 0:
        return np.eye(3)
    return nearest_rotation(np.einsum("hwi,hwj,hw->ij", fitted, said, weight))
