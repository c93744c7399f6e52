# SPDX-License-Identifier: GPL-3.0-or-later
"""The dense predictor's geometry: what a network says of a fit becomes cues of the head."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.appearance.photo_trust import look
from core.cues.dense_correction import corrected
from core.cues.dense_input import (
    CHANNELS,
    GRID,
    SIZE,
    draw,
    face_region,
    in_crop,
    network_input,
    sampled,
    to_crop_frame,
)
from core.cues.dense_output import OUTPUTS, Prediction, read_output
from core.cues.dense_predictor import BELIEVED, DensePredictor, common_turn, cues_of, dense_path
from core.cues.rendered_cues import rendered_cues
from core.cues.screen_cues import ScreenCues
from core.cues.tensor_program import TensorProgram
from core.errors import FitError, ModelFileError, PersonError
from core.fitting import FitProblem, fit_head
from core.geometry.camera import Camera
from core.geometry.rotation import angle_between, matrix_from_vector
from core.heads import HeadModel, load_open_head
from core.options import Options
from core.photos.photo import Photo, load_photo
from core.pipeline import reconstruct
from core.progress import MAPPING
from core.reconstruction import BareSkin, Reconstruction


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return load_open_head()


def _camera(degrees: float = 20.0, roll: float = 12.0) -> Camera:
    turn = matrix_from_vector(np.radians([0.0, degrees, 0.0]))
    turn = matrix_from_vector(np.radians([0.0, 0.0, roll])) @ np.diag([1.0, -1, -1]) @ turn
    return Camera.with_focal(900, turn, np.array([0.02, 0.01, 0.7]), 640, 480)


def _fitted(head: HeadModel, camera: Camera) -> Reconstruction:
    rest = np.zeros(head.expression_count)
    still = np.zeros((len(head.joint_names), 3))
    identity = 0.5 * np.random.default_rng(3).normal(size=head.identity_count)
    marks = rendered_cues(head, identity, rest, still, camera, size=32, landmarks=True)
    return fit_head(FitProblem(head, [marks], focal=[camera.focal]))


def _nothing_to_correct(normal: np.ndarray) -> Prediction:
    even = np.ones((GRID, GRID))
    return Prediction(np.zeros((GRID, GRID, 2)), normal, 0.1 * even, 0.05 * even, even)


def _write_network(path: Path, bias: list[float]) -> None:
    """A program of one convolution that says the same everywhere."""
    operation = {
        "kind": "CONV_2D",
        "inputs": [0, 1, 2],
        "output": 3,
        "options": {"stride": [1, 1], "padding": "SAME", "activation": "NONE"},
    }
    plan = {
        "format": "pixel3dmm tensor program",
        "version": 1,
        "input": {"id": 0, "shape": [1, GRID, GRID, CHANNELS]},
        "outputs": {"maps": 3},
        "operations": [operation],
    }
    np.savez(
        path,
        plan=np.frombuffer(json.dumps(plan).encode(), np.uint8),
        t1=np.zeros((1, 1, CHANNELS, OUTPUTS), np.float16),
        t2=np.array(bias, np.float16),
    )


def test_the_photo_is_sampled_where_the_geometry_says() -> None:
    """A picture of its own coordinates, read through a turned crop."""
    camera = _camera()
    x, y = np.meshgrid(np.arange(camera.width) + 0.5, np.arange(camera.height) + 0.5)
    picture = np.round(np.stack([x, y, 0 * x], axis=-1) * 0.39).astype(np.uint8)
    head = load_open_head()
    region = face_region(head, head.template, camera)
    seen = sampled(picture, region)
    i, j = np.meshgrid(np.arange(SIZE) + 0.5, np.arange(SIZE) + 0.5)
    matrix = region.matrix(SIZE)
    true = np.stack([i, j], axis=-1) @ matrix[:, :2].T + matrix[:, 2]
    inside = ((true > 2) & (true < [camera.width - 2, camera.height - 2])).all(axis=-1)
    assert inside.mean() > 0.5
    off = seen[inside][:, :2] / 0.39 - true[inside]
    # Eight bits round the coordinates by a pixel or so, to either side alike.
    assert np.abs(off).max() < 2.5
    np.testing.assert_allclose(off.mean(axis=0), 0, atol=0.05)


def test_a_fit_that_needs_no_correction_is_told_as_it_is(head: HeadModel) -> None:
    camera = _camera()
    region = face_region(head, head.template, camera)
    drawn = draw(head, head.template, camera, region)
    cues = cues_of(_nothing_to_correct(drawn.normal), head, head.template, camera, region, drawn)
    none = np.zeros
    exact = rendered_cues(
        head,
        none(head.identity_count),
        none(head.expression_count),
        none((len(head.joint_names), 3)),
        camera,
        size=GRID,
        crop_to_photo=region.matrix(GRID),
    )
    assert cues.uv is not None and cues.normal is not None and cues.confidence is not None
    assert exact.uv is not None and exact.normal is not None and exact.confidence is not None
    both = (cues.confidence > 0) & (exact.confidence > 0)
    assert both.sum() > 1000
    assert np.median(np.abs(cues.uv[both] - exact.uv[both])) < 2e-3
    np.testing.assert_allclose(cues.normal[both], exact.normal[both], atol=1e-5)


def test_a_flow_names_the_point_that_lies_there(head: HeadModel) -> None:
    camera = _camera(0, 0)
    region = face_region(head, head.template, camera)
    drawn = draw(head, head.template, camera, region)
    plain = _nothing_to_correct(drawn.normal)
    moved = Prediction(
        plain.flow + np.array([3.0, 2.0]) / BELIEVED,
        plain.normal,
        plain.flow_error,
        plain.normal_error,
        plain.skin,
    )
    here, there = (
        cues_of(p, head, head.template, camera, region, drawn).uv for p in (plain, moved)
    )
    assert here is not None and there is not None
    middle = slice(20, 40)
    np.testing.assert_array_equal(there[middle, middle], here[22:42, 23:43])


def test_a_turn_of_all_normals_is_the_poses_and_is_taken_out(head: HeadModel) -> None:
    camera = _camera()
    region = face_region(head, head.template, camera)
    drawn = draw(head, head.template, camera, region)
    turn = matrix_from_vector(np.radians([4.0, -3.0, 2.0]))
    plain, turned = (
        cues_of(_nothing_to_correct(n), head, head.template, camera, region, drawn).normal
        for n in (drawn.normal, drawn.normal @ turn.T)
    )
    assert plain is not None and turned is not None
    np.testing.assert_allclose(plain, turned, atol=1e-5)
    found = common_turn(drawn.normal @ turn.T, drawn.normal, drawn.mask.astype(float))
    assert angle_between(found, turn.T) < 1e-4


def test_input_has_each_cells_colours_and_what_the_fit_shows(head: HeadModel) -> None:
    camera = _camera()
    region = face_region(head, head.template, camera)
    drawn = draw(head, head.template, camera, region)
    colors = np.random.default_rng(0).uniform(0, 255, (SIZE, SIZE, 3)).astype(np.float32)
    tensor = network_input(colors, drawn.normal, drawn.place, drawn.mask)
    assert tensor.shape == (GRID, GRID, CHANNELS) and tensor.dtype == np.float32
    np.testing.assert_allclose(
        tensor[5, 7, :12].reshape(2, 2, 3) * 127.5 + 127.5, colors[10:12, 14:16], atol=1e-3
    )
    np.testing.assert_allclose(tensor[..., 12:15], drawn.normal, atol=1e-6)
    # The nose's tip stands in the middle of its own cell's place.
    tip = head.landmarks(head.template, np.array([1], np.int32))
    column, row = in_crop(camera.project(tip), region, GRID)[0].astype(int)
    place = tensor[row, column, 15:18] * 0.1 + [0, 0, 0.06]
    assert np.linalg.norm(place - tip[0]) < 6e-3


def test_normals_of_the_crop_face_its_camera(head: HeadModel) -> None:
    camera = _camera(0, 35)
    region = face_region(head, head.template, camera)
    drawn = draw(head, head.template, camera, region)
    assert np.median(drawn.normal[..., 2][drawn.mask]) < -0.7
    up = to_crop_frame(region) @ camera.R @ [0.0, 1.0, 0.0]
    np.testing.assert_allclose(up, [0, -1, 0], atol=1e-9)


def test_output_is_read_in_the_units_it_is_told_in() -> None:
    normal = np.tile([0.0, 0.0, -1.0], (2, 2, 1))
    output = np.zeros((2, 2, OUTPUTS))
    output[..., 0], output[..., 2], output[..., 5] = 1.5, 1.0, np.log(0.25)
    read = read_output(output, normal)
    np.testing.assert_allclose(read.flow[0, 0], [3.0, 0.0])
    np.testing.assert_allclose(read.normal[0, 0], np.array([1, 0, -1]) / np.sqrt(2))
    np.testing.assert_allclose(read.flow_error, 1.0)
    np.testing.assert_allclose(read.normal_error, 2.0)
    np.testing.assert_allclose(read.skin, 0.5)


def test_a_network_from_a_file_corrects_a_fit(head: HeadModel, tmp_path: Path) -> None:
    """The whole way, with a network that sees nothing: the cues are the fit's, seen with doubt."""
    _write_network(tmp_path / "dense.npz", [0, 0, 0, 0, 0, -3, -3.5, 9])
    camera = _camera(10, 5)
    fit = _fitted(head, camera)
    photo = np.full((camera.height, camera.width, 3), 128, np.uint8)
    cues = DensePredictor(tmp_path / "dense.npz").cues(photo, head, fit)
    assert cues.dense and cues.confidence is not None and cues.normal is not None
    assert 0.2 < (cues.confidence > 0.5).mean() < 1
    shown = rendered_cues(
        head,
        fit.identity,
        fit.photos[0].expression,
        fit.photos[0].rotations,
        fit.photos[0].camera,
        size=GRID,
        crop_to_photo=cues.crop_to_photo,
    )
    assert shown.normal is not None and shown.confidence is not None
    both = (cues.confidence > 0) & (shown.confidence > 0)
    np.testing.assert_allclose(cues.normal[both], shown.normal[both], atol=1e-4)


