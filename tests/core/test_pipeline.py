# SPDX-License-Identifier: GPL-3.0-or-later
"""reconstruct(): the real predictor, the real fit, the real head, on the example photo."""

from __future__ import annotations

import json
import random
from dataclasses import replace

import cv2
import numpy as np
import pytest

from core.errors import Cancelled, NoFaceError, PersonError
from core.geometry.camera import focal_from_35mm
from core.heads.arkit import ARKIT_NAMES
from core.options import Options
from core.photos.photo import Photo, load_photo
from core.pipeline import load_head, reconstruct, rig_heads
from core.progress import FINDING, FITTING, PAINTING, READING, RIGGING, SHAPING
from core.reconstruct.report import peak_memory_mb, photo_hash
from core.rig.tear_line import wet_vertices


@pytest.fixture(scope="module")
def photo(example_photo) -> Photo:
    return load_photo(example_photo)


@pytest.fixture(scope="module")
def person(photo):
    return reconstruct([photo])[0]


@pytest.fixture(scope="module")
def two_faces(photo) -> Photo:
    """The example's head twice on one canvas, on the left at 0.7 of its size."""
    head = photo.pixels[10:260, 140:320]
    small = cv2.resize(head, None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA)
    canvas = np.full((270, 330, 3), 128, np.uint8)
    canvas[40 : 40 + small.shape[0], : small.shape[1]] = small
    canvas[10:260, 150:] = head
    return Photo(canvas, "pair")


def eye_distance(person) -> float:
    fit = person.photos[0]
    return float(np.linalg.norm(fit.landmarks[33] - fit.landmarks[263]))


def test_the_head_lies_over_the_face(person):
    fit = person.photos[0]
    distance = np.linalg.norm(fit.landmarks - fit.landmarks_fit, axis=1)
    assert np.nanmedian(distance) < 0.05 * eye_distance(person)
    assert np.isfinite(fit.landmarks_fit).all(axis=1).sum() >= 400
    # It faces the camera, upright, at a distance from which people are photographed.
    assert (fit.camera.R @ [0, 0, 1])[2] < -0.9
    assert (fit.camera.R @ [0, 1, 0])[1] < -0.9
    assert 0.2 < fit.camera.t[2] < 5
    assert ((fit.expression >= 0) & (fit.expression <= 1)).all()
    # She smiles.
    names = load_head("open-head").expression_names
    smile = [fit.expression[names.index(f"mouthSmile{side}")] for side in ("Left", "Right")]
    assert max(smile) > 0.2


def test_the_rigged_head_is_the_fitted_head(photo, person):
    [rigged] = rig_heads([photo], [person], Options())
    rigged.check()
    assert list(rigged.key_names[:52]) == list(ARKIT_NAMES)
    # But for the line of tears, which the rig solves.
    dry = np.setdiff1d(np.arange(len(rigged.basis)), wet_vertices(load_head("open-head")))
    np.testing.assert_allclose(rigged.posed[dry], person.photos[0].vertices[dry], atol=1e-6)
    np.testing.assert_allclose(rigged.basis[dry], person.photos[0].neutral[dry], atol=1e-6)
    assert rigged.recipe == json.loads(json.dumps(person.recipe))


def test_report_and_recipe_are_complete_and_json(photo, person):
    report = json.loads(json.dumps(person.report, allow_nan=False))
    assert report["head"] == "Open Head"
    assert report["predictor"] == "mediapipe"
    assert report["licences"]["head"]["spdx"] == "CC0-1.0 AND MIT"
    assert report["licences"]["head"]["commercial_use"] is True
    assert set(report["seconds"]) == {READING, SHAPING, FITTING}
    assert all(seconds > 0 for seconds in report["seconds"].values())
    assert 50 < report["memory_peak_mb"] < 2000
    [figures] = report["photos"]
    assert figures == json.loads(json.dumps(person.photos[0].report))
    for name in ("reprojection_px", "focal_px", "focal_35mm", "focal_source", "pose_degrees"):
        assert name in figures
    recipe = json.loads(json.dumps(person.recipe, allow_nan=False))
    assert recipe["photos"] == [{"name": "astronaut", "sha256": photo.sha256}]
    assert recipe["head"]["sha256"] == load_head("open-head").digest
    assert recipe["options"]["predictor"] == "mediapipe"
    assert set(recipe["versions"]) >= {"pixel3dmm", "numpy", "python"}
    assert str(photo.path.parent) not in json.dumps([report, recipe])


def test_the_reported_error_is_the_error(person):
    fit = person.photos[0]
    share = fit.report["reprojection_percent_of_eye_distance"]
    assert share == pytest.approx(
        100 * fit.report["reprojection_px"]["mean"] / eye_distance(person), rel=1e-6
    )


def test_the_same_again_in_this_process(photo, person):
    [again] = reconstruct([photo])
    np.testing.assert_array_equal(again.photos[0].vertices, person.photos[0].vertices)


def test_progress_runs_from_0_to_1_through_the_stages(photo):
    told = []
    people = reconstruct([photo, photo], progress=lambda *x: told.append(x))
    assert len(people) == 2
    fractions = [fraction for _, fraction in told]
    assert fractions == sorted(fractions)
    assert fractions[-1] == pytest.approx(1.0)
    assert told[0] == (FINDING, 0.0)
    assert {stage for stage, _ in told} == {FINDING, READING, SHAPING, FITTING}
    told.clear()
    rig_heads([photo, photo], people, Options(), progress=lambda *x: told.append(x))
    assert {stage for stage, _ in told} == {PAINTING, RIGGING}


