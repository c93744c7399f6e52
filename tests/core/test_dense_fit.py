# SPDX-License-Identifier: GPL-3.0-or-later
"""Heads whose truth is known are rendered to cues and fitted again."""

from dataclasses import replace

import numpy as np
import pytest

from core.cues.rendered_cues import Spoiling, rendered_cues, spoilt
from core.errors import FitError
from core.fitting import FitProblem, fit_head
from core.fitting.dense_pose import dense_pose
from core.fitting.landmark_model import LandmarkModel
from core.fitting.points import GazeMap
from core.fitting.pose import similarity
from core.fitting.result import eye_rotations
from core.fitting.surface_samples import samples_from_uv
from core.geometry.camera import Camera
from core.geometry.rotation import angle_between, matrix_from_vector
from core.heads import load_open_head

SIZE = 600


@pytest.fixture(scope="module")
def head():
    return load_open_head()


def camera(yaw, pitch=0.0, focal=1100.0, distance=0.65):
    turn = matrix_from_vector(np.radians([pitch, 0, 0])) @ matrix_from_vector(
        np.radians([0, yaw, 0])
    )
    r = np.diag([1.0, -1.0, -1.0]) @ turn
    place = np.array([0.01, 0.02, distance])
    return Camera.with_focal(focal, r, place - r @ np.array([0, -0.02, 0.04]), SIZE, SIZE)


class Person:
    """One identity; its expression and gaze in front of a camera."""

    def __init__(self, head, seed):
        self.head, self.rng = head, np.random.default_rng(seed)
        self.identity = self.rng.normal(size=head.identity_count)

    def seen(self, shot, sliders=None, **options):
        """Cues and posed vertices."""
        head, rng = self.head, self.rng
        gaze = np.tile(rng.normal(0, 0.08, 2), 2)
        if sliders is None:
            some = rng.random(head.expression_count) < 0.2
            expression = np.where(some, rng.uniform(0, 0.6, head.expression_count), 0.0)
        else:
            expression = np.zeros(head.expression_count)
            for name, value in sliders.items():
                expression[head.expression_names.index(name)] = value
        expression = GazeMap.of(head).apply(expression, gaze)
        rotations = eye_rotations(head, gaze)
        vertices = head.pose(self.identity, expression, rotations, correctives=False)
        cues = rendered_cues(head, self.identity, expression, rotations, shot, **options)
        return cues, vertices


def millimetres(head, got, true, fitted=False):
    """Distances over the face, after the best similarity if ``fitted``."""
    face = head.regions["face"]
    got, true = got[face], true[face]
    if fitted:
        scale, r, t = similarity(got, true, np.ones(len(got)))
        got = scale * got @ r.T + t
    return 1e3 * np.linalg.norm(got - true, axis=1)


@pytest.mark.parametrize(("yaw", "focal_known"), [(0, True), (-55, True), (30, False)])
def test_exact_cues_give_the_head_back(head, yaw, focal_known):
    shot = camera(yaw, 10)
    cues, vertices = Person(head, 100 + yaw).seen(shot)
    fit = fit_head(FitProblem(head, [cues], focal=[shot.focal if focal_known else None]))
    off = millimetres(head, fit.photos[0].vertices, vertices)
    assert np.median(off) < 0.2
    assert np.quantile(off, 0.95) < 0.6
    assert angle_between(fit.photos[0].camera.R, shot.R) < 0.1
    assert fit.photos[0].camera.focal == pytest.approx(shot.focal, rel=0.01)
    assert fit.report["solver"]["converged"]
    assert np.isfinite(fit.uncertainty).all()


@pytest.mark.parametrize("seed", [1, 2])
def test_spoilt_cues_do_not_mislead(head, seed):
    person = Person(head, seed)
    shot = camera(person.rng.uniform(-60, 60))
    cues, vertices = person.seen(shot)
    how = Spoiling(uv_noise=0.003, normal_noise=0.1, bits=8, occluded=0.3, outliers=0.05)
    fit = fit_head(FitProblem(head, [spoilt(cues, how, person.rng)], focal=[shot.focal]))
    assert np.median(millimetres(head, fit.photos[0].vertices, vertices, fitted=True)) < 0.8
    assert angle_between(fit.photos[0].camera.R, shot.R) < 3
    assert fit.photos[0].report["dense"]["outlying_pixel_share"] > 0.01


def test_a_face_that_is_mostly_hidden_is_said_to_be(head):
    person = Person(head, 12)
    shot = camera(10)
    cues, _ = person.seen(shot)
    open_face = fit_head(FitProblem(head, [cues], focal=[shot.focal]))
    covered = spoilt(cues, Spoiling(occluded=0.7), np.random.default_rng(2))
    fit = fit_head(FitProblem(head, [covered], focal=[shot.focal]))
    assert open_face.photos[0].report["hidden_share"] < 0.45
    assert fit.photos[0].report["hidden_share"] > 0.5
    assert any("hidden" in w for w in fit.warnings)
    assert not any("hidden" in w for w in open_face.warnings)
    assert fit.uncertainty.mean() > open_face.uncertainty.mean()


