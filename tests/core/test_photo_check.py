# SPDX-License-Identifier: GPL-3.0-or-later
"""The faces of a photo and the advice on them, on the example photo and on what is done to it."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest

from core.cues.eye_openings import LIDS
from core.cues.photo_check import NO_FACE, blur_effect, check_faces, view_angles
from core.errors import WorkerError
from core.jobs.look import look_job
from core.jobs.parameters import Parameters
from core.photos.face_picture import face_picture
from core.photos.photo import Photo, load_photo
from core.progress import silent
from core.reconstruct.resources import load_mediapipe


@pytest.fixture(scope="module")
def pixels(example_photo):
    return load_photo(example_photo).pixels


@pytest.fixture(scope="module")
def large(pixels):
    """The face of the example photo, large: nothing to complain of but its size before."""
    return cv2.resize(pixels[40:220, 140:320], (720, 720), interpolation=cv2.INTER_CUBIC)


def advice(pixels):
    (face,) = check_faces(pixels, load_mediapipe().faces(pixels))
    return " ".join(face.advice)


def test_a_small_face_is_told_with_its_size(pixels):
    assert "The face is small (9" in advice(pixels)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda p: (p * 0.2).astype(np.uint8), "dark"),
        (lambda p: (235 + p * 0.07).astype(np.uint8), "overexposed"),
        (lambda p: (110 + p * 0.1).astype(np.uint8), "contrast"),
        (lambda p: cv2.GaussianBlur(p, (0, 0), 16), "blurred"),
    ],
)
def test_what_is_wrong_is_named(large, change, word):
    assert word not in advice(large)
    assert word in advice(change(large))


def test_a_turned_face_and_closed_eyes(pixels):
    (face,) = load_mediapipe().faces(pixels)
    turn, tip = view_angles(face.landmarks)
    assert abs(turn) < 10
    angle = np.radians(60.0)
    spin = np.array(
        [[np.cos(angle), 0, -np.sin(angle)], [0, 1, 0], [np.sin(angle), 0, np.cos(angle)]]
    )
    middle = face.landmarks.mean(axis=0)
    landmarks = (face.landmarks - middle) @ spin.T + middle
    turned, still = view_angles(landmarks)
    assert turned - turn == pytest.approx(60, abs=1)
    assert abs(still - tip) < 15
    for lids in LIDS.values():
        for top, bottom in lids.pairs:
            landmarks[top] = landmarks[bottom]
    (checked,) = check_faces(pixels, [dataclasses.replace(face, landmarks=landmarks)])
    assert any("turned by" in sentence for sentence in checked.advice)
    assert "Both eyes are closed: the gaze cannot be seen." in checked.advice


def test_what_will_do_and_could_be_better_is_remarked(pixels, large):
    """Rather small, half turned, nearly shut: each said with its figure, and none a warning."""
    middle = cv2.resize(pixels, None, fx=1.6, fy=1.6)
    (face,) = load_mediapipe().faces(middle)
    angle, centre = np.radians(28.0), face.landmarks.mean(axis=0)
    spin = np.array(
        [[np.cos(angle), 0, -np.sin(angle)], [0, 1, 0], [np.sin(angle), 0, np.cos(angle)]]
    )
    landmarks = (face.landmarks - centre) @ spin.T + centre
    for lids in LIDS.values():
        gap = np.linalg.norm(np.subtract(*landmarks[list(lids.corners), :2]))
        for top, bottom in lids.pairs:
            landmarks[top, :2] = landmarks[bottom, :2] - [0.0, 0.14 * gap]
    (checked,) = check_faces(middle, [dataclasses.replace(face, landmarks=landmarks)])
    said = " ".join(checked.remarks)
    assert "rather small (1" in said
    assert "turned by 2" in said
    assert "Both eyes are nearly shut" in said
    assert not [s for s in checked.advice if "small" in s or "turned" in s or "closed" in s]
    (good,) = check_faces(large, load_mediapipe().faces(large))
    assert good.remarks == ()


def test_blur_grows_with_blur(large):
    grey = large.mean(axis=2)
    values = [blur_effect(cv2.GaussianBlur(grey, (0, 0), sigma)) for sigma in (1, 4, 16)]
    assert values == sorted(values)
    assert 0 <= values[0] <= values[-1] <= 1


def test_look_job_numbers_the_faces_by_size(pixels, large, tmp_path):
    canvas = np.concatenate([cv2.resize(pixels, (720, 720)), large], axis=1)
    Photo(canvas, "two").save(tmp_path / "photo.npz")
    params = {"photo": str(tmp_path / "photo.npz"), "out": str(tmp_path)}
    result = look_job(Parameters(params), silent, lambda: None)
    boxes = np.array([face["box"] for face in result["faces"]])
    assert len(boxes) == 2
    assert boxes[0, 0] > 720 > boxes[1, 2], "the largest comes first"
    assert result["advice"] == []
    picture = np.load(result["picture"], allow_pickle=False)
    assert picture.shape == (256, 512, 3)
    x0, y0, _, y1 = (boxes[0] * 512 / 1440).astype(int)
    assert (picture[y0 + 20 : y1 - 2, x0] == (255, 196, 0)).all(), "its left side is drawn"


def test_look_job_without_a_face_says_so(tmp_path):
    Photo(np.full((64, 64, 3), 128, np.uint8), "grey").save(tmp_path / "photo.npz")
    params = {"photo": str(tmp_path / "photo.npz"), "out": str(tmp_path)}
    result = look_job(Parameters(params), silent, lambda: None)
    assert result["faces"] == []
    assert result["advice"] == [NO_FACE]
    with pytest.raises(WorkerError):
        look_job(Parameters({"photo": 3}), silent, lambda: None)


def test_a_picture_smaller_than_its_numbers_is_drawn_all_the_same():
    picture = face_picture(np.zeros((40, 33, 3), np.uint8), [np.array([-5.0, 2, 90, 80])] * 12)
    assert picture.shape == (40, 33, 3)
    assert picture.any()
