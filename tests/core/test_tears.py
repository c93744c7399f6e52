# SPDX-License-Identifier: GPL-3.0-or-later
"""The line of tears: between lids and ball without a gap, over keys, gazes and people.

Heights are taken along rays from the eye's centre, as in support.eyes; what is seen is drawn from
the front.
"""

from __future__ import annotations

import numpy as np
import pytest
from support.eyes import Eye, above, heights, is_wrong, people, rows_of, strips_of
from support.rigs import rigged_person

from core.geometry.closest import closest_points
from core.geometry.raster import rasterise
from core.heads import load_open_head
from core.heads.arkit import ARKIT_NAMES
from core.rig.rig_arrays import RigArrays
from core.rig.traits import change_of

#: Metres. An edge of the strip may come out of the ball by so much.
ALLOWED = 0.0002
STEP = 0.00015


@pytest.fixture(scope="module")
def head():
    return load_open_head()


@pytest.fixture(scope="module")
def eyes(head):
    return [Eye(head, side) for side in "lr"]


@pytest.fixture(scope="module")
def strips(head):
    return strips_of(head)


def seen(v, eye, strip, centre):
    """Square millimetres of the strip and of the ball that are seen from the front."""
    low = centre[:2] - [0.024, 0.02]
    at = np.column_stack([v[:, 0] - low[0], low[1] + 0.04 - v[:, 1]]) / STEP
    triangles = np.concatenate([eye.skin, eye.ball, strip])
    width, height = int(0.048 / STEP), int(0.04 / STEP)
    drawn = rasterise(at, 10 - v[:, 2], triangles, width, height, both_sides=False).triangle
    first = len(eye.skin)
    ball = (drawn >= first) & (drawn < first + len(eye.ball))
    return tuple(1e6 * STEP**2 * m.sum() for m in (drawn >= first + len(eye.ball), ball))


def test_few_vertices_mirrored_and_closed_round_each_eye(head, strips):
    assert len(np.unique(strips[0])) == len(np.unique(strips[1])) <= 200
    left = np.unique(strips[0])
    assert set(head.mirror[left]) == set(np.unique(strips[1]))
    there = head.template[head.mirror[left]] * [-1, 1, 1]
    assert np.abs(there - head.template[left]).max() < 1e-6
    edges = np.sort(
        np.concatenate([strips[0][:, [0, 1]], strips[0][:, [1, 2]], strips[0][:, [2, 0]]]), axis=1
    )
    _, count = np.unique(edges, axis=0, return_counts=True)
    assert (count == 1).sum() == 2 * rows_of(strips[0]).shape[1]  # its two rims
    assert head.skin_weights[left].sum(axis=1) == pytest.approx(1.0, abs=1e-5)


def test_nothing_of_the_head_proper_rides_on_it(head, strips):
    assert min(np.unique(s).min() for s in strips) >= head.proper_count
    assert not np.isin(head.landmark_vertices, np.concatenate(strips)).any()
    assert not np.isin(head.outer_triangles, np.concatenate(strips)).any()


@pytest.mark.parametrize("person", [0, 5, 20])
def test_it_stays_between_lids_and_ball(head, eyes, strips, person):
    """Its edges are hidden in both; its surface stands before the ball, and no higher than a
    canthus is deep.
    """
    found = heights(head, eyes, strips, person, people(head, 21)[person])
    assert len(found) > 50
    assert {k: row for k, row in found.items() if is_wrong(*row)} == {}


def test_its_outer_edge_is_under_the_lids_skin(head, eyes, strips):
    rig = RigArrays.of(rigged_person(head, people(head, 21)[0]))
    for eye, strip in zip(eyes, strips, strict=True):
        under = rows_of(strip)[0]
        for name in (None, "eyeBlinkLeft", "eyeWideLeft", "eyeSquintRight", "eyeLookDownLeft"):
            v = rig.basis if name is None else rig.basis + rig.delta(name)
            found = closest_points(v[under], v, eye.skin)
            corners = v[eye.skin[found.triangle]]
            foot = np.einsum("nk,nkc->nc", found.barycentric, corners)
            normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
            normal /= np.linalg.norm(normal, axis=1, keepdims=True)
            out = ((v[under] - foot) * normal).sum(axis=1).max()
            # Where lids meet, the other one's skin may be the nearest.
            assert out < ALLOWED, name
            assert name is not None or out < 0


def test_seen_on_an_open_eye_and_not_on_a_closed_one(head, eyes, strips):
    rig = RigArrays.of(rigged_person(head, people(head, 21)[0]))
    closed = rig.posed({"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0})
    for eye, strip in zip(eyes, strips, strict=True):
        centre = rig.joints[eye.joint]
        wet, ball = seen(rig.basis, eye, strip, centre)
        assert 4 < wet < 0.12 * ball
        assert seen(closed, eye, strip, centre)[0] < 0.05


def test_it_moves_with_the_lids_keys_and_with_no_others(head, strips):
    rig = RigArrays.of(rigged_person(head, people(head, 21)[5]))
    left = np.unique(strips[0])
    for name in ARKIT_NAMES:
        moved = np.abs(rig.delta(name)[left]).max()
        if name.startswith(("jaw", "mouthRoll", "tongue")) or name == "eyeBlinkRight":
            assert moved < 1e-4, name
        elif name.startswith(("eyeBlink", "eyeWide", "eyeSquint")) and name.endswith("Left"):
            assert moved > 5e-4, name


def test_a_photos_half_closed_eye_is_wet_where_it_is(head, eyes, strips):
    values = {"eyeBlinkLeft": 0.45, "eyeBlinkRight": 0.45, "eyeSquintLeft": 0.3}
    person = rigged_person(head, people(head, 21)[5], values)
    keys = person.basis + np.tensordot(person.key_values, person.key_deltas, 1)
    assert np.abs(keys - person.posed).max() < 2e-6
    for eye, strip in zip(eyes, strips, strict=True):
        edge = above(
            person.posed[rows_of(strip)[2]].astype(float),
            person.posed[eye.ball].astype(float),
            person.joints[eye.joint].astype(float),
        )
        assert edge.max() < 0


def test_a_changed_eye_stays_wet(head, eyes, strips):
    """Another size of the eyes, by a trait, as in the scene."""
    person = RigArrays.of(rigged_person(head, people(head, 21)[0]))
    change = change_of(person.basis, {}, {"eye_size": 1.0})
    now = person.basis + change.basis
    assert np.abs(change.basis[np.unique(strips[0])]).max() > 5e-4
    blink = now + person.delta("eyeBlinkLeft") + change.keys["eyeBlinkLeft"]
    centres = head.joints(now)
    for v in (now, blink):
        for eye, strip in zip(eyes, strips, strict=True):
            edge = above(v[rows_of(strip)[2]], v[eye.ball], centres[eye.joint])
            assert edge.max() < 0
