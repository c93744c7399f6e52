# SPDX-License-Identifier: GPL-3.0-or-later
"""The built open head: expressions, rig, identity; licence, and that it can be rebuilt."""

from __future__ import annotations

import hashlib
import io
import json

import numpy as np
import pytest
from conftest import missing
from support.open_head_measures import (
    BLINK,
    COMPONENTS,
    EYE_L,
    EYE_R,
    FOLDER,
    JAW,
    lid_gap_mm,
    lip_gap_mm,
    lip_overlap_mm,
    load_head,
    load_named_shapes,
    random_people,
    rotation,
)

APPLE = """
    eyeBlinkLeft eyeLookDownLeft eyeLookInLeft eyeLookOutLeft eyeLookUpLeft eyeSquintLeft
    eyeWideLeft eyeBlinkRight eyeLookDownRight eyeLookInRight eyeLookOutRight eyeLookUpRight
    eyeSquintRight eyeWideRight jawForward jawLeft jawRight jawOpen mouthClose mouthFunnel
    mouthPucker mouthLeft mouthRight mouthSmileLeft mouthSmileRight mouthFrownLeft mouthFrownRight
    mouthDimpleLeft mouthDimpleRight mouthStretchLeft mouthStretchRight mouthRollLower
    mouthRollUpper mouthShrugLower mouthShrugUpper mouthPressLeft mouthPressRight
    mouthLowerDownLeft mouthLowerDownRight mouthUpperUpLeft mouthUpperUpRight browDownLeft
    browDownRight browInnerUp browOuterUpLeft browOuterUpRight cheekPuff cheekSquintLeft
    cheekSquintRight noseSneerLeft noseSneerRight tongueOut
""".split()  # noqa: SIM905
JOINTS = ["root", "neck", "head", "jaw", "eye_l", "eye_r"]


@pytest.fixture
def head():
    return load_head()


@pytest.fixture
def shapes():
    return load_named_shapes()


@pytest.fixture
def people():
    return random_people()


def test_names_are_apples(head):
    assert len(head.names) == 52
    assert sorted(head.names) == sorted(APPLE)


def test_shapes_move_what_they_name(head):
    marks = {
        n: head.landmarks(head.v_template + head.shape(n)) - head.landmarks(head.v_template)
        for n in APPLE
    }
    x, y, z = 0, 1, 2
    expected = [
        ("jawOpen", 152, y, -1), ("jawForward", 152, z, 1), ("jawLeft", 152, x, 1),
        ("mouthLeft", 13, x, 1), ("mouthSmileLeft", 291, y, 1), ("mouthFrownLeft", 291, y, -1),
        ("mouthPucker", 291, x, -1), ("mouthFunnel", 14, z, 1), ("mouthStretchLeft", 291, x, 1),
        ("mouthDimpleLeft", 291, x, 1), ("mouthUpperUpLeft", 270, y, 1),
        ("mouthLowerDownLeft", 321, y, -1), ("mouthShrugUpper", 13, y, 1),
        ("mouthShrugLower", 14, y, 1), ("mouthRollLower", 17, y, 1), ("mouthRollUpper", 0, y, -1),
        ("cheekPuff", 425, x, 1), ("cheekSquintLeft", 347, y, 1), ("noseSneerLeft", 278, y, 1),
        ("browInnerUp", 336, y, 1), ("browOuterUpLeft", 300, y, 1), ("browDownLeft", 336, y, -1),
        ("eyeBlinkLeft", 386, y, -1), ("eyeWideLeft", 386, y, 1), ("eyeSquintLeft", 374, y, 1),
        ("eyeLookUpLeft", 386, y, 1), ("eyeLookDownLeft", 386, y, -1),
    ]  # fmt: skip
    for name, landmark, axis, sign in expected:
        assert sign * marks[name][landmark, axis] > 3e-4, (name, marks[name][landmark])
    for name in APPLE:
        assert np.abs(head.shape(name)).max() > 5e-4, name
    tongue = np.unique(head.triangles_of("tongue")[0])
    assert head.shape("tongueOut")[tongue, 2].max() > 0.01


def test_eyeballs_are_moved_by_joints_alone(head):
    balls = head.region("eyeball_l") | head.region("eyeball_r")
    assert not head.exprdirs[balls].any()
    assert not head.posedirs[balls].any()


def test_blink_closes_the_lids(head, people):
    assert lid_gap_mm(head, head()) > 6
    assert lid_gap_mm(head, head(None, BLINK)) < 0.5
    assert max(lid_gap_mm(head, head(p, BLINK)) for p in people[:15]) < 1.0


def test_lips_are_sealed_at_rest(head, people):
    assert lip_gap_mm(head, head()) <= 0.2
    assert lip_overlap_mm(head, head()) <= 0.25
    # All coefficients drawn at full sigma: about one head in a hundred has lips so thin that
    # the mouth bag shows at a corner.  That is no slit; the measure sees it all the same.
    gap = [lip_gap_mm(head, head(p)) for p in people]
    assert np.percentile(gap, 95) <= 0.2
    overlap = [lip_overlap_mm(head, head(p)) for p in people]
    # Inside of closed lips, where nobody sees it.
    assert np.median(overlap) <= 0.3
    assert np.percentile(overlap, 90) <= 0.5


