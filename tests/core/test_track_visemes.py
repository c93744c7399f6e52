# SPDX-License-Identifier: GPL-3.0-or-later
"""Visemes out of sliders: what was mixed is found again."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from core.heads.arkit import ARKIT_NAMES
from core.rig.poses import VISEMES
from core.track.files import write_performance
from core.track.performance import Performance
from core.track.visemes import VISEME_NAMES, visemes


def sliders(**shares):
    """(52,) of a mixture."""
    out = np.zeros(52)
    for name, share in shares.items():
        for slider, value in VISEMES[name].items():
            out[ARKIT_NAMES.index(slider)] += share * value
    return out


@pytest.mark.parametrize("name", VISEME_NAMES)
def test_a_viseme_is_itself(name):
    found = visemes(sliders(**{name: 1.0})[None])[0]
    assert VISEME_NAMES[int(found.argmax())] == name
    assert found.sum() == pytest.approx(1.0) and found.min() >= 0.0


def test_a_mixture_explains_the_mouth_and_silence_is_what_is_left():
    names = [n for n in VISEME_NAMES if n != "sil"][:2]
    mixed = sliders(**{names[0]: 0.4, names[1]: 0.3, "sil": 0.3})
    found = visemes(mixed[None])[0]
    again = sum(share * sliders(**{n: 1.0}) for n, share in zip(VISEME_NAMES, found, strict=True))
    assert np.abs(again - mixed).max() < 0.03
    assert visemes(np.zeros((1, 52)))[0, VISEME_NAMES.index("sil")] > 0.95


def test_brows_are_no_speech():
    frown = np.zeros((1, 52))
    frown[0, ARKIT_NAMES.index("browDownLeft")] = 1.0
    assert visemes(frown) == pytest.approx(visemes(np.zeros((1, 52))))


def test_the_file_has_fifteen_columns(tmp_path):
    values = np.stack([np.zeros(52), sliders(aa=1.0)])
    still = np.tile(np.eye(3), (2, 1, 1))
    done = Performance(
        frames=np.arange(2), times=np.arange(2) / 25, values=values, R=still, t=np.zeros((2, 3)),
        eyes=np.tile(np.eye(3), (2, 2, 1, 1)), confidence=np.ones(2), shots=(0,), focal=500.0,
        width=640, height=480, report={"rate": 25.0},
    )  # fmt: skip
    write_performance(tmp_path, done)
    assert not (tmp_path / "visemes.csv").exists()
    write_performance(tmp_path, done, with_visemes=True)
    with (tmp_path / "visemes.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["frame", *VISEME_NAMES] and len(VISEME_NAMES) == 15
    assert float(rows[0]["sil"]) > 0.95 and float(rows[1]["aa"]) > 0.8
