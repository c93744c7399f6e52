# SPDX-License-Identifier: GPL-3.0-or-later
"""The pinhole camera of a photo, in OpenCV's convention.

``x_camera = R @ x_world + t`` in metres; ``pixel = K @ x_camera`` divided by depth. K is in
pixels of the original photo. The world of a reconstruction is the head frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: Image diagonal of a 36 x 24 mm frame, the reference of "35 mm equivalent" focal lengths.
FULL_FRAME_DIAGONAL_MM = float(np.hypot(36.0, 24.0))


@dataclass(frozen=True)
class Camera:
    """K (3, 3) pixels, R (3, 3) and t (3,) world to camera in metres, size in pixels."""

    K: Array
    R: Array
    t: Array
    width: int
    height: int

    @classmethod
    def with_focal(cls, focal: float, R: Array, t: Array, width: int, height: int) -> Camera:
        """Square pixels, principal point in the middle of the image; ``focal`` in pixels."""
        k = np.array([[focal, 0.0, width / 2], [0.0, focal, height / 2], [0.0, 0.0, 1.0]])
        return cls(k, np.asarray(R, float), np.asarray(t, float), int(width), int(height))

    @property
    def focal(self) -> float:
        """Focal length in pixels."""
        return float(self.K[0, 0])

    @property
    def focal_35mm(self) -> float:
        """35 mm equivalent focal length in millimetres, by the image's diagonal."""
        return self.focal * FULL_FRAME_DIAGONAL_MM / float(np.hypot(self.width, self.height))

    def to_camera(self, points: Array) -> Array:
        """World points (..., 3) in the camera frame (..., 3), metres."""
        return np.asarray(points, float) @ self.R.T + self.t

    def project(self, points: Array) -> Array:
        """World points (..., 3) -> pixels (..., 2). Points behind the camera give nan."""
        p = self.to_camera(points)
        depth = np.where(p[..., 2:] > 0, p[..., 2:], np.nan)
        xy: Array = (p @ self.K.T)[..., :2] / depth
        return xy

    @property
    def centre(self) -> Array:
        """The camera's position in the world, (3,) metres."""
        return -self.R.T @ self.t

    def to_json(self) -> dict[str, Any]:
        """As nested lists, for ``camera.json``."""
        return {
            "K": self.K.tolist(),
            "R": self.R.tolist(),
            "t": self.t.tolist(),
            "width": self.width,
            "height": self.height,
            "convention": "OpenCV: x right, y down, z forward; metres; world is the head frame",
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Camera:
        """Inverse of :meth:`to_json`."""
        k, r, t = (np.asarray(data[name], dtype=np.float64) for name in ("K", "R", "t"))
        return cls(k, r, t, int(data["width"]), int(data["height"]))


def focal_from_35mm(focal_mm: float, width: int, height: int) -> float:
    """35 mm equivalent (mm, as in EXIF) -> pixels, by the image's diagonal (CIPA DCG-001)."""
    return focal_mm * float(np.hypot(width, height)) / FULL_FRAME_DIAGONAL_MM