def test_a_background_that_claims_to_be_skin_does_not_mislead(head):
    """Networks say something of every pixel; nobody need have masked what is not the face."""
    person = Person(head, 3)
    shot = camera(25)
    cues, vertices = person.seen(shot)
    size = cues.confidence.shape
    rows, columns = np.indices(size) / size[0]
    uv = np.stack([columns, 1 - rows], axis=-1)
    normal = np.broadcast_to([0.0, 0.6, 0.8], (*size, 3))
    beside = cues.background[..., None] > 0
    assert beside.mean() > 0.4
    claims = replace(
        cues,
        uv=np.where(beside, uv, cues.uv).astype(np.float32),
        normal=np.where(beside, normal, cues.normal).astype(np.float32),
        confidence=np.ones_like(cues.confidence),
        background=None,
    )
    fit = fit_head(FitProblem(head, [claims], focal=[shot.focal]))
    off = millimetres(head, fit.photos[0].vertices, vertices, fitted=True)
    assert np.median(off) < 0.8
    assert fit.photos[0].report["dense"]["outlying_pixel_share"] > 0.1


def test_a_grimace_does_not_change_the_person(head):
    person = Person(head, 4)
    shot = camera(15)
    grimace = {"mouthSmileLeft": 0.8, "jawOpen": 0.4, "eyeBlinkRight": 0.9, "browDownLeft": 0.5}
    cues, _ = person.seen(shot, grimace)
    fit = fit_head(FitProblem(head, [cues], focal=[shot.focal]))
    neutral = head.neutral(person.identity)
    assert np.quantile(millimetres(head, fit.photos[0].neutral, neutral), 0.95) < 0.2
    values = dict(zip(head.expression_names, fit.photos[0].expression, strict=True))
    for name, value in grimace.items():
        assert values[name] == pytest.approx(value, abs=0.05), name
    assert values["eyeBlinkLeft"] < 0.05


def test_photos_of_one_person_share_an_identity(head):
    person = Person(head, 5)
    shots = [camera(-40, focal=800, distance=0.5), camera(35, -10, focal=1500, distance=0.9)]
    how = Spoiling(uv_noise=0.003, normal_noise=0.1, occluded=0.3)
    seen = [person.seen(shot) for shot in shots]
    cues = [spoilt(c, how, person.rng) for c, _ in seen]
    fit = fit_head(FitProblem(head, cues, focal=[s.focal for s in shots]))
    assert len(fit.photos) == 2
    both = np.median(millimetres(head, fit.photos[0].neutral, head.neutral(person.identity)))
    alone = [
        fit_head(FitProblem(head, [c], focal=[s.focal])) for c, s in zip(cues, shots, strict=True)
    ]
    worse = [
        np.median(millimetres(head, f.photos[0].neutral, head.neutral(person.identity)))
        for f in alone
    ]
    assert both < np.mean(worse)
    assert fit.uncertainty.mean() < min(f.uncertainty.mean() for f in alone)
    for photo, shot, (_, vertices) in zip(fit.photos, shots, seen, strict=True):
        assert angle_between(photo.camera.R, shot.R) < 2
        assert np.median(millimetres(head, photo.vertices, vertices, fitted=True)) < 0.8


def test_landmarks_add_the_gaze_to_dense_cues(head):
    person = Person(head, 6)
    shot = camera(20)
    cues, vertices = person.seen(shot, landmarks=True)
    fit = fit_head(
        FitProblem(head, [cues], focal=[shot.focal], landmark_model=LandmarkModel.uninformed())
    )
    assert np.median(millimetres(head, fit.photos[0].vertices, vertices)) < 0.2
    iris = head.landmark_ids[head.landmark_ids >= 468]
    off = fit.photos[0].landmarks_fit[iris] - cues.landmarks[iris]
    assert np.linalg.norm(off, axis=1).max() < 1.5


