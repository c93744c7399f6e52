# SPDX-License-Identifier: GPL-3.0-or-later
"""Our numpy runtime against the original mediapipe 0.10.21, run in a process of its own."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from core.cues.face_geometry import face_geometry
from core.cues.mediapipe import MediaPipePredictor
from core.cues.model_files import mediapipe_dir
from core.cues.tensor_program import TensorProgram

cv2 = pytest.importorskip("cv2")
ROOT = Path(__file__).resolve().parents[2]
ITEMS = ("lps_00", "lps_02", "fran_00", "fran_01", "ict_00", "ict_01", "ict_02", "ict_03", "ict_05")

pytestmark = [
    pytest.mark.oracle,
    pytest.mark.skipif(
        sys.version_info >= (3, 13), reason="mediapipe 0.10.21 exists up to Python 3.12"
    ),
]


def photo(path):
    return np.ascontiguousarray(cv2.imread(str(path), cv2.IMREAD_COLOR)[..., ::-1])


def ask(images, folder):
    """The oracle's answers for a list of photos."""
    if importlib.util.find_spec("mediapipe") is None:
        reason = "mediapipe 0.10.21 is not installed (tests/requirements-oracle.txt)"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    data = {f"i{n}": image for n, image in enumerate(images)}
    data.update(np.load(mediapipe_dir() / "canonical_face.npz", allow_pickle=False))
    np.savez(folder / "in.npz", **data)
    script = Path(__file__).with_name("mediapipe_oracle.py")
    command = [sys.executable, str(script), str(folder / "in.npz"), str(folder / "out.npz")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return np.load(folder / "out.npz", allow_pickle=False)


@pytest.fixture(scope="module")
def predictor():
    return MediaPipePredictor()


@pytest.fixture(scope="module")
def astronaut(tmp_path_factory):
    image = photo(ROOT / "examples" / "astronaut.jpg")
    return image, ask([image], tmp_path_factory.mktemp("astronaut"))


@pytest.fixture(scope="module")
def faces(shared_dir, tmp_path_factory):
    """Renders of eight people, at full size and so that the face is about 200 pixels wide."""
    images = [photo(shared_dir / "bench" / "public" / item / "image.png") for item in ITEMS]
    images += [cv2.resize(image, (440, 440), interpolation=cv2.INTER_AREA) for image in images]
    return images, ask(images, tmp_path_factory.mktemp("bench"))


def distance(ours, theirs):
    """Mean and largest distance of the landmarks in pixels at a face 200 pixels wide."""
    apart = np.linalg.norm(ours[:, :2] - theirs[:, :2], axis=1) * 200 / np.ptp(theirs[:, 0])
    return apart.mean(), apart.max()


def test_astronaut_as_static_mode(predictor, astronaut):
    image, oracle = astronaut
    (face,) = predictor.faces(image, passes=1, flip_average=False)
    mean, largest = distance(face.landmarks, oracle["static0"][0])
    assert mean < 0.1
    assert largest < 0.3
    width = np.ptp(oracle["static0"][0][:, 0])
    assert np.abs(face.landmarks[:, 2] - oracle["static0"][0][:, 2]).mean() < 0.001 * width


@pytest.mark.parametrize("n", range(2 * len(ITEMS)))
def test_bench_faces_as_static_mode(predictor, faces, n):
    images, oracle = faces
    (face,) = predictor.faces(images[n], passes=1, flip_average=False)
    mean, _ = distance(face.landmarks, oracle[f"static{n}"][0])
    assert mean <= 0.3


def test_second_pass_is_video_modes_second_frame(predictor, faces):
    # Faces of 200 pixels: larger ones we sample without aliasing, which the original does not.
    images, oracle = faces
    for n in range(len(ITEMS), 2 * len(ITEMS)):
        (face,) = predictor.faces(images[n], passes=2, flip_average=False)
        assert distance(face.landmarks, oracle[f"video{n}"][0])[0] <= 0.3


def test_the_mirror_mean_stays_near_and_moves_by_the_half_sample(predictor, faces):
    images, oracle = faces
    for n, image in enumerate(images):
        (face,) = predictor.faces(image, passes=1)
        theirs = oracle[f"static{n}"][0]
        mean, _ = distance(face.landmarks, theirs)
        assert mean < 3
        shift = (face.landmarks - theirs)[:, :2].mean(axis=0)
        assert np.abs(shift).max() < 1.5


def test_metric_geometry(astronaut, faces):
    for images, oracle in (([astronaut[0]], astronaut[1]), faces):
        for n, image in enumerate(images):
            height, width = image.shape[:2]
            ours = face_geometry(oracle[f"plain{n}"], width, height, np.radians(63))
            np.testing.assert_allclose(ours.landmarks * 100, oracle[f"metric{n}"], atol=1e-3)
            to_opengl = np.diag([1.0, -1.0, -1.0, 1.0])
            theirs = oracle[f"pose{n}"].copy()
            theirs[:3, 3] *= 0.01
            np.testing.assert_allclose(to_opengl @ ours.pose, theirs, atol=1e-5)


def test_person_mask(faces, tmp_path):
    images, _ = faces
    small = [cv2.resize(image, (256, 256), interpolation=cv2.INTER_AREA) for image in images[:3]]
    oracle = ask(small, tmp_path)
    net = TensorProgram(mediapipe_dir() / "selfie_segmentation.npz")
    for n, image in enumerate(small):
        (mask,) = net((image / np.float32(255))[None]).values()
        assert np.abs(mask[0, :, :, 0] - oracle[f"person{n}"]).max() < 0.02
        assert 0.2 < (mask > 0.5).mean() < 0.9
