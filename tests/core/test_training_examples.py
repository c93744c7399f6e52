# SPDX-License-Identifier: GPL-3.0-or-later
"""Synthetic examples: the same from the same seed, true to their geometry, as wrong as a fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.cues.dense_input import GRID, SIZE, draw, face_region, in_crop, to_crop_frame
from core.cues.screen_cues import ScreenCues
from core.fitting import FitProblem, fit_head
from core.fitting.landmark_model import LandmarkModel
from core.geometry.mesh import vertex_normals
from core.heads.face_landmarks import LANDMARK_COUNT
from training.examples import NAMES, Example, Studio
from training.landmark_fit import SKIN
from training.occluders import Occluders
from training.population import PHOTO, similarity


@pytest.fixture(scope="module")
def studio() -> Studio:
    return Studio()


@pytest.fixture(scope="module")
def example(studio: Studio) -> Example:
    return studio.example(7, 3)


def test_an_example_depends_on_its_seed_and_number_alone(studio: Studio, example: Example) -> None:
    studio.example(7, 2)
    again = studio.example(7, 3)
    for name in NAMES:
        np.testing.assert_array_equal(getattr(again, name), getattr(example, name))
    assert not np.array_equal(studio.example(7, 4).colors, example.colors)


def test_shapes_and_ranges(example: Example) -> None:
    assert example.colors.shape[1:] == (SIZE, SIZE, 3)
    assert example.skin.shape[1:] == (GRID, GRID)
    assert 0.15 < example.mask.mean() < 1
    length = np.linalg.norm(example.normal.astype(float), axis=-1)
    np.testing.assert_allclose(length[example.mask], 1, atol=2e-3)
    assert (length[~example.mask] == 0).all()
    # What is seen faces the camera.
    assert np.median(example.true_normal[..., 2][example.skin[0] > 0]) < -0.5
    for look in example.colors:
        assert look.std() > 10


def test_a_perfect_fit_has_nothing_to_correct(studio: Studio) -> None:
    rng = np.random.default_rng(11)
    subject = studio.population.draw(rng)
    fit = studio.fitter.fit(subject, rng)
    assert fit is not None
    exact = replace(fit, vertices=subject.vertices, camera=subject.camera)
    made = studio.render(subject, exact, np.random.default_rng(3))
    face = np.abs(np.nan_to_num(made.place[..., 1].astype(float))) < 0.5
    cells = made.mask & (made.skin[0] > 0) & face & np.isfinite(made.flow[..., 0])
    assert cells.sum() > 300
    assert np.median(np.linalg.norm(made.flow[cells].astype(float), axis=1)) < 0.02
    off = np.linalg.norm(made.normal[cells].astype(float) - made.true_normal[cells], axis=1)
    assert np.median(off) < 0.01


def test_flow_leads_to_where_the_fit_shows_the_point(studio: Studio) -> None:
    rng = np.random.default_rng(5)
    subject = studio.population.draw(rng)
    fit = studio.fitter.fit(subject, rng)
    assert fit is not None
    made = studio.render(subject, fit, rng)
    head = studio.head
    region = face_region(head, fit.vertices, fit.camera)
    true = in_crop(subject.camera.project(subject.vertices), region, GRID)
    claimed = in_crop(fit.camera.project(fit.vertices), region, GRID)
    normals = vertex_normals(subject.vertices, head.triangles) @ subject.camera.R.T
    seen = head.regions["nose"] & (normals[:, 2] < -0.6)
    checked = 0
    for vertex in np.flatnonzero(seen):
        column, row = true[vertex].astype(int)
        flow = made.flow[row, column].astype(float)
        if np.isfinite(flow).all():
            moved = claimed[vertex] - true[vertex]
            checked += np.linalg.norm(flow - moved) < 0.35
    assert checked > 0.8 * seen.sum()


def test_the_quick_fit_errs_as_the_product_does(studio: Studio) -> None:
    """Of the same reports: the two are nearer to each other than to the truth."""
    head, fitter = studio.head, studio.fitter
    face = head.regions["face"]
    apart, quick_off, real_off = [], [], []
    for number in range(4):
        rng = np.random.default_rng([1, number])
        subject = studio.population.draw(rng)
        # One report for both: the fitter draws it before anything else.
        quick = fitter.fit(subject, np.random.default_rng(number))
        seen = fitter.report(subject, np.random.default_rng(number))
        assert quick is not None
        points = np.zeros((LANDMARK_COUNT, 2))
        depth = np.zeros(LANDMARK_COUNT)
        camera = subject.camera
        points[fitter.ids] = seen.pixels
        depth[fitter.ids] = seen.depth * camera.focal / camera.t[2]
        sigma = np.zeros(LANDMARK_COUNT)
        sigma[SKIN:] = 1e4
        cues = ScreenCues(512, 512, "test", points, depth, sigma)
        model = LandmarkModel.uninformed()
        model = replace(model, head=head.name)
        real = fit_head(FitProblem(head, [cues], focal=[seen.focal], landmark_model=model))
        neutral = head.neutral(quick.identity)[face]
        apart.append(_distance(neutral, real.photos[0].neutral[face]))
        quick_off.append(_distance(neutral, subject.neutral[face]))
        real_off.append(_distance(real.photos[0].neutral[face], subject.neutral[face]))
    assert np.mean(apart) < np.mean(real_off)
    assert 0.5 < np.mean(quick_off) / np.mean(real_off) < 2


def test_the_detector_itself_finds_a_synthetic_face(studio: Studio) -> None:
    """A fit to what MediaPipe reports of the photo lies where the subject is."""
    found = 0
    for number in range(3):
        rng = np.random.default_rng([6, number])
        subject = studio.population.draw(rng)
        fit = studio.detected_fit(subject, rng)
        if fit is None:
            continue
        found += 1
        head = studio.head
        own = fit.camera.project(head.landmarks(fit.vertices))
        true = subject.camera.project(head.landmarks(subject.vertices))
        size = np.ptp(true, axis=0).max()
        assert np.median(np.linalg.norm(own - true, axis=1)) < 0.04 * size
    assert found >= 2


@pytest.mark.parametrize("kind", ["glasses", "fringe", "hand"])
def test_something_before_the_face_is_drawn_where_it_belongs(studio: Studio, kind: str) -> None:
    rng = np.random.default_rng(4)
    subject = studio.population.draw(rng)
    picture = np.full((PHOTO, PHOTO, 3), 0.5)
    project = subject.camera.project
    things = Occluders(studio.head, PHOTO, 2.0)
    colors = (np.zeros(3), np.ones(3))
    covered = things.draw(picture, subject.vertices, project, colors, rng, only=kind)
    assert 0.0005 < (covered > 0.5).mean() < 0.3
    assert (picture[covered == 0] == 0.5).all()
    marks = project(studio.head.landmarks(subject.vertices))
    goal = marks[{"glasses": [33, 263], "fringe": [10, 9], "hand": [152, 152]}[kind]].mean(axis=0)
    rows, columns = np.nonzero(covered > 0.5)
    near = np.hypot(columns - goal[0], rows - goal[1]).min()
    assert near < 0.15 * np.ptp(marks, axis=0).max()


def _distance(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.median(np.linalg.norm(similarity(a, b) - b, axis=1)))


def test_the_crop_is_upright_and_holds_the_face(studio: Studio) -> None:
    rng = np.random.default_rng(2)
    subject = studio.population.draw(rng)
    head, camera = studio.head, subject.camera
    region = face_region(head, subject.vertices, camera)
    marks = in_crop(camera.project(head.landmarks(subject.vertices)), region, GRID)
    assert (marks > 0).all() and (marks < GRID).all()
    up = to_crop_frame(region) @ camera.R[:, 1]
    assert abs(up[0]) < 1e-9 and up[1] < 0
    drawn = draw(head, subject.vertices, camera, region)
    assert np.quantile(drawn.normal[..., 2][drawn.mask], 0.95) < 0.1


def test_shards_are_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from training import shards

    monkeypatch.setattr(shards, "SHARD", 2)
    shards.make(tmp_path, 2, seed=9)
    (path,) = shards.shards(tmp_path)
    stamp, arrays = path.stat().st_mtime_ns, shards.load(path)
    shards.make(tmp_path, 2, seed=9)
    assert path.stat().st_mtime_ns == stamp
    assert set(arrays) == set(NAMES) and len(arrays["mask"]) == 2
