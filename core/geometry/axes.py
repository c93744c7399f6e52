# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place where the head frame becomes Blender's scene and a photo's camera Blender's.

Blender's scene is in metres with Z up; the face looks along -Y. A Blender camera looks along its
own -Z with +Y up. The head stays upright at the scene's origin, so it is the camera that moves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .camera import Camera

Array = NDArray[np.float64]
Real = np.floating[Any]

#: Head frame (x, y, z) -> scene (x, -z, y): a quarter turn about x, proper and without scale.
HEAD_TO_SCENE: Array = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])

#: Blender's camera axes (x right, y up, z backward) in OpenCV's (x right, y down, z forward).
BLENDER_TO_OPENCV: Array = np.diag([1.0, -1.0, -1.0])

#: Full frame: what photographers read focal lengths against.
SENSOR_MM = 36.0


def to_scene(points: NDArray[Real]) -> Array:
    """Head-frame points or directions (..., 3) -> the scene's, metres."""
    return np.asarray(points, dtype=np.float64) @ HEAD_TO_SCENE.T


def to_head(points: NDArray[Real]) -> Array:
    """Inverse of :func:`to_scene`."""
    return np.asarray(points, dtype=np.float64) @ HEAD_TO_SCENE


@dataclass(frozen=True)
class SceneCamera:
    """What Blender asks of a camera.

    matrix_world (4, 4), camera axes to scene, metres; lens_mm; sensor_mm across the image's
    width (``sensor_fit`` HORIZONTAL) or height (VERTICAL); shifts in fractions of that side.
    """

    matrix_world: Array
    lens_mm: float
    sensor_mm: float
    sensor_fit: str
    shift_x: float
    shift_y: float


def scene_camera(camera: Camera, frame_aspect: float | None = None) -> SceneCamera:
    """The Blender camera that sees the scene's head as ``camera`` saw it in the photo.

    frame_aspect is width / height of the rendered frame. Blender fits a background image into
    that frame, so in a wider frame than the photo's the heights coincide and the focal length
    is bound to the height, otherwise to the width; then the mesh lies on the photo in a frame
    of any shape. None means the photo's own shape. Raises ValueError if the pixels of
    ``camera`` are not square, which a Blender camera cannot express.
    """
    fx, fy = float(camera.K[0, 0]), float(camera.K[1, 1])
    if abs(fx - fy) > 1e-6 * fx or abs(camera.K[0, 1]) > 1e-9 * fx:
        raise ValueError(f"Blender cameras have square pixels, not fx {fx:g} and fy {fy:g}.")
    # In a frame of the photo's own shape both fits are the same; the longer side reads better.
    vertical = camera.width / camera.height < (1.0 if frame_aspect is None else frame_aspect)
    side = camera.height if vertical else camera.width
    matrix = np.eye(4)
    matrix[:3, :3] = HEAD_TO_SCENE @ camera.R.T @ BLENDER_TO_OPENCV
    matrix[:3, 3] = to_scene(camera.centre)
    return SceneCamera(
        matrix_world=matrix,
        lens_mm=fx * SENSOR_MM / side,
        sensor_mm=SENSOR_MM,
        sensor_fit="VERTICAL" if vertical else "HORIZONTAL",
        shift_x=(camera.width / 2 - float(camera.K[0, 2])) / side,
        shift_y=(float(camera.K[1, 2]) - camera.height / 2) / side,
    )


def bone_rotation(rotation: NDArray[Real], bone_axes: NDArray[Real]) -> Array:
    """A joint's rotation (3, 3) in the head frame's axes -> in its bone's own axes (3, 3).

    bone_axes (3, 3) has the resting bone's x, y, z in the scene as columns. The result is what
    a pose bone's basis matrix holds: relative to its parent, as the joint's rotation is.
    """
    turned = HEAD_TO_SCENE @ np.asarray(rotation, dtype=np.float64) @ HEAD_TO_SCENE.T
    axes = np.asarray(bone_axes, dtype=np.float64)
    out: Array = axes.T @ turned @ axes
    return out
