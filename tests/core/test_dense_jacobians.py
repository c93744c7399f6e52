# SPDX-License-Identifier: GPL-3.0-or-later
"""Derivatives of the dense terms against central differences, at random states and targets."""

from dataclasses import replace

import numpy as np
import pytest

from core.fitting.dense_block import DenseBlock
from core.fitting.dense_terms import ROBUST_SCALE, Mixing, NormalTerm, UvTerm
from core.fitting.points import GazeMap
from core.fitting.skin_surface import SkinSurface
from core.fitting.state import POSE_SIZE, Layout, PhotoState, State
from core.fitting.surface_samples import fitted_skin
from core.geometry.rotation import matrix_from_vector
from core.heads import load_open_head

IDENTITY, DRIFT, SAMPLES = 12, 2, 400
CENTRE = np.array([256.0, 250.0])


@pytest.fixture(scope="module")
def named():
    return load_open_head()


@pytest.fixture(scope="module")
def nameless(named):
    return replace(named, expression_names=(), gaze_range={})


def random_state(head, rng):
    def photo():
        return PhotoState(
            R=matrix_from_vector(np.array([np.pi, 0, 0]) + rng.normal(0, 0.3, 3)),
            t=np.array([0.02, -0.03, 0.6]) + rng.normal(0, 0.02, 3),
            log_focal=float(np.log(700) + rng.normal(0, 0.2)),
            # Away from zero, where the eyeLook sliders have their kink.
            gaze=rng.choice([-1, 1], 4) * rng.uniform(0.03, 0.12, 4),
            expression=rng.uniform(0.2, 0.6, head.expression_count),
            drift=rng.normal(0, 1, DRIFT),
        )

    return State(rng.normal(0, 1, IDENTITY), (photo(), photo()))


def random_block(head, state, rng, *, uv=True, normal=True):
    """Pixels scattered over the skin, whose targets are off by anything from little to far."""
    layout = Layout(IDENTITY, head.expression_count, 2, DRIFT)
    chosen = rng.choice(np.nonzero(fitted_skin(head))[0], SAMPLES, replace=False)
    seen = np.unique(head.triangles[chosen])
    surface = SkinSurface.of(head, seen, IDENTITY)
    place = np.zeros(head.vertex_count, int)
    place[seen] = np.arange(len(seen))
    shares = rng.dirichlet(np.ones(3), SAMPLES).T
    mixing = Mixing(place[head.triangles[chosen]].T, shares, len(seen))
    weight = rng.uniform(0.2, 1, SAMPLES)
    block = DenseBlock(1, layout, surface, GazeMap.of(head), None, None)
    at = block.in_camera(state)
    photo = state.photos[1]
    aim = UvTerm(mixing, np.zeros((2, SAMPLES)), weight, 3.0, CENTRE)
    target = aim.residuals(at, photo) + rng.standard_t(2, (2, SAMPLES)) * 3
    way = rng.normal(size=(3, SAMPLES))
    toward = NormalTerm(mixing, np.zeros_like(way), weight, 0.3)
    way = toward.residuals(surface, block.positions(state)) + 0.4 * way
    way /= np.linalg.norm(way, axis=0)
    return DenseBlock(
        1,
        layout,
        surface,
        GazeMap.of(head),
        replace(aim, target=target) if uv else None,
        replace(toward, target=way) if normal else None,
    )


def derivatives(block, state):
    size = block.layout.size
    gradient, matrix = np.zeros(size), np.zeros((size, size))
    cost = block.accumulate(state, gradient, matrix)
    return cost, gradient, matrix


@pytest.mark.parametrize("which", [("uv",), ("normal",), ("uv", "normal")])
@pytest.mark.parametrize("model", ["named", "nameless"])
def test_gradient_matches_central_differences(model, which, request):
    head = request.getfixturevalue(model)
    rng = np.random.default_rng(len(which) + len(model))
    state = random_state(head, rng)
    block = random_block(head, state, rng, uv="uv" in which, normal="normal" in which)
    cost, gradient, _ = derivatives(block, state)
    assert cost == pytest.approx(block.cost(state), rel=1e-12)
    only = np.zeros_like(gradient)
    assert block.accumulate(state, only, None) == cost
    np.testing.assert_array_equal(only, gradient)
    wide = np.full(head.expression_count, 10.0)
    scale = np.abs(gradient).max()
    assert scale > 1
    for index in range(block.layout.size):
        step = np.zeros(block.layout.size)
        step[index] = 1e-6
        ahead = block.cost(block.layout.moved(state, step, wide, -wide))
        behind = block.cost(block.layout.moved(state, -step, wide, -wide))
        assert gradient[index] == pytest.approx((ahead - behind) / 2e-6, abs=1e-5 * scale), index