def test_normals_alone_refine_landmarks(head):
    person = Person(head, 7)
    shot = camera(-20)
    cues, vertices = person.seen(shot, landmarks=True)
    rough = cues.landmarks + person.rng.normal(0, 3, cues.landmarks.shape)
    cues = replace(cues, landmarks=rough)
    model = LandmarkModel.uninformed()
    both = fit_head(
        FitProblem(head, [replace(cues, uv=None)], focal=[shot.focal], landmark_model=model)
    )
    nothing = dict.fromkeys(("uv", "normal", "confidence", "crop_to_photo", "background"))
    sparse = replace(cues, **nothing)
    alone = fit_head(FitProblem(head, [sparse], focal=[shot.focal], landmark_model=model))
    off = [
        np.median(millimetres(head, f.photos[0].vertices, vertices, fitted=True))
        for f in (both, alone)
    ]
    assert off[0] < off[1]
    angle = both.photos[0].report["dense"]["normal_residual_degrees"]
    assert angle < 2
    assert "uv_residual_px" not in both.photos[0].report["dense"]


def test_pixels_name_the_points_that_they_show(head):
    shot = camera(-30)
    cues, vertices = Person(head, 8).seen(shot)
    samples = samples_from_uv(head, cues)
    off = np.linalg.norm(shot.project(samples.points(head, vertices)) - samples.pixel, axis=1)
    assert np.quantile(off, 0.99) < 0.01
    assert samples.count > 5000
    coarse = samples_from_uv(head, spoilt(cues, Spoiling(bits=8), np.random.default_rng(0)))
    off = shot.project(coarse.points(head, vertices)) - coarse.pixel
    # Rounding to 8 bits is far more than a pixel, but it leans to no side.
    assert np.linalg.norm(off, axis=1).mean() > 0.3
    assert np.abs(off.mean(axis=0)).max() < 0.05


@pytest.mark.parametrize("yaw", [-90, -45, 0, 70, 90])
def test_pose_in_closed_form_up_to_profile(head, yaw):
    rng = np.random.default_rng(abs(yaw))
    shot = camera(yaw, 15)
    flat = np.zeros((len(head.joint_names), 3))
    nobody = np.zeros(head.identity_count), np.zeros(head.expression_count)
    samples = samples_from_uv(head, rendered_cues(head, *nobody, flat, shot))
    points, pixels = samples.points(head, head.template), samples.pixel.copy()
    wrong = rng.random(len(pixels)) < 0.4
    pixels[wrong] = rng.uniform(0, SIZE, (int(wrong.sum()), 2))
    centre = np.array([SIZE / 2, SIZE / 2])
    r, t = dense_pose(points, pixels, samples.weight, shot.focal, centre)
    assert angle_between(r, shot.R) < 0.2
    assert np.linalg.norm(t - shot.t) < 0.005


def refused(head, cues):
    with pytest.raises(FitError) as raised:
        fit_head(FitProblem(head, [cues], focal=[None]))
    sentence = str(raised.value)
    assert sentence.endswith(".")
    assert ". " not in sentence
    return sentence


@pytest.fixture(scope="module")
def face_cues(head):
    return Person(head, 9).seen(camera(0))[0]


class TestCuesThatAreNoFace:
    @pytest.fixture
    def cues(self, face_cues):
        return face_cues

    def test_no_valid_pixel(self, head, cues):
        refused(head, replace(cues, confidence=np.zeros_like(cues.confidence)))

    def test_not_numbers(self, head, cues):
        refused(head, replace(cues, uv=np.full_like(cues.uv, np.nan)))
        refused(head, replace(cues, confidence=np.full_like(cues.confidence, np.nan)))

    def test_all_pixels_show_one_point(self, head, cues):
        refused(head, replace(cues, uv=np.full_like(cues.uv, 0.5)))

    def test_random_uv(self, head, cues):
        uv = np.random.default_rng(0).random(cues.uv.shape, np.float32)
        refused(head, replace(cues, uv=uv, confidence=np.ones_like(cues.confidence)))

    def test_a_face_of_16_pixels(self, head, cues):
        small = cues.crop_to_photo.copy()
        small[:, :2] *= 16 / (cues.crop_to_photo[0, 0] * 512 / 1.42)
        assert "24 pixels" in refused(head, replace(cues, crop_to_photo=small))

    def test_maps_of_16_pixels(self, head, cues):
        every = slice(None, None, 32)
        few = replace(
            cues,
            uv=cues.uv[every, every],
            normal=cues.normal[every, every],
            confidence=cues.confidence[every, every],
            background=cues.background[every, every],
        )
        refused(head, few)

    def test_nothing_to_start_from(self, head, cues):
        refused(head, replace(cues, uv=None))

    def test_a_fifth_of_the_pixels_not_numbers_is_no_obstacle(self, head):
        shot = camera(0)
        cues, vertices = Person(head, 9).seen(shot)
        holes = np.random.default_rng(1).random(cues.confidence.shape) < 0.2
        uv = cues.uv.copy()
        uv[holes] = np.nan
        fit = fit_head(FitProblem(head, [replace(cues, uv=uv)], focal=[shot.focal]))
        assert np.median(millimetres(head, fit.photos[0].vertices, vertices)) < 0.2
