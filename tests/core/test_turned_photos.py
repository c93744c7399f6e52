# SPDX-License-Identifier: GPL-3.0-or-later
"""Photos as people brought them elsewhere (docs/field.md): turned, with a suit that looks like a
face to the detector.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from core.cues.mediapipe import rank
from core.photos.photo import load_photo
from core.reconstruct.resources import load_mediapipe


@pytest.fixture(scope="module")
def photo(example_photo):
    return load_photo(example_photo)


@pytest.fixture(scope="module")
def upright(photo):
    (face,) = load_mediapipe().faces(photo.pixels)
    return face


def turned(pixels, degrees):
    """The whole photo on a grey ground, and the matrix (2, 3) that moved its pixels."""
    height, width = pixels.shape[:2]
    side = int(np.ceil(np.hypot(height, width)))
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    matrix[:, 2] += [(side - width) / 2, (side - height) / 2]
    grey = (128, 128, 128)
    return cv2.warpAffine(pixels, matrix, (side, side), borderValue=grey), matrix


@pytest.mark.parametrize("degrees", [-165, -135, -45, 45, 105, 135])
def test_a_turned_photo_gives_the_person_and_not_the_suit(photo, upright, degrees):
    """At these angles a suit was the face, or the face was read half turned away."""
    picture, matrix = turned(photo.pixels, degrees)
    face = load_mediapipe().faces(picture)[0]
    middle = upright.landmarks[:, :2].mean(axis=0)
    off = face.landmarks[:, :2].mean(axis=0) - (matrix[:, :2] @ middle + matrix[:, 2])
    assert np.linalg.norm(off) < 0.1 * np.ptp(upright.landmarks[:, 0])
    roll = (face.roll_degrees + degrees - upright.roll_degrees + 180) % 360 - 180
    assert abs(roll) < 5


def test_doubt_weighs_more_than_size(upright):
    middle = upright.landmarks.mean(axis=0)
    doubtful = replace(upright, score=0.7, landmarks=middle + 3 * (upright.landmarks - middle))
    large = replace(doubtful, score=0.95)
    assert rank(large) > rank(replace(upright, score=0.95)) > rank(doubtful)