@pytest.mark.parametrize("which", ["uv", "normal"])
def test_matrix_bounds_the_gauss_newton_matrix_closely(named, which):
    """Along any direction it is at least the exact matrix (from differences of the residuals),
    and not much more along directions that move the face smoothly."""
    rng = np.random.default_rng(5)
    state = random_state(named, rng)
    block = random_block(named, state, rng, uv=which == "uv", normal=which == "normal")
    _, _, matrix = derivatives(block, state)
    np.testing.assert_allclose(matrix, matrix.T, rtol=1e-3, atol=1e-5 * np.abs(matrix).max())
    term = block.uv or block.normal

    def residuals(state):
        if which == "uv":
            return term.residuals(block.in_camera(state), state.photos[1]) / term.sigma
        return term.residuals(block.surface, block.positions(state)) / term.sigma

    r = residuals(state)
    weight = term.weight / (1 + (r * r).sum(axis=0) / ROBUST_SCALE**2)
    wide = np.full(named.expression_count, 10.0)
    start = block.layout.photo_start(1)
    ratios = []
    for trial in range(24):
        step = np.zeros(block.layout.size)
        if trial % 2 and which == "uv":
            step[start : start + 7] = rng.normal(size=7) * [1, 1, 1, 0.2, 0.2, 0.2, 1]
        step[:IDENTITY] = rng.normal(0, 1, IDENTITY)
        step[start + POSE_SIZE : start + POSE_SIZE + 10] = rng.normal(0, 0.3, 10)
        ahead = residuals(block.layout.moved(state, 1e-6 * step, wide, -wide))
        behind = residuals(block.layout.moved(state, -1e-6 * step, wide, -wide))
        slope = (ahead - behind) / 2e-6
        exact = (weight * (slope * slope).sum(axis=0)).sum()
        ratios.append(step @ matrix @ step / exact)
    assert min(ratios) > 0.99
    assert np.median(ratios) < (1.1 if which == "uv" else 1.5)


def test_normals_and_what_they_pull_back(named):
    rng = np.random.default_rng(2)
    seen = np.unique(named.triangles[rng.choice(np.nonzero(fitted_skin(named))[0], 60)])
    surface = SkinSurface.of(named, seen, IDENTITY)
    shape = rng.normal(0, 0.3, IDENTITY + named.expression_count)
    positions = surface.positions(shape)
    pick = np.arange(0, surface.count, 3)
    rows = surface.normal_rows(positions, pick)

    def unit(shape):
        normals = surface.area_normals(surface.positions(shape))[pick]
        return normals / np.linalg.norm(normals, axis=1, keepdims=True)

    length = np.zeros((len(pick), len(shape)))
    for k in range(len(shape)):
        step = np.zeros(len(shape))
        step[k] = 1e-5
        length[:, k] = np.linalg.norm(unit(shape + step) - unit(shape - step), axis=1) / 2e-5
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), length, rtol=2e-3, atol=2e-4)
    by_normals = rng.normal(size=(surface.count, 3))
    pulled = surface.pulled_back(positions, by_normals)
    move = rng.normal(size=positions.shape) * 1e-3
    change = surface.area_normals(positions + move) - surface.area_normals(positions - move)
    assert (pulled * move).sum() == pytest.approx((by_normals * change).sum() / 2, rel=1e-9)


def test_depends_on_nothing_but_its_photo(named):
    rng = np.random.default_rng(9)
    state = random_state(named, rng)
    block = random_block(named, state, rng)
    other = replace(state, photos=(random_state(named, rng).photos[0], state.photos[1]))
    assert block.cost(other) == block.cost(state)
    _, gradient, matrix = derivatives(block, state)
    first = slice(block.layout.photo_start(0), block.layout.photo_start(1))
    assert not gradient[first].any()
    assert not matrix[first].any()
