# SPDX-License-Identifier: GPL-3.0-or-later
"""The picture of teeth and gums, where the open head's layout puts it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.rigs import rigged_person

from core.appearance.mouth_picture import mouth_picture, with_mouth_picture
from core.files.png import picture_sides
from core.heads import load_open_head
from core.photos.colour import linear_from_srgb


@pytest.fixture(scope="module")
def rigged():
    return rigged_person(load_open_head(), np.zeros(100))


@pytest.fixture(scope="module")
def worn(rigged):
    """Linear colour (n, 3) and middle (n, 3) of the faces of a part that look forward."""
    picture = linear_from_srgb(mouth_picture() / 255)
    height, width = picture.shape[:2]

    def of(part):
        faces = np.flatnonzero(rigged.face_part == rigged.part_names.tolist().index(part))
        corners = rigged.basis[rigged.quads[faces, :3]].astype(float)
        a, b, c = corners.transpose(1, 0, 2)
        faces = faces[np.cross(b - a, c - a)[:, 2] > 0]
        uv = rigged.uv[rigged.uv_quads[faces, :3]].mean(axis=1)
        at = np.clip((uv * [width, height]).astype(int), 0, [width - 1, height - 1])
        return picture[height - 1 - at[:, 1], at[:, 0]], rigged.basis[rigged.quads[faces, 0]]

    return of


def test_teeth_are_ivory_and_gums_are_red(worn):
    for part in ("teeth_upper", "teeth_lower"):
        colour, at = worn(part)
        front = np.median(colour[np.abs(at[:, 0]) < 0.012], axis=0)
        assert 0.6 < front[2] < front[1] < front[0] < 0.97, part
    for part in ("gums_upper", "gums_lower"):
        colour, _ = worn(part)
        assert (colour[:, 0] > 1.8 * colour[:, 1]).all(), part
        assert 0.15 < np.median(colour[:, 0]) < 0.7, part


def test_teeth_darken_and_yellow_towards_the_back(worn):
    colour, at = worn("teeth_upper")
    aside = np.abs(at[:, 0]) / np.abs(at[:, 0]).max()

    def shade(low, high):
        return np.median(colour[(aside >= low) & (aside <= high)], axis=0)

    incisors, canines, molars = shade(0, 0.25), shade(0.55, 0.65), shade(0.85, 1)
    assert incisors.sum() > canines.sum() > molars.sum()
    assert canines[2] / canines[0] < incisors[2] / incisors[0]


def test_both_sides_are_alike():
    picture = mouth_picture()
    assert np.array_equal(picture, picture[:, ::-1])


def test_only_heads_with_teeth_get_it(rigged):
    assert picture_sides(with_mouth_picture(rigged).mouth_picture.tobytes())
    assert with_mouth_picture(rigged).mouth_picture.size > 1000
    names = np.where(rigged.part_names == "teeth_upper", "other", rigged.part_names)
    assert not with_mouth_picture(replace(rigged, part_names=names)).mouth_picture.size
