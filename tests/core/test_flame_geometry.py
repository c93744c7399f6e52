# SPDX-License-Identifier: GPL-3.0-or-later
"""Meshes as arrays: closest points against all triangles, systems against dense algebra."""

from __future__ import annotations

import numpy as np
import pytest
from support.flame_like import sphere

from core.geometry.closest import closest_points, interpolate
from core.geometry.front_view import front_view
from core.geometry.mesh import boundary_vertices, components, edges, vertex_areas, vertex_normals
from core.geometry.sparse import cotangent_laplacian, solve, uniform_laplacian
from core.heads.mirror import mirror_permutation

SPHERE, FACES = sphere(16, 12)


def dense_distance(points: np.ndarray, vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Distance to the nearest of many points spread over every triangle: an upper bound."""
    step = np.linspace(0, 1, 41)
    grid = np.array([(a, b, 1 - a - b) for a in step for b in step if a + b <= 1 + 1e-9])
    spread = np.einsum("gk,tkc->tgc", grid, vertices[triangles]).reshape(-1, vertices.shape[1])
    return np.array([np.linalg.norm(spread - p, axis=1).min() for p in points])


@pytest.mark.parametrize("dimensions", [3, 7])
def test_closest_points_are_closest(dimensions):
    rng = np.random.default_rng(0)
    vertices = np.hstack([SPHERE, 0.3 * rng.normal(size=(len(SPHERE), dimensions - 3))])
    points = rng.normal(size=(40, dimensions))
    found = closest_points(points, vertices, FACES)
    at = interpolate(found, FACES, vertices)
    np.testing.assert_allclose(np.linalg.norm(at - points, axis=1), found.distance, atol=1e-12)
    assert (found.barycentric > -1e-12).all()
    np.testing.assert_allclose(found.barycentric.sum(axis=1), 1)
    spread = dense_distance(points, vertices, FACES)
    assert (found.distance <= spread + 1e-12).all()
    assert np.abs(found.distance - spread).max() < 0.02


def test_closest_points_of_vertices_are_themselves():
    found = closest_points(SPHERE, SPHERE, FACES)
    assert found.distance.max() < 1e-7
    np.testing.assert_allclose(interpolate(found, FACES, SPHERE), SPHERE, atol=1e-7)


def test_topology():
    two = np.concatenate([FACES, FACES + len(SPHERE)])
    label = components(two, 2 * len(SPHERE))
    assert set(label[: len(SPHERE)]) == {0}
    assert set(label[len(SPHERE) :]) == {len(SPHERE)}
    assert not boundary_vertices(FACES, len(SPHERE)).any()
    assert len(SPHERE) - len(edges(FACES)) + len(FACES) == 2  # Euler's formula
    without = FACES[~(FACES == 0).any(axis=1)]
    assert np.array_equal(np.nonzero(boundary_vertices(without, len(SPHERE)))[0], np.arange(1, 17))
    assert (vertex_normals(SPHERE, FACES) * SPHERE).sum(axis=1).min() > 0.98
    assert abs(vertex_areas(SPHERE, FACES).sum() - 4 * np.pi) < 0.6


@pytest.mark.parametrize("kind", ["uniform", "cotangent"])
def test_solve_equals_dense_algebra(kind):
    laplacian = (
        uniform_laplacian(FACES, len(SPHERE))
        if kind == "uniform"
        else cotangent_laplacian(SPHERE, FACES)
    )
    dense = laplacian @ np.eye(len(SPHERE))
    np.testing.assert_allclose(dense, dense.T, atol=1e-12)
    np.testing.assert_allclose(dense.sum(axis=1), 0, atol=1e-12)
    rng = np.random.default_rng(2)
    diagonal, right = rng.uniform(0.01, 0.1, len(SPHERE)), rng.normal(size=(len(SPHERE), 3))
    got = solve(laplacian, diagonal, right, tolerance=1e-10)
    np.testing.assert_allclose(got, np.linalg.solve(dense + np.diag(diagonal), right), atol=1e-7)
    with pytest.raises(ArithmeticError):
        solve(laplacian, diagonal, right, tolerance=1e-10, most_steps=2)


def test_front_view_of_a_sphere():
    x = np.linspace(-1.2, 1.2, 61)
    index, depth = front_view(SPHERE, FACES, x, x)
    radius = np.hypot(*np.meshgrid(x, x))
    assert (index[radius > 1.001] == -1).all()
    inside = radius < 0.8
    np.testing.assert_allclose(depth[inside], np.sqrt(1 - radius[inside] ** 2), atol=0.05)


def test_mirror_of_a_nearly_symmetric_mesh():
    rng = np.random.default_rng(3)
    vertices = SPHERE * [1.0, 1.1, 1.2]
    exact, share = mirror_permutation(vertices, FACES)
    assert share == 1
    np.testing.assert_allclose(vertices[exact] * [-1, 1, 1], vertices, atol=1e-12)
    shaken, share = mirror_permutation(vertices + 0.01 * rng.normal(size=vertices.shape), FACES)
    assert np.array_equal(shaken[shaken], np.arange(len(vertices)))
    assert share > 0.98
    assert (shaken == exact).mean() > 0.98
