# SPDX-License-Identifier: GPL-3.0-or-later
"""Named traits: what they change on a person, and that it adds up."""

from __future__ import annotations

import numpy as np
import pytest

from core.errors import ModelFileError
from core.heads.open_head import load_open_head
from core.rig.person_keys import rest_keys
from core.rig.tear_line import wet_vertices
from core.rig.traits import NAMES, TRAITS, bones_of, change_of, trait_offset


@pytest.fixture(scope="module")
def head():
    return load_open_head()


@pytest.fixture(scope="module")
def person(head):
    return head.neutral(np.random.default_rng(3).normal(scale=0.6, size=20))


def test_traits_are_named_once_and_have_words_for_both_ends():
    assert len(set(NAMES)) == len(NAMES) >= 30
    for group in TRAITS.values():
        for trait in group:
            assert trait.label and trait.less and trait.more
            for value in (-1.0, 1.0):
                moved = np.linalg.norm(trait_offset({}, {trait.name: value}), axis=1)
                assert 1e-3 < moved.max() < 0.05, (trait.name, value)


def test_a_wider_nose_is_wider_and_the_rest_of_the_face_stays(head):
    offset = trait_offset({}, {"nose_width": 1.0})
    at = head.landmarks(head.template)
    wings = {name: int(np.nonzero(head.landmark_ids == name)[0][0]) for name in (129, 358)}
    moved = head.landmarks(head.template + offset)
    before, after = (abs(p[wings[129], 0] - p[wings[358], 0]) for p in (at, moved))
    assert after > before + 0.002
    assert np.linalg.norm(offset[head.regions["ear_l"]], axis=1).max() < 1e-4


def test_keys_and_bones_are_those_of_the_changed_person(head, person):
    after = {"eye_distance": 0.7, "mouth_width": -0.5}
    change = change_of(person, {}, after)
    dry = np.setdiff1d(np.arange(head.vertex_count), wet_vertices(head))
    assert np.allclose(change.basis[dry], trait_offset({}, after)[dry])
    now = person + change.basis
    old, new = rest_keys(head, person), rest_keys(head, now)
    assert len(change.keys) >= 52
    for name, difference in change.keys.items():
        assert np.allclose(old[name] + difference, new[name], atol=1e-9), name
    assert np.abs(change.keys["mouthSmileLeft"]).max() > 2e-4
    bones = bones_of(now, {}, after)
    eyes = [bones.joint_names.index(name) for name in ("eye_l", "eye_r")]
    assert np.allclose(bones.joints, head.joints(now) - head.joints(person))
    assert bones.joints[eyes[0], 0] > 0.002 > -0.002 > bones.joints[eyes[1], 0]
    assert np.allclose(bones.tails[eyes], bones.joints[eyes], atol=1e-9)


def test_there_and_back_is_nothing_also_through_single_precision(person):
    values = {name: 0.6 * (-1) ** k for k, name in enumerate(NAMES[::3])}
    mesh = person.astype(np.float32)
    there = change_of(mesh, {}, values)
    mesh_there = (mesh + there.basis).astype(np.float32)
    back = change_of(mesh_there, values, {})
    assert np.abs(mesh_there + back.basis - mesh).max() < 1e-6
    for name, difference in there.keys.items():
        assert np.abs(difference + back.keys[name]).max() < 2e-6, name


def test_another_mesh_is_refused_in_words(person):
    with pytest.raises(ModelFileError, match="another mesh"):
        change_of(person[:-1], {}, {"nose_width": 1.0})