def test_mouth_close_undoes_jaw_open_at_the_lips(head, people):
    assert lip_gap_mm(head, head(None, {"jawOpen": 1})) > 20
    for amount in (0.5, 1.0):
        both = {"jawOpen": amount, "mouthClose": amount}
        assert lip_gap_mm(head, head(None, both)) <= 0.2
    assert max(lip_gap_mm(head, head(p, both)) for p in people[:10]) <= 0.4


def test_joints_and_weights(head):
    assert [str(n) for n in head.joint_names] == JOINTS
    assert head.parents.tolist() == [-1, 0, 1, 2, 2, 2]
    assert head.weights.min() >= 0
    assert np.abs(head.weights.sum(axis=1) - 1).max() < 1e-6
    assert (head.weights > 0).sum(axis=1).max() <= 4
    assert np.abs(head.J_regressor.sum(axis=1) - 1).max() < 1e-5
    root, neck, top, jaw = (head.J_regressor @ head.v_template)[:4]
    assert root[1] < neck[1] < top[1]
    assert np.abs([root[0], neck[0], top[0], jaw[0]]).max() < 1e-6
    for side, joint in (("l", EYE_L), ("r", EYE_R)):
        assert (head.weights[head.region(f"eyeball_{side}"), joint] == 1).all()
    # Neighbours on the neck follow nearly the same motion: no fold when it bends.
    quads = head.quads[head.region("neck")[np.maximum(head.quads, 0)].all(axis=1)]
    step = np.abs(head.weights[quads] - head.weights[np.roll(quads, -1, axis=1)])
    assert step.max() < 0.25


def test_eye_joints_are_the_centres_of_the_eyeballs(head, people):
    for person in (None, *people[:10]):
        v = head(person)
        joints = head.J_regressor @ v
        for side, joint in (("l", EYE_L), ("r", EYE_R)):
            ball = v[head.region(f"eyeball_{side}")]
            ring = head.eye_ring[head.region(f"eyeball_{side}")]
            reach = np.linalg.norm(ball - joints[joint], axis=1)[ring > 8]
            assert np.ptp(reach) < 0.12 * reach.mean()


def test_jaw_joint_opens_the_mouth_like_the_slider(head):
    turned = head.posed(JAW, rotation(head.jaw_open_rotvec))
    assert 15 < np.degrees(head.jaw_open_rotvec[0]) < 25
    error = np.linalg.norm(turned - head(None, {"jawOpen": 1}), axis=1)
    assert error.max() < 3e-4


def test_lids_follow_the_gaze(head):
    """The corrective is linear in the sine, so up and down share one slope: 0.78 at least."""
    gaze = dict(zip(map(str, head.gaze_names), head.gaze_rotvec, strict=True))
    for name in ("eyeLookUpLeft", "eyeLookDownLeft", "eyeLookInRight", "eyeLookOutRight"):
        joint = EYE_L if name.endswith("Left") else EYE_R
        balls = head.region("eyeball_l") | head.region("eyeball_r")
        moved = (head.posed(joint, rotation(gaze[name])) - head.v_template)[~balls]
        wanted = head.shape(name)[~balls]
        alike = (moved * wanted).sum() / np.linalg.norm(moved) / np.linalg.norm(wanted)
        assert alike > 0.7, (name, alike)
    up, out = gaze["eyeLookUpLeft"], gaze["eyeLookOutLeft"]
    assert (rotation(up) @ [0, 0, 1])[1] > 0.1
    assert (rotation(out) @ [0, 0, 1])[0] > 0.1
    assert np.allclose(gaze["eyeLookOutRight"], out * [1, -1, -1])


def test_named_shapes_and_sliders(head, shapes):
    names = shapes["names"].tolist()
    assert len(set(names)) == len(names) == 420
    assert shapes["delta_10um"].dtype == np.int16
    assert shapes["ptr"][-1] == len(shapes["index"]) == len(shapes["delta_10um"])
    assert shapes["index"].max() < head.own
    assert len(shapes["slider_names"]) == 146
    ends = [*shapes["slider_negative"], *shapes["slider_positive"]]
    used = {n for end in ends for n in end.split("|") if n}
    assert used <= set(names)
    assert len(used) == 348
    assert (shapes["slider_sigma"] > 0).all()


def dense(head, shapes, name):
    i = shapes["names"].tolist().index(name)
    rows = slice(shapes["ptr"][i], shapes["ptr"][i + 1])
    result = np.zeros_like(head.v_template)
    result[shapes["index"][rows]] = 1e-5 * shapes["delta_10um"][rows]
    return result


