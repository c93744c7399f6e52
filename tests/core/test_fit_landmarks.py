# SPDX-License-Identifier: GPL-3.0-or-later
"""fit_head() on landmarks of known heads: what it recovers, keeps apart, and refuses."""

from dataclasses import replace

import numpy as np
import pytest

from core.cues import ScreenCues
from core.errors import FitError
from core.fitting import FitProblem, fit_head
from core.fitting.landmark_model import LandmarkModel
from core.fitting.points import GazeMap
from core.fitting.result import eye_rotations
from core.fitting.solver import bounded_step
from core.geometry.camera import Camera
from core.geometry.rotation import angle_between, matrix_from_vector
from core.heads import load_open_head

SIZE = 512


@pytest.fixture(scope="module")
def head():
    return load_open_head()


def turned(yaw_degrees, pitch_degrees=0.0):
    yaw, pitch = np.radians([yaw_degrees, pitch_degrees])
    turn = matrix_from_vector(np.array([pitch, 0, 0])) @ matrix_from_vector(np.array([0, yaw, 0]))
    return np.diag([1.0, -1.0, -1.0]) @ turn


def seen(head, identity, sliders=None, yaw=0.0, gaze=(0, 0, 0, 0), focal=700.0, noise=0.0, seed=0):
    """Cues of a head whose truth is known, and its camera."""
    expression = np.zeros(head.expression_count)
    for name, value in (sliders or {}).items():
        expression[head.expression_names.index(name)] = value
    gaze = np.array(gaze, dtype=float)
    expression = GazeMap.of(head).apply(expression, gaze)
    posed = head.pose(identity, expression, eye_rotations(head, gaze), correctives=False)
    camera = Camera.with_focal(focal, turned(yaw), np.array([0.01, -0.02, 0.62]), SIZE, SIZE)
    points = head.landmarks(posed)
    z = camera.to_camera(points)[:, 2]
    rng = np.random.default_rng(seed)
    landmarks = camera.project(points) + rng.normal(0, noise, (len(points), 2))
    cues = ScreenCues(
        width=SIZE,
        height=SIZE,
        predictor="truth",
        landmarks=landmarks,
        landmark_depth=focal * (z / z.mean() - 1),
        landmark_sigma=np.zeros(len(points)),
    )
    return cues, camera


def fit(head, *cues, focal=700.0):
    return fit_head(
        FitProblem(head, cues, focal=[focal] * len(cues), landmark_model=LandmarkModel.uninformed())
    )


def sliders_of(head, photo):
    return dict(zip(head.expression_names, photo.expression, strict=True))


def neutral_error_mm(head, found, identity):
    """Of a fit: see :func:`shape_error_mm`."""
    return shape_error_mm(head, found.photos[0].neutral, identity)


def shape_error_mm(head, neutral, identity):
    """Median over the face after a similarity: place and size of the neutral are arbitrary, and how
    large people are, the first thing in which they differ, no photo shows.
    """
    face = head.regions["face"]
    a, b = neutral[face], head.neutral(identity)[face]
    a, b = a - a.mean(0), b - b.mean(0)
    u, s, vt = np.linalg.svd(b.T @ a)
    handed = np.array([1, 1, np.sign(np.linalg.det(u @ vt))])
    r = (s * handed).sum() / (a**2).sum() * u @ np.diag(handed) @ vt
    return 1e3 * np.median(np.linalg.norm(a @ r.T - b, axis=1))


@pytest.mark.parametrize("yaw", [-70, -30, 0, 45, 85])
def test_pose_is_found_at_any_yaw(head, yaw):
    identity = np.random.default_rng(3).normal(0, 0.7, head.identity_count)
    cues, camera = seen(head, identity, yaw=yaw)
    photo = fit(head, cues).photos[0]
    assert angle_between(photo.camera.R, camera.R) < 1.0
    assert np.linalg.norm(photo.camera.t - camera.t) < 0.02
    assert photo.report["reprojection_px"]["mean"] < 1.0


def test_identity_beats_the_average_face(head):
    identity = np.random.default_rng(4).normal(0, 1.0, head.identity_count)
    found = fit(head, seen(head, identity, noise=0.5)[0])
    average = shape_error_mm(head, head.template, identity)
    assert neutral_error_mm(head, found, identity) < 0.6 * average


def test_a_smile_does_not_widen_the_neutral_head(head):
    identity = np.random.default_rng(5).normal(0, 0.7, head.identity_count)
    smile = {"mouthSmileLeft": 0.8, "mouthSmileRight": 0.8, "cheekSquintLeft": 0.4}
    calm = fit(head, seen(head, identity)[0])
    smiling = fit(head, seen(head, identity, smile)[0])
    sliders = sliders_of(head, smiling.photos[0])
    assert min(sliders["mouthSmileLeft"], sliders["mouthSmileRight"]) > 0.35
    lips = head.regions["lips"]
    width = lambda r: np.ptp(r.photos[0].neutral[lips, 0])  # noqa: E731
    assert abs(width(smiling) - width(calm)) < 0.0025


