# SPDX-License-Identifier: GPL-3.0-or-later
"""Faces found where and as they are: turned, tiny, several, none, in a box given by hand."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from core.cues.mediapipe import MediaPipePredictor
from core.errors import NoFaceError

cv2 = pytest.importorskip("cv2")
ROOT = Path(__file__).resolve().parents[2]
#: Where the astronaut's face is, read off the photo by eye: x0, y0, x1, y1.
FACE = np.array([178, 72, 271, 180])


@pytest.fixture(scope="module")
def predictor():
    return MediaPipePredictor()


@pytest.fixture(scope="module")
def astronaut():
    image = cv2.imread(str(ROOT / "examples" / "astronaut.jpg"), cv2.IMREAD_COLOR)
    return np.ascontiguousarray(image[..., ::-1])


@pytest.fixture(scope="module")
def upright(predictor, astronaut):
    (face,) = predictor.faces(astronaut)
    return face


def pasted(face, size, canvas, corner):
    """The photo shrunk to ``size`` pixels square, on a canvas."""
    small = cv2.resize(face, (size, size), interpolation=cv2.INTER_AREA)
    x, y = corner
    canvas[y : y + size, x : x + size] = small
    return canvas


def apart(a, b):
    return np.linalg.norm(a[:, :2] - b[:, :2], axis=1)


def test_landmarks_lie_on_the_features(upright):
    xy = upright.landmarks[:, :2]
    assert upright.landmarks.shape == (478, 3)
    assert upright.presence > 0.99
    assert abs(upright.roll_degrees) < 6
    assert (xy > FACE[:2] - 12).all()
    assert (xy < FACE[2:] + 12).all()
    # Read off the photo by eye: pupils (subject's right, left), nose tip, mouth's corners, chin.
    seen = {
        468: (203.5, 101),
        473: (246.5, 103.5),
        4: (224, 126),
        61: (203, 139.5),
        291: (245, 141),
        152: (221, 179),
    }
    for index, place in seen.items():
        assert np.linalg.norm(xy[index] - place) < 4
    assert upright.landmarks[1, 2] < upright.landmarks[234, 2]  # the nose is nearer than the ear


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_turned_photo_gives_the_same_landmarks(predictor, astronaut, upright, turns):
    image = np.ascontiguousarray(np.rot90(astronaut, turns))
    (face,) = predictor.faces(image)
    size = astronaut.shape[0]
    # Rotating counter-clockwise about the centre; pixel borders at 0 and ``size``.
    x, y = upright.landmarks[:, 0], upright.landmarks[:, 1]
    expected = {1: (y, size - x), 2: (size - x, size - y), 3: (size - y, x)}[turns]
    assert apart(face.landmarks, np.column_stack(expected)).mean() < 0.6
    roll = (face.roll_degrees - upright.roll_degrees + 90 * turns + 180) % 360 - 180
    assert abs(roll) < 2


def test_a_photo_at_an_angle(predictor, astronaut, upright):
    turn = cv2.getRotationMatrix2D((256, 256), 35, 1.0)
    (face,) = predictor.faces(cv2.warpAffine(astronaut, turn, (512, 512)))
    expected = (upright.landmarks[:, :2] - 0.5) @ turn[:, :2].T + turn[:, 2] + 0.5
    assert apart(face.landmarks, expected).mean() < 1.5


@pytest.mark.parametrize(
    ("width", "height", "corner"), [(1600, 1200, (300, 900)), (4000, 3000, (3111, 2222))]
)
def test_a_face_of_forty_pixels_in_a_large_photo(
    predictor, astronaut, upright, width, height, corner
):
    canvas = np.full((height, width, 3), (96, 110, 120), np.uint8)
    image = pasted(astronaut, 215, canvas, corner)
    (face,) = predictor.faces(image)
    expected = upright.landmarks[:, :2] * 215 / 512 + corner
    assert apart(face.landmarks, expected).mean() < 1.0


def test_two_faces_the_larger_first(predictor, astronaut, upright):
    canvas = np.full((640, 1100, 3), 120, np.uint8)
    canvas[60:572, 40:552] = astronaut
    mirrored = np.ascontiguousarray(astronaut[:, ::-1])
    image = pasted(mirrored, 400, canvas, (620, 100))
    first, second = predictor.faces(image)
    assert apart(first.landmarks, upright.landmarks[:, :2] + [40, 60]).mean() < 1.0
    assert second.landmarks[1, 0] > 620
    (only,) = predictor.faces(image, max_faces=1)
    assert only.landmarks[1, 0] < 552


@pytest.mark.parametrize(
    "image",
    [
        np.full((480, 640, 3), 128, np.uint8),
        np.random.default_rng(7).integers(0, 256, (480, 640, 3), dtype=np.uint8),
        np.zeros((1, 1, 3), np.uint8),
        np.zeros((3, 900, 3), np.uint8),
    ],
    ids=["grey", "noise", "one pixel", "line"],
)
def test_no_face_is_an_empty_list(predictor, image):
    assert predictor.faces(image) == []


def test_a_part_of_a_photo_without_the_face_is_empty(predictor, astronaut):
    assert predictor.faces(np.ascontiguousarray(astronaut[220:, :])) == []


def test_a_box_chooses_the_face(predictor, astronaut, upright):
    image = np.concatenate([astronaut, astronaut], axis=1)
    for offset in (0, 512):
        box = FACE + np.array([offset - 15, -25, offset + 20, 10])
        (face,) = predictor.faces(image, box=box)
        assert apart(face.landmarks, upright.landmarks[:, :2] + [offset, 0]).mean() < 0.6
        np.testing.assert_array_equal(face.box, box)


def test_a_box_in_a_photo_on_its_side(predictor, astronaut, upright):
    image = np.ascontiguousarray(np.rot90(astronaut))
    x0, y0, x1, y1 = FACE
    (face,) = predictor.faces(image, box=(y0, 512 - x1, y1, 512 - x0))
    expected = np.column_stack([upright.landmarks[:, 1], 512 - upright.landmarks[:, 0]])
    assert apart(face.landmarks, expected).mean() < 0.6


def test_a_box_without_a_face_is_honoured_and_its_presence_says_so(predictor, astronaut):
    (face,) = predictor.faces(astronaut, box=(300, 300, 400, 400))
    assert face.presence < 0.5
    assert np.isfinite(face.landmarks).all()


@pytest.mark.parametrize(
    "box", [(600, 10, 700, 90), (-90, 10, -5, 90), (50, 50, 50, 90), (0, 0, np.nan, 9), (1, 2, 3)]
)
def test_a_box_outside_the_photo_is_one_sentence(predictor, astronaut, box):
    with pytest.raises(NoFaceError, match=r"^The face box .* 512 x 512 pixels\.$"):
        predictor.faces(astronaut, box=box)


def test_more_passes_settle(predictor, astronaut):
    by_passes = [predictor.faces(astronaut, passes=n, flip_average=False)[0] for n in (1, 2, 3, 4)]
    assert np.isnan(by_passes[0].spread).all()
    steps = [apart(b.landmarks, a.landmarks) for a, b in pairwise(by_passes)]
    np.testing.assert_allclose(by_passes[2].spread, steps[1])
    assert steps[2].mean() < steps[0].mean() < 2


def test_the_spread_is_of_the_mirror_image(predictor, astronaut, upright):
    """The mirrored photo is the same pair of looks, so mean and spread are mirrored, too."""
    (face,) = predictor.faces(np.ascontiguousarray(astronaut[:, ::-1]))
    mirror = predictor.mesh._mirror
    reflected = face.landmarks[mirror] * [-1, 1, 1] + [512, 0, 0]
    assert apart(reflected, upright.landmarks).mean() < 0.35
    assert 0 < upright.spread.mean() < 2
    assert upright.spread[468:].max() < 2  # the irises measure 8 pixels: no point is swapped
    assert np.corrcoef(face.spread[mirror], upright.spread)[0, 1] > 0.5


def test_a_large_face_is_sampled_without_aliasing(predictor, astronaut):
    """Fine noise that a photo of many pixels carries does not move the landmarks."""
    image = cv2.resize(astronaut[20:276, 96:352], (3072, 3072), interpolation=cv2.INTER_CUBIC)
    (clean,) = predictor.faces(image)
    noise = np.random.default_rng(0).normal(0, 60, image.shape)
    (noisy,) = predictor.faces(np.clip(image + noise, 0, 255).astype(np.uint8))
    assert apart(clean.landmarks, noisy.landmarks).mean() < 0.004 * np.ptp(clean.landmarks[:, 0])


@pytest.mark.parametrize(
    "image", [np.zeros((9, 9), np.uint8), np.zeros((9, 9, 4), np.uint8), np.zeros((9, 9, 3))]
)
def test_only_rgb_bytes_are_photos(predictor, image):
    with pytest.raises(ValueError, match="expected an RGB photo"):
        predictor.faces(image)


def test_runs_with_numpy_alone(astronaut, upright, tmp_path):
    np.save(tmp_path / "photo.npy", astronaut)
    script = """
import sys
for name in ("bpy", "torch", "cv2", "scipy", "mediapipe", "PIL", "tflite", "flatbuffers"):
    sys.modules[name] = None
import numpy as np
from core.cues.face_geometry import face_geometry
from core.cues.mediapipe import MediaPipePredictor
image = np.load(sys.argv[1], allow_pickle=False)
(face,) = MediaPipePredictor().faces(image)
face_geometry(face.landmarks, 512, 512, 1.0)
np.save(sys.argv[2], face.landmarks)
"""
    out = tmp_path / "landmarks.npy"
    command = [sys.executable, "-c", script, str(tmp_path / "photo.npy"), str(out)]
    subprocess.run(command, cwd=ROOT, check=True)
    np.testing.assert_allclose(np.load(out, allow_pickle=False), upright.landmarks, atol=1e-4)
