# SPDX-License-Identifier: GPL-3.0-or-later
"""Comparing what was written with what was read: seams, orders, closed lips, and every fault."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core.rig.round_trip import MeshFacts, SceneFacts, compare, match_vertices

COUNT, KEYS = 400, ("jawOpen", "mouthClose", "photoResidual")


def mesh(name="head"):
    random = np.random.default_rng(5)
    rest = random.uniform(-0.15, 0.15, (COUNT, 3))
    rest[1::2][:50] = rest[::2][:50]  # lips that touch: two vertices at one place
    moved = rest + random.normal(scale=0.004, size=(len(KEYS), COUNT, 3))
    weights = random.uniform(size=(COUNT, 2))
    return MeshFacts(
        name=name,
        keys=KEYS,
        positions=np.concatenate([rest[None], moved]),
        posed=rest[None] + 0.1,
        bones=("head", "jaw"),
        weights=weights / weights.sum(axis=1, keepdims=True),
        values=np.array([0.2, 0.0, 1.0]),
        ranges=np.tile([0.0, 1.0], (len(KEYS), 1)),
    )


def scene(*meshes):
    random = np.random.default_rng(6)
    return SceneFacts(
        meshes=meshes or (mesh(),),
        bone_heads={"head": np.zeros(3), "jaw": np.array([0.0, 0.02, 0.01])},
        frames=(1, 2, 3),
        curve_keys=KEYS,
        curves=random.uniform(size=(3, len(KEYS))),
        turns=random.normal(size=(3, 2, 4, 3)),
        stamps={"licence": "CC0-1.0"},
    )


def shuffled(facts, repeats=130):
    """As a reader that splits seams has it: other order, some vertices twice."""
    random = np.random.default_rng(8)
    order = random.permutation(np.r_[np.arange(COUNT), random.integers(0, COUNT, repeats)])
    near = facts.positions[:, order] + random.normal(scale=1e-7, size=(4, len(order), 3))
    there = replace(
        facts, positions=near, posed=facts.posed[:, order], weights=facts.weights[order]
    )
    return there, order


def test_the_same_is_green():
    verdict = compare(scene(), scene(), ranges_kept=True)
    assert verdict.passed
    assert "3 of 3 keys" in verdict.sentence and "3 frames" in verdict.sentence


def test_split_and_shuffled_vertices_are_matched_by_how_they_move():
    facts = mesh()
    there, order = shuffled(facts)
    assert np.array_equal(match_vertices(facts.positions, there.positions), order)
    assert compare(scene(facts), scene(there)).passed


def test_keys_in_another_order_are_the_same_keys():
    facts = mesh()
    there = replace(
        facts,
        keys=KEYS[::-1],
        positions=facts.positions[[0, 3, 2, 1]],
        values=facts.values[::-1],
    )
    assert compare(scene(facts), scene(there)).passed


def without_a_key(s):
    m = s.meshes[0]
    return replace(s, meshes=(replace(m, keys=KEYS[:2], positions=m.positions[:3],
                                      values=m.values[:2], ranges=m.ranges[:2]),))  # fmt: skip


def with_vertices_missing(s):
    m = s.meshes[0]
    return replace(s, meshes=(replace(m, positions=m.positions[:, 5:], posed=m.posed[:, 5:],
                                      weights=m.weights[5:]),))  # fmt: skip


def changed(name, value):
    return lambda s: replace(s, meshes=(replace(s.meshes[0], **{name: value(s.meshes[0])}),))


def bent(array, at, by):
    out = array.copy()
    out[at] += by
    return out


FAULTS = {
    "keys": without_a_key,
    "vertices": with_vertices_missing,
    "vertices moved": changed("positions", lambda m: bent(m.positions, (2, 7, 1), 2e-5)),
    "vertices not numbers": changed("positions", lambda m: bent(m.positions, (1, 7, 1), np.nan)),
    "pose": changed("posed", lambda m: bent(m.posed, (0, 9, 0), 2e-4)),
    "pose gone": changed("posed", lambda m: m.posed[:0]),
    "weights": changed("weights", lambda m: bent(m.weights, (3, 0), 0.01)),
    "weights of a bone gone": changed("bones", lambda m: ("head", "chin")),
    "values": changed("values", lambda m: bent(m.values, 0, 0.01)),
    "ranges": changed("ranges", lambda m: bent(m.ranges, (0, 0), -1.0)),
    "bones": lambda s: replace(s, bone_heads={"head": np.zeros(3)}),
    "bone heads": lambda s: replace(
        s, bone_heads={**s.bone_heads, "jaw": np.array([0.0, 0.02, 0.0101])}
    ),
    "animation": lambda s: replace(s, curves=bent(s.curves, (1, 1), 0.002)),
    "animation gone": lambda s: replace(s, frames=(), curves=s.curves[:0], turns=s.turns[:0]),
    "animation of a key gone": lambda s: replace(s, curve_keys=("jawOpen", "x", "y")),
    "bone motion": lambda s: replace(s, turns=bent(s.turns, (2, 1, 3, 0), 0.001)),
    "meshes": lambda s: replace(s, meshes=(*s.meshes, replace(s.meshes[0], name="another"))),
    "licence": lambda s: replace(s, stamps={"licence": "CC-BY-4.0"}),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_red_and_says_where(fault):
    verdict = compare(scene(), FAULTS[fault](scene()), ranges_kept=True)
    assert not verdict.passed
    failed = {check.name for check in verdict.checks if not check.passed}
    expected = next(n for n in sorted(failed | {fault}, key=len) if fault.startswith(n))
    assert expected in failed
    assert verdict.sentence


def test_values_beyond_a_readers_range_are_not_held_against_it():
    there = replace(mesh(), values=np.array([1.0, 0.0, 1.0]))
    here = replace(mesh(), values=np.array([1.7, -0.4, 1.0]))
    assert compare(scene(here), scene(there)).passed
    held = replace(there, posed=there.posed + 0.01)
    verdict = compare(scene(here), scene(held))
    assert verdict.passed and "pose not compared" in verdict.sentence
    assert not compare(scene(there), scene(held)).passed


def test_a_skeleton_that_a_format_makes_up_is_no_fault():
    facts = replace(mesh(), bones=(), weights=np.zeros((COUNT, 0)))
    made_up = replace(facts, bones=("joint1",), weights=np.ones((COUNT, 1)))
    bare = replace(scene(facts), bone_heads={}, turns=np.zeros((3, 0, 4, 3)))
    assert compare(bare, replace(bare, meshes=(made_up,), bone_heads={"joint1": np.ones(3)})).passed


def test_far_from_the_origin_float32_is_allowed_for():
    facts = mesh()
    far = replace(facts, positions=facts.positions + 1000.0)
    off = replace(far, positions=far.positions.astype(np.float32).astype(float))
    assert compare(scene(far), scene(off)).passed
