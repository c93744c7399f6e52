# SPDX-License-Identifier: GPL-3.0-or-later
"""The picture's part of tracking: crops, points of the face at rest, and their alignment."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core.fitting.points import PointSet
from core.fitting.state import GAZE, POSE_SIZE, PhotoState
from core.geometry.raster import rasterise
from core.geometry.rotation import matrix_from_vector
from core.heads import load_open_head
from core.heads.corners import triangle_part
from core.heads.model import STRIP_PARTS
from core.photos.photo import load_photo
from core.pipeline import reconstruct
from core.track.face_reader import Reading
from core.track.frame_fit import USUAL, FrameFitter, slider_precision
from core.track.person import person_of
from core.track.pictures import SIDE, Crop, face_crop
from core.track.spool import Spool
from core.track.surface import Surface
from core.track.texture import texture_of

SIZE, CENTRE = 384, np.array([192.0, 192.0])


@pytest.fixture(scope="module")
def person(example_photo):
    photo = load_photo(example_photo)
    return person_of(load_open_head(), reconstruct([photo])[0].continuation, None, 0)


def state_of(person, turn=(0.0, 0.0, 0.0), gaze=(0.0, 0.0), **sliders):
    names = person.head.expression_names
    e = np.zeros(len(names))
    for name, value in sliders.items():
        e[names.index(name)] = value
    return PhotoState(
        R=matrix_from_vector(np.array(turn)) @ np.diag([1.0, -1.0, -1.0]),
        t=np.array([0.0, 0.0, 0.6]),
        log_focal=float(np.log(900.0)),
        gaze=np.array([*gaze, *gaze]),
        expression=e,
        drift=np.zeros(person.layout.drift_count),
    )


def drawn(person, state):
    """A picture (SIZE, SIZE, 3) of the head, painted with waves fixed to its skin."""
    head = person.head
    neutral = head.neutral(person.identity)
    e = person.points.gaze_map.apply(state.expression, state.gaze)
    camera = (neutral + head.expression_basis @ e) @ state.R.T + state.t
    pixels = state.focal * camera[:, :2] / camera[:, 2:] + CENTRE
    part = np.array(head.part_names)[triangle_part(head)]
    solid = head.triangles[~np.isin(part, list(STRIP_PARTS))]
    seen = rasterise(pixels, camera[:, 2], solid, SIZE, SIZE, both_sides=False)
    at = seen.interpolate(head.template[solid])
    rng = np.random.default_rng(3)
    waves = rng.normal(0, 240, (24, 3))
    paint = 128 + 60 * np.cos(at @ waves.T + rng.uniform(0, 6, 24)).mean(axis=2) * 3
    grey = np.where(seen.triangle >= 0, np.clip(paint, 0, 255), 90)
    return np.repeat(grey[..., None], 3, axis=2).astype(np.uint8)


def landmarks_of(person, state):
    """(478, 3) as the net would say them without an error."""
    out = np.zeros((478, 3))
    x, y, z = person.reported(state.R).in_camera(np.zeros(0), state)
    out[person.ids, 0] = state.focal * x / z + CENTRE[0]
    out[person.ids, 1] = state.focal * y / z + CENTRE[1]
    return out


def test_a_surface_moves_as_the_fit_s_own_points_do(person):
    ids = np.arange(0, 11000, 97)
    points = PointSet.of_vertices(person.head, ids, 0)
    points = replace(points, base=person.head.neutral(person.identity)[ids].T)
    state = state_of(person, (0.1, 0.3, 0.0), (0.1, -0.2), jawOpen=0.5, mouthSmileLeft=0.4)
    layout = replace(person.layout, drift_count=0)
    state = replace(state, drift=np.zeros(0))
    pixels, jacobian = points.project(np.zeros(0), state, layout)
    placed = Surface.of(points, 0).placed(state)
    assert np.allclose(placed.pixels(), pixels, atol=1e-3)
    slopes = np.random.default_rng(0).normal(size=(len(ids), 2))
    expected = np.einsum("nc,cnk->nk", slopes, jacobian)
    focal = slice(6, 7)
    expected[:, focal] = 0.0
    rows = placed.rows(slopes)
    assert np.allclose(rows, expected, atol=1e-3 * np.abs(expected).max(axis=0).clip(1))
    assert np.abs(rows[:, GAZE]).max() > 1 and np.abs(rows[:, POSE_SIZE:]).max() > 1


def test_a_crop_s_samples_lie_where_its_matrix_says(person):
    # A picture whose red grows to the right and down tells where each sample was read.
    y, x = np.mgrid[0:SIZE, 0:SIZE]
    pixels = np.repeat(((x + y) / 4)[..., None], 3, axis=2).astype(np.uint8)
    crop = face_crop(pixels, landmarks_of(person, state_of(person)))
    rows, columns = np.mgrid[20:170:30, 20:170:30]
    places = np.column_stack([columns.ravel(), rows.ravel(), np.ones(rows.size)])
    at = places @ crop.matrix.T - 0.5
    assert np.allclose(crop.grey[rows.ravel(), columns.ravel()], at.sum(axis=1) / 4, atol=1.5)
    back, _ = crop.samples(places @ crop.matrix.T)
    assert np.allclose(back, places[:, :2])


def test_light_and_contrast_make_no_difference(person):
    grey = drawn(person, state_of(person))[:SIDE, :SIDE, 0]
    matrix = np.eye(2, 3)
    places = np.random.default_rng(1).uniform(40, 150, (50, 2))
    for plain, dim in zip(
        Crop(grey, matrix).levels(),
        Crop((40 + 0.5 * grey).astype(np.uint8), matrix).levels(),
        strict=True,
    ):
        assert np.corrcoef(plain.at(places)[:, 0], dim.at(places)[:, 0])[0, 1] > 0.99


def test_the_picture_mends_what_landmarks_say_wrong(person):
    rest = state_of(person)
    crop = face_crop(drawn(person, rest), landmarks_of(person, rest))
    texture = texture_of(person, [crop], [rest], landmarks_of(person, rest), CENTRE)
    assert len(texture.normals) > 800
    precision = slider_precision(person, np.full(len(rest.expression), USUAL))
    fitter = FrameFitter(person, CENTRE, precision, texture)
    # The landmarks see nothing of the brow and less of the turn, as a net that expects the usual.
    truth = state_of(person, (0.0, 0.015, 0.0), browOuterUpLeft=0.15)
    told = landmarks_of(person, state_of(person, (0.0, 0.01, 0.0)))
    shown = face_crop(drawn(person, truth), told)
    alone = fitter.fit(told[:, :2], rest).state
    fit = fitter.fit(told[:, :2], rest, shown)
    both = fit.state
    at = person.head.expression_names.index("browOuterUpLeft")
    assert alone.expression[at] < 0.03 < 0.07 < both.expression[at]
    assert both.expression.argmax() == at
    yaw = [np.arctan2(s.R[0, 2], -s.R[2, 2]) for s in (alone, both, truth)]
    assert abs(yaw[1] - yaw[2]) < 0.5 * abs(yaw[0] - yaw[2])
    assert 0.9 < fit.agreement <= 1
    # Of something else before the camera little agrees, and the landmarks are kept.
    other = Crop(
        np.random.default_rng(2).integers(0, 255, (SIDE, SIDE)).astype(np.uint8), shown.matrix
    )
    assert fitter.fit(told[:, :2], rest, other).agreement < 0.8 * fit.agreement


def test_crops_lie_on_the_disk_beside_their_landmarks(person):
    state = state_of(person)
    landmarks = landmarks_of(person, state)
    crop = face_crop(drawn(person, state), landmarks)
    spool = Spool()
    reading = Reading(landmarks, 1.0, np.zeros(478))
    spool.add(0, 0.0, reading, False, crop)
    spool.add(1, 0.1, None, False)
    spool.add(2, 0.2, reading, False, crop)
    for i in (0, 2):
        kept = spool.crop(i)
        assert kept is not None and (kept.grey == crop.grey).all()
        assert np.allclose(kept.matrix, crop.matrix)
        assert np.allclose(spool.landmarks(i), landmarks, atol=1e-4)
    assert spool.crop(1) is None
    spool.close()
