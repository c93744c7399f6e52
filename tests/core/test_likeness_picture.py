# SPDX-License-Identifier: GPL-3.0-or-later
"""Colours of the likeness, errors by part of the face, and the picture over the photo."""

from __future__ import annotations

import numpy as np
import pytest

from core.fitting.landmark_model import load_landmark_model
from core.geometry.camera import Camera
from core.heads import load_open_head
from core.likeness.picture import (
    BOUND_STOPS,
    FACE_PARTS,
    PIXEL_STOPS,
    as_reported,
    face_parts,
    landmark_places,
    linear,
    part_errors,
    picture,
    ramp,
)


@pytest.fixture(scope="module")
def head():
    return load_open_head()


@pytest.fixture(scope="module")
def camera():
    return Camera.with_focal(700.0, np.diag([1.0, -1, -1]), np.array([0, 0, 0.7]), 400, 500)


def projected(head, camera):
    out = np.full((478, 2), np.nan)
    out[head.landmark_ids] = camera.project(head.landmarks(head.template))
    return out


def test_a_ramp_passes_its_stops_and_stays_between_them():
    values = np.array([stop for stop, _ in BOUND_STOPS], float)
    np.testing.assert_allclose(ramp(values, BOUND_STOPS), [color for _, color in BOUND_STOPS])
    ends = ramp(np.array([0.0, 1e6]), BOUND_STOPS)
    np.testing.assert_allclose(ends, [BOUND_STOPS[0][1], BOUND_STOPS[-1][1]])
    np.testing.assert_allclose(linear(np.array([0.0, 0.5, 1.0])), [0, 0.2140, 1], atol=1e-4)


def test_every_vertex_of_the_face_is_of_a_part_and_its_mirror_of_the_other_side(head):
    parts = face_parts(head.template, head.regions)
    face = head.regions["face"]
    assert (parts[face] >= 0).all()
    assert (parts[~face] == -1).all()
    names = np.array(list(FACE_PARTS))
    left = face & (parts == list(FACE_PARTS).index("left cheek"))
    mirrored = names[parts[head.mirror[left]]]
    assert (mirrored == "right cheek").mean() > 0.95
    assert head.template[left, 0].min() > 0


def test_a_part_is_as_far_off_as_its_landmarks(head, camera):
    parts = face_parts(head.template, head.regions)
    places = landmark_places(head.landmark_vertices, head.landmark_barycentric)
    fitted = projected(head, camera)
    found = fitted.copy()
    lips = parts[places] == list(FACE_PARTS).index("mouth")
    found[lips] += [3.0, 4.0]
    errors = part_errors(found, fitted, parts, places)
    assert errors["mouth"].pixels == pytest.approx(5)
    eyes = np.linalg.norm(found[33] - found[263])
    assert errors["mouth"].percent == pytest.approx(500 / eyes)
    assert max(e.pixels for name, e in errors.items() if name != "mouth") == 0
    nowhere = part_errors(found, fitted * np.nan, parts, places)
    assert nowhere == {}


def test_the_picture_shows_the_parts_in_their_colours_and_nothing_beside_the_head(head, camera):
    parts = face_parts(head.template, head.regions)
    places = landmark_places(head.landmark_vertices, head.landmark_barycentric)
    fitted = projected(head, camera)
    found = fitted + np.array([0.0, 6.0])
    errors = part_errors(found, fitted, parts, places)
    out = picture(head.template, head.triangles, camera, parts, errors, found, fitted)
    assert out.shape == (1500, 1200, 4)  # finer than so small a photo
    at = 3 * camera.project(head.template)
    outside = np.ones((1500, 1200), bool)
    low, high = np.floor(at.min(axis=0)).astype(int), np.ceil(at.max(axis=0)).astype(int)
    outside[max(low[1], 0) : high[1], max(low[0], 0) : high[0]] = False
    assert not out[outside, 3].any()
    assert outside.sum() > 1000
    x, y = 3 * camera.project(head.template[head.regions["cheek_l"]]).mean(axis=0).astype(int)
    patch = out[y - 10 : y + 10, x - 10 : x + 10].reshape(-1, 4)
    color = ramp(np.array([errors["left cheek"].percent]), PIXEL_STOPS)[0]
    filled = patch[(patch[:, 3] > 0) & (patch[:, 3] < 0.5)]
    assert len(filled) > 100
    np.testing.assert_allclose(
        filled[:, :3], np.broadcast_to(color, filled[:, :3].shape), atol=1e-6
    )
    nose = (3 * fitted[1]).astype(int)  # a line runs down from each landmark
    assert (out[nose[1] + 1 : nose[1] + 15, nose[0]] == 1).all()


def test_habits_of_the_detector_are_no_error_of_the_fit(head, camera):
    rng = np.random.default_rng(3)
    model = load_landmark_model()
    identity = rng.normal(size=head.identity_count)
    drift = rng.normal(size=model.habits.shape[2])
    points = np.zeros((478, 3))
    points[head.landmark_ids] = head.landmarks(head.neutral(identity))
    bias = model.offset(camera.R) + model.identity @ identity + model.habits @ drift
    fitted, found = camera.project(points), camera.project(points + bias)
    assert np.linalg.norm(found - fitted, axis=1).mean() > 2
    told = as_reported(fitted, points, camera, identity, drift, head.name)
    np.testing.assert_allclose(told, found, atol=1e-6)
    others = as_reported(fitted, points, camera, identity, drift[:0], "another head")
    np.testing.assert_allclose(others, camera.project(points + model.offset(camera.R)), atol=1e-6)
