# SPDX-License-Identifier: GPL-3.0-or-later
"""Sources and bounds of a fit's vertices, and what is said of them, on known heads."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core.cues import ScreenCues
from core.cues.rendered_cues import rendered_cues
from core.errors import ModelFileError
from core.fitting import FitProblem, fit_head
from core.fitting.landmark_model import LandmarkModel
from core.geometry.camera import Camera
from core.geometry.mesh import vertex_normals
from core.geometry.rotation import matrix_from_vector
from core.heads import load_open_head
from core.likeness.source_and_bound import (
    INFERRED,
    MEASURED,
    MIRRORED,
    bound_of,
    likeness_of,
    normal_spread,
    outer_skin,
    seen,
    showing,
    similarities,
)
from core.likeness.words import FRONT, LEFT, RIGHT, SIDE, advice_of, parts_of
from core.photos.colour import FaceColours
from core.reconstruct.assembly import build_rigged_head
from core.rig.rig_arrays import RigArrays
from core.rigged_head import RiggedHead

SIZE = 512
FACING = np.diag([1.0, -1.0, -1.0])


@pytest.fixture(scope="module")
def head():
    return load_open_head()


def camera_at(yaw):
    """The head turned by so many degrees to its left."""
    turn = matrix_from_vector(np.array([0.0, np.radians(yaw), 0.0]))
    return Camera.with_focal(700.0, FACING @ turn, np.array([0.0, 0.0, 0.62]), SIZE, SIZE)


def cues_of(head, vertices, camera, rng, noise=1.5):
    points = head.landmarks(vertices)
    z = camera.to_camera(points)[:, 2]
    return ScreenCues(
        width=SIZE,
        height=SIZE,
        predictor="truth",
        landmarks=camera.project(points) + rng.normal(0, noise, (len(points), 2)),
        landmark_depth=700.0 * (z / z.mean() - 1),
        landmark_sigma=np.zeros(len(points)),
    )


def fitted(head, vertices, *yaws, seed=0):
    rng = np.random.default_rng(seed)
    cues = [cues_of(head, vertices, camera_at(yaw), rng) for yaw in yaws]
    model = LandmarkModel.uninformed()
    return fit_head(FitProblem(head, cues, focal=[700.0] * len(cues), landmark_model=model))


@pytest.fixture(scope="module")
def fits(head):
    """By the yaws of their photos."""
    identity = np.random.default_rng(2).normal(0, 0.8, head.identity_count)
    vertices = head.neutral(identity)
    return {yaws: fitted(head, vertices, *yaws) for yaws in ((0,), (45,), (0, 45, -45))}


def parts(head, fit):
    found = likeness_of(head, fit)
    skin = showing(outer_skin(head), head.template, head.triangles, head.regions)
    return parts_of(found.source, found.bound, head.regions, skin)


def yaws_of(fit):
    return [p.report["pose_degrees"]["yaw"] for p in fit.photos]


def test_seen_is_what_the_picture_shows_and_nothing_hides():
    wall = np.array([[-1.0, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]) * 0.1
    corners = np.array([[0, 1, 2], [0, 2, 3]])
    small = 0.3 * wall - np.array([0, 0, 0.1])
    aside = small + np.array([0.2, 0, 0])
    vertices = np.concatenate([wall, small, aside])
    triangles = np.concatenate([corners, corners + 4, corners + 8])
    camera = Camera.with_focal(700.0, FACING, np.array([0, 0, 0.6]), 300, SIZE)
    assert seen(vertices, triangles, camera).tolist() == [True] * 4 + [False] * 8
    wide = Camera.with_focal(700.0, FACING, np.array([0, 0, 0.6]), 800, SIZE)
    assert seen(vertices, triangles, wide).tolist() == [True] * 4 + [False] * 4 + [True] * 4
    turned_away = triangles[:, ::-1]
    assert not seen(vertices, turned_away, wide).any()


def test_a_turned_head_is_mirrored_on_its_hidden_side(head, fits):
    found = likeness_of(head, fits[45,])
    hidden, shown = head.regions["cheek_l"], head.regions["cheek_r"]
    assert np.mean(found.source[shown] == MEASURED) > 0.8
    assert np.mean(found.source[hidden] == MIRRORED) > 0.5
    mirrored = found.source == MIRRORED
    assert (found.source[head.mirror[mirrored]] == MEASURED).all()
    for far in ("ear_l", "ear_r", "scalp", "neck"):
        assert (found.source[head.regions[far]] == INFERRED).mean() > 0.9
    assert (found.source[head.regions["mouth_interior"]] == INFERRED).all()


def test_maps_measure_ears_and_neck_and_nothing_below_hair(head):
    still = np.zeros((len(head.joint_names), 3))
    identity = np.zeros(head.identity_count)
    sliders = np.zeros(head.expression_count)
    camera = camera_at(45)
    cues = rendered_cues(head, identity, sliders, still, camera, landmarks=True)
    found = likeness_of(head, fit_head(FitProblem(head, [cues], focal=[700.0])))
    shown = seen(head.template, head.triangles, camera)
    for part in ("ear_r", "neck"):
        at = head.regions[part] & shown
        assert (found.source[at] == MEASURED).mean() > 0.9
    assert (found.source[head.regions["scalp"]] == INFERRED).mean() > 0.9


def test_more_photos_measure_more_and_bind_closer(head, fits):
    one, three = (likeness_of(head, fits[yaws]) for yaws in ((0,), (0, 45, -45)))
    skin = outer_skin(head)
    assert (three.source[skin] == MEASURED).sum() > 1.1 * (one.source[skin] == MEASURED).sum()
    face = head.regions["face"]
    assert np.median(three.bound[face]) < 0.95 * np.median(one.bound[face])
    assert np.median(one.bound[head.regions["scalp"]]) > 2 * np.median(one.bound[face])


def test_a_spread_that_is_only_size_and_place_is_none(head):
    face = head.regions["face"]
    points = head.template - head.template[face].mean(axis=0)
    moves = similarities(points)
    only_moves = replace(head, identity_basis=0.01 * moves)
    assert normal_spread(only_moves, head.template, np.eye(7)).max() < 1e-9
    spread = normal_spread(head, head.template, np.eye(head.identity_count))
    halved = normal_spread(head, head.template, 4 * np.eye(head.identity_count))
    np.testing.assert_allclose(halved, spread / 2)
    assert 0.5e-3 < np.median(spread[face]) < 6e-3


def test_the_bound_holds_for_people_that_the_model_does_not_hold(head):
    """Bends of some millimetres that no component makes, as people have and heads of ours not."""
    rng = np.random.default_rng(4)
    inside = []
    face = head.regions["face"]
    for seed in range(4):
        wave = 2 * np.pi / rng.uniform(0.04, 0.12, (3, 1)) * rng.normal(size=(3, 3)) / np.sqrt(3)
        bend = np.sin(head.template @ wave.T + rng.uniform(0, 6, 3)) @ rng.normal(0, 1e-3, (3, 3))
        true = head.neutral(rng.normal(0, 1, head.identity_count)) + bend
        fit = fitted(head, true, 0, seed=seed)
        found = likeness_of(head, fit)
        got = fit.photos[0].vertices
        moves = similarities(got - got[face].mean(axis=0))[face].reshape(-1, 7)
        left = (true - got)[face].ravel()
        left = (left - moves @ np.linalg.lstsq(moves, left, rcond=None)[0]).reshape(-1, 3)
        off = np.abs((left * vertex_normals(true, head.triangles)[face]).sum(axis=1))
        inside.append([np.mean(off < share * found.bound[face]) for share in (1, 0.25)])
    whole, quarter = np.mean(inside, axis=0)
    assert whole > 0.8
    assert quarter < 0.8  # so the bound is not merely wide


def test_a_bound_is_never_nothing():
    assert bound_of(np.zeros(3)).min() > 1e-3


@pytest.mark.parametrize(
    ("yaws", "view"),
    [((0.0,), SIDE), ((30.0,), LEFT), ((-30.0,), RIGHT), ((0.0, 45.0), LEFT), ((50.0, -50.0), ""),
     ((0.0, 45.0, -45.0), ""), ((40.0,), FRONT), ((50.0, 60.0), FRONT)],
)  # fmt: skip
def test_the_view_that_lacks(yaws, view):
    assert advice_of({}, yaws).view == view


def test_the_advised_photo_measures_what_was_mirrored(head, fits):
    identity = np.random.default_rng(2).normal(0, 0.8, head.identity_count)
    half = fitted(head, head.neutral(identity), 30)
    before = advice_of(parts(head, half), yaws_of(half))
    assert before.view == LEFT
    assert "left cheek" in before.mirrored
    assert "person's left" in before.sentences()[0]
    after = fitted(head, head.neutral(identity), 30, -30)
    assert "mouth" in before.measured
    now = advice_of(parts(head, after), yaws_of(after))
    assert "cheeks" in now.measured
    assert now.mirrored == ()


def test_the_line_of_one_frontal_photo(head, fits):
    said = advice_of(parts(head, fits[0,]), yaws_of(fits[0,]))
    first, *_, last = said.sentences()
    assert first.endswith("are guesses: add a photo from the side.")
    assert {"ears", "neck", "back of the head"} <= set(said.guessed)
    assert last.startswith("Trust nose, eyes")
    assert f"within {1e3 * said.bound:.1f} mm" in last
    assert said.sentences(lambda word: f"<{word}>")[0].startswith("<")


def test_a_rigged_head_keeps_it_and_does_without(head, fits, tmp_path):
    colours = FaceColours(np.full(3, 0.2, "f4"), np.full(3, 0.1, "f4"))
    rigged = build_rigged_head(head, fits[0,], 0, "someone", colours)
    rigged.save(tmp_path / "head.npz")
    back = RiggedHead.load(tmp_path / "head.npz")
    np.testing.assert_array_equal(back.likeness_source, likeness_of(head, fits[0,]).source)
    told = back.report["likeness"]
    arrays = RigArrays.of(back)
    outer = showing(arrays.outer, arrays.basis, arrays.triangles, arrays.regions)
    source = back.likeness_source
    lips = head.regions["lips"]
    assert 0.4 * lips.sum() < (outer & lips).sum() < 0.95 * (arrays.outer & lips).sum()
    assert (outer & ~lips == arrays.outer & ~lips).all()
    assert told["share"]["measured"] == pytest.approx(np.mean(source[outer] == MEASURED), abs=2e-3)
    nose = head.regions["nose"] & outer
    error = told["parts"]["nose"]["expected_error_mm"]
    assert error == pytest.approx(1e3 * np.median(back.likeness_bound[nose]), rel=1e-3)
    assert told["parts"]["ears"]["source"] == "inferred"
    assert told["sentences"][0].endswith("add a photo from the side.")
    unsure = build_rigged_head(head, replace(fits[0,], information=None), 0, "someone", colours)
    assert len(unsure.likeness_source) == 0
    unsure.check()
    for wrong in (
        {"likeness_source": back.likeness_source[:-1]},
        {"likeness_source": back.likeness_source + np.int8(2)},
        {"likeness_bound": back.likeness_bound[:-1]},
        {"likeness_bound": back.likeness_bound * np.nan},
    ):
        replace(back, **wrong).save(tmp_path / "bad.npz")
        with pytest.raises(ModelFileError):
            RiggedHead.load(tmp_path / "bad.npz")
