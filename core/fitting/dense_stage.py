# SPDX-License-Identifier: GPL-3.0-or-later
"""From a photo's dense cues and where the fit stands to a block of the cost.

Which pixels still count, and how far they can be believed, is read off the fit itself: the
spread of the residuals is that of the cues' errors together with what the head cannot express
yet, so that a first fit is soft and a later one as sharp as the cues allow.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..camera import Camera
from ..cues.screen_cues import ScreenCues
from ..errors import FitError
from ..heads.model import HeadModel
from .dense_block import DenseBlock
from .dense_pose import dense_pose
from .dense_terms import Mixing, NormalTerm, UvTerm
from .points import GazeMap
from .skin_surface import SkinSurface
from .state import Layout, PhotoState, State
from .surface_samples import (
    SurfaceSamples,
    check_enough,
    rasterise_crop,
    samples_from_mesh,
    samples_from_uv,
)

Array = NDArray[np.float64]

#: Least spread that is believed: pixels of the crop, and radians.
LEAST_PIXELS, LEAST_ANGLE = 0.02, np.deg2rad(0.2)
#: A two-dimensional normal error is as often below this many standard deviations as above.
MEDIAN = 1.1774
#: Metres by which a point may lie behind what the mesh shows in its place.
HIDDEN_BY = 0.01
#: Side of the picture in which the mesh hides parts of itself.
VISIBILITY_SIZE = 256
#: Share of the face's size in the photo by which half of the pixels may be off in the end.
WORST_RESIDUAL = 0.04
#: A pixel that is off by this many times the median is an outlier.
OUTLYING = 5.0


class DensePhoto:
    """The dense cues of one photo through all rounds of a fit.

    With uv the pixels name their surface points once and for all; without, the mesh as it stands
    names them anew in every round.
    """

    def __init__(self, head: HeadModel, layout: Layout, photo: int, cues: ScreenCues) -> None:
        """Raises FitError if the uv map shows too little skin for a face."""
        self.head, self.layout, self.photo, self.cues = head, layout, photo, cues
        self.gaze_map = GazeMap.of(head)
        self.place = np.zeros(head.vertex_count, np.intp)
        if cues.uv is not None:
            self._look(samples_from_uv(head, cues))

    def _look(self, samples: SurfaceSamples) -> None:
        self.samples = samples
        seen = np.unique(self.head.triangles[samples.triangle]).astype(np.intp)
        self.surface = SkinSurface.of(self.head, seen, self.layout.identity_count)
        self.place[seen] = np.arange(len(seen))

    def start_pose(self, focal: float) -> tuple[Array, Array]:
        """R (3, 3) and t (3,) of the head at rest that explains the uv map."""
        points = self.samples.points(self.head, self.head.template)
        return dense_pose(points, self.samples.pixel, self.samples.weight, focal, self.centre)

    def camera(self, photo: PhotoState) -> Camera:
        """The photo's camera."""
        return Camera.with_focal(photo.focal, photo.R, photo.t, self.cues.width, self.cues.height)

    @property
    def centre(self) -> Array:
        """The principal point (2,), pixels."""
        return np.array([self.cues.width / 2, self.cues.height / 2])

    def block(self, state: State) -> DenseBlock:
        """The cost of the cues with spreads as the residuals at a state suggest."""
        photo = state.photos[self.photo]
        if self.cues.uv is None:
            sliders = self.gaze_map.apply(photo.expression, photo.gaze)
            vertices = self.head.neutral(state.identity) + self.head.expression_basis @ sliders
            self._look(samples_from_mesh(self.head, self.cues, vertices, self.camera(photo)))
        rough = self._block(self.samples, 1.0, 1.0)
        visible = self._visible(rough.positions(state), photo)
        samples = self.samples.only(visible)
        check_enough(samples, self.cues)
        off, turned = residual_sizes(self._block(samples, 1.0, 1.0), state)
        sigma = angle = 1.0
        if off is not None:
            assert self.cues.crop_to_photo is not None
            least = LEAST_PIXELS * np.sqrt(abs(np.linalg.det(self.cues.crop_to_photo[:, :2])))
            sigma = max(float(np.median(off)) / MEDIAN, float(least))
        if turned is not None:
            angle = max(float(np.median(turned)) / MEDIAN, LEAST_ANGLE)
        return self._block(samples, sigma, angle)

    def _block(self, samples: SurfaceSamples, sigma: float, angle: float) -> DenseBlock:
        corners = self.place[self.head.triangles[samples.triangle]].T
        mixing = Mixing(
            np.ascontiguousarray(corners),
            np.ascontiguousarray(samples.barycentric.T),
            self.surface.count,
        )
        uv = normal = None
        if self.cues.uv is not None:
            uv = UvTerm(
                mixing, np.ascontiguousarray(samples.pixel.T), samples.weight, sigma, self.centre
            )
        if samples.normal is not None:
            target = np.ascontiguousarray(samples.normal.T)
            normal = NormalTerm(mixing, target, samples.weight, angle)
        return DenseBlock(self.photo, self.layout, self.surface, self.gaze_map, uv, normal)

    def _visible(self, positions: Array, photo: PhotoState) -> NDArray[np.bool_]:
        """(m,) samples whose points the mesh itself does not hide from the camera.

        The mesh is what the cues see of it: a point that is hidden only by what they do not see
        is not seen by them either.
        """
        assert self.cues.crop_to_photo is not None and self.cues.confidence is not None
        camera = self.camera(photo)
        size = VISIBILITY_SIZE
        to_photo = self.cues.crop_to_photo.copy()
        to_photo[:, :2] *= max(self.cues.confidence.shape) / size
        drawn = rasterise_crop(camera, positions, self.surface.triangles, to_photo, (size, size))
        corners = self.place[self.head.triangles[self.samples.triangle]]
        shares = self.samples.barycentric
        points = np.einsum("mk,mkc->mc", shares, positions[corners])
        pixel = (camera.project(points) - to_photo[:, 2]) @ np.linalg.inv(to_photo[:, :2]).T
        cell = np.clip(np.nan_to_num(pixel), 0, size - 1).astype(np.intp)
        deep = camera.to_camera(points)[:, 2]
        hidden: NDArray[np.bool_] = deep > drawn.depth[cell[:, 1], cell[:, 0]] + HIDDEN_BY
        return ~hidden


