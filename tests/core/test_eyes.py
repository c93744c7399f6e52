# SPDX-License-Identifier: GPL-3.0-or-later
"""Eyeballs and lids: how far an eye comes through its lids, over keys, gazes and people.

What is measured, and how, is in support.eyes.
"""

from __future__ import annotations

import numpy as np
import pytest
from support.eyes import ALLOWED, Eye, depths, people, ray_lengths

from core.heads import load_open_head


@pytest.fixture(scope="module")
def head():
    return load_open_head()


@pytest.fixture(scope="module")
def eyes(head):
    return [Eye(head, side) for side in "lr"]


def test_rays_meet_a_sphere_where_it_is():
    head = load_open_head()
    eye = Eye(head, "l")
    centre = head.joints(head.template)[eye.joint]
    at = head.template[eye.vertices] - centre
    reach = np.linalg.norm(at, axis=1)
    # A hair beside the vertices, where exactly one triangle is met.
    found, _ = ray_lengths(at / reach[:, None] + [1e-5, 2e-5, 0], head.template[eye.ball] - centre)
    assert np.isfinite(found).mean() > 0.99
    close = np.isfinite(found)
    assert np.abs(found[close] - reach[close]).max() < 5e-5


def test_no_eye_comes_through_its_lids(head, eyes):
    """The template, and the people out of 20 whose eyes would come through (benchmarks/eyes.py
    looks at all of them).
    """
    found = {}
    everybody = people(head, 21)
    for person in (0, 5, 20):
        found |= depths(head, eyes, person, everybody[person])
    assert {k: round(1e3 * d, 2) for k, d in found.items() if d > ALLOWED} == {}


def test_without_the_lift_eyes_would_come_through(head, eyes):
    """That the measure above can fail."""
    neutral = head.neutral(people(head, 21)[20])
    centres = head.joints(neutral)
    assert max(max(eye.through(neutral, centres[eye.joint])) for eye in eyes) > ALLOWED
