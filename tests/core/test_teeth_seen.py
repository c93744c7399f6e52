# SPDX-License-Identifier: GPL-3.0-or-later
"""A smile whose teeth meet is told from an open mouth, and fitted with the jaw shut."""

from __future__ import annotations

import numpy as np
import pytest

from core.cues.face_geometry import canonical_face
from core.cues.model_files import mediapipe_dir
from core.cues.screen_cues import ScreenCues
from core.cues.teeth_seen import LOWER, UPPER, teeth_together
from core.fitting.closed_teeth import teeth_meet, with_teeth_together
from core.heads import load_open_head

SKIN, TEETH, INSIDE = (190, 140, 120), (215, 205, 190), (40, 15, 15)
SIDE = 400


@pytest.fixture(scope="module")
def head():
    return load_open_head()


def landmarks(gap: float) -> np.ndarray:
    """(478, 2) of a face from the front, inner lips apart by ``gap`` pixels."""
    face = canonical_face(mediapipe_dir()).vertices
    out = np.full((478, 2), SIDE / 2.0)
    out[: len(face)] = SIDE / 2 + 0.6 * SIDE * face[:, :2] * [1, -1] / np.ptp(face[:, 1])
    middle, half = (out[list(UPPER)] + out[list(LOWER)]) / 2, np.array([0, gap / 2])
    out[list(UPPER)], out[list(LOWER)] = middle - half, middle + half
    return out


def photo(points: np.ndarray, above: tuple, below: tuple) -> np.ndarray:
    """Skin, and between the lips two halves of a colour each."""
    out = np.full((SIDE, SIDE, 3), SKIN, np.uint8)
    upper, lower = points[list(UPPER)], points[list(LOWER)]
    left, right = int(upper[:, 0].min()) - 3, int(upper[:, 0].max()) + 4
    top, bottom = int(upper[:, 1].min()), int(lower[:, 1].max()) + 1
    middle = (top + bottom) // 2
    out[top:middle, left:right], out[middle:bottom, left:right] = above, below
    return out


@pytest.mark.parametrize(
    ("gap", "above", "below", "meet"),
    [
        (16, TEETH, TEETH, True),
        (16, TEETH, INSIDE, False),
        (16, INSIDE, INSIDE, False),
        (16, (190, 90, 90), (190, 90, 90), False),  # a tongue, or lips
        (2, TEETH, TEETH, False),
    ],
)
def test_teeth_are_told_from_the_mouths_inside(gap, above, below, meet):
    points = landmarks(gap)
    assert teeth_together(photo(points, above, below), points) is meet


def test_the_skin_stays_and_the_lower_teeth_rise(head):
    expression = np.zeros(head.expression_count)
    names = head.expression_names
    for name, value in {"jawOpen": 0.35, "mouthSmileLeft": 0.8, "mouthSmileRight": 0.8}.items():
        expression[names.index(name)] = value
    shut, kept = with_teeth_together(head, expression)
    before = head.expression_basis @ expression
    after = head.expression_basis @ shut + kept
    skin = head.regions["lips"] | head.regions["chin"] | head.regions["cheek_l"]
    np.testing.assert_allclose(after[skin], before[skin], atol=1e-9)
    assert shut[names.index("jawOpen")] < 0.05
    assert shut[names.index("mouthLowerDownLeft")] > 0.2
    assert ((shut >= 0) & (shut <= 1)).all()
    rise = (after - before)[:, 1]
    assert rise.max() > 0.004


def test_a_shut_jaw_is_left_as_it_is(head):
    expression = np.zeros(head.expression_count)
    shut, kept = with_teeth_together(head, expression)
    np.testing.assert_array_equal(shut, expression)
    assert not kept.any()


def test_pinned_lips_and_other_cues_leave_the_jaw_to_the_fit(head):
    cues = ScreenCues(100, 100, "mediapipe", landmarks=np.zeros((478, 2)), teeth_together=True)
    assert teeth_meet(head, cues)
    assert not teeth_meet(head, cues, pinned={13})
    assert not teeth_meet(head, ScreenCues(100, 100, "mediapipe", landmarks=np.zeros((478, 2))))
