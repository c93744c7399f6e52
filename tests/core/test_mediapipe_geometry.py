# SPDX-License-Identifier: GPL-3.0-or-later
"""Metric face geometry and the canonical face: what must hold without any original at hand."""

from __future__ import annotations

import numpy as np
import pytest

from core.cues.face_geometry import canonical_face, face_geometry, similarity
from core.errors import FitError

WIDTH, HEIGHT, FOV = 900, 600, 0.7


def rotation(yaw, pitch):
    c, s = np.cos(yaw), np.sin(yaw)
    d, t = np.cos(pitch), np.sin(pitch)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]) @ np.array(
        [[1, 0, 0], [0, d, -t], [0, t, d]]
    )


def seen(vertices, turn, distance):
    """Landmarks of a face as the net would give them: perspective x and y, weak z, in pixels."""
    focal = HEIGHT / 2 / np.tan(FOV / 2)
    turned = vertices @ turn.T
    camera = turned * [1, -1, -1] + [0.01, 0.005, distance]
    xy = camera[:, :2] / camera[:, 2:] * focal + [WIDTH / 2, HEIGHT / 2]
    return np.column_stack([xy, -turned[:, 2] * focal / distance])


def test_the_canonical_face_is_symmetric():
    face = canonical_face()
    mirror = face.mirror[:468]
    np.testing.assert_array_equal(face.vertices[mirror] * [-1, 1, 1], face.vertices)
    np.testing.assert_array_equal(face.mirror[face.mirror], np.arange(478))
    assert face.mirror[33] == 263
    assert face.mirror[468:473].tolist() == [473, 476, 475, 474, 477]
    assert 0.14 < np.ptp(face.vertices[:, 0]) < 0.17  # metres
    assert face.vertices[263, 0] > 0  # the subject's left lies at +x


def test_its_triangles_look_outward():
    face = canonical_face()
    a, b, c = (face.vertices[face.triangles[:, k]] for k in range(3))
    normals = np.cross(b - a, c - a)
    assert (normals[:, 2] > 0).mean() > 0.95
    assert set(face.triangles.ravel()) == set(range(468))


@pytest.mark.parametrize(("yaw", "pitch"), [(0, 0), (0.5, 0), (-0.6, 0.2), (0, -0.3)])
def test_pose_and_shape_of_a_known_face(yaw, pitch):
    face, turn = canonical_face(), rotation(yaw, pitch)
    result = face_geometry(seen(face.vertices, turn, 0.6), WIDTH, HEIGHT, FOV)
    # z is the net's weak-perspective one, so shape and depth come back only nearly.
    assert np.linalg.norm(result.landmarks - face.vertices, axis=1).mean() < 0.002
    upright = np.diag([1.0, -1.0, -1.0]) @ result.pose[:3, :3]
    angle = np.arccos((np.trace(upright @ turn.T) - 1) / 2)
    assert np.degrees(angle) < 3
    np.testing.assert_allclose(result.pose[:3, 3], [0.01, 0.005, 0.6], atol=0.02)


@pytest.mark.parametrize("yaw", [0, 0.7])
def test_the_metric_face_projects_onto_its_landmarks(yaw):
    generator = np.random.default_rng(4)
    landmarks = seen(canonical_face().vertices, rotation(yaw, 0.1), 0.8)
    landmarks += generator.normal(0, 3, landmarks.shape)
    result = face_geometry(landmarks, WIDTH, HEIGHT, FOV)
    camera = result.landmarks @ result.pose[:3, :3].T + result.pose[:3, 3]
    focal = HEIGHT / 2 / np.tan(FOV / 2)
    xy = camera[:, :2] / camera[:, 2:] * focal + [WIDTH / 2, HEIGHT / 2]
    np.testing.assert_allclose(xy, landmarks[:, :2], atol=1e-6)


def test_distance_follows_the_field_of_view():
    landmarks = seen(canonical_face().vertices, np.eye(3), 0.8)
    near, far = (face_geometry(landmarks, WIDTH, HEIGHT, fov).pose[2, 3] for fov in (1.0, 0.5))
    assert far / near == pytest.approx(np.tan(0.5) / np.tan(0.25), rel=0.05)


def test_similarity_of_known_motion():
    generator = np.random.default_rng(5)
    source = generator.normal(size=(40, 3))
    turn = rotation(1.1, -0.4)
    target = 2.5 * source @ turn.T + [3, -1, 2]
    target[-1] += 100  # without weight
    weights = np.append(generator.random(39) + 0.1, 0)
    matrix = similarity(source, target, weights)
    np.testing.assert_allclose(matrix[:3, :3], 2.5 * turn, atol=1e-12)
    np.testing.assert_allclose(matrix[:3, 3], [3, -1, 2], atol=1e-12)


def test_a_reflection_is_not_a_pose():
    source = np.random.default_rng(6).normal(size=(20, 3))
    matrix = similarity(source, source * [-1, 1, 1], np.ones(20))
    assert np.linalg.det(matrix[:3, :3]) > 0


@pytest.mark.parametrize(
    "landmarks",
    [np.zeros((468, 3)), np.full((468, 3), np.nan), np.zeros((100, 3)), np.zeros((468, 2))],
    ids=["a point", "not a number", "too few", "flat"],
)
def test_degenerate_landmarks_are_one_sentence(landmarks):
    with pytest.raises(FitError, match="choose another photo"):
        face_geometry(landmarks, WIDTH, HEIGHT, FOV)