def test_a_wink_stays_on_its_side(head):
    cues, _ = seen(head, np.zeros(head.identity_count), {"eyeBlinkLeft": 1.0})
    sliders = sliders_of(head, fit(head, cues).photos[0])
    assert sliders["eyeBlinkLeft"] > 0.5
    assert sliders["eyeBlinkRight"] < 0.15


@pytest.mark.parametrize("gaze", [(0.0, 0.2, 0.0, 0.2), (0.12, -0.1, 0.12, -0.1)])
def test_gaze_follows_the_irises(head, gaze):
    cues, _ = seen(head, np.zeros(head.identity_count), gaze=gaze)
    rotations = fit(head, cues).photos[0].rotations
    for eye in ("eye_l", "eye_r"):
        np.testing.assert_allclose(rotations[head.joint(eye)][:2], gaze[:2], atol=0.05)


def test_more_photos_lower_the_uncertainty_and_say_by_how_much(head):
    identity = np.random.default_rng(6).normal(0, 0.8, head.identity_count)
    cues = [seen(head, identity, yaw=y, noise=0.5, seed=i)[0] for i, y in enumerate((0, 40, -40))]
    one, three = fit(head, cues[0]), fit(head, *cues)
    assert three.report["face_uncertainty_mm"] < 0.8 * one.report["face_uncertainty_mm"]
    assert neutral_error_mm(head, three, identity) < neutral_error_mm(head, one, identity)
    lowered = three.report["uncertainty_lowered_mm"]
    assert len(lowered) == 3
    assert min(lowered) > 0
    assert "add a photo" in one.report["advice"]
    assert "advice" not in three.report
    for photo in three.photos[1:]:
        np.testing.assert_array_equal(photo.neutral, three.photos[0].neutral)


def test_uncertainty_contains_the_truth_about_as_often_as_it_says(head):
    rng = np.random.default_rng(8)
    inside = []
    face = head.regions["face"]
    for seed in range(6):
        identity = rng.normal(0, 1.0, head.identity_count)
        even = np.asarray(identity)
        found = fit(head, seen(head, even, noise=2.0, seed=seed)[0])
        error = np.linalg.norm((found.photos[0].neutral - head.neutral(even))[face], axis=1)
        inside.append(np.mean(error < 2 * found.uncertainty[face]))
    assert 0.7 < np.mean(inside) <= 1.0


def test_outliers_do_not_pull_the_head(head):
    cues, camera = seen(head, np.zeros(head.identity_count))
    wrong = cues.landmarks.copy()
    wrong[::10] += 60
    spoiled = ScreenCues(
        SIZE,
        SIZE,
        "truth",
        landmarks=wrong,
        landmark_depth=cues.landmark_depth,
        landmark_sigma=cues.landmark_sigma,
    )
    photo = fit(head, spoiled).photos[0]
    assert angle_between(photo.camera.R, camera.R) < 1.5
    assert np.median(np.linalg.norm(photo.landmarks_fit - cues.landmarks, axis=1)) < 2


def broken(cues, landmarks, depth=None):
    return ScreenCues(
        SIZE,
        SIZE,
        "broken",
        landmarks=landmarks,
        landmark_depth=np.zeros(478) if depth is None else depth,
        landmark_sigma=np.zeros(478),
    )


def test_degenerate_landmarks_are_refused_with_one_sentence(head):
    cues, _ = seen(head, np.zeros(head.identity_count))
    line = np.column_stack([np.linspace(0, 500, 478)] * 2)
    noise = np.random.default_rng(0).uniform(0, 500, (478, 2))
    for landmarks in (line, np.full((478, 2), 250.0), noise):
        with pytest.raises(FitError) as error:
            fit(head, broken(cues, landmarks))
        assert str(error.value).count(".") >= 1
        assert "\n" not in str(error.value)
    with pytest.raises(FitError, match="not numbers"):
        broken(cues, np.full((478, 2), np.nan))


def test_a_head_without_places_for_landmarks_says_so(head):
    nowhere = replace(head, landmark_vertices=np.full_like(head.landmark_vertices, -1))
    cues, _ = seen(head, np.zeros(head.identity_count))
    with pytest.raises(FitError, match="no places for face landmarks"):
        fit_head(FitProblem(nowhere, [cues]))


def test_a_face_of_a_few_pixels_is_said_to_be_one(head):
    cues, _ = seen(head, np.zeros(head.identity_count))
    tiny = broken(cues, 250 + (cues.landmarks - 250) / 20, cues.landmark_depth / 20)
    found = fit(head, tiny)
    assert any("few pixels" in w for w in found.report["warnings"])


def test_bounded_step_solves_what_the_bounds_leave():
    matrix = np.array([[2.0, 1.0], [1.0, 2.0]])
    gradient = np.array([-4.0, -1.0])
    least, most = np.array([-np.inf, -1.0]), np.array([1.0, np.inf])
    step = bounded_step(matrix, gradient, 0.0, np.arange(2), least, most)
    # The first unknown stops at 1; the second answers to that: (1 - 1) / 2 = 0.
    np.testing.assert_allclose(step, [1.0, 0.0], atol=1e-12)
