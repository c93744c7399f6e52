# SPDX-License-Identifier: GPL-3.0-or-later
"""Points of a head as functions of the unknowns, with their analytic derivatives.

A point set is any selection of surface points of a head model: its landmarks, or some of its
vertices. Evaluation order follows the head model with only the eyes turned::

    x_head   = base + identity_basis @ a + expression_basis @ e(expression, gaze) + drift_basis @ d
    x_head   = c(a) + G (x_head - c(a))          for points on an eyeball with centre c
    x_camera = R x_head + t

The lids follow the eyes: the eight ``eyeLook`` sliders are not free but piecewise linear in the
gaze, so that an eye that looks down takes its lid along, in the fit as in the finished rig.

Arrays are stored axis first, (3, n, k), so that a rotation is one small matrix product.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from math import cos, sin
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry.rotation import cross_matrix
from ..heads.model import HeadModel
from .state import FOCAL, GAZE, POSE_SIZE, SHIFT, TURN, Layout, PhotoState

Array = NDArray[np.float64]

EYES = ("eye_l", "eye_r")


@dataclass(frozen=True, eq=False)
class GazeMap:
    """How the eyeLook sliders follow the gaze.

    columns (m,): indices of the eyeLook sliders in the expression; rate (m, 4): slider per
    radian along each gaze unknown; slider = clip(rate @ gaze, 0, 1).
    """

    columns: NDArray[np.intp]
    rate: Array

    @classmethod
    def of(cls, head: HeadModel) -> GazeMap:
        """From the head's gaze_range; empty for a head without eyeLook shapes."""
        columns, rates = [], []
        for name, vector in head.gaze_range.items():
            if name not in head.expression_names:
                continue
            row = np.zeros(4)
            eye = 0 if name.endswith("Left") else 2
            row[eye : eye + 2] = vector[:2] / float(vector[:2] @ vector[:2])
            columns.append(head.expression_names.index(name))
            rates.append(row)
        return cls(np.array(columns, dtype=np.intp), np.reshape(rates, (-1, 4)))

    def sliders(self, gaze: Array) -> Array:
        """(4,) radians -> (m,) slider values in [0, 1]."""
        return np.clip(self.rate @ gaze, 0.0, 1.0)

    def slope(self, gaze: Array) -> Array:
        """Derivative of :meth:`sliders`, (m, 4)."""
        raw = self.rate @ gaze
        return np.where(((raw > 0) & (raw < 1))[:, None], self.rate, 0.0)

    def apply(self, expression: Array, gaze: Array) -> Array:
        """The expression (E,) with its eyeLook sliders set by the gaze."""
        out = np.array(expression, dtype=np.float64)
        out[self.columns] = self.sliders(gaze)
        return out


def eye_rotation(pitch: float, yaw: float) -> tuple[Array, Array, Array]:
    """Rotation (3, 3) of an eye and its derivatives by pitch and by yaw."""
    (cp, sp), (cy, sy) = ((cos(angle), sin(angle)) for angle in (pitch, yaw))
    # About y after about x, written out: it is asked for in every step and for each eye.
    turn = np.array([[cy, sy * sp, sy * cp], [0.0, cp, -sp], [-sy, cy * sp, cy * cp]])
    by_pitch = np.array([[0.0, sy * cp, -sy * sp], [0.0, -sp, -cp], [0.0, cy * cp, -cy * sp]])
    by_yaw = np.array([[-sy, cy * sp, cy * cp], [0.0, 0.0, 0.0], [-cy, -sy * sp, -sy * cp]])
    return turn, by_pitch, by_yaw