def test_the_shipped_network_is_the_one_of_its_card() -> None:
    card = (dense_path().parent / "SOURCE.md").read_text(encoding="utf-8")
    assert f"sha256 {DensePredictor().sha256}\n" in card
    assert "CC0-1.0" in card
    assert dense_path().stat().st_size <= 6_000_000


def test_the_shipped_network_says_what_torch_said_of_it() -> None:
    """As torch answered when the weights were exported; beside test_training_network, for machines
    without torch.
    """
    x = np.random.default_rng(0).normal(size=(1, GRID, GRID, CHANNELS)).astype(np.float32)
    (ours,) = TensorProgram(dense_path())(x).values()
    with np.load(Path(__file__).with_name("dense_expected.npz"), allow_pickle=False) as z:
        expected = z["maps"]
    assert np.abs(expected).max() > 1
    np.testing.assert_allclose(ours[0, ::4, ::4], expected, atol=1e-3)


def test_a_network_that_says_no_number_is_left_out_with_a_note(
    head: HeadModel, tmp_path: Path
) -> None:
    _write_network(tmp_path / "dense.npz", [60000.0] * OUTPUTS)
    network = DensePredictor(tmp_path / "dense.npz")
    camera = _camera(10, 5)
    fit = _fitted(head, camera)
    pixels = np.full((camera.height, camera.width, 3), 128, np.uint8)
    network._network = lambda tensor: {"maps": np.full((1, GRID, GRID, OUTPUTS), np.nan)}  # type: ignore[assignment]
    with pytest.raises(FitError, match="not a number"):
        network.cues(pixels, head, fit)
    photo = Photo(pixels, "somebody", None, "", None)
    marks = ScreenCues(camera.width, camera.height, "test")
    cues, (note,) = corrected(network, head, fit, 0, photo, marks)
    assert cues is marks
    assert note.startswith("The dense network was left out in somebody, whose head follows")


