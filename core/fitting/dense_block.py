# SPDX-License-Identifier: GPL-3.0-or-later
"""One photo's dense cues as a part of the cost: uv and normals over the same surface.

A photo has tens of thousands of residuals and hundreds of unknowns, and almost all of the time
goes into products with the shape basis. So the residuals' derivatives are gathered at the
vertices first, and the basis is multiplied once, by one vector; and the Gauss-Newton matrix is
made of two rows a vertex and kind of cue, in single precision, of which only the direction of a
step depends, never the minimum.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .dense_terms import NormalTerm, UvTerm
from .points import GazeMap
from .skin_surface import SkinSurface
from .state import FOCAL, GAZE, POSE_SIZE, SHIFT, TURN, Layout, PhotoState, State

Array = NDArray[np.float64]
Single = NDArray[np.float32]
Index = NDArray[np.intp]

#: Vertices that carry the Gauss-Newton matrix, for each shape unknown and at least; and where a
#: rough one does.
CARRIERS, FEWEST_CARRIERS = 4, 1500
ROUGH_CARRIERS, FEWEST_ROUGH_CARRIERS = 2, 500


class DenseBlock:
    """See EnergyBlock. ``uv`` and ``normal`` are the terms, either may be missing; gaze_map says
    how the eyeLook sliders follow the gaze. rough: a coarser matrix, which takes less time to make.
    """

    name = "dense"

    def __init__(
        self,
        photo: int,
        layout: Layout,
        surface: SkinSurface,
        gaze_map: GazeMap,
        uv: UvTerm | None,
        normal: NormalTerm | None,
        *,
        rough: bool = False,
    ) -> None:
        self.photo, self.layout, self.surface, self.gaze_map = photo, layout, surface, gaze_map
        self.uv, self.normal = uv, normal
        self.columns = layout.columns(photo)
        self._last: tuple[State, Array] | None = None
        unknowns = surface.basis.shape[1]
        wanted = max(FEWEST_CARRIERS, CARRIERS * unknowns)
        if rough:
            wanted = max(FEWEST_ROUGH_CARRIERS, ROUGH_CARRIERS * unknowns)
        self._pick = np.arange(0, surface.count, max(1, surface.count // wanted))

    def positions(self, state: State) -> Array:
        """(s, 3) vertices of the surface in the head frame, metres."""
        # A solver asks for the cost and then for the derivatives of the same state.
        if self._last is None or self._last[0] is not state:
            photo = state.photos[self.photo]
            sliders = self.gaze_map.apply(photo.expression, photo.gaze)
            shape = np.concatenate([state.identity, sliders])
            self._last = state, self.surface.positions(shape)
        return self._last[1]

    def in_camera(self, state: State) -> Array:
        """(n, 3) seen vertices in the camera frame, metres."""
        photo = state.photos[self.photo]
        out: Array = self.positions(state)[: self.surface.count] @ photo.R.T + photo.t
        return out

    def far_sharper_than(self, other: DenseBlock) -> bool:
        """Whether a kind of cue is believed more than twice as far as by another block."""
        pairs = ((self.uv, other.uv), (self.normal, other.normal))
        return any(a and b and a.sigma < 0.5 * b.sigma for a, b in pairs)

    def cost(self, state: State) -> float:
        """The robust cost."""
        cost = 0.0
        if self.uv is not None:
            cost += self.uv.cost(self.in_camera(state), state.photos[self.photo])
        if self.normal is not None:
            cost += self.normal.cost(self.surface, self.positions(state))
        return cost

    def accumulate(self, state: State, gradient: Array, matrix: Array | None) -> float:
        """Adds the exact gradient (size,) and the Gauss-Newton matrix (size, size), unless None;
        returns the cost.
        """
        photo, surface = state.photos[self.photo], self.surface
        force = np.zeros_like(surface.base)
        local = np.zeros(len(self.columns))
        pose = local[self.layout.identity_count :]
        square = None if matrix is None else np.zeros((len(local), len(local)))
        cost = 0.0
        if self.uv is not None:
            pull = self.uv.pull(self.in_camera(state), photo)
            cost += pull.cost
            force[: surface.count] += pull.force @ photo.R
            turned = self.in_camera(state) - photo.t
            pose[TURN] += np.cross(turned, pull.force).sum(axis=0)
            pose[SHIFT] += pull.force.sum(axis=0)
            pose[FOCAL] += pull.focal
            if square is not None:
                self._add_rows(square, photo, *self._uv_rows(state, pull.mass))
        if self.normal is not None:
            pull = self.normal.pull(surface, self.positions(state))
            cost += pull.cost
            force += pull.force
            if square is not None:
                self._add_rows(square, photo, self._normal_rows(state, pull.mass), None)
        self._spread(surface.basis.T @ force.ravel(), local, photo)
        gradient[self.columns] += local
        if matrix is not None and square is not None:
            matrix[np.ix_(self.columns, self.columns)] += square
        return cost

    def _spread(self, by_shape: Array, local: Array, photo: PhotoState) -> None:
        """Adds derivatives by the shape (K, ...) to those by the block's unknowns (c, ...)."""
        i, m = self.layout.identity_count, self.layout.expression_count
        look = self.gaze_map.columns
        own = np.array(by_shape[i:])
        by_gaze = self.gaze_map.slope(photo.gaze).T @ own[look]
        own[look] = 0
        local[:i] += by_shape[:i]
        local[i:][GAZE] += by_gaze
        local[i + POSE_SIZE : i + POSE_SIZE + m] += own

    def _root_weights(self, mass: Array) -> Single:
        """(p,) of the vertices that carry the matrix; they stand for the others too."""
        some = mass[self._pick]
        weight = np.sqrt(some * (mass.sum() / max(float(some.sum()), 1e-300)))
        return weight.astype(np.float32)

    def _uv_rows(self, state: State, mass: Array) -> tuple[Single, Single]:
        """Rows (2 p, K) by the shape and (2 p, 7) by turn, shift and log focal, in the roots of
        the cost's units.
        """
        photo, pick = state.photos[self.photo], self._pick
        weight = self._root_weights(mass)[:, None]
        at = self.in_camera(state)[pick]
        ratio = at[:, :2] / at[:, 2:]
        by_camera = np.zeros((len(pick), 2, 3))
        by_camera[:, 0, 0] = by_camera[:, 1, 1] = 1
        by_camera[:, :, 2] = -ratio
        by_camera *= (weight * photo.focal / at[:, 2:])[:, :, None]
        pose = np.zeros((len(pick), 2, FOCAL.stop))
        turned = at - photo.t
        # d(R x) = w x (R x), so a row a of by_camera gives (R x) x a.
        pose[:, :, TURN] = np.cross(turned[:, None], by_camera)
        pose[:, :, SHIFT] = by_camera
        pose[:, :, FOCAL.start] = weight * photo.focal * ratio
        shape = (by_camera @ photo.R).astype(np.float32) @ self.surface.single_basis[pick]
        rows = pose.reshape(2 * len(pick), -1).astype(np.float32)
        return shape.reshape(2 * len(pick), -1), rows

    def _normal_rows(self, state: State, mass: Array) -> Single:
        """Rows (2 p, K) by the shape."""
        rows = self.surface.normal_rows(self.positions(state), self._pick)
        rows *= self._root_weights(mass)[:, None, None]
        return rows.reshape(2 * len(rows), -1)

    def _add_rows(
        self, square: Array, photo: PhotoState, shape: Single, pose: Single | None
    ) -> None:
        """Adds rows' products to the block's matrix (c, c)."""
        i = self.layout.identity_count
        half = np.zeros((len(square), shape.shape[1]))
        self._spread((shape.T @ shape).astype(np.float64), half, photo)
        self._spread(half.T, square, photo)
        if pose is not None:
            at = slice(i, i + FOCAL.stop)
            cross = np.zeros((len(square), FOCAL.stop))
            self._spread((shape.T @ pose).astype(np.float64), cross, photo)
            square[:, at] += cross
            square[at] += cross.T
            square[at, at] += pose.T @ pose