@dataclass(frozen=True, eq=False)
class PointSet:
    """n points. base (3, n); identity (3, n, I); expression (3, n, E); drift (3, n, D); eye (n,)
    0 for the left eyeball, 1 for the right, -1 elsewhere; centre (2, 3) and centre_identity
    (2, 3, I) of the eyes; gaze_map of the head.
    """

    base: Array
    identity: Array
    expression: Array
    eye: NDArray[np.int8]
    centre: Array
    centre_identity: Array
    gaze_map: GazeMap
    drift: Array

    @classmethod
    def of_landmarks(cls, head: HeadModel, ids: NDArray[np.int32], identity_count: int) -> PointSet:
        """The embedded landmarks of a head with the given ids among the 478."""

        def pick(values: Array) -> Array:
            return head.landmarks(values, ids)

        return cls._of(head, pick, identity_count)

    @classmethod
    def of_vertices(
        cls, head: HeadModel, vertices: NDArray[np.intp], identity_count: int
    ) -> PointSet:
        """Some vertices of a head, by index."""

        def pick(values: Array) -> Array:
            return values[vertices]

        return cls._of(head, pick, identity_count)

    @classmethod
    def of_surface(
        cls,
        head: HeadModel,
        corners: NDArray[np.integer[Any]],
        barycentric: Array,
        identity_count: int,
    ) -> PointSet:
        """Points within triangles: corners (n, 3) vertex indices, barycentric (n, 3)."""

        def pick(values: Array) -> Array:
            return np.asarray(np.einsum("nk,nk...->n...", barycentric, values[corners]))

        return cls._of(head, pick, identity_count)

    @classmethod
    def _of(cls, head: HeadModel, pick: Callable[[Array], Array], identity_count: int) -> PointSet:
        """``pick`` maps per-vertex values (V, ...) to per-point values (n, ...)."""
        k = min(identity_count, head.identity_count)
        eye = np.full(len(pick(head.template)), -1, dtype=np.int8)
        centre, centre_identity = np.zeros((2, 3)), np.zeros((2, 3, k))
        for side, name in enumerate(EYES):
            if name not in head.joint_names:
                continue
            j = head.joint(name)
            eye[pick(head.skin_weights[:, j]) > 0.5] = side
            near = np.nonzero(head.joint_regressor[j])[0]
            row = head.joint_regressor[j, near]
            centre[side] = row @ head.template[near]
            centre_identity[side] = np.tensordot(row, head.identity_basis[near, :, :k], (0, 0))
        return cls(
            base=_axis_first(pick(head.template)),
            identity=_axis_first(pick(head.identity_basis[:, :, :k])),
            expression=_axis_first(pick(head.expression_basis)),
            eye=eye,
            centre=centre,
            centre_identity=centre_identity,
            gaze_map=GazeMap.of(head),
            drift=np.zeros((3, len(eye), 0)),
        )

    def seen(self, offset: Array, identity: Array, drift: Array) -> PointSet:
        """The same points as a predictor reports them: displaced by a constant (3, n), moved
        further or less far by identity (3, n, I), and adrift along (3, n, D); in the head frame.
        """
        return replace(
            self,
            base=self.base + offset,
            identity=self.identity + identity,
            drift=drift,
        )

    def within(self, corners: NDArray[np.integer[Any]], barycentric: Array) -> PointSet:
        """Points within triangles whose corners (m, 3) are of this set; barycentric (m, 3)."""

        def pick(values: Array) -> Array:
            return np.asarray(np.einsum("mk,imk...->im...", barycentric, values[:, corners]))

        largest = np.take_along_axis(corners, barycentric.argmax(axis=1)[:, None], axis=1)[:, 0]
        return replace(
            self,
            base=pick(self.base),
            identity=pick(self.identity),
            expression=pick(self.expression),
            drift=pick(self.drift),
            eye=self.eye[largest],
        )

    @property
    def count(self) -> int:
        """n."""
        return int(self.base.shape[1])

    @cached_property
    def _eye_points(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        return np.nonzero(self.eye == 0)[0], np.nonzero(self.eye == 1)[0]

    def in_head(self, identity: Array, photo: PhotoState) -> Array:
        """Points (3, n) in the head frame, metres."""
        e = self.gaze_map.apply(photo.expression, photo.gaze)
        x = self.base + self.identity @ identity + self.expression @ e
        if self.drift.shape[2]:  # points that no predictor reports do not drift
            x += self.drift @ photo.drift
        for side, points in enumerate(self._eye_points):
            if len(points):
                c = (self.centre[side] + self.centre_identity[side] @ identity)[:, None]
                g, _, _ = eye_rotation(*photo.gaze[2 * side : 2 * side + 2])
                x[:, points] = c + g @ (x[:, points] - c)
        return x

    def in_camera(self, identity: Array, photo: PhotoState) -> Array:
        """Points (3, n) in the camera frame, metres."""
        return photo.R @ self.in_head(identity, photo) + photo.t[:, None]

    def linearise(self, identity: Array, photo: PhotoState, layout: Layout) -> tuple[Array, Array]:
        """Points (3, n) in the camera frame and their Jacobian (3, n, I + photo_size)."""
        n, k, m = self.count, layout.identity_count, layout.expression_count
        head_points, slope = self.in_head(identity, photo), self.gaze_map.slope(photo.gaze)
        d = np.zeros((3, n, k + layout.photo_size))
        local = d[:, :, k:]
        d[:, :, :k] = self.identity
        local[:, :, POSE_SIZE : POSE_SIZE + m] = self.expression
        if self.drift.shape[2]:
            local[:, :, POSE_SIZE + m :] = self.drift
        local[:, :, POSE_SIZE + self.gaze_map.columns] = 0.0
        local[:, :, GAZE] = self.expression[:, :, self.gaze_map.columns] @ slope
        for side, points in enumerate(self._eye_points):
            if not len(points):
                continue
            g, by_pitch, by_yaw = eye_rotation(*photo.gaze[2 * side : 2 * side + 2])
            c = (self.centre[side] + self.centre_identity[side] @ identity)[:, None]
            before = g.T @ (head_points[:, points] - c)
            d[:, points] = np.tensordot(g, d[:, points], (1, 0))
            d[:, points, :k] += ((np.eye(3) - g) @ self.centre_identity[side])[:, None, :]
            gaze = local[:, :, GAZE]
            gaze[:, points, 2 * side] += by_pitch @ before
            gaze[:, points, 2 * side + 1] += by_yaw @ before
            local[:, :, GAZE] = gaze
        d = (photo.R @ d.reshape(3, -1)).reshape(d.shape)
        turned = photo.R @ head_points
        d[:, :, k:][:, :, TURN] = -np.moveaxis(cross_matrix(turned.T), 0, 1)
        d[:, :, k:][:, :, SHIFT] = np.eye(3)[:, None, :]
        d[:, :, k:][:, :, FOCAL] = 0.0
        return turned + photo.t[:, None], d

    def project(self, identity: Array, photo: PhotoState, layout: Layout) -> tuple[Array, Array]:
        """Pixels (n, 2) from the principal point and their Jacobian (2, n, I + photo_size)."""
        p, d = self.linearise(identity, photo, layout)
        f, ratio = photo.focal, p[:2] / p[2]
        jacobian = (f / p[2])[None, :, None] * (d[:2] - ratio[:, :, None] * d[2:])
        jacobian[:, :, layout.identity_count + FOCAL.start] += f * ratio
        return f * ratio.T, jacobian


def _axis_first(values: Array) -> Array:
    """(n, 3, ...) -> (3, n, ...), contiguous."""
    return np.ascontiguousarray(np.moveaxis(values, 1, 0))
