# SPDX-License-Identifier: GPL-3.0-or-later
"""Head frame to scene and OpenCV camera to Blender camera, against Blender's own formulas."""

from __future__ import annotations

import numpy as np
import pytest

from core.geometry import axes
from core.geometry.camera import Camera
from core.geometry.rotation import matrix_from_vector


def a_camera(width=1200, height=900, cx=570.0, cy=480.0, focal=1500.0) -> Camera:
    k = np.array([[focal, 0, cx], [0, focal, cy], [0, 0, 1.0]])
    turn = matrix_from_vector(np.array([0.1, 0.35, -0.2])) @ np.diag([1.0, -1.0, -1.0])
    return Camera(k, turn, np.array([0.02, -0.03, 0.8]), width, height)


def blender_pixels(view: axes.SceneCamera, points, frame, photo):
    """Projects as Blender does, into a frame of (width, height), then into the fitted photo."""
    local = (np.c_[points, np.ones(len(points))] @ np.linalg.inv(view.matrix_world).T)[:, :3]
    side = frame[1] if view.sensor_fit == "VERTICAL" else frame[0]
    scale = view.lens_mm / view.sensor_mm * side
    x = frame[0] / 2 + scale * local[:, 0] / -local[:, 2] - view.shift_x * side
    y = frame[1] / 2 - scale * local[:, 1] / -local[:, 2] + view.shift_y * side
    fit = min(frame[0] / photo[0], frame[1] / photo[1])
    offset = (np.array(frame) - fit * np.array(photo)) / 2
    return (np.stack([x, y], axis=1) - offset) / fit


def test_scene_axes_are_blenders():
    assert np.allclose(axes.to_scene(np.array([0.0, 0.0, 1.0])), [0, -1, 0])  # face looks along -Y
    assert np.allclose(axes.to_scene(np.array([0.0, 1.0, 0.0])), [0, 0, 1])  # up is Z
    assert np.linalg.det(axes.HEAD_TO_SCENE) == pytest.approx(1.0)
    points = np.random.default_rng(0).normal(size=(7, 3))
    assert np.allclose(axes.to_head(axes.to_scene(points)), points)


@pytest.mark.parametrize("frame", [(1200, 900), (1920, 1080), (1080, 1920), (500, 500)])
@pytest.mark.parametrize("size", [(1200, 900), (900, 1200), (800, 800)])
def test_camera_sees_what_the_photo_saw_in_any_frame(frame, size):
    camera = a_camera(*size, cx=size[0] * 0.47, cy=size[1] * 0.55)
    points = np.random.default_rng(1).normal(scale=0.08, size=(50, 3))
    view = axes.scene_camera(camera, frame[0] / frame[1])
    seen = blender_pixels(view, axes.to_scene(points), frame, size)
    assert np.abs(seen - camera.project(points)).max() < 1e-6


def test_without_a_frame_the_longer_side_carries_the_sensor():
    portrait = axes.scene_camera(a_camera(900, 1200))
    assert portrait.sensor_fit == "VERTICAL"
    assert portrait.lens_mm == pytest.approx(1500 * 36 / 1200)


def test_pixels_that_are_not_square_are_refused():
    camera = a_camera()
    skewed = Camera(np.diag([1.0, 1.1, 1.0]) @ camera.K, camera.R, camera.t, 1200, 900)
    with pytest.raises(ValueError, match="square pixels"):
        axes.scene_camera(skewed)


def test_bone_rotation_turns_the_scene_as_the_joint_turns_the_head():
    turn = matrix_from_vector(np.array([0.3, -0.2, 0.1]))
    bone = matrix_from_vector(np.array([1.0, 0.4, -0.7]))
    local = axes.bone_rotation(turn, bone)
    point = np.array([0.1, 0.2, -0.3])
    assert np.allclose(bone @ local @ bone.T @ axes.to_scene(point), axes.to_scene(turn @ point))
