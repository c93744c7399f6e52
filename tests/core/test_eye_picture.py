# SPDX-License-Identifier: GPL-3.0-or-later
"""The eyes' picture: where pupil, iris and sclera are, their colours, and the iris' width."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.rigs import rigged_person

from core.appearance.eye_picture import eye_picture, has_eye_layout, iris_scale
from core.heads import load_open_head
from core.photos.colour import linear_from_srgb

BROWN, BLUE = np.array([0.10, 0.055, 0.03]), np.array([0.08, 0.14, 0.22])


@pytest.fixture(scope="module")
def rigged():
    return rigged_person(load_open_head(), np.zeros(100))


def by_angle(picture):
    """Linear colours, and degrees from the optical axis."""
    size = len(picture)
    at = (np.arange(size) + 0.5) / size - 0.5
    radius = np.hypot(*np.meshgrid(at, at))
    return linear_from_srgb(picture / 255), 180 * (2 * radius) ** (1 / 0.7)


@pytest.mark.parametrize("iris", [BROWN, BLUE])
def test_iris_has_the_photos_colour_between_pupil_and_limbus(iris):
    colour, degrees = by_angle(eye_picture(iris, size=256))
    assert colour[degrees < 6].max() < 0.01
    found = colour[(degrees > 9) & (degrees < 18)].mean(axis=0)
    assert found == pytest.approx(iris, rel=0.35)
    assert np.argmax(found) == np.argmax(iris)
    rim = colour[(degrees > 20) & (degrees < 21.5)].mean(axis=0)
    assert rim.sum() < 0.75 * found.sum()
    white = colour[(degrees > 25) & (degrees < 32)].mean(axis=0)
    assert 0.6 < white.min() < white.max() < 0.85
    assert white[0] > white[2]


def test_a_wider_iris_is_drawn_wider():
    def edge(scale):
        colour, degrees = by_angle(eye_picture(BLUE, scale, size=256))
        dark = degrees[(colour.sum(axis=2) < 1.0) & (degrees < 30)]
        return dark.max()

    assert edge(1.06) - edge(0.94) == pytest.approx(0.12 * 22.3, rel=0.2)


def test_both_eyes_of_the_open_head_are_laid_out_for_it(rigged):
    assert has_eye_layout(rigged)
    shifted = replace(rigged, uv=(0.5 * rigged.uv).astype(np.float32))
    assert not has_eye_layout(shifted)


def test_the_irises_width_is_told_by_the_larger_eye_and_bounded(rigged):
    fitted = np.zeros((478, 2), np.float32)
    fitted[[469, 471]] = [[-6, 0], [6, 0]]
    fitted[[474, 476]] = [[-5, 0], [5, 0]]
    for factor, expected in ((1.05, 1.05), (1.5, 1.08), (0.5, 0.92)):
        seen = fitted.copy()
        seen[[469, 471]] *= factor
        head = replace(rigged, landmarks=seen, landmarks_fit=fitted)
        assert iris_scale(head) == pytest.approx(expected, abs=1e-4)
    assert iris_scale(replace(rigged, landmarks_fit=np.full((478, 2), np.nan, np.float32))) == 1.0