def residual_sizes(block: DenseBlock, state: State) -> tuple[Array | None, Array | None]:
    """Length (m,) of each pixel's residual in pixels of the photo, and (m,) of its normal's in
    radians; None where the cues have none.
    """
    off = turned = None
    if block.uv is not None:
        r = block.uv.residuals(block.in_camera(state), state.photos[block.photo])
        off = np.sqrt((r * r).sum(axis=0))
    if block.normal is not None:
        r = block.normal.residuals(block.surface, block.positions(state))
        turned = np.sqrt((r * r).sum(axis=0))
    return off, turned


def dense_report(photo: DensePhoto, block: DenseBlock, state: State) -> dict[str, Any]:
    """Figures of one photo's dense cues; raises FitError if the head does not explain them."""
    off, turned = residual_sizes(block, state)
    assert photo.cues.confidence is not None
    trusted = np.nan_to_num(photo.cues.confidence) > 0
    out: dict[str, Any] = {"valid_pixel_share": float(trusted.mean())}
    if off is not None:
        low, high = np.quantile(photo.samples.pixel, [0.05, 0.95], axis=0)
        median, size = float(np.median(off)), float((high - low).max())
        if not median <= WORST_RESIDUAL * size:
            raise FitError(
                "The head cannot explain what was seen in the photo: choose a photo in which the "
                "face is clearer."
            )
        # Outliers are another matter than how well the rest is explained.
        agreeing = off[off <= OUTLYING * max(median, 1e-9)]
        out["uv_residual_px"] = {"mean": float(agreeing.mean()), "median": median}
        out["outlying_pixel_share"] = 1 - len(agreeing) / len(off)
    if turned is not None:
        out["normal_residual_degrees"] = float(np.rad2deg(np.median(turned)))
    return out