def test_a_face_of_a_few_pixels_is_refused(head: HeadModel) -> None:
    camera = _camera(10, 5)
    fit = _fitted(head, camera)
    far = replace(camera, t=camera.t * np.array([1, 1, 60.0]))
    away = replace(fit, photos=(replace(fit.photos[0], camera=far),))
    pixels = np.full((camera.height, camera.width, 3), 128, np.uint8)
    with pytest.raises(FitError, match="too small"):
        DensePredictor().cues(pixels, head, away)
    behind = replace(camera, t=camera.t * np.array([1, 1, -1.0]))
    away = replace(fit, photos=(replace(fit.photos[0], camera=behind),))
    with pytest.raises(FitError):
        DensePredictor().cues(pixels, head, away)


def test_the_predictor_by_name_is_deterministic_and_says_what_it_used(example_photo: Path) -> None:
    photo = load_photo(example_photo)
    options = Options(predictor="dense", texture="off")
    told: list[str] = []
    [person] = reconstruct([photo], options, progress=lambda stage, _: told.append(stage))
    [again] = reconstruct([photo], options)
    np.testing.assert_array_equal(person.photos[0].vertices, again.photos[0].vertices)
    assert MAPPING in told
    report = person.report
    assert report["predictor"] == "dense"
    assert report["photos"][0]["maps"]["used"] == ["uv"]
    assert report["photos"][0]["maps"]["covered_share"] > 0.5
    assert report["licences"]["predictor"]["spdx"] == "Apache-2.0 AND CC0-1.0"
    assert report["licences"]["commercial_use"] is True
    assert person.recipe["networks"] == {"dense": DensePredictor().sha256}
    assert report["seconds"][MAPPING] > 0
    bare = person.photos[0].bare_skin
    assert bare is not None and 0.3 < (bare.share > 0.5).mean() < 1


def test_the_texture_leaves_out_what_the_network_calls_covered() -> None:
    size = 200
    photo = np.full((size, size, 3), 150, np.uint8)
    marks = np.random.default_rng(1).uniform(60, 140, (478, 2))
    crop = np.array([[2.0, 0, 60], [0, 2.0, 60]])  # 40 x 40 cells
    share = np.ones((40, 40), np.float32)
    share[:20] = 0
    plain, less = look(photo, marks), look(photo, marks, BareSkin(share, crop))
    at = np.array([[100.0, 75.0], [100.0, 125.0], [20.0, 20.0]])
    before, after = plain.at(at, plain.person), less.at(at, less.person)
    assert after[0] == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(after[1:], before[1:], atol=1e-6)


def test_another_head_is_refused_in_one_sentence() -> None:
    with pytest.raises(PersonError, match="knows the open head alone"):
        Options(predictor="dense", head="somebody.npz")


def test_a_missing_network_is_said(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError):
        DensePredictor(tmp_path / "none.npz")
