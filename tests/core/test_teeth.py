# SPDX-License-Identifier: GPL-3.0-or-later
"""Teeth and gums of the open head: separate crowns, fixed to skull and jaw, behind the lips."""

from __future__ import annotations

import numpy as np
import pytest
from support.open_head_measures import cast, load_head, visible

from core.geometry.raster import rasterise
from core.heads import load_open_head
from core.heads.arkit import ARKIT_NAMES
from core.rig.person_keys import rest_keys

PEOPLE = 6
STEP = 0.0004


@pytest.fixture
def head():
    return load_head()


def vertices(head, *parts):
    return np.unique(head.triangles_of(*parts)[0])


def islands(triangles):
    label = {v: v for v in np.unique(triangles).tolist()}

    def root(v):
        while label[v] != v:
            v = label[v]
        return v

    for a, b, c in triangles.tolist():
        label[root(b)] = label[root(c)] = root(a)
    return np.array([root(v) for v in label])


def test_fourteen_crowns_a_row_closed_and_few_vertices(head):
    total = 0
    for part in ("teeth_upper", "teeth_lower"):
        triangles, _ = head.triangles_of(part)
        crowns = islands(triangles)
        assert len(np.unique(crowns)) == 14, part
        total += len(crowns)
        a, b, c = head.v_template[triangles].transpose(1, 0, 2)
        out = (a + b + c) / 3 - head.v_template[vertices(head, part)].mean(axis=0)
        front = (np.cross(b - a, c - a)[:, 2] > 0) & (out[:, 2] > 0)
        assert front.sum() > 100, part
    total += len(vertices(head, "gums_upper", "gums_lower"))
    assert total < 3000


def test_upper_teeth_hold_still_and_lower_ones_move_with_the_jaw_unbent(head):
    upper = vertices(head, "teeth_upper", "gums_upper")
    assert np.abs(head.exprdirs[upper]).max() < 1e-6
    assert (head.weights[upper, head.joint_names.tolist().index("head")] == 1).all()
    lower = vertices(head, "teeth_lower", "gums_lower")
    assert (head.weights[lower, head.joint_names.tolist().index("jaw")] == 1).all()
    at = np.column_stack([head.v_template[lower], np.ones(len(lower))])
    for name in head.names:
        moved = head.shape(name)[lower]
        if name.startswith("jaw"):
            assert np.linalg.norm(moved, axis=1).max() > 0.004, name
            bent = moved - at @ np.linalg.lstsq(at, moved, rcond=None)[0]
            assert np.abs(bent).max() < 1e-4, name
        else:
            assert np.abs(moved).max() < 1e-6, name


def test_a_smile_shows_the_upper_teeth_and_a_closed_mouth_none(head):
    parts = ("skin", "mouth_interior", "teeth_upper", "teeth_lower", "gums_upper", "tongue")
    triangles, part = head.triangles_of(*parts)
    corners = head.landmarks(head.v_template)[[61, 291]]
    low, high = corners.min(axis=0) - 0.03, corners.max(axis=0) + 0.03

    def seen(expression, name):
        v = head(expression=expression)
        return visible(v, triangles, part, [head.parts.index(name)], low, high, STEP).sum()

    smile = dict.fromkeys(("mouthSmileLeft", "mouthSmileRight"), 0.7)
    smile |= {"jawOpen": 0.12, "mouthUpperUpLeft": 0.4, "mouthUpperUpRight": 0.4}
    assert seen({}, "teeth_upper") == 0
    assert seen(smile, "teeth_upper") * STEP**2 > 1e-4  # a square centimetre
    assert seen(smile, "teeth_upper") > seen(smile, "mouth_interior")
    open_wide = {"jawOpen": 0.6, "mouthLowerDownLeft": 0.7, "mouthLowerDownRight": 0.7}
    assert seen(open_wide, "teeth_lower") * STEP**2 > 5e-5


def test_crowns_of_a_row_hardly_overlap_and_stand_in_the_mouth(head):
    """Rays along the face: nothing of a tooth behind the bag that holds it."""
    bag, _ = head.triangles_of("mouth_interior")
    low, high = head.v_template[bag.ravel()].min(axis=0), head.v_template[bag.ravel()].max(axis=0)
    for part in ("teeth_upper", "teeth_lower"):
        teeth = head.v_template[vertices(head, part)]
        assert (teeth > low).all(), part
        assert (teeth < high).all(), part
        triangles, _ = head.triangles_of(part)
        hits, _ = cast(head.v_template, triangles, 1, teeth.min(axis=0), teeth.max(axis=0), STEP)
        ray = hits[:, 0] * 10_000 + hits[:, 1]
        _, count = np.unique(ray, return_counts=True)
        assert (count > 2).mean() < 0.06, part


def in_front(head, v, skin, teeth):
    """Metres by which teeth (n,) stand before the foremost skin, -1 where there is none."""
    normal = np.cross(v[skin[:, 1]] - v[skin[:, 0]], v[skin[:, 2]] - v[skin[:, 0]])
    faces = skin[(normal[:, 2] > 0) & (v[skin][:, :, 2] > 0.06).all(axis=1)]
    low, high = v[teeth].min(axis=0) - 0.002, v[teeth].max(axis=0) + 0.002
    width, height = (int((high[k] - low[k]) / STEP) + 1 for k in (0, 1))
    at = (v[:, :2] - low[:2]) / STEP
    front = 10 - rasterise(at, 10 - v[:, 2], faces, width, height).depth
    column, row = at[teeth].astype(int).T
    depth = v[teeth, 2] - front[row, column]
    return np.where(np.isfinite(depth), depth, -1.0)


def test_no_tooth_comes_through_the_lips_under_any_key(head):
    model = load_open_head()
    skin, _ = head.triangles_of("skin")
    teeth = vertices(head, "teeth_upper", "teeth_lower", "gums_upper", "gums_lower")
    rng = np.random.default_rng(2024)
    worst = {}
    for person in range(PEOPLE):
        neutral = model.neutral(rng.normal(size=model.identity_count) * (person > 0))
        keys = rest_keys(model, neutral)
        for name in ARKIT_NAMES:
            depth = in_front(head, neutral + keys[name], skin, teeth).max()
            if depth > 0.0002:
                worst[person, name] = depth
    assert not worst
