# SPDX-License-Identifier: GPL-3.0-or-later
"""The rasteriser against one that visits every pixel and triangle, and against projection."""

import numpy as np
import pytest

from core.geometry.camera import Camera
from core.geometry.raster import rasterise
from core.heads import load_open_head

WIDTH, HEIGHT = 45, 37


def brute(points, depth, triangles, width, height):
    """Nearest triangle and its depth at each pixel's centre, by solving for each one."""
    index = np.full((height, width), -1)
    nearest = np.full((height, width), np.inf)
    for row in range(height):
        for column in range(width):
            for t, corners in enumerate(triangles):
                square = np.vstack([points[corners].T, np.ones(3)])
                if abs(np.linalg.det(square)) < 1e-12:
                    continue
                share = np.linalg.solve(square, [column + 0.5, row + 0.5, 1.0])
                z = 1.0 / (share @ (1.0 / depth[corners]))
                if share.min() >= 0 and z < nearest[row, column]:
                    index[row, column], nearest[row, column] = t, z
    return index, nearest


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_brute_force(seed):
    rng = np.random.default_rng(seed)
    points = rng.uniform(-15, 60, (30, 2))
    depth = rng.uniform(0.5, 2.0, 30)
    triangles = rng.integers(0, 30, (25, 3))
    index, nearest = brute(points, depth, triangles, WIDTH, HEIGHT)
    drawn = rasterise(points, depth, triangles, WIDTH, HEIGHT)
    assert (index >= 0).mean() > 0.5
    np.testing.assert_array_equal(drawn.triangle, index)
    np.testing.assert_allclose(drawn.depth, nearest, rtol=1e-9)
    np.testing.assert_allclose(drawn.barycentric.sum(axis=2), index >= 0, atol=1e-12)


@pytest.fixture(scope="module")
def scene():
    head = load_open_head()
    r = np.diag([1.0, -1.0, -1.0])
    camera = Camera.with_focal(300, r, np.array([0.01, -0.02, 0.5]), 256, 256)
    points, depth = camera.project(head.template), camera.to_camera(head.template)[:, 2]
    return head, camera, points, depth


def test_the_point_seen_projects_to_the_pixel(scene):
    head, camera, points, depth = scene
    drawn = rasterise(points, depth, head.triangles, 256, 256)
    seen = drawn.triangle >= 0
    assert 0.2 < seen.mean() < 0.9
    at = drawn.interpolate(head.template[head.triangles])[seen]
    rows, columns = np.nonzero(seen)
    centres = np.column_stack([columns, rows]) + 0.5
    np.testing.assert_allclose(camera.project(at), centres, atol=1e-6)
    np.testing.assert_allclose(camera.to_camera(at)[:, 2], drawn.depth[seen], atol=1e-9)


def test_a_closed_surface_hides_its_back(scene):
    head, _, points, depth = scene
    both = rasterise(points, depth, head.triangles, 256, 256)
    front = rasterise(points, depth, head.triangles, 256, 256, both_sides=False)
    corners = head.template[head.triangles]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    to_camera = np.array([0.0, 0.0, 0.5]) - corners.mean(axis=1)
    facing = (normal * to_camera).sum(axis=1) > -1e-9
    assert facing[front.triangle[front.triangle >= 0]].mean() > 0.999
    # Through the open neck the head is seen from within; else nothing turned away is in sight.
    assert (both.triangle == front.triangle).mean() > 0.99


def test_triangles_that_share_an_edge_leave_no_gap():
    rng = np.random.default_rng(3)
    x, y = np.meshgrid(np.linspace(-5, 70, 12), np.linspace(-5, 70, 12))
    points = np.column_stack([x.ravel(), y.ravel()])
    inner = ((points > 0) & (points < 64)).all(axis=1)
    points[inner] += rng.uniform(-2.5, 2.5, (int(inner.sum()), 2))
    corner = (np.arange(11)[:, None] * 12 + np.arange(11)).ravel()
    triangles = np.concatenate(
        [np.stack([corner, corner + 1, corner + 12], axis=1),
         np.stack([corner + 1, corner + 13, corner + 12], axis=1)]
    )  # fmt: skip
    drawn = rasterise(points, np.ones(len(points)), triangles, 64, 64)
    assert (drawn.triangle >= 0).all()


def test_what_is_behind_the_camera_or_outside_is_not_drawn():
    points = np.array([[10.0, 10.0], [30.0, 10.0], [10.0, 30.0], [500.0, 500.0], [np.nan, 0.0]])
    triangles = np.array([[0, 1, 2]])
    behind = rasterise(points, np.array([1.0, 1.0, -1.0, 1.0, 1.0]), triangles, 40, 40)
    assert (behind.triangle < 0).all()
    assert np.isinf(behind.depth).all()
    beside = rasterise(points + 100, np.ones(5), triangles, 40, 40)
    assert (beside.triangle < 0).all()
    lost = rasterise(points, np.ones(5), np.array([[0, 1, 4]]), 40, 40)
    assert (lost.triangle < 0).all()
    nothing = rasterise(points, np.ones(5), np.zeros((0, 3), int), 40, 40)
    assert (nothing.triangle < 0).all()
