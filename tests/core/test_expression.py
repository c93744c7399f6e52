# SPDX-License-Identifier: GPL-3.0-or-later
"""What the expression panel does with the 52 values."""

from __future__ import annotations

import pytest

from core.heads.arkit import ARKIT_NAMES
from core.rig.expression import (
    REGIONS,
    found,
    leader,
    mirrored,
    pair_of,
    photo_amount,
    random_expression,
    short_title,
    title,
    with_photo_amount,
)


def test_every_slider_stands_in_one_region():
    names = [name for region in REGIONS.values() for name in region]
    assert sorted(names) == sorted(ARKIT_NAMES)


def test_linked_sides():
    assert leader("mouthSmileRight") == "mouthSmileLeft"
    assert leader("eyeLookInRight") == "eyeLookOutLeft"
    assert leader("eyeLookUpRight") == "eyeLookUpLeft"
    assert leader("mouthSmileLeft") is None
    assert leader("jawRight") is None
    followers = [name for name in ARKIT_NAMES if leader(name)]
    assert {leader(name) for name in followers} <= set(ARKIT_NAMES)
    assert len(followers) == len({leader(name) for name in followers}) == 18


def test_mirror_swaps_sides_and_twice_is_nothing():
    values = {name: i / 100 for i, name in enumerate(ARKIT_NAMES)}
    swapped = mirrored(values)
    assert swapped["mouthSmileLeft"] == values["mouthSmileRight"]
    assert swapped["jawLeft"] == values["jawRight"]
    assert swapped["jawOpen"] == values["jawOpen"]
    assert mirrored(swapped) == values


def test_search():
    assert found("smile left") == ["mouthSmileLeft"]
    assert found("BROW inner") == ["browInnerUp"]
    assert found("") == list(ARKIT_NAMES)
    assert found("zebra") == []
    assert found("sonrisa", {"mouthSmileRight": "Sonrisa"}) == ["mouthSmileRight"]
    assert title("mouthSmileLeft") == "Mouth Smile Left"


def test_pairs_and_short_titles():
    assert pair_of("mouthSmileRight", ARKIT_NAMES) == ("mouthSmile", "Right")
    assert pair_of("mouthSmileLeft", ["mouthSmileLeft"]) == (None, "")
    assert pair_of("mouthLeft", ARKIT_NAMES) == pair_of("jawOpen", ARKIT_NAMES) == (None, "")
    assert short_title("mouthSmile", "Mouth") == "Smile"
    assert short_title("browInnerUp", "Brows") == "Inner Up"
    assert short_title("mouthSmile", "") == "Mouth Smile"
    assert short_title("tongue", "Tongue") == "Tongue"


def test_amount_of_the_photo_moves_it_alone():
    photo = {"jawOpen": 0.4, "mouthSmileLeft": 0.7}
    values = {**photo, "browInnerUp": 0.5}
    assert photo_amount(values, photo) == pytest.approx(1.0)
    half = {**values, **with_photo_amount(values, photo, 0.5)}
    assert half == pytest.approx({"jawOpen": 0.2, "mouthSmileLeft": 0.35, "browInnerUp": 0.5})
    assert photo_amount(half, photo) == pytest.approx(0.5)
    back = {**half, **with_photo_amount(half, photo, 1.0)}
    assert back == pytest.approx(values)
    assert photo_amount(values, {}) == 0.0


def test_what_was_moved_by_hand_stays_moved():
    photo = {"jawOpen": 0.4, "mouthSmileLeft": 0.2}
    values = {"jawOpen": 0.4, "mouthSmileLeft": 0.6}
    before = photo_amount(values, photo)
    less = with_photo_amount(values, photo, before - 0.5)
    assert less["jawOpen"] == pytest.approx(0.2)
    assert less["mouthSmileLeft"] == pytest.approx(0.5)


def test_chance_repeats_and_stays_in_range():
    one = random_expression(3, 1.0)
    assert one == random_expression(3, 1.0)
    assert one != random_expression(4, 1.0)
    assert set(one) == set(ARKIT_NAMES)
    for seed in range(30):
        values = random_expression(seed, 1.0)
        assert all(0 <= v <= 1 for v in values.values())
        assert max(values.values()) > 0.2
    assert max(random_expression(3, 0.0).values()) == 0
