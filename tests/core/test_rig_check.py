# SPDX-License-Identifier: GPL-3.0-or-later
"""Every check of the check catches the fault that it is there for."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from support.rigs import rigged_person

from core.__main__ import main
from core.heads import load_open_head
from core.heads.arkit import ARKIT_NAMES, PHOTO_RESIDUAL, mirrored_name
from core.rig.poses import POSES, VISEMES, common_pairs
from core.rig.rig_arrays import RigArrays
from core.rig.rig_check import LIMITS, check_rig
from core.rig.rig_check_picture import rig_check_png

FEW = [("eyeBlinkLeft", "eyeSquintLeft"), ("mouthShrugLower", "mouthShrugUpper"),
       ("browDownLeft", "mouthPucker")]  # fmt: skip


@pytest.fixture(scope="module")
def rig() -> RigArrays:
    return RigArrays.of(rigged_person(load_open_head(), np.zeros(1)))


def with_key(rig: RigArrays, name: str, delta: np.ndarray) -> RigArrays:
    deltas = rig.deltas.copy()
    deltas[rig.key_names.index(name)] = delta
    return replace(rig, deltas=deltas)


def failed(rig: RigArrays) -> set[str]:
    return {f.check for f in check_rig(rig, FEW).failures}


def test_the_open_head_passes(rig):
    check = check_rig(rig, FEW)
    assert check.failures == ()
    measured = {f.check for f in check.findings}
    assert measured == set(LIMITS)


def swapped(rig: RigArrays) -> RigArrays:
    names = list(rig.key_names)
    one, other = names.index("mouthFrownLeft"), names.index("browDownLeft")
    names[one], names[other] = names[other], names[one]
    return replace(rig, key_names=tuple(names))


def sides_swapped(rig: RigArrays) -> RigArrays:
    names = [n if "jaw" in n or n in ("mouthLeft", "mouthRight") else mirrored_name(n)
             for n in rig.key_names]  # fmt: skip
    return replace(rig, key_names=tuple(names))


def blinking_too_far(rig: RigArrays) -> RigArrays:
    return with_key(rig, "eyeBlinkLeft", 1.5 * rig.delta("eyeBlinkLeft"))


def skull_that_nods(rig: RigArrays) -> RigArrays:
    moving = rig.delta("mouthSmileLeft") + np.array([0, 0.002, 0])
    return with_key(rig, "mouthSmileLeft", moving)


def renamed(rig: RigArrays, new: str) -> RigArrays:
    names = [new if n == "cheekPuff" else n for n in rig.key_names]
    return replace(rig, key_names=tuple(names))


def not_a_number(rig: RigArrays) -> RigArrays:
    deltas = rig.deltas.copy()
    deltas[3, 17, 1] = np.nan
    return replace(rig, deltas=deltas)


def doubled_motion(rig: RigArrays) -> RigArrays:
    """A driven key that does the work of a pair a second time, and a third."""
    names = (*rig.key_names, "corr_twice")
    more = 3 * (rig.delta("browDownLeft") + rig.delta("mouthPucker"))
    drive = [[len(rig.key_names), *(rig.key_names.index(n) for n in FEW[2])]]
    return replace(
        rig,
        key_names=names,
        deltas=np.concatenate([rig.deltas, more[None]]),
        correctives=np.concatenate([rig.correctives, drive]),
    )


def raised_lower_lip(rig: RigArrays) -> np.ndarray:
    """(V, 3) 6 mm up: through the upper lip."""
    up = np.zeros_like(rig.basis)
    up[np.unique(rig.lips.lower), 1] = 0.006
    return up


def lips_that_cross(rig: RigArrays) -> RigArrays:
    name = "mouthShrugLower"
    return with_key(rig, name, rig.delta(name) + raised_lower_lip(rig))


def lips_that_cross_in_a_pair(rig: RigArrays) -> RigArrays:
    drive = [[len(rig.key_names), *(rig.key_names.index(n) for n in FEW[1])]]
    return replace(
        rig,
        key_names=(*rig.key_names, "corr_wrong"),
        deltas=np.concatenate([rig.deltas, raised_lower_lip(rig)[None]]),
        correctives=np.concatenate([rig.correctives, drive]),
    )


def joint_outside(rig: RigArrays) -> RigArrays:
    joints = rig.joints.copy()
    joints[rig.joint_names.index("jaw"), 2] += 0.2
    return replace(rig, joints=joints)


def weights_changed(rig: RigArrays, vertex: int, row: list[float]) -> RigArrays:
    weights = np.concatenate([rig.weights, np.zeros((len(rig.weights), 2))], axis=1)
    weights[vertex] = row
    names = (*rig.joint_names, "one", "two")
    joints = np.concatenate([rig.joints, rig.joints[1:3]])
    return replace(rig, weights=weights, joint_names=names, joints=joints)


FAULTS: dict[str, tuple[str, Callable[[RigArrays], RigArrays]]] = {
    "a name is missing": ("names", lambda r: renamed(r, "cheekPuffed")),
    "a name stands twice": ("names", lambda r: renamed(r, "jawOpen")),
    "the residual is missing": (
        "names", lambda r: replace(r, key_names=tuple(
            "rest" if n == PHOTO_RESIDUAL else n for n in r.key_names))),
    "a number is none": ("finite", not_a_number),
    "two keys are swapped": ("region", swapped),
    "left is right": ("side", sides_swapped),
    "a key goes backwards": (
        "direction", lambda r: with_key(r, "mouthSmileLeft", -r.delta("mouthSmileLeft"))),
    "a key does nothing": (
        "amplitude", lambda r: with_key(r, "noseSneerLeft", 0.05 * r.delta("noseSneerLeft"))),
    "a key does too much": (
        "amplitude", lambda r: with_key(r, "jawOpen", 3 * r.delta("jawOpen"))),
    "one side does less": (
        "symmetry", lambda r: with_key(r, "browDownLeft", 0.7 * r.delta("browDownLeft"))),
    "the skull moves along": ("skull", skull_that_nods),
    "a lip goes through the other": ("lips", lips_that_cross),
    "lips cross when two keys meet": ("lips in pairs", lips_that_cross_in_a_pair),
    "a lid goes through the other": ("lids", blinking_too_far),
    "lids cross when two keys meet": ("lids in pairs", lambda r: replace(
        blinking_too_far(r), correctives=r.correctives[:0])),
    "the eye stays open": (
        "blink", lambda r: with_key(r, "eyeBlinkLeft", 0.7 * r.delta("eyeBlinkLeft"))),
    "the mouth stays open": (
        "mouthClose", lambda r: with_key(r, "mouthClose", 0.6 * r.delta("mouthClose"))),
    "a pair does everything twice": ("additivity", doubled_motion),
    "a bone is outside": ("pivots", joint_outside),
    "weights do not add up": (
        "weights", lambda r: weights_changed(r, 9, [0.5] + [0.0] * (r.weights.shape[1] + 1))),
    "too many bones": (
        "influences", lambda r: weights_changed(
            r, 9, [0.2] * 5 + [0.0] * (r.weights.shape[1] - 3))),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(rig, fault):
    check, plant = FAULTS[fault]
    assert check in failed(plant(rig))


def test_a_fault_is_drawn_and_named(rig):
    faulty = joint_outside(blinking_too_far(rig))
    check = check_rig(faulty, FEW)
    report = check.report()
    assert report["passed"] is False
    subjects = [row["subject"] for row in report["checks"]["lids"]["failed"]]
    assert subjects == ["eyeBlinkLeft"]
    assert [row["subject"] for row in report["checks"]["pivots"]["failed"]] == ["jaw"]
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    import cv2

    drawn = cv2.imdecode(np.frombuffer(rig_check_png(faulty, check), np.uint8), cv2.IMREAD_COLOR)
    red = (drawn == [30, 30, 200]).all(axis=2)
    clean = cv2.imdecode(
        np.frombuffer(rig_check_png(rig, check_rig(rig, FEW)), np.uint8), cv2.IMREAD_COLOR
    )
    assert red.sum() > 1000
    assert not (clean == [30, 30, 200]).all(axis=2).any()


def test_a_rig_without_landmarks_or_mirror_is_measured_as_far_as_it_goes(rig):
    bare = replace(rig, mirror=rig.mirror[:0], landmark_vertices=rig.landmark_vertices[:0])
    checks = {f.check for f in check_rig(bare, FEW).findings}
    assert {"names", "region", "amplitude", "weights"} <= checks
    assert not {"symmetry", "direction", "lips"} & checks


def test_command_writes_report_and_picture(tmp_path, capsys):
    rigged = rigged_person(load_open_head(), np.zeros(1), {"jawOpen": 0.4})
    rigged.save(tmp_path / "head.npz")
    assert main(["check-rig", str(tmp_path / "head.npz"), "--out", str(tmp_path / "o")]) == 0
    assert "passed: lips in pairs" in capsys.readouterr().out
    assert json.loads((tmp_path / "o" / "head.rig.json").read_text())["passed"] is True
    assert (tmp_path / "o" / "head.rig.png").read_bytes().startswith(b"\x89PNG")
    deltas = rigged.key_deltas.copy()
    deltas[ARKIT_NAMES.index("jawOpen")] *= 0.1
    replace(rigged, key_deltas=deltas).save(tmp_path / "bad.npz")
    assert main(["check-rig", str(tmp_path / "bad.npz")]) == 2
    said = capsys.readouterr()
    assert "FAILED (1): amplitude" in said.out
    assert "bad.npz fails in" in said.err
    (tmp_path / "no.npz").write_text("no head")
    assert main(["check-rig", str(tmp_path / "no.npz")]) == 2
    assert "missing or damaged" in capsys.readouterr().err


# --- poses -------------------------------------------------------------------------------------
OCULUS = "sil PP FF TH DD kk CH SS nn RR aa E ih oh ou"


def test_poses_and_visemes_use_the_52_names():
    assert list(VISEMES) == OCULUS.split()
    for table in (POSES, VISEMES):
        for name, pose in table.items():
            assert set(pose) <= set(ARKIT_NAMES), name
            assert all(0 < value <= 1 for value in pose.values()), name
    distinct = [tuple(sorted(p.items())) for p in (*POSES.values(), *list(VISEMES.values())[1:])]
    assert len(set(distinct)) == len(distinct)


def test_common_pairs_are_pairs_in_order_of_use():
    pairs = common_pairs()
    assert len(pairs) == len(set(pairs)) == 200
    assert all(ARKIT_NAMES.index(a) < ARKIT_NAMES.index(b) for a, b in pairs)
    tables = ({"one": {"jawOpen": 0.5, "cheekPuff": 0.2}, "two": {"jawOpen": 1, "tongueOut": 1}},)
    assert common_pairs(tables=tables) == [("jawOpen", "tongueOut"), ("cheekPuff", "jawOpen")]
