# SPDX-License-Identifier: GPL-3.0-or-later
"""Points of one person's head in a frame, and how they move with pose, gaze and sliders: as
core.fitting.points, for one person and many points, in single precision.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..fitting.points import GazeMap, PointSet, eye_rotation
from ..fitting.state import GAZE, POSE_SIZE, SHIFT, TURN, PhotoState

Array = NDArray[np.float64]
Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Surface:
    """base (n, 3) metres, head frame; motion (n, 3, K) by the sliders and the net's strays; eye
    (n,) as in PointSet; centre (2, 3) of the eyes.
    """

    base: Array
    motion: Floats
    eye: NDArray[np.int8]
    centre: Array
    gaze_map: GazeMap

    @classmethod
    def of(cls, points: PointSet, strays: int) -> Surface:
        """Of points whose identity is folded in; strays: of the layout, which they may lack."""
        drift = points.drift
        if drift.shape[2] != strays:
            drift = np.zeros((3, points.count, strays))
        motion = np.moveaxis(np.concatenate([points.expression, drift], axis=2), 0, 1)
        return cls(
            np.ascontiguousarray(points.base.T),
            np.ascontiguousarray(motion, dtype=np.float32),
            points.eye,
            points.centre,
            points.gaze_map,
        )

    def placed(self, state: PhotoState, offset: Array | float = 0.0) -> Placed:
        """In a state; offset (n, 3) is added to the base."""
        e = self.gaze_map.apply(state.expression, state.gaze)
        values = np.concatenate([e, state.drift]).astype(np.float32)
        x = self.base + offset + self.motion @ values
        by_gaze = np.zeros((len(x), 3, 4), np.float32)
        for side in (0, 1):
            at = np.flatnonzero(self.eye == side)
            if len(at):
                turn, by_pitch, by_yaw = eye_rotation(*state.gaze[2 * side : 2 * side + 2])
                from_centre = x[at] - self.centre[side]
                x[at] = self.centre[side] + from_centre @ turn.T
                by_gaze[at, :, 2 * side] = from_centre @ by_pitch.T
                by_gaze[at, :, 2 * side + 1] = from_centre @ by_yaw.T
        turned = x @ state.R.T
        return Placed(self, state, turned, turned + state.t, by_gaze)


@dataclass(frozen=True, eq=False)
class Placed:
    """turned (n, 3) about the head's origin, camera's axes; camera (n, 3); by_gaze (n, 3, 4)."""

    surface: Surface
    state: PhotoState
    turned: Array
    camera: Array
    by_gaze: Floats

    def pixels(self) -> Array:
        """(n, 2) from the principal point."""
        out: Array = self.state.focal * self.camera[:, :2] / self.camera[:, 2:]
        return out

    def rows(self, slopes: Array) -> Floats:
        """Derivative (n, layout size) of what changes by slopes (n, 2) a pixel."""
        s, state = self.surface, self.state
        f, z = state.focal, self.camera[:, 2]
        pull = np.empty((len(z), 3))
        pull[:, :2] = slopes * (f / z)[:, None]
        pull[:, 2] = -(pull[:, :2] * self.camera[:, :2]).sum(axis=1) / z
        in_head = (pull @ state.R).astype(np.float32)
        by_motion = np.matmul(in_head[:, None, :], s.motion)[:, 0]
        out = np.zeros((len(z), POSE_SIZE + by_motion.shape[1]), np.float32)
        out[:, TURN] = np.cross(self.turned, pull)
        out[:, SHIFT] = pull
        columns = s.gaze_map.columns
        slope = s.gaze_map.slope(state.gaze).astype(np.float32)
        out[:, GAZE] = by_motion[:, columns] @ slope
        out[:, GAZE] += np.matmul(in_head[:, None, :], self.by_gaze)[:, 0]
        by_motion[:, columns] = 0.0
        out[:, POSE_SIZE:] = by_motion
        return out
