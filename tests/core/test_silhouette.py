# SPDX-License-Identifier: GPL-3.0-or-later
"""The one-sided outline: its distances, its derivatives, and what it does to a fit."""

from dataclasses import replace

import numpy as np
import pytest

from core.cues.rendered_cues import rendered_cues
from core.fitting.silhouette_block import SilhouetteBlock, distance_to_false
from core.fitting.state import Layout, PhotoState, State
from core.geometry.camera import Camera
from core.heads import load_open_head

IDENTITY = 10


@pytest.fixture(scope="module")
def head():
    return load_open_head()


@pytest.fixture(scope="module")
def scene(head):
    r = np.diag([1.0, -1.0, -1.0])
    camera = Camera.with_focal(900, r, np.array([0.01, 0.0, 0.6]), 500, 480)
    rest = np.zeros((len(head.joint_names), 3))
    nobody = np.zeros(IDENTITY), np.zeros(head.expression_count)
    return camera, rendered_cues(head, *nobody, rest, camera, size=256)


def state_of(head, camera, shift=(0.0, 0.0, 0.0), rng=None):
    identity = np.zeros(IDENTITY) if rng is None else rng.normal(size=IDENTITY)
    sliders = np.full(head.expression_count, 0.0 if rng is None else 0.3)
    t = camera.t + np.array(shift)
    gaze = np.full(4, 0.05)
    photo = PhotoState(camera.R, t, float(np.log(camera.focal)), gaze, sliders, np.zeros(0))
    return State(identity, (photo,))


def test_distances_match_brute_force():
    rng = np.random.default_rng(0)
    mask = rng.random((23, 31)) < 0.95
    rows, columns = np.nonzero(~mask)
    y, x = np.indices(mask.shape)
    brute = np.sqrt(((y[..., None] - rows) ** 2 + (x[..., None] - columns) ** 2).min(axis=2))
    np.testing.assert_allclose(distance_to_false(mask), brute, atol=1e-12)
    assert not distance_to_false(np.ones((5, 6), bool)).any()


def test_a_face_on_the_head_costs_nothing_and_one_beside_it_does(head, scene):
    camera, cues = scene
    layout = Layout(IDENTITY, head.expression_count, 1)
    block = SilhouetteBlock(head, 0, layout, cues)
    assert np.abs(block.residuals(state_of(head, camera))).max() < 1
    right = block.residuals(state_of(head, camera, (0.05, 0, 0)))
    further = block.residuals(state_of(head, camera, (0.08, 0, 0)))
    assert right.max() > 2
    assert (further**2).sum() > (right**2).sum()
    smaller = block.residuals(state_of(head, camera, (0, 0, 0.3)))
    assert not smaller.any(), "a face that ends before the outline is fine"
    nowhere = block.residuals(state_of(head, camera, (10, 0, 0)))
    assert not nowhere.any(), "outside of the maps nothing is known"


def test_jacobian_matches_central_differences(head, scene):
    camera, cues = scene
    layout = Layout(IDENTITY, head.expression_count, 1)
    block = SilhouetteBlock(head, 0, layout, cues)
    rng = np.random.default_rng(1)
    state = state_of(head, camera, (0.05, 0.02, -0.02), rng)
    r, jacobian = block.linearise(state)
    np.testing.assert_array_equal(r, block.residuals(state))
    assert (r > 0).sum() > 10
    wide = np.full(head.expression_count, 10.0)
    for column, index in enumerate(block.columns):
        step = np.zeros(layout.size)
        step[index] = 1e-7
        ahead = block.residuals(layout.moved(state, step, wide, -wide))
        behind = block.residuals(layout.moved(state, -step, wide, -wide))
        numeric = (ahead - behind) / 2e-7
        scale = max(1.0, np.abs(numeric).max())
        np.testing.assert_allclose(jacobian[:, column], numeric, atol=2e-5 * scale)


def test_broken_backgrounds(head, scene):
    camera, cues = scene
    layout = Layout(IDENTITY, head.expression_count, 1)
    for background in (np.ones_like(cues.background), np.full_like(cues.background, np.nan)):
        block = SilhouetteBlock(head, 0, layout, replace(cues, background=background))
        assert not block.residuals(state_of(head, camera, (0.05, 0, 0))).any()