def test_named_shapes_agree_with_the_components(head, shapes):
    """name_to_pca says how near the components come to what the sliders' larger shapes do: people
    differ along other lines. Gums go with the mouth around them, and what follows adds nothing of
    its own.
    """
    own = np.arange(head.own)
    own = np.setdiff1d(own, head.triangles_of("gums_upper", "gums_lower")[0])
    flat = head.shapedirs[own].reshape(-1, COMPONENTS)
    names = shapes["names"].tolist()
    kept = []
    for name in (
        "nose/nose-scale-horiz-incr",
        "chin/chin-width-incr",
        "mouth/mouth-scale-horiz-incr",
    ):
        shape = dense(head, shapes, name)[own].ravel()
        told = flat @ shapes["name_to_pca"][names.index(name)].astype(float)
        assert np.linalg.norm(told - shape) < np.linalg.norm(shape)
        best = flat @ np.linalg.lstsq(flat, shape, rcond=None)[0]
        assert np.linalg.norm(told - shape) < 1.03 * np.linalg.norm(best - shape)
        kept.append(1 - ((best - shape) ** 2).sum() / (shape**2).sum())
    assert min(kept) > 0.2


def test_components_are_ordered_and_in_sigma_units(head):
    """The first hundred are people's own, in the scans' order; those after them are MakeHuman's,
    by size, and are no mixture of people's.
    """
    own = head.shapedirs[: head.own]
    size = 1000 * np.sqrt((own**2).sum(axis=(0, 1)) / head.own)
    assert np.allclose(size, head.shape_std_mm, rtol=2e-3)
    assert 3 < size[0] < 5
    assert size[:10].min() > 2 * size[50:60].max() > 2 * size[90:100].max()
    # Ordered before lips, gums and eyes were made to go with the face.
    assert (np.diff(size[100:]) < 0.02).all()
    flat = own.reshape(-1, COMPONENTS)
    more = flat[:, 100:]
    told = flat[:, :100] @ np.linalg.lstsq(flat[:, :100], more, rcond=None)[0]
    assert (np.linalg.norm(told, axis=0) < 0.5 * np.linalg.norm(more, axis=0)).all()


def test_people_have_the_spread_of_people(head):
    """In the face nearly all of the variety is the scans'; ears, skull and neck have their own."""
    own = head.shapedirs[: head.own]

    def spread(region, part):
        return 1000 * np.sqrt(
            (own[head.region(region)[: head.own]][:, :, part] ** 2).sum(2).sum(1).mean()
        )

    people, further = slice(0, 100), slice(100, None)
    assert 3 < spread("face", people) < 5
    assert spread("face", further) < 0.15 * spread("face", people)
    for region in ("ear_l", "scalp", "neck"):
        assert spread(region, further) > 0.15 * spread(region, people)


def test_licence_and_source_stand_beside(head):
    record = json.loads((FOLDER / "source.json").read_text(encoding="utf-8"))
    assert record["licence"] == "CC0-1.0 AND MIT"
    assert len(record["source"]["sha256_of_wheel"]) == 64
    lines = record["source"]["licence_lines_of_the_wheel"]
    for folder, line in zip(("data/mpfb2", "data/faceunits01"), lines, strict=True):
        assert folder in line
        assert "CC0 1.0" in line
    assert "CC0 1.0 Universal" in (FOLDER / "LICENSE.CC0.txt").read_text(encoding="utf-8")
    people = FOLDER.parent / "people"
    digest = hashlib.sha256((people / "people.npz").read_bytes()).hexdigest()
    assert digest in (people / "SOURCE.md").read_text(encoding="utf-8")
    assert record["also_read"]["people.npz"]["sha256"] == digest
    line = "Copyright (c) 2020 USC Institute for Creative Technologies"
    assert line in (people / "LICENSE.MIT.txt").read_text(encoding="utf-8")


def test_rebuilding_gives_the_same_arrays(tmp_path):
    pytest.importorskip("scipy")
    from tools.open_head.build import PEOPLE, build
    from tools.open_head.source import Source, SourceError, check_wheel, download_wheel
    from tools.open_head.write import HEAD_FILE, REGISTRATION_FILE, SHAPES_FILE, write_npz

    try:
        wheel = download_wheel(tmp_path)
    except SourceError as error:
        missing(f"the wheel that holds the source data ({error})")
    check_wheel(wheel)
    built = build(Source(wheel), FOLDER / REGISTRATION_FILE, PEOPLE, lambda line: None)
    for name, arrays in zip((HEAD_FILE, SHAPES_FILE), built, strict=True):
        stream = io.BytesIO()
        write_npz(stream, arrays)
        stream.seek(0)
        with (
            np.load(FOLDER / name, allow_pickle=False) as old,
            np.load(stream, allow_pickle=False) as new,
        ):
            assert old.files == new.files
            for key in old.files:
                assert old[key].dtype == new[key].dtype, key
                if old[key].dtype.kind == "f":
                    a, b = old[key].astype(float), new[key].astype(float)
                    assert np.abs(a - b).max() <= 1e-6, key
                else:
                    assert np.array_equal(old[key], new[key]), key
