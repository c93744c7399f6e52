# SPDX-License-Identifier: GPL-3.0-or-later
"""The smoother stills what flickers, leaves what moves, and never lags."""

from __future__ import annotations

import numpy as np
import pytest

from core.track.smoother import smooth, walk, white_noise

SIGMA = 0.01


def blink(count=120, at=60, length=6):
    """Closed within three frames and open again."""
    t = np.arange(count)
    return np.clip(1 - np.abs(t - at) / (length / 2), 0, 1)


def smoothed(curve, rng, confidence=None):
    noisy = curve + rng.normal(0, SIGMA, len(curve))
    return smooth(
        noisy[:, None],
        np.ones(len(curve)) if confidence is None else confidence,
        np.zeros(1, int),
        noise=np.array([4 * SIGMA]),
        quiet_step=np.array([0.3 * SIGMA]),
        fade_to=np.zeros(1),
    )[:, 0]


def test_a_walk_is_the_minimum_of_its_energy():
    """Against the normal equations written out."""
    rng = np.random.default_rng(0)
    z, info, stiff = rng.normal(size=(9, 2)), rng.random((9, 2)) + 0.1, rng.random((8, 2)) * 5
    d = np.diff(np.eye(9), axis=0)
    for k in range(2):
        matrix = np.diag(info[:, k]) + d.T @ np.diag(stiff[:, k]) @ d
        expected = np.linalg.solve(matrix, info[:, k] * z[:, k])
        assert walk(z, info, stiff)[:, k] == pytest.approx(expected, abs=1e-12)


def test_still_stretches_stand_still():
    out = smoothed(np.full(120, 0.3), np.random.default_rng(1))
    second = np.diff(out, n=2)
    assert np.sqrt((second**2).mean()) < 0.05 * np.sqrt(6) * SIGMA
    assert out.mean() == pytest.approx(0.3, abs=3 * SIGMA / np.sqrt(120) + 1e-3)


def test_a_blink_keeps_its_height_and_its_time():
    curve = blink()
    out = smoothed(curve, np.random.default_rng(2))
    assert out.max() > 0.9
    assert int(out.argmax()) == 60
    # Neither earlier nor later: the correlation is highest unshifted.
    by_shift = [np.corrcoef(np.roll(curve, s)[5:-5], out[5:-5])[0, 1] for s in (-1, 0, 1)]
    assert int(np.argmax(by_shift)) == 1
    assert np.abs(out[:50]).max() < SIGMA


def test_a_gap_is_bridged_without_a_jump_and_fades():
    curve, sure = np.full(120, 0.8), np.ones(120)
    sure[40:80] = 0.0
    out = smoothed(np.where(sure > 0, curve, 0.0), np.random.default_rng(3), sure)
    assert np.abs(np.diff(out)).max() < 0.15
    assert out[60] < 0.2
    assert out[38] == pytest.approx(0.8, abs=0.05)
    assert out[82] == pytest.approx(0.8, abs=0.05)


def test_a_short_gap_goes_straight():
    curve = np.where(np.arange(60) < 30, 0.2, 0.6)
    sure = np.ones(60)
    sure[28:34] = 0.0
    out = smoothed(np.where(sure > 0, curve, 0.0), np.random.default_rng(4), sure)
    middle = out[27:35]
    assert (np.diff(middle) > 0).all()
    assert np.diff(middle).max() < 0.12


def test_nothing_seen_at_all_is_rest():
    out = smooth(
        np.ones((7, 2)),
        np.zeros(7),
        np.zeros(2, int),
        noise=np.ones(2),
        quiet_step=np.ones(2),
        fade_to=np.array([0.0, 0.5]),
    )
    assert out == pytest.approx(np.tile([0.0, 0.5], (7, 1)))


def test_white_noise_is_measured_beside_motion():
    rng = np.random.default_rng(5)
    curve = np.sin(np.arange(400) / 15) + rng.normal(0, SIGMA, 400)
    found = white_noise(curve[:, None], np.ones(400, bool))[0]
    assert found == pytest.approx(SIGMA, rel=0.35)
