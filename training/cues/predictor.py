# SPDX-License-Identifier: GPL-3.0-or-later
"""DensePredictor: uv and normals per pixel from a photo and the landmark fit of the face in it.

The network corrects what the fit shows (see `network_input` and `network_output`). Here its words
become cues: each cell's uv is that of the surface point that the fit shows a flow away, and its
normal is turned into the head frame. A turn of all normals alike is the pose's error and not the
shape's, and cues in the head frame must not hold it: it is taken out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.camera import Camera
from core.cues.image_warp import Region
from core.cues.screen_cues import ScreenCues
from core.cues.tensor_program import TensorProgram
from core.heads.corners import is_skin, triangle_uv
from core.heads.model import HeadModel
from core.reconstruction import Reconstruction
from core.rotation import nearest_rotation

from .network_input import (
    GRID,
    Drawing,
    draw,
    face_region,
    network_input,
    sampled,
    to_crop_frame,
)
from .network_output import Prediction, read_output

Array = NDArray[np.float64]

PREDICTOR = "dense"
#: Cells of the drawing in which the points of the flow are looked up, for each cell of the grid.
_FINER = 4
#: Expected error of a normal, radians, at which a cell counts as much as any.
SURE = 0.08


class DensePredictor:
    """Keeps a network as exported. Raises ModelFileError if its file is missing or damaged."""

    def __init__(self, path: Path) -> None:
        self._network = TensorProgram(path)

    def cues(
        self, pixels: NDArray[np.uint8], head: HeadModel, fit: Reconstruction, index: int = 0
    ) -> ScreenCues:
        """Maps (GRID, GRID) for photo ``index`` of a landmark fit; no landmarks."""
        photo = fit.photos[index]
        vertices = head.pose(fit.identity, photo.expression, photo.rotations, correctives=False)
        region = face_region(head, vertices, photo.camera)
        drawn = draw(head, vertices, photo.camera, region)
        tensor = network_input(sampled(pixels, region), drawn.normal, drawn.place, drawn.mask)
        (output,) = self._network(tensor[None]).values()
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
    goal = (prediction.flow + np.stack([x, y], axis=-1)) * _FINER
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
    )


def common_turn(said: Array, fitted: Array, weight: NDArray[np.floating[Any]]) -> Array:
    """(3, 3): the rotation that takes directions (h, w, 3) nearest to others, weights (h, w)."""
    if not weight.sum() > 0:
        return np.eye(3)
    return nearest_rotation(np.einsum("hwi,hwj,hw->ij", fitted, said, weight))
