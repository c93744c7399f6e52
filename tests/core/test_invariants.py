# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to hold for any numbers: round trips, symmetries, equivariances of geometry and fit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from test_axes import blender_pixels
from test_fit_landmarks import fit, seen

from core.errors import FitError
from core.files.ply import ply_bytes
from core.fitting.pose import initial_pose, similarity
from core.fitting.solver import bounded_step
from core.geometry import axes
from core.geometry.camera import Camera
from core.geometry.rotation import matrix_from_vector, nearest_rotation, vector_from_matrix
from core.heads import load_open_head
from core.photos.exif import upright

# The same examples every time, so that a run is the same everywhere; more of them by
# --hypothesis-seed.
steady = settings(
    max_examples=30,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def numbers(low, high, *shape):
    return arrays(np.float64, shape, elements=st.floats(low, high, width=32))


@st.composite
def rotation_vectors(draw, most=np.pi):
    """Any axis, any angle up to ``most``, the ends among them."""
    axis = draw(numbers(-1, 1, 3))
    assume(np.linalg.norm(axis) > 1e-3)
    angle = draw(st.one_of(st.sampled_from([0.0, 1e-9, 1e-4, np.pi / 2, most]),
                           st.floats(0, most)))  # fmt: skip
    return axis / np.linalg.norm(axis) * angle


rotations = rotation_vectors().map(matrix_from_vector)


@pytest.fixture(scope="module")
def head():
    return load_open_head()


@steady
@given(rotation_vectors())
def test_rotations_are_rotations_and_come_back(vector):
    turn = matrix_from_vector(vector)
    assert np.allclose(turn @ turn.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(turn) == pytest.approx(1, abs=1e-12)
    back = vector_from_matrix(turn)
    assert np.linalg.norm(back) <= np.pi + 1e-9
    assert np.allclose(matrix_from_vector(back), turn, atol=1e-7)
    if np.linalg.norm(vector) < np.pi - 1e-3:
        assert np.allclose(back, vector, atol=1e-7)
    assert np.allclose(matrix_from_vector(-vector), turn.T, atol=1e-12)
    assert np.allclose(nearest_rotation(turn * 3.0 + 0.0), turn, atol=1e-9)


@steady
@given(numbers(-1e3, 1e3, 5, 3))
def test_scene_and_head_frame_are_one_another_turned(points):
    assert np.array_equal(axes.to_head(axes.to_scene(points)), points)
    scene = axes.to_scene(points)
    assert np.allclose(np.linalg.norm(scene, axis=1), np.linalg.norm(points, axis=1))
    assert np.allclose(np.cross(scene[0], scene[1]), axes.to_scene(np.cross(points[0], points[1])))


@st.composite
def cameras(draw):
    width, height = draw(st.integers(32, 8000)), draw(st.integers(32, 8000))
    focal = draw(st.floats(0.5, 8)) * max(width, height)
    k = np.array([[focal, 0, draw(st.floats(0.2, 0.8)) * width],
                  [0, focal, draw(st.floats(0.2, 0.8)) * height], [0, 0, 1]])  # fmt: skip
    t = np.array([draw(st.floats(-0.1, 0.1)), draw(st.floats(-0.1, 0.1)), draw(st.floats(0.3, 5))])
    return Camera(k, draw(rotations), t, width, height)


@steady
@given(cameras(), numbers(-0.125, 0.125, 6, 3), st.floats(0.1, 10), rotations, numbers(-2, 2, 3))
def test_cameras_see_the_same_however_they_are_written(camera, points, scale, turn, shift):
    seen_at = camera.project(points)
    assert np.array_equal(Camera.from_json(camera.to_json()).project(points), seen_at)
    # A larger picture of the same.
    larger = replace(camera, K=np.diag([scale, scale, 1]) @ camera.K)
    assert np.allclose(larger.project(points), scale * seen_at, rtol=1e-9, atol=1e-6)
    # World and camera moved together.
    moved = replace(camera, R=camera.R @ turn.T, t=camera.t - camera.R @ turn.T @ shift)
    assert np.allclose(moved.project(points @ turn.T + shift), seen_at, atol=1e-5 * camera.focal)
    assert np.allclose(camera.to_camera(camera.centre), 0, atol=1e-12)
    # And as Blender's own formulas have it.
    view = axes.scene_camera(camera)
    size = (camera.width, camera.height)
    blender = blender_pixels(view, axes.to_scene(points), size, size)
    assert np.allclose(blender, seen_at, atol=1e-6 * camera.focal)


@steady
@given(numbers(-1, 1, 12, 3), st.floats(0.01, 100), rotations, numbers(-5, 5, 3),
       numbers(0.125, 4, 12))  # fmt: skip
def test_procrustes_finds_any_similarity(points, scale, turn, shift, weights):
    spread = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
    assume(spread[1] > 0.05)
    try:
        found = similarity(points, scale * points @ turn.T + shift, weights)
    except FitError:
        assert spread[1] < 1e-3 * spread[0]
        return
    assert found[0] == pytest.approx(scale, rel=1e-6)
    # A flat set of points may be turned over; it lies on itself all the same.
    again = found[0] * points @ found[1].T + found[2]
    assert np.allclose(again, scale * points @ turn.T + shift, atol=1e-6 * scale + 1e-9)
    assert np.linalg.det(found[1]) == pytest.approx(1)


@steady
@given(rotation_vectors(most=0.6), st.floats(300, 4000), st.floats(0.25, 4), st.integers(0, 9))
def test_a_pose_does_not_depend_on_the_photos_size(vector, focal, scale, seed):
    points = np.random.default_rng(seed).normal(0, 0.06, (40, 3))
    turn = np.diag([1.0, -1, -1]) @ matrix_from_vector(vector)
    camera = Camera.with_focal(focal, turn, np.array([0.02, -0.01, 0.7]), 640, 480)
    at = camera.project(points)
    depth = focal / 0.7 * (camera.to_camera(points)[:, 2] - 0.7)
    centre, sigma = np.array([320.0, 240]), np.ones(40)
    r, t = initial_pose(points, at, depth, sigma, focal, centre)
    same = initial_pose(
        points, scale * at, scale * depth, scale * sigma, scale * focal, scale * centre
    )
    assert np.allclose(same[0], r, atol=1e-9)
    assert np.allclose(same[1], t, atol=1e-9)


@settings(steady, max_examples=8)
@given(vector=rotation_vectors(), shift=numbers(-1, 1, 3), seed=st.integers(0, 99))
def test_skinning_follows_rigid_motions(head, vector, shift, seed):
    rng = np.random.default_rng(seed)
    neutral = head.neutral(rng.normal(0, 0.7, head.identity_count))
    joints = head.joints(neutral)
    still = np.zeros((len(head.joint_names), 3))
    assert np.array_equal(head.skin(neutral, joints, still), neutral)
    # The root turns everything about itself.
    turned = still.copy()
    turned[0] = vector
    turn = matrix_from_vector(vector)
    expected = (neutral - joints[0]) @ turn.T + joints[0]
    assert np.allclose(head.skin(neutral, joints, turned), expected, atol=1e-6)
    # A head that stands elsewhere moves alike there.
    posed = rng.normal(0, 0.2, still.shape)
    there = head.skin(neutral + shift, joints + shift, posed)
    assert np.allclose(there, head.skin(neutral, joints, posed) + shift, atol=1e-6)


@settings(steady, max_examples=2)
@given(scale=st.sampled_from([0.25, 0.5, 3.0, 7.0]), seed=st.integers(0, 99))
def test_a_fit_does_not_depend_on_the_photos_size(head, scale, seed):
    """Seven times the pixels, the same head."""
    identity = np.random.default_rng(seed).normal(0, 0.8, head.identity_count)
    cues, camera = seen(head, identity, {"jawOpen": 0.4}, yaw=15.0, noise=0.0)
    larger = replace(
        cues,
        width=round(scale * cues.width),
        height=round(scale * cues.height),
        landmarks=scale * cues.landmarks,
        landmark_depth=scale * cues.landmark_depth,
    )
    one = fit(head, cues, focal=camera.focal)
    other = fit(head, larger, focal=scale * camera.focal)
    a, b = one.photos[0], other.photos[0]
    away = np.linalg.norm(a.camera.to_camera(a.vertices) - b.camera.to_camera(b.vertices), axis=1)
    assert away.max() < 5e-4
    assert np.abs(a.expression - b.expression).max() < 0.02


@steady
@given(numbers(-1, 1, 6, 6), numbers(-2, 2, 6), numbers(0, 1, 6), numbers(0, 1, 6))
def test_a_bounded_step_obeys_its_bounds_and_descends_when_damped(root, gradient, below, above):
    matrix = root @ root.T + 1e-3 * np.eye(6)
    for damping in (0.01, 100.0):
        step = bounded_step(matrix, gradient, damping, np.arange(6), -below, above)
        assert step is not None
        assert (step >= -below - 1e-9).all()
        assert (step <= above + 1e-9).all()
    # No worse than standing still, where damping is as strong as it becomes when steps fail: with
    # little of it, which bounds hold is a guess, and the solver looks whether it was right.
    damped = matrix + np.diag(damping * np.diag(matrix))
    assert gradient @ step + 0.5 * step @ damped @ step <= 1e-9


@steady
@given(st.integers(1, 8), arrays(np.uint8, (3, 5, 3)))
def test_every_orientation_is_undone_by_another(orientation, pixels):
    undo = {6: 8, 8: 6}.get(orientation, orientation)
    assert np.array_equal(upright(upright(pixels, orientation), undo), pixels)


@steady
@given(numbers(-10, 10, 7, 3), arrays(np.int32, (4, 3), elements=st.integers(0, 6)),
       st.text(max_size=40))  # fmt: skip
def test_ply_is_read_back(vertices, triangles, comment):
    data = ply_bytes(vertices, triangles, comment)
    header, _, body = data.partition(b"end_header\n")
    assert header.startswith(b"ply\nformat binary_little_endian 1.0\n")
    assert b"element vertex 7\n" in header
    assert b"element face 4\n" in header
    # No comment ends the header early, or begins an element.
    lines = header.decode("ascii").splitlines()
    assert sum(line.startswith("element") for line in lines) == 2
    assert np.array_equal(np.frombuffer(body, "<f8", 21).reshape(7, 3), vertices)
    faces = np.frombuffer(body[168:], np.dtype([("n", "u1"), ("v", "<i4", 3)]))
    assert (faces["n"] == 3).all()
    assert np.array_equal(faces["v"], triangles)
