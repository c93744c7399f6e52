# SPDX-License-Identifier: GPL-3.0-or-later
"""Landmark residuals: where the points lie in the photo, and how deep the predictor sees them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .points import PointSet
from .state import FOCAL, Layout, State

Array = NDArray[np.float64]


class LandmarkBlock:
    """(projection - target) / sigma of each point, in pixels.

    target (n, 2) and sigma (n,) pixels; centre (2,) is the principal point.
    """

    name = "landmarks"
    group = 2

    def __init__(
        self,
        photo: int,
        points: PointSet,
        layout: Layout,
        target: Array,
        sigma: Array,
        centre: Array,
        robust_scale: float | None = 3.0,
    ) -> None:
        self.photo, self.points, self.layout = photo, points, layout
        self.target, self.sigma, self.centre = target, sigma, centre
        self.robust_scale = robust_scale
        self.columns = layout.columns(photo)

    @property
    def held(self) -> Array:
        """(n,) pixels: how near the extra shape is to hold the surface to each point."""
        return self.sigma

    def residuals(self, state: State) -> Array:
        """(2n,), x and y of each point in turn."""
        photo = state.photos[self.photo]
        x, y, z = self.points.in_camera(state.identity, photo)
        projected = photo.focal * np.stack([x / z, y / z], axis=1) + self.centre
        out: Array = ((projected - self.target) / self.sigma[:, None]).ravel()
        return out

    def linearise(self, state: State) -> tuple[Array, Array]:
        """Residuals (2n,) and their Jacobian (2n, I + photo_size)."""
        photo = state.photos[self.photo]
        pixels, jacobian = self.points.project(state.identity, photo, self.layout)
        jacobian /= self.sigma[None, :, None]
        r = ((pixels + self.centre - self.target) / self.sigma[:, None]).ravel()
        return r, jacobian.transpose(1, 0, 2).reshape(2 * self.points.count, -1)


class DepthBlock:
    """Relative depth of each point against the predictor's, in pixels at the face's distance.

    A network's depth has no origin and is weakly perspective, so that both sides are taken
    relative to their weighted means: f (z - mean z) / mean z against depth - mean depth.
    """

    name = "landmark depth"
    group = 1

    def __init__(
        self,
        photo: int,
        points: PointSet,
        layout: Layout,
        depth: Array,
        sigma: Array,
        robust_scale: float | None = 3.0,
    ) -> None:
        self.photo, self.points, self.layout, self.sigma = photo, points, layout, sigma
        self.robust_scale = robust_scale
        self.columns = layout.columns(photo)
        self.share = sigma**-2 / (sigma**-2).sum()
        self.depth = depth - self.share @ depth

    def residuals(self, state: State) -> Array:
        """(n,)."""
        photo = state.photos[self.photo]
        z = self.points.in_camera(state.identity, photo)[2]
        mean = self.share @ z
        out: Array = (photo.focal * (z / mean - 1.0) - self.depth) / self.sigma
        return out

    def linearise(self, state: State) -> tuple[Array, Array]:
        """Residuals (n,) and their Jacobian (n, I + photo_size)."""
        photo = state.photos[self.photo]
        p, d = self.points.linearise(state.identity, photo, self.layout)
        z, dz = p[2], d[2]
        mean, dmean = self.share @ z, self.share @ dz
        jacobian = photo.focal * (dz / mean - np.outer(z / mean**2, dmean))
        relative = photo.focal * (z / mean - 1.0)
        jacobian[:, self.layout.identity_count + FOCAL.start] += relative
        return (relative - self.depth) / self.sigma, jacobian / self.sigma[:, None]
