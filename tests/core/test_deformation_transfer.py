# SPDX-License-Identifier: GPL-3.0-or-later
"""Deformation transfer: gradients as defined, and shapes that are known to come out."""

from __future__ import annotations

import numpy as np
from support.flame_like import sphere

from core.geometry.closest import closest_points
from core.geometry.deformation_transfer import (
    Correspondence,
    deformation_gradients,
    transfer_shapes,
)
from core.geometry.rotation import matrix_from_vector

POINTS, FACES = sphere(24, 18)
OTHER, OTHER_FACES = sphere(31, 23)
SIZE = 0.1


def test_gradients_map_edges_to_edges():
    rng = np.random.default_rng(0)
    posed = POINTS + 0.1 * rng.normal(size=POINTS.shape)
    gradients = deformation_gradients(POINTS, posed, FACES)
    for k in (1, 2):
        before = POINTS[FACES[:, k]] - POINTS[FACES[:, 0]]
        after = posed[FACES[:, k]] - posed[FACES[:, 0]]
        np.testing.assert_allclose(np.einsum("tij,tj->ti", gradients, before), after, atol=1e-6)


def test_a_turn_is_a_turn_for_every_triangle():
    turn = matrix_from_vector(np.array([0.3, -0.8, 0.5]))
    gradients = deformation_gradients(POINTS, POINTS @ turn.T, FACES)
    np.testing.assert_allclose(gradients, np.broadcast_to(turn, gradients.shape), atol=1e-6)


def correspondence(confidence: float = 1.0) -> Correspondence:
    onto = closest_points(SIZE * OTHER, SIZE * POINTS, FACES)
    return Correspondence(SIZE * POINTS, FACES, onto, np.full(len(OTHER), confidence))


def smooth(points: np.ndarray) -> np.ndarray:
    """Two smooth motions of a few millimetres (n, 3, 2)."""
    x, y, z = points.T / SIZE
    one = 0.004 * np.stack([np.sin(2 * y), x * z, np.cos(3 * x)], axis=1)
    return np.stack([one, 0.01 * np.stack([y, -x, 0 * z], axis=1)], axis=2)


def test_smooth_shapes_arrive_on_another_mesh():
    source = correspondence()
    got = transfer_shapes(source, smooth(SIZE * POINTS), SIZE * OTHER, OTHER_FACES)
    want = smooth(SIZE * OTHER)
    assert got.shape == want.shape
    # Metres, for motions of up to a centimetre on edges of up to two.
    assert np.linalg.norm(got - want, axis=1).mean() < 1.5e-4


def test_onto_itself_a_shape_is_unchanged():
    onto = closest_points(SIZE * POINTS, SIZE * POINTS, FACES)
    source = Correspondence(SIZE * POINTS, FACES, onto, np.ones(len(POINTS)))
    shapes = smooth(SIZE * POINTS)
    got = transfer_shapes(source, shapes, SIZE * POINTS, FACES)
    assert np.linalg.norm(got - shapes, axis=1).max() < 1e-4


def test_without_confidence_nothing_moves():
    got = transfer_shapes(correspondence(0.0), smooth(SIZE * POINTS), SIZE * OTHER, OTHER_FACES)
    assert np.abs(got).max() < 1e-9