def test_any_call_of_progress_can_cancel(photo):
    calls = []
    reconstruct([photo], progress=lambda *x: calls.append(x))
    assert len(calls) > 10
    for k in random.Random(0).sample(range(len(calls)), 6):
        left = iter(range(k))

        def progress(stage: str, fraction: float, left=left) -> None:
            if next(left, None) is None:
                raise Cancelled

        with pytest.raises(Cancelled):
            reconstruct([photo], progress=progress)


@pytest.mark.parametrize(
    ("exif", "options", "expected", "source"),
    [
        (None, {}, None, "estimated"),
        (900.0, {}, 900.0, "EXIF"),
        (900.0, {"focal_px": 1500.0}, 1500.0, "given"),
        (900.0, {"focal_35mm": 85.0}, focal_from_35mm(85.0, 512, 512), "given"),
    ],
)
def test_where_the_focal_length_comes_from(photo, exif, options, expected, source):
    [person] = reconstruct([replace(photo, focal_px=exif)], Options(**options))
    figures = person.photos[0].report
    assert figures["focal_source"] == source
    if expected:
        assert person.photos[0].camera.focal == pytest.approx(expected, rel=0.1)
    assert figures["focal_px"] == pytest.approx(person.photos[0].camera.focal)


def test_the_largest_of_several_faces_is_used_and_it_is_said(two_faces, person):
    [found] = reconstruct([two_faces])
    assert eye_distance(found) == pytest.approx(eye_distance(person), rel=0.05)
    [warning] = [w for w in found.warnings if "faces" in w]
    assert "2 faces were found in pair and the largest that is sure is used" in warning
    assert found.photos[0].report["faces_found"] == 2


@pytest.mark.parametrize(
    "options", [{"face": 1}, {"box": (25.0, 80.0, 105.0, 160.0)}], ids=["number", "box"]
)
def test_another_face_can_be_chosen(two_faces, person, options):
    [found] = reconstruct([two_faces], Options(**options))
    assert eye_distance(found) == pytest.approx(eye_distance(person) * 0.7, rel=0.1)
    assert found.photos[0].landmarks[:, 0].max() < 140
    assert not [w for w in found.warnings if "faces" in w]


def test_a_face_that_is_not_there(two_faces):
    with pytest.raises(NoFaceError, match="no face 3 in pair: 2 found"):
        reconstruct([two_faces], Options(face=2))


def test_no_face_at_all():
    gradient = np.broadcast_to(np.arange(300, dtype=np.uint16)[:, None, None] // 2, (300, 300, 3))
    with pytest.raises(NoFaceError, match="No face was found in sky: use a photo"):
        reconstruct([Photo(gradient.astype(np.uint8), "sky")])


def test_a_box_without_a_face_is_said(photo):
    [found] = reconstruct([photo], Options(box=(5.0, 400.0, 80.0, 500.0)))
    assert any("hardly shows a face" in w for w in found.warnings)


def test_one_person_in_two_photos_has_one_identity(photo):
    other = Photo(np.ascontiguousarray(photo.pixels[20:420, 60:440]), "closer")
    [both] = reconstruct([photo, other], Options(same_person=True))
    first, second = both.photos
    np.testing.assert_array_equal(first.neutral, second.neutral)
    assert [p["name"] for p in both.recipe["photos"]] == ["astronaut", "closer"]
    rigged = rig_heads([photo, other], [both], Options(same_person=True))
    assert [r.name for r in rigged] == ["astronaut", "closer"]
    np.testing.assert_array_equal(rigged[0].basis, rigged[1].basis)


def test_notes_of_the_photo_reach_the_warnings(photo):
    [found] = reconstruct([replace(photo, notes=("It is upside down.",))])
    assert "It is upside down." in found.warnings


@pytest.mark.parametrize(
    "options",
    [
        {"predictor": "oracle"}, {"head": "flame-1"}, {"face": -1}, {"face": 0.5},
        {"focal_px": 0.0}, {"focal_px": float("nan")}, {"focal_35mm": "50"},
        {"box": (0, 0, 10)}, {"box": (10, 0, 0, 10)}, {"box": (0, 0, float("inf"), 1)},
        {"box": "0,0,1,1"},
    ],
)  # fmt: skip
def test_options_that_make_no_sense(options):
    with pytest.raises(PersonError):
        Options(**options)


def test_options_from_json_ignore_what_they_do_not_know():
    options = Options.from_json({"box": [1, 2, 3, 4], "weather": "rain"})
    assert options == Options(box=(1, 2, 3, 4))


def test_a_picture_without_a_file_is_known_by_its_pixels(photo):
    bare = replace(photo, sha256="")
    changed = photo.pixels.copy()
    changed[0, 0, 0] ^= 1
    assert photo_hash(bare) == photo_hash(replace(bare, name="other"))
    assert photo_hash(bare) != photo_hash(replace(bare, pixels=changed))
    assert photo_hash(photo) == photo.sha256


def test_the_peak_of_memory_is_this_process_s_own():
    before = peak_memory_mb()
    block = np.ones(60_000_000, np.uint8)
    assert peak_memory_mb() >= max(before, block.nbytes / 1e6)
