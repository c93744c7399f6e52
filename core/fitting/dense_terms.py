# SPDX-License-Identifier: GPL-3.0-or-later
"""What dense cues ask of the surface: each pixel's point lies in the pixel, and faces as it says.

Each term is a robust sum over pixels, weighted by ``SurfaceSamples.weight``. It gives its cost,
exact derivatives by the vertices, and for each vertex the weight of the pixels around it: the
Gauss-Newton matrix is approximated by giving each vertex its row sum of the pixels' mass matrix.
As barycentric coordinates are positive and sum to one, that matrix is never below the exact one,
so that a step is never too long for it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .skin_surface import SkinSurface
from .state import PhotoState

Array = NDArray[np.float64]
Index = NDArray[np.intp]

#: Cauchy scale in standard deviations: a pixel that is off by three counts a third.
ROBUST_SCALE = 2.0


@dataclass(frozen=True, eq=False)
class Mixing:
    """m points of a surface as mixtures of its vertices: corners (3, m) and shares (3, m)."""

    corners: Index
    shares: Array
    count: int

    def points(self, values: Array) -> Array:
        """(3, m) of per-vertex values (n, 3)."""
        columns = values.T
        a, b, c = self.corners
        out: Array = columns[:, a] * self.shares[0]
        out += columns[:, b] * self.shares[1]
        out += columns[:, c] * self.shares[2]
        return out

    def gathered(self, values: Array) -> Array:
        """The transpose: values (k, m) of the points -> (n, k) sums at the vertices."""
        flat = self.corners.ravel()
        sums = [np.bincount(flat, (self.shares * v).ravel(), self.count) for v in values]
        return np.stack(sums, axis=1)

    def masses(self, weight: Array) -> Array:
        """(n,) how much weight (m,) lies around each vertex. A point may lie a little beside its
        triangle, at a share below zero.
        """
        shares = np.abs(self.shares) * weight
        return np.bincount(self.corners.ravel(), shares.ravel(), self.count).astype(np.float64)


def cauchy(squares: Array, weight: Array, scale: float = ROBUST_SCALE) -> tuple[float, Array]:
    """Cost and weights (m,) of the derivative for squared residuals (m,) in standard deviations."""
    s = squares / scale**2
    return 0.5 * scale**2 * float(weight @ np.log1p(s)), weight / (1.0 + s)


@dataclass(frozen=True, eq=False)
class Pull:
    """A term's cost and derivatives: force (n, 3) by the vertices in the camera frame, focal by
    the log of the focal length, mass (n,).
    """

    cost: float
    force: Array
    mass: Array
    focal: float


@dataclass(frozen=True, eq=False)
class UvTerm:
    """(projection of the surface point - pixel) / sigma. target (2, m) and sigma in pixels of
    the photo, weight (m,), centre (2,) the principal point.
    """

    mixing: Mixing
    target: Array
    weight: Array
    sigma: float
    centre: Array

    def residuals(self, in_camera: Array, photo: PhotoState) -> Array:
        """(2, m) pixels, of vertices (n, 3) in the camera frame."""
        at = self.mixing.points(in_camera)
        return self._off(at, photo)[0]

    def cost(self, in_camera: Array, photo: PhotoState) -> float:
        """The robust cost."""
        r = self.residuals(in_camera, photo) / self.sigma
        return cauchy((r * r).sum(axis=0), self.weight)[0]

    def pull(self, in_camera: Array, photo: PhotoState) -> Pull:
        """Cost and derivatives."""
        at = self.mixing.points(in_camera)
        r, ratio = self._off(at, photo)
        cost, w = cauchy((r * r).sum(axis=0) / self.sigma**2, self.weight)
        w = w / self.sigma**2
        g = r * w
        across = (g * ratio).sum(axis=0)
        force = np.concatenate([g, -across[None]]) * (photo.focal / at[2])
        masses = self.mixing.masses(w)
        return Pull(cost, self.mixing.gathered(force), masses, photo.focal * float(across.sum()))

    def _off(self, at: Array, photo: PhotoState) -> tuple[Array, Array]:
        ratio = at[:2] / at[2]
        return photo.focal * ratio + self.centre[:, None] - self.target, ratio


@dataclass(frozen=True, eq=False)
class NormalTerm:
    """(direction of the surface - direction in the map) / sigma, in the head frame. target
    (3, m) unit vectors, weight (m,), sigma in radians (a chord, the same where it matters).
    """

    mixing: Mixing
    target: Array
    weight: Array
    sigma: float

    def residuals(self, surface: SkinSurface, positions: Array) -> Array:
        """(3, m), of positions (s, 3) in the head frame."""
        unit, _ = _unit(surface.area_normals(positions).T)
        return _unit(self.mixing.points(unit.T))[0] - self.target

    def cost(self, surface: SkinSurface, positions: Array) -> float:
        """The robust cost."""
        r = self.residuals(surface, positions) / self.sigma
        return cauchy((r * r).sum(axis=0), self.weight)[0]

    def pull(self, surface: SkinSurface, positions: Array) -> Pull:
        """Cost and derivatives; the force is (s, 3) and in the head frame."""
        unit, length = _unit(surface.area_normals(positions).T)
        mean, mean_length = _unit(self.mixing.points(unit.T))
        r = mean - self.target
        cost, w = cauchy((r * r).sum(axis=0) / self.sigma**2, self.weight)
        w = w / self.sigma**2
        by_unit = self.mixing.gathered(_by_vector(r * w, mean, mean_length))
        by_normals = _by_vector(by_unit.T, unit, length).T
        force = surface.pulled_back(positions, by_normals)
        return Pull(cost, force, self.mixing.masses(w), 0.0)


def _unit(vectors: Array) -> tuple[Array, Array]:
    """Directions (3, m) and lengths (m,) of vectors (3, m)."""
    length = np.maximum(np.sqrt((vectors * vectors).sum(axis=0)), 1e-30)
    return vectors / length, length


def _by_vector(by_direction: Array, direction: Array, length: Array) -> Array:
    """Derivative by a vector, of what has a derivative (3, m) by its direction."""
    along = (by_direction * direction).sum(axis=0)
    return (by_direction - along * direction) / length
