# SPDX-License-Identifier: GPL-3.0-or-later
"""What a photo says of the identity multiplies with the prior, counted once, and keeps its text."""

from __future__ import annotations

import json

import numpy as np
import pytest

from core.cues.shape_cue import DIRECTIONS, ShapeCue
from core.errors import FitError
from core.fitting.shape_block import ShapeBlock
from core.fitting.state import Layout, State

SIZE = 12


def _posterior(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Of a standard normal prior and some observation: mean and covariance."""
    rng = np.random.default_rng(seed)
    seen = rng.normal(size=(8, SIZE))
    covariance = np.linalg.inv(np.eye(SIZE) + seen.T @ seen)
    return covariance @ seen.T @ rng.normal(size=8), covariance


def _combined(cues: list[ShapeCue]) -> tuple[np.ndarray, np.ndarray]:
    precision = np.eye(SIZE) + sum(c.information for c in cues)
    vector = sum(c.matrix.T @ c.goal for c in cues)
    covariance = np.linalg.inv(precision)
    return covariance @ vector, covariance


def test_with_the_prior_it_is_the_posterior_again() -> None:
    mean, covariance = _posterior(1)
    got_mean, got = _combined([ShapeCue.of_posterior(mean, covariance)])
    assert np.abs(got_mean - mean).max() < 0.01
    assert np.abs(got - covariance).max() < 0.01


def test_two_photos_count_the_prior_once() -> None:
    (a, ca), (b, cb) = _posterior(1), _posterior(2)
    precision = np.linalg.inv(ca) + np.linalg.inv(cb) - np.eye(SIZE)
    mean = np.linalg.solve(precision, np.linalg.solve(ca, a) + np.linalg.solve(cb, b))
    got_mean, got = _combined([ShapeCue.of_posterior(a, ca), ShapeCue.of_posterior(b, cb)])
    assert np.abs(got_mean - mean).max() < 0.01
    assert np.abs(np.linalg.inv(got) - precision).max() < 0.05


def test_what_is_trusted_less_says_less_up_to_nothing() -> None:
    mean, covariance = _posterior(3)
    nats = []
    for trust in (0.0, 0.3, 0.7, 1.0):
        cue = ShapeCue.of_posterior(mean, covariance, trust=trust)
        nats.append(float(np.linalg.slogdet(np.eye(SIZE) + cue.information)[1]))
    assert nats[0] == 0
    assert np.all(np.diff(nats) > 0.1)


def test_a_network_that_knows_less_than_the_prior_says_nothing() -> None:
    cue = ShapeCue.of_posterior(np.ones(SIZE), 1.5 * np.eye(SIZE))
    assert cue.matrix.shape == (0, SIZE)
    layout = Layout(SIZE, 0, 1)
    block = ShapeBlock(0, layout, cue)
    assert block.residuals(State(np.zeros(SIZE), ())).shape == (0,)


def test_no_more_directions_are_kept_than_may_be() -> None:
    cue = ShapeCue.of_posterior(np.zeros(100), 0.1 * np.eye(100))
    assert len(cue.matrix) == DIRECTIONS


def test_the_block_is_least_where_the_photo_says() -> None:
    mean, covariance = _posterior(4)
    cue = ShapeCue.of_posterior(mean, covariance)
    layout = Layout(SIZE + 5, 0, 1)
    block = ShapeBlock(0, layout, cue)
    rng = np.random.default_rng(0)
    at = np.concatenate([np.linalg.pinv(cue.matrix) @ cue.goal, rng.normal(size=5)])
    assert np.abs(block.residuals(State(at, ()))).max() < 1e-6
    residuals, jacobian = block.linearise(State(at, ()))
    step = 1e-4 * rng.normal(size=SIZE)
    moved = block.residuals(State(at + np.pad(step, (0, 5)), ()))
    assert np.abs(moved - residuals - jacobian @ step).max() < 1e-9
    assert list(block.columns) == list(range(SIZE))


def test_its_text_says_the_same() -> None:
    mean, covariance = _posterior(5)
    cue = ShapeCue.of_posterior(mean, covariance, trust=1 / 3)
    text = json.dumps(cue.to_json())
    again = ShapeCue.from_json(json.loads(text))
    assert (again.matrix == cue.matrix).all()
    assert (again.goal == cue.goal).all()
    assert json.dumps(again.to_json()) == text


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: d.update(size=[10**6, 10**6]),
        lambda d: d.update(size=[-1, SIZE]),
        lambda d: d.update(size=[1.5, SIZE]),
        lambda d: d.update(size="12"),
        lambda d: d.update(matrix=d["matrix"][:-8]),
        lambda d: d.update(matrix=d["matrix"] * 1000),
        lambda d: d.update(matrix="?" * len(d["matrix"])),
        lambda d: d.update(matrix="\u00e9" * len(d["matrix"])),
        lambda d: d.update(goal=[1, 2]),
        lambda d: d.update(trust=float("nan")),
        lambda d: d.update(trust=7),
        lambda d: d.update(trust=True),
        lambda d: d.pop("goal"),
    ],
)
def test_hostile_text_is_refused(spoil) -> None:  # type: ignore[no-untyped-def]
    data = ShapeCue.of_posterior(*_posterior(5)).to_json()
    spoil(data)
    with pytest.raises((ValueError, LookupError, TypeError, FitError)):
        ShapeCue.from_json(data)


def test_numbers_that_are_none_are_refused() -> None:
    for bad in (np.nan, np.inf, 1e6):
        with pytest.raises(FitError, match="not finite"):
            ShapeCue(np.full((1, 3), bad), np.zeros(1))
    with pytest.raises(FitError, match="size"):
        ShapeCue(np.zeros((2, 3)), np.zeros(1))
