# SPDX-License-Identifier: GPL-3.0-or-later
"""From a photo's dense cues and where the fit stands to a block of the cost.

Which pixels still count, and how far they can be believed, is read off the fit itself: the
spread of the residuals is that of the cues' errors together with what the head cannot express
yet, so that a first fit is soft and a later one as sharp as the cues allow. So is how far the
errors of neighbours are one and the same: a network's are smooth, and many pixels that err alike
tell no more than one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..cues.screen_cues import ScreenCues
from ..geometry.camera import Camera
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
#: A two-dimensional normal error is as often below this many standard deviations as above, and
#: below this many a quarter of the time.
MEDIAN, QUARTER = 1.1774, 0.7585
#: Shares of the crop's side over which an error is taken for smooth if it does not average out,
#: and over which one that is smooth is taken for one observation.
CELL, CORRELATED = 0.04, 0.05
#: Pixels that a rough fit looks at.
ROUGH_SAMPLES = 5000
#: Samples that a cell must have to tell.
FEWEST_IN_CELL = 6
#: Metres by which a point may lie behind what the mesh shows in its place.
HIDDEN_BY = 0.01
#: Side of the picture in which the mesh hides parts of itself.
VISIBILITY_SIZE = 256
#: A pixel that is off by this many standard deviations is an outlier.
OUTLYING = 5.0


@dataclass(frozen=True)
class Spread:
    """How far a kind of cue is believed: sigma of a pixel's error, and the worth of a pixel, one
    where the errors of neighbours have nothing in common.
    """

    sigma: float
    worth: float


EXACT = Spread(1.0, 1.0)


def spread_of(residuals: Array, pixels: Array, side: float, least: float) -> Spread:
    """The spread of residuals (2 or 3, m) in pixels (m, 2) of a crop with the given side.

    What is left of the residuals' variance in means over cells of the crop, beyond what is left
    of independent ones, is the share of it that is smooth.
    """
    length = np.sqrt((residuals * residuals).sum(axis=0))
    sigma = max(typical(length), least)
    cell = np.floor(pixels / (CELL * side)).astype(np.int64)
    cell -= cell.min(axis=0)
    index = cell[:, 0] * (int(cell[:, 1].max()) + 1) + cell[:, 1]
    # Outliers have no part in what neighbours have in common.
    w = 1 / (1 + (length / (2 * sigma)) ** 2) ** 2
    total, square = np.bincount(index, w), np.bincount(index, w * w)
    count = np.divide(total**2, square, out=np.zeros_like(total), where=square > 0)
    enough = count >= FEWEST_IN_CELL
    if not enough.any():
        return Spread(sigma, 1.0)
    means = np.stack([np.bincount(index, w * r)[enough] / total[enough] for r in residuals])
    left = (means * means).sum(axis=0) / MEDIAN**2 - sigma**2 / count[enough]
    smooth = float(np.clip(np.median(left) / sigma**2, 0, 1))
    # Samples in a patch of the size over which smooth errors are alike.
    density = float(np.median(count[enough])) / CELL**2
    return Spread(sigma, 1 / (1 + smooth * max(density * CORRELATED**2 - 1, 0)))


def typical(lengths: Array) -> float:
    """Standard deviation of two-dimensional errors of which the lengths (m,) are known, though
    most of them may be of pixels that do not show the face at all.
    """
    sigma = float(np.quantile(lengths, 0.25)) / QUARTER
    for _ in range(3):
        near = lengths[lengths <= OUTLYING * sigma]
        sigma = float(np.median(near)) / MEDIAN if len(near) else sigma
    return sigma


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

    def block(self, state: State, *, rough: bool = False) -> DenseBlock:
        """The cost of the cues with spreads as the residuals at a state suggest. rough: of some
        of the pixels, as a step towards the whole.
        """
        photo = state.photos[self.photo]
        if self.cues.uv is None:
            sliders = self.gaze_map.apply(photo.expression, photo.gaze)
            vertices = self.head.neutral(state.identity) + self.head.expression_basis @ sliders
            self._look(samples_from_mesh(self.head, self.cues, vertices, self.camera(photo)))
        samples = self.samples
        if rough:
            thin = max(1, samples.count // ROUGH_SAMPLES)
            samples = samples.only(np.arange(thin // 2, samples.count, thin))
        else:
            positions = self._block(samples, EXACT, EXACT).positions(state)
            samples = samples.only(self.visible(positions, photo))
            check_enough(samples, self.cues)
        assert self.cues.crop_to_photo is not None and self.cues.confidence is not None
        scale = float(np.sqrt(abs(np.linalg.det(self.cues.crop_to_photo[:, :2]))))
        side = scale * max(self.cues.confidence.shape)
        exact = self._block(samples, EXACT, EXACT)
        uv = normal = EXACT
        if exact.uv is not None:
            r = exact.uv.residuals(exact.in_camera(state), photo)
            uv = spread_of(r, samples.pixel, side, LEAST_PIXELS * scale)
        if exact.normal is not None:
            r = exact.normal.residuals(exact.surface, exact.positions(state))
            normal = spread_of(r, samples.pixel, side, LEAST_ANGLE)
        return self._block(samples, uv, normal, rough=rough)

    def _block(
        self, samples: SurfaceSamples, uv: Spread, normal: Spread, *, rough: bool = False
    ) -> DenseBlock:
        corners = self.place[self.head.triangles[samples.triangle]].T
        mixing = Mixing(
            np.ascontiguousarray(corners),
            np.ascontiguousarray(samples.barycentric.T),
            self.surface.count,
        )
        uv_term = normal_term = None
        if self.cues.uv is not None:
            target = np.ascontiguousarray(samples.pixel.T)
            weight = samples.weight * uv.worth
            uv_term = UvTerm(mixing, target, weight, uv.sigma, self.centre)
        if samples.normal is not None:
            target = np.ascontiguousarray(samples.normal.T)
            normal_term = NormalTerm(mixing, target, samples.weight * normal.worth, normal.sigma)
        return DenseBlock(
            self.photo,
            self.layout,
            self.surface,
            self.gaze_map,
            uv_term,
            normal_term,
            rough=rough,
        )

    def visible(self, positions: Array, photo: PhotoState) -> NDArray[np.bool_]:
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
