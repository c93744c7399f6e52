# SPDX-License-Identifier: GPL-3.0-or-later
"""The shape network: what it says, where it is doubted, and what happens without it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.cues import learnt_shape
from core.cues.face_region import face_region
from core.cues.image_warp import Region
from core.cues.learnt_shape import with_shape
from core.cues.rendered_cues import rendered_cues
from core.cues.screen_cues import ScreenCues
from core.cues.shape_network import (
    CROP_SCALE,
    SIZE,
    ShapeNetwork,
    doubts,
    sampled,
    shape_path,
    variation,
    yaw_of,
)
from core.errors import ModelFileError
from core.fitting.fit import fit_head
from core.fitting.problem import FitProblem
from core.geometry.camera import Camera
from core.geometry.rotation import matrix_from_vector
from core.heads import HeadModel, load_open_head
from core.options import Options
from core.photos.photo import Photo, load_photo
from core.pipeline import reconstruct
from core.progress import silent
from core.reconstruct.continuation import Continuation
from core.reconstruct.refit import refit
from core.reconstruct.seen_photo import see
from core.reconstruction import PhotoFit, Reconstruction

EXPECTED = Path(__file__).with_name("shape_expected.npz")


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return load_open_head()


@pytest.fixture(scope="module")
def network() -> ShapeNetwork:
    return ShapeNetwork()


@pytest.fixture(scope="module")
def photo(example_photo: Path) -> Photo:
    return load_photo(example_photo)


@pytest.fixture(scope="module")
def shaped(photo: Photo) -> Reconstruction:
    return reconstruct([photo])[0]


@pytest.fixture(scope="module")
def plain(photo: Photo) -> Reconstruction:
    return reconstruct([photo], Options(predictor="landmarks"))[0]


def _arrays() -> dict[str, np.ndarray]:
    with np.load(shape_path(), allow_pickle=False) as z:
        return {name: z[name] for name in z.files}


def _fit(head: HeadModel, yaw: float = 0.0, pitch: float = 0.0, distance: float = 0.6) -> PhotoFit:
    turn = matrix_from_vector(np.radians([pitch, 0, 0])) @ matrix_from_vector(
        np.radians([0, yaw, 0])
    )
    turn = np.diag([1.0, -1, -1]) @ turn
    place = np.array([0, 0, distance]) - turn @ np.array([0.0, 0.0, 0.06])
    camera = Camera.with_focal(900.0, turn, place, 640, 480)
    nothing = np.zeros(head.template.shape)
    marks = np.zeros((478, 2))
    return PhotoFit(
        np.zeros(head.expression_count), np.zeros((len(head.joint_names), 3)), camera, nothing,
        head.template, head.template, marks, marks,
    )  # fmt: skip


def _noise() -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 255, (SIZE, SIZE, 3)).astype(np.float32)


def _trust(head: HeadModel, fit: PhotoFit, colors: np.ndarray | None = None) -> float:
    region = face_region(head, fit.vertices, fit.camera, CROP_SCALE)
    return doubts(region, fit, _noise() if colors is None else colors).trust


def test_it_says_what_torch_says(network: ShapeNetwork) -> None:
    with np.load(EXPECTED, allow_pickle=False) as z:
        expected = {name: z[name] for name in z.files}
    mean, covariance = network.posterior(expected["colors"].astype(np.float32), 0.0)
    assert np.abs(mean - expected["mean"]).max() < 1e-4
    with np.load(shape_path(), allow_pickle=False) as z:
        inner = np.diag(z["error_covariance"][0])
    sigma = np.sqrt(np.diag(covariance) / inner)
    assert np.abs(sigma - expected["sigma"]).max() < 1e-4
    # What eight bits cost, against the weights as they were trained.
    lost = mean - expected["mean_as_trained"]
    assert np.sqrt((lost**2).mean()) < 0.02
    assert np.abs(expected["mean_as_trained"]).max() > 0.5


def test_the_photo_is_sampled_at_true_places() -> None:
    y, x = np.mgrid[0:300, 0:400]
    ramp = np.stack([x / 2, y / 2, 0 * x], axis=2).astype(np.uint8)
    region = Region(np.array([210.0, 140.0]), 180.0, 0.3)
    crop = sampled(ramp, region)
    at = np.stack(np.meshgrid(*(np.arange(SIZE) + 0.5,) * 2), axis=-1)
    matrix = region.matrix(SIZE)
    places = at @ matrix[:, :2].T + matrix[:, 2]
    # The colour of a pixel is that of its centre, half a pixel from its corner; uint8 rounds down.
    assert np.abs(2 * crop[..., :2] - (places - 0.5)).max() < 1.2
    assert np.abs((2 * crop[..., :2] - (places - 0.5)).mean()) < 0.6


def test_the_further_from_what_it_knows_the_less_it_is_believed(head: HeadModel) -> None:
    assert _trust(head, _fit(head)) == 1.0
    far = [_trust(head, _fit(head, distance=d)) for d in (1.2, 1.6, 2.0, 3.0)]
    side = [_trust(head, _fit(head, yaw=y)) for y in (40, 62, 68, 74, 80)]
    above = [_trust(head, _fit(head, pitch=p)) for p in (20, 40, 50, 60)]
    masks = [
        _trust(head, replace(_fit(head), unseen=np.arange(478) < n)) for n in (90, 150, 190, 240)
    ]
    for row in (far, side, above, masks):
        assert np.all(np.diff(row) <= 0)
        assert row[0] == 1.0
        assert row[-1] == 0.0
    assert 0 < far[1] < 1
    assert 0 < side[2] < 1
    assert yaw_of(_fit(head, yaw=30).camera) == pytest.approx(30, abs=0.1)


def test_faces_cut_off_and_landmarks_that_fit_nothing(head: HeadModel) -> None:
    fit = _fit(head)
    shifted = [
        replace(fit, camera=replace(fit.camera, t=fit.camera.t + np.array([dx, 0, 0])))
        for dx in (0.0, 0.2, 0.25, 0.5)
    ]
    row = [_trust(head, f) for f in shifted]
    assert row[0] == 1.0
    assert row[-1] == 0.0
    assert np.all(np.diff(row) <= 0)
    off = [
        _trust(head, replace(fit, report={"reprojection_percent_of_eye_distance": r}))
        for r in (1.0, 8.0, 11.0, 20.0)
    ]
    assert off[0] == 1.0
    assert off[-1] == 0.0
    assert np.all(np.diff(off) < 0)


def test_a_drawing_is_not_believed(head: HeadModel, photo: Photo, plain: Reconstruction) -> None:
    fit = plain.photos[0]
    colors = sampled(photo.pixels, face_region(head, fit.vertices, fit.camera, CROP_SCALE))
    assert doubts(face_region(head, fit.vertices, fit.camera), fit, colors).trust > 0.9
    cv2 = pytest.importorskip("cv2")
    gray = cv2.cvtColor(photo.pixels, cv2.COLOR_RGB2GRAY)
    dodged = cv2.divide(gray, 255 - cv2.GaussianBlur(255 - gray, (0, 0), 5), scale=256)
    drawing = np.repeat(dodged[..., None], 3, axis=2)
    drawn = sampled(drawing, face_region(head, fit.vertices, fit.camera, CROP_SCALE))
    assert variation(drawn) < variation(colors) / 2
    assert _trust(head, _fit(head), np.full((SIZE, SIZE, 3), 200.0)) == 0.0


def test_the_default_is_the_landmarks_and_the_network(
    shaped: Reconstruction, plain: Reconstruction, network: ShapeNetwork
) -> None:
    said = shaped.report["shape_network"]
    assert said["photos"] == [0]
    assert said["nats"]["network"] > 1
    assert said["nats"]["landmarks"] > 1
    assert 0.1 < said["moved_mm"] < 10
    # The network makes the head surer than the landmarks alone.
    assert shaped.report["face_uncertainty_mm"] < said["face_uncertainty_without_mm"]
    assert shaped.recipe["networks"] == {"shape": network.sha256}
    assert shaped.report["solver"]["converged"]
    assert "shape_network" not in plain.report
    assert plain.recipe["networks"] == {}


def test_it_starts_where_the_landmarks_led_and_ends_where_a_fit_from_rest_does(
    head: HeadModel, photo: Photo, plain: Reconstruction, shaped: Reconstruction
) -> None:
    cues = Continuation.from_json(shaped.continuation).photos[0].cues
    cold = fit_head(FitProblem(head, [cues], [photo.focal_px]), uncertainty=False)
    face = head.regions["face"]
    off = np.linalg.norm(cold.photos[0].neutral - shaped.photos[0].neutral, axis=1)[face]
    apart = np.linalg.norm(plain.photos[0].neutral - shaped.photos[0].neutral, axis=1)[face]
    assert off.mean() < 0.3e-3
    assert off.mean() < 0.3 * apart.mean()


def test_the_fit_goes_on_with_what_the_photo_said(shaped: Reconstruction) -> None:
    told = Continuation.from_json(shaped.continuation)
    shape = told.photos[0].shape
    assert shape is not None
    assert shape.trust == 1.0
    after = refit(shaped.continuation, [], progress=silent).after
    again = Continuation.from_json(after.continuation_json)
    assert again.photos[0].shape is not None
    assert (again.photos[0].shape.matrix == shape.matrix).all()
    assert np.abs(again.identity - told.identity).max() < 0.05
    # A head that an earlier version made holds nothing of the kind.
    data = json.loads(shaped.continuation)
    for p in data["photos"]:
        del p["shape"]
    older = refit(json.dumps(data), [], progress=silent).after
    first = Continuation.from_json(older.continuation_json)
    assert first.photos[0].shape is None
    assert np.abs(first.identity - told.identity).max() > 0.05


def test_what_was_said_of_another_head_is_forgotten(shaped: Reconstruction) -> None:
    data = json.loads(shaped.continuation)
    data["head"]["sha256"] = "0" * 64
    after = refit(json.dumps(data), [], progress=silent).after
    assert Continuation.from_json(after.continuation_json).photos[0].shape is None


def test_a_further_photo_is_asked_too(photo: Photo, shaped: Reconstruction) -> None:
    mirrored = Photo(np.ascontiguousarray(photo.pixels[:, ::-1]), "other.jpg", None, None, None)
    more = see([mirrored], Options())
    after = refit(shaped.continuation, [], more, progress=silent).after
    photos = Continuation.from_json(after.continuation_json).photos
    assert [p.shape is not None for p in photos] == [True, True]
    alone = refit(shaped.continuation, [], more, shape=False, progress=silent).after
    photos = Continuation.from_json(alone.continuation_json).photos
    assert [p.shape is not None for p in photos] == [True, False]


def _spoilt(name: str) -> dict[str, np.ndarray]:
    arrays = _arrays()
    if name == "not a number":
        arrays["t3"] = np.full(arrays["t3"].shape, np.nan, np.float32)
    elif name == "another size":
        arrays["error_covariance"] = arrays["error_covariance"][:, :50, :50]
    elif name == "covariance that is none":
        arrays["error_covariance"] = -arrays["error_covariance"]
    elif name == "nan in the covariance":
        arrays["error_covariance"][0, 0, 0] = np.nan
    elif name == "no covariance":
        del arrays["error_covariance"]
    elif name == "steps of another size":
        step = next(n for n in arrays if n.startswith("s"))
        arrays[step] = arrays[step][:-1]
    elif name == "weights of another size":
        largest = max((n for n in arrays if n.startswith("t")), key=lambda n: arrays[n].size)
        arrays[largest] = arrays[largest][:-1]
    return arrays


@pytest.mark.parametrize(
    "name",
    ["truncated", "missing", "not a number", "another size", "covariance that is none",
     "nan in the covariance", "no covariance", "steps of another size", "weights of another size"],
)  # fmt: skip
def test_weights_that_are_none_leave_the_landmarks(
    name: str, head: HeadModel, photo: Photo, plain: Reconstruction, tmp_path: Path, monkeypatch
) -> None:
    path = tmp_path / "posterior.npz"
    if name == "truncated":
        path.write_bytes(shape_path().read_bytes()[:1_000_000])
    elif name != "missing":
        np.savez(path, **_spoilt(name))
    monkeypatch.setattr(learnt_shape, "load_shape_network", lambda: ShapeNetwork(path))
    cues = Continuation.from_json(plain.continuation).photos[0].cues
    same, notes = with_shape(head, plain, [cues], [photo])
    assert same[0].shape is None
    assert len(notes) == 1
    assert notes[0].startswith("The shape network was left out")
    assert "reinstall" in notes[0]


def test_without_weights_the_report_says_so(
    photo: Photo, plain: Reconstruction, tmp_path: Path, monkeypatch
) -> None:
    none = tmp_path / "none.npz"
    monkeypatch.setattr(learnt_shape, "load_shape_network", lambda: ShapeNetwork(none))
    done = reconstruct([photo])[0]
    assert any("shape network was left out" in w for w in done.warnings)
    assert "shape_network" not in done.report
    assert np.array_equal(done.identity, plain.identity)


def test_a_head_of_other_components_is_noticed(head: HeadModel, network: ShapeNetwork) -> None:
    network.check_head(head)
    other = replace(head, identity_basis=head.identity_basis[:, :, ::-1])
    few = replace(head, identity_basis=head.identity_basis[:, :, :40])
    for wrong in (other, few):
        with pytest.raises(ModelFileError, match="another head"):
            network.check_head(wrong)


def test_other_heads_are_left_alone(head: HeadModel, photo: Photo, plain: Reconstruction) -> None:
    cues = Continuation.from_json(plain.continuation).photos[0].cues
    assert with_shape(replace(head, name="FLAME"), plain, [cues], [photo]) == ([cues], ())


def test_a_photo_that_is_doubted_says_why(head: HeadModel) -> None:
    rest = np.zeros(head.expression_count)
    still = np.zeros((len(head.joint_names), 3))
    camera = _fit(head, distance=2.6).camera
    identity = np.zeros(head.identity_count)
    cues = rendered_cues(head, identity, rest, still, camera, size=32, landmarks=True)
    marks = ScreenCues(640, 480, "mediapipe", cues.landmarks, cues.landmark_depth)
    fit = fit_head(FitProblem(head, [marks], [camera.focal]), uncertainty=False)
    photo = Photo(np.zeros((480, 640, 3), np.uint8), "far.jpg", None, None, None)
    (said,), notes = with_shape(head, fit, [marks], [photo])
    assert said.shape is None
    assert "was not used in far.jpg" in notes[0]
    assert "small" in notes[0]
