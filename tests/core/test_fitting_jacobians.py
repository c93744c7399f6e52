# SPDX-License-Identifier: GPL-3.0-or-later
"""Every block's analytic Jacobian against central differences, at random states."""

import numpy as np
import pytest

from core.fitting.landmark_blocks import DepthBlock, LandmarkBlock
from core.fitting.points import GazeMap, PointSet
from core.fitting.prior_blocks import (
    DriftPrior,
    ExpressionPrior,
    FocalPrior,
    GazePrior,
    IdentityPrior,
)
from core.fitting.state import POSE_SIZE, Layout, PhotoState, State
from core.geometry.rotation import matrix_from_vector
from core.heads import load_open_head

IDENTITY, DRIFT = 12, 3


@pytest.fixture(scope="module")
def head():
    return load_open_head()


def random_state(head, rng, photos=2):
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

    return State(rng.normal(0, 1, IDENTITY), tuple(photo() for _ in range(photos)))


def blocks(head, layout, rng):
    ids = head.landmark_ids
    points = PointSet.of_landmarks(head, ids, IDENTITY)
    n, e = len(ids), head.expression_count
    points = points.seen(
        rng.normal(0, 2e-3, (3, n)),
        rng.normal(0, 1e-3, (3, n, IDENTITY)),
        rng.normal(0, 1e-3, (3, n, DRIFT)),
    )
    sigma = rng.uniform(1, 4, n)
    return [
        LandmarkBlock(1, points, layout, rng.uniform(0, 500, (n, 2)), sigma, np.array([256, 250])),
        DepthBlock(1, points, layout, rng.normal(0, 20, n), sigma),
        IdentityPrior(layout, rng.uniform(0.5, 2, IDENTITY)),
        ExpressionPrior(1, layout, rng.uniform(0.1, 1, e), rng.uniform(0, 0.2, e)),
        GazePrior(0, layout),
        DriftPrior(1, layout),
        FocalPrior(1, layout, 6.5, 0.3),
    ]


@pytest.mark.parametrize("seed", range(3))
def test_jacobians_match_central_differences(head, seed):
    rng = np.random.default_rng(seed)
    layout = Layout(IDENTITY, head.expression_count, 2, DRIFT)
    state = random_state(head, rng)
    wide = np.full(head.expression_count, 10.0)
    free_of_step = set(GazeMap.of(head).columns + POSE_SIZE)
    for block in blocks(head, layout, rng):
        r, jacobian = block.linearise(state)
        np.testing.assert_allclose(r, block.residuals(state), atol=1e-9)
        assert jacobian.shape == (len(r), len(block.columns))
        for column, index in enumerate(block.columns):
            step = np.zeros(layout.size)
            step[index] = 1e-6
            ahead = block.residuals(layout.moved(state, step, wide, -wide))
            behind = block.residuals(layout.moved(state, -step, wide, -wide))
            numeric = (ahead - behind) / 2e-6
            scale = max(1.0, np.abs(numeric).max())
            np.testing.assert_allclose(
                jacobian[:, column], numeric, atol=2e-6 * scale, err_msg=f"{block.name} {index}"
            )
    assert free_of_step, "the head's eyeLook sliders follow the gaze"


def test_a_block_depends_on_nothing_but_its_columns(head):
    rng = np.random.default_rng(7)
    layout = Layout(IDENTITY, head.expression_count, 2, DRIFT)
    state = random_state(head, rng)
    wide = np.full(head.expression_count, 10.0)
    for block in blocks(head, layout, rng):
        step = rng.normal(0, 0.01, layout.size)
        step[block.columns] = 0
        moved = block.residuals(layout.moved(state, step, wide, -wide))
        np.testing.assert_allclose(moved, block.residuals(state), atol=1e-12)
