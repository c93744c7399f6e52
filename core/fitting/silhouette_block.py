# SPDX-License-Identifier: GPL-3.0-or-later
"""The face must not lie where the photo surely shows something else.

One-sided, as in the published energy: a face that ends before its outline costs nothing, since
hair and hats cover faces; a face that spills over into the background does.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..cues.screen_cues import ScreenCues
from ..heads.model import HeadModel
from .points import PointSet
from .state import FOCAL, Layout, PhotoState, State

Array = NDArray[np.float64]

#: Vertices of the face that are looked at, and side of the map of distances.
MOST_POINTS, MAP_SIZE = 400, 128
#: Pixels of the map by which an outline may be off.
SIGMA = 1.0


class SilhouetteBlock:
    """Distance from each point of the face to the nearest pixel that may show the head, over
    sigma. Points outside of the maps cost nothing.
    """

    name = "silhouette"
    group = 1
    robust_scale: float | None = 3.0

    def __init__(self, head: HeadModel, photo: int, layout: Layout, cues: ScreenCues) -> None:
        """The cues must have a background."""
        assert cues.background is not None and cues.crop_to_photo is not None
        face = np.nonzero(head.regions.get("face", np.ones(head.vertex_count, bool)))[0]
        face = face[:: max(1, len(face) // MOST_POINTS)]
        self.points = PointSet.of_vertices(head, face, layout.identity_count)
        self.photo, self.layout = photo, layout
        self.columns = layout.columns(photo)
        self.centre = np.array([cues.width / 2, cues.height / 2])
        step = max(1, max(cues.background.shape) // MAP_SIZE)
        known = np.nan_to_num(cues.background) > 0.5
        self.distance = distance_to_false(known[step // 2 :: step, step // 2 :: step])
        # From the photo to the map, whose first pixel's centre is (0, 0).
        inverse = np.linalg.inv(cues.crop_to_photo[:, :2])
        self.to_map = inverse / step
        self.origin = (inverse @ cues.crop_to_photo[:, 2] + step // 2 + 0.5) / step

    def residuals(self, state: State) -> Array:
        """(n,)."""
        photo = state.photos[self.photo]
        value, _ = self._look(self.points.in_camera(state.identity, photo), photo)
        return value

    def linearise(self, state: State) -> tuple[Array, Array]:
        """Residuals (n,) and their Jacobian (n, I + photo_size)."""
        photo = state.photos[self.photo]
        at = self.points.in_camera(state.identity, photo)
        value, slope = self._look(at, photo)
        jacobian = np.zeros((len(value), len(self.columns)))
        # Most points lie on the head, where nothing depends on anything.
        spilt = np.nonzero(slope.any(axis=0))[0]
        if len(spilt):
            p, d = self._only(spilt).linearise(state.identity, photo, self.layout)
            slope, ratio = slope[:, spilt], p[:2] / p[2]
            across = (slope * ratio).sum(axis=0)
            by_point = np.stack([*slope, -across]) * (photo.focal / p[2])
            jacobian[spilt] = np.einsum("an,anc->nc", by_point, d)
            jacobian[spilt, self.layout.identity_count + FOCAL.start] += photo.focal * across
        return value, jacobian

    def _only(self, which: NDArray[np.intp]) -> PointSet:
        points = self.points
        return replace(
            points,
            base=points.base[:, which],
            identity=points.identity[:, which],
            expression=points.expression[:, which],
            drift=points.drift[:, which],
            eye=points.eye[which],
        )

    def _look(self, at: Array, photo: PhotoState) -> tuple[Array, Array]:
        """Residuals (n,) of points (3, n) in the camera frame, and their slope (2, n) by pixels."""
        pixel = photo.focal * at[:2] / at[2] + self.centre[:, None]
        x, y = self.to_map @ pixel - self.origin[:, None]
        height, width = self.distance.shape
        inside = (x >= 0) & (y >= 0) & (x < width - 1) & (y < height - 1)
        column = np.where(inside, x, 0).astype(np.intp)
        row = np.where(inside, y, 0).astype(np.intp)
        u, v = x - column, y - row
        a, b = self.distance[row, column], self.distance[row, column + 1]
        c, e = self.distance[row + 1, column], self.distance[row + 1, column + 1]
        top, bottom = a + u * (b - a), c + u * (e - c)
        slope = np.stack([(1 - v) * (b - a) + v * (e - c), bottom - top]) / SIGMA
        value = (top + v * (bottom - top)) / SIGMA
        return np.where(inside, value, 0.0), np.where(inside, self.to_map.T @ slope, 0.0)


def distance_to_false(mask: NDArray[np.bool_]) -> Array:
    """(h, w) Euclidean distance from each pixel to the nearest that is False; zero if none is.

    Column by column, then exactly over the columns.
    """
    if mask.all():
        return np.zeros(mask.shape)
    far = float(sum(mask.shape))
    down = np.where(mask, far, 0.0)
    for step in (1, -1):
        rows = down[::step]
        for k in range(1, len(rows)):
            np.minimum(rows[k], rows[k - 1] + 1, out=rows[k])
    columns = np.arange(mask.shape[1])
    across = (columns[:, None] - columns[None, :]) ** 2
    square = np.stack([(row[None, :] ** 2 + across).min(axis=1) for row in down])
    return np.sqrt(square)
