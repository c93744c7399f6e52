# SPDX-License-Identifier: GPL-3.0-or-later
"""Wrinkles of the skin: where their lines run on the head, and which sliders bring them out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.rigs import rigged_person

from core.appearance.wrinkles import (  # fmt: skip
    DRIVES,
    KINDS,
    LEVEL,
    SIDES,
    TILES,
    UNIT,
    driving_keys,
    with_wrinkles,
    wrinkles_of,
)
from core.heads import load_open_head
from core.heads.arkit import ARKIT_NAMES
from core.rigged_head import RiggedHead

#: Landmarks.
OUTER_CORNERS, MOUTH_CORNERS, BROWS_INNER = (33, 263), (61, 291), (107, 336)
NOSE_WINGS, NOSE_TIP, BROWS_OUTER = (129, 358), 4, (70, 300)


@pytest.fixture(scope="module")
def rigged():
    return rigged_person(load_open_head(), np.zeros(100))


@pytest.fixture(scope="module")
def wrinkles(rigged):
    return wrinkles_of(rigged)


@pytest.fixture(scope="module")
def heights(wrinkles):
    """Kind -> (h, w): -1 is its deepest line."""
    tiles = np.split((wrinkles.picture.astype(float) - LEVEL) / UNIT, len(TILES))
    return {
        kind: tile[..., i]
        for tile, kinds in zip(tiles, TILES.values(), strict=True)
        for i, kind in enumerate(kinds)
    }


@pytest.fixture(scope="module")
def surface(rigged, wrinkles):
    """(h, w) of every texel of a tile: the nearest vertex of the skin in the texture layout."""
    skin = rigged.face_part == list(rigged.part_names).index("skin")
    corner = rigged.quads[skin] >= 0
    vertices, first = np.unique(rigged.quads[skin][corner], return_index=True)
    uv = rigged.uv[rigged.uv_quads[skin][corner]][first]
    h, w = wrinkles.picture.shape[0] // 2, wrinkles.picture.shape[1]
    u0, v0, u1, v1 = wrinkles.layout[:4]
    step = 4
    u = u0 + (np.arange(0, w, step) + 0.5) / w * (u1 - u0)
    v = v1 + (np.arange(0, h, step) + 0.5) / h * (v0 - v1)
    out = np.empty((len(v), len(u)), np.int64)
    for row, at in enumerate(v):
        near = np.abs(uv[:, 1] - at) < 0.03
        off = (uv[near][:, :1] - u) ** 2 + (uv[near][:, 1:] - at) ** 2
        out[row] = vertices[near][off.argmin(axis=0)]
    return step, out


def carved(heights, surface, kind, least=0.3):
    """Vertices under the lines of a kind."""
    step, vertices = surface
    deep = heights[kind][::step, ::step] < -least
    assert deep.any()
    return vertices[deep]


def places(rigged, landmarks):
    corners = rigged.basis[rigged.landmark_vertices[list(landmarks)]]
    return np.einsum("nk,nkc->nc", rigged.landmark_barycentric[list(landmarks)], corners)


def test_lines_lie_on_the_face_and_on_nothing_that_is_no_skin(rigged, heights, surface):
    regions = dict(zip(map(str, rigged.region_names), rigged.regions, strict=True))
    step, vertices = surface
    touched = np.any([np.abs(h[::step, ::step]) > 0.02 for h in heights.values()], axis=0)
    under = vertices[touched]
    for name in ("eye_socket_l", "eye_socket_r", "eyeball_l", "eyeball_r", "lips",
                 "mouth_interior", "neck", "ear_l", "ear_r"):  # fmt: skip
        assert not regions[name][under].any(), name
    on_face = np.any([regions[n] for n in ("face", "forehead", "cheek_l", "cheek_r")], axis=0)
    assert on_face[under].mean() > 0.9


def test_the_pictures_edges_are_smooth_skin(heights):
    for kind, height in heights.items():
        edge = np.concatenate([height[[0, 1, -2, -1]].ravel(), height[:, [0, 1, -2, -1]].ravel()])
        assert not edge.any(), kind
        assert -1.4 < height.min() < -0.7, kind
        assert 0 < height.max() < 0.62, kind


def test_crows_feet_are_beside_the_eyes(rigged, heights, surface):
    at = rigged.basis[carved(heights, surface, "crows_feet")]
    corners = places(rigged, OUTER_CORNERS)
    for side, corner in zip((-1, 1), corners, strict=True):
        own = at[at[:, 0] * side > 0]
        away = own - corner
        assert (away[:, 0] * side > 0.002).all()
        assert np.linalg.norm(away, axis=1).max() < 0.045
        assert (np.abs(away[:, 1]) < 0.022).all()


def test_nasolabial_folds_run_from_the_noses_wings_past_the_mouths_corners(
    rigged, heights, surface
):
    at = rigged.basis[carved(heights, surface, "nasolabial")]
    wings, mouth = places(rigged, NOSE_WINGS), places(rigged, MOUTH_CORNERS)
    for side, wing, corner in zip((-1, 1), wings, mouth, strict=True):
        own = at[at[:, 0] * side > 0]
        top, low = own[own[:, 1].argmax()], own[own[:, 1].argmin()]
        assert np.linalg.norm(top - wing) < 0.012
        assert 0.003 < (low - corner)[0] * side < 0.02
        assert abs(low[1] - corner[1]) < 0.015


def test_brows_lines_are_between_and_above_the_brows(rigged, heights, surface):
    inner, outer = places(rigged, BROWS_INNER), places(rigged, BROWS_OUTER)
    frown = rigged.basis[carved(heights, surface, "frown")]
    assert np.abs(frown[:, 0]).max() < np.abs(inner[:, 0]).max() + 0.008
    assert frown[:, 1].min() > places(rigged, [6])[0, 1]
    for kind in ("forehead_outer", "forehead_inner"):
        at = rigged.basis[carved(heights, surface, kind)]
        assert at[:, 1].min() > inner[:, 1].mean() - 0.004
        assert np.abs(at[:, 0]).max() < np.abs(outer[:, 0]).max() + 0.005
    middle = rigged.basis[carved(heights, surface, "forehead_inner")]
    assert np.abs(middle[:, 0]).max() < 0.03


def test_lines_at_the_nose_are_at_its_root(rigged, heights, surface):
    at = rigged.basis[carved(heights, surface, "nose")]
    assert np.abs(at[:, 0]).max() < 0.022
    assert at[:, 1].min() > places(rigged, [NOSE_TIP])[0, 1] + 0.01


def test_both_sides_have_the_same_lines_but_not_the_very_same(rigged, wrinkles, heights):
    for kind in KINDS:
        height = heights[kind]
        across = height[:, ::-1]
        # To within the sway of a line: the deepest of a texel's neighbours.
        shifts = [(y, x) for y in range(-6, 7, 2) for x in range(-4, 5, 2)]
        near = np.min([np.roll(across, by, (0, 1)) for by in shifts], axis=0)
        assert (near[height < -0.5] < -0.2).all(), kind
        assert np.abs(height - across).max() > 0.02, kind
    right, left = wrinkles.layout[4:]
    assert right + left == pytest.approx(1.0, abs=1e-4) and right < left
    eyes = rigged.basis[rigged.landmark_vertices[list(OUTER_CORNERS)][:, 0]]
    assert eyes[0, 0] < 0 < eyes[1, 0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("side", SIDES)
def test_each_kind_follows_sliders_of_its_own_side(kind, side):
    keys = driving_keys(kind, side)
    assert len(keys) == len(DRIVES[kind]) and set(keys) <= set(ARKIT_NAMES)
    other = "Right" if side == "Left" else "Left"
    assert not any(name.endswith(other) for name in keys)
    assert max(keys.values()) == 1.0


def test_a_wider_face_gets_the_same_lines_of_a_width_in_millimetres(rigged):
    wide = replace(rigged, basis=rigged.basis * np.float32(1.2))
    narrow, broad = wrinkles_of(rigged), wrinkles_of(wide)
    assert broad.picture.shape[1] > 1.1 * narrow.picture.shape[1]
    np.testing.assert_allclose(broad.layout[[4, 5]].mean(), 0.5, atol=1e-5)


def test_a_head_of_triangles_gets_the_same(rigged, wrinkles):
    def halves(quads):
        return np.concatenate([quads[:, [0, 1, 2]], quads[quads[:, 3] >= 0][:, [0, 2, 3]]])

    def whole(triangles):
        return np.column_stack([triangles, np.full(len(triangles), -1)]).astype(np.int32)

    second = rigged.quads[:, 3] >= 0
    head = replace(
        rigged,
        quads=whole(halves(rigged.quads)),
        uv_quads=whole(halves(rigged.uv_quads)),
        face_part=np.concatenate([rigged.face_part, rigged.face_part[second]]),
    )
    found = wrinkles_of(head)
    assert found is not None
    np.testing.assert_allclose(found.layout, wrinkles.layout, atol=0.005)


def test_heads_without_a_place_for_them_go_without(rigged):
    none = replace(rigged, landmark_vertices=np.full((478, 3), -1, np.int32))
    assert wrinkles_of(none) is None and with_wrinkles(none) is none
    uv = rigged.uv.copy()
    uv[:, 0] **= 1.3
    assert wrinkles_of(replace(rigged, uv=uv)) is None
    turned = rigged.uv.copy()
    turned[:, 0] = 1 - turned[:, 0]
    mirrored = wrinkles_of(replace(rigged, uv=turned))
    assert mirrored is not None and mirrored.layout[4] > mirrored.layout[5]


def test_they_cross_the_process_border(rigged, tmp_path):
    path = tmp_path / "head.npz"
    head = with_wrinkles(rigged)
    head.save(path)
    again = RiggedHead.load(path)
    np.testing.assert_array_equal(again.folds_picture, head.folds_picture)
    np.testing.assert_array_equal(again.folds_layout, wrinkles_of(rigged).layout)
    with pytest.raises(ValueError, match="folds_layout"):
        replace(head, folds_layout=head.folds_layout[:5]).check()
    with pytest.raises(ValueError, match="folds_picture"):
        replace(head, folds_picture=np.ones(50, np.uint8)).check()
