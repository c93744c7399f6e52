# SPDX-License-Identifier: GPL-3.0-or-later
"""The built open head: mesh, symmetry, landmarks, atlas, regions."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from support.open_head_measures import (
    EYE_L,
    EYE_R,
    FLIP,
    FOLDER,
    cast,
    load_head,
    load_named_shapes,
    mirrored,
)


@pytest.fixture
def head():
    return load_head()


@pytest.fixture
def shapes():
    return load_named_shapes()


def test_files_are_small_and_hold_no_objects(head, shapes):
    assert sum(p.stat().st_size for p in FOLDER.iterdir()) <= 8_000_000
    for array in (*head.raw.values(), *shapes.values()):
        assert array.dtype.kind in "fiubU"
        if array.dtype.kind == "f":
            assert np.isfinite(array).all()


def test_skin_is_one_manifold_with_the_neck_as_its_only_boundary(head):
    skin = np.isin(head.face_part, [head.parts.index(p) for p in ("skin", "mouth_interior")])
    quads = head.quads[skin]
    assert (quads >= 0).all()
    edges = np.stack([quads, np.roll(quads, -1, axis=1)], axis=-1).reshape(-1, 2)
    directed = Counter(map(tuple, edges.tolist()))
    assert max(directed.values()) == 1
    border = {(a, b) for a, b in directed if (b, a) not in directed}
    loop = head.neck_loop.tolist()
    assert border == set(zip(loop, loop[1:] + loop[:1], strict=True))
    # Euler characteristic of a disc: no handle, no second component.
    undirected = {tuple(sorted(e)) for e in directed}
    assert len(np.unique(quads)) - len(undirected) + len(quads) == 1


def test_triangles_are_the_faces_split(head):
    rows = head.quads[head.triangle_quad]
    assert ((head.triangles[:, :, None] == rows[:, None, :]).any(axis=2)).all()
    count = Counter(head.triangle_quad.tolist())
    assert all(count[i] == (1 if q[3] < 0 else 2) for i, q in enumerate(head.quads))


def test_faces_look_outwards(head):
    for parts in (
        ("skin", "mouth_interior"),
        ("eyeball_l", "iris_l", "pupil_l"),
        ("eyeball_r", "iris_r", "pupil_r"),
    ):
        triangles, _ = head.triangles_of(*parts)
        a, b, c = (
            head.v_template[triangles] - head.v_template[triangles].mean(axis=(0, 1))
        ).transpose(1, 0, 2)
        assert (np.cross(a, b) * c).sum() > 0, parts


def test_natural_size_in_flames_frame(head):
    """Adult figures: pupil distance 54 to 74 mm (Dodgson 2004), iris 10.2 to 13 mm across."""
    joints = head.J_regressor @ head.v_template
    assert 0.058 < joints[EYE_L, 0] - joints[EYE_R, 0] < 0.068
    marks = head.landmarks(head.v_template)
    for right, left in ((469, 471), (474, 476)):
        assert 0.0102 < marks[right, 0] - marks[left, 0] < 0.013
    assert marks[4, 2] > marks[234, 2] + 0.05
    assert marks[10, 1] > marks[152, 1] + 0.1
    assert marks[263, 0] > 0 > marks[33, 0]


def test_mirror_is_exact(head):
    mirror = head.mirror
    assert np.array_equal(mirror[mirror], np.arange(len(mirror)))
    assert np.array_equal(mirrored(head, head.v_template), head.v_template)
    faces = {frozenset(q[q >= 0].tolist()) for q in head.quads}
    assert {frozenset(mirror[q[q >= 0]].tolist()) for q in head.quads} == faces
    swap = [0, 1, 2, 3, 5, 4]
    assert np.array_equal(head.weights[mirror][:, swap], head.weights)
    names = list(head.region_names)
    for name in names:
        twin = name[:-1] + {"l": "r", "r": "l"}[name[-1]] if name[-2:] in ("_l", "_r") else name
        assert np.array_equal(head.region(name)[mirror], head.region(twin)), name


def test_expressions_of_left_and_right_are_mirror_images(head):
    for name in head.names:
        twin = name
        for here, there in (("Left", "Right"), ("Right", "Left")):
            if name.endswith(here):
                twin = name.removesuffix(here) + there
        assert np.array_equal(mirrored(head, head.shape(name)), head.shape(twin)), name


def test_identity_components_are_even_or_odd(head):
    for k in range(head.shapedirs.shape[2]):
        component = head.shapedirs[:, :, k]
        other = mirrored(head, component)
        assert min(np.abs(other - component).max(), np.abs(other + component).max()) < 1e-7, k


def test_landmarks_mirror_exactly(head):
    marks = head.landmarks(head.v_template)
    assert np.array_equal(head.lmk_mirror[head.lmk_mirror], np.arange(478))
    assert np.abs(marks[head.lmk_mirror] * FLIP - marks).max() < 1e-9


def test_landmarks_lie_on_the_head(head):
    assert head.lmk_vertices.shape == (478, 3)
    assert head.lmk_bary.min() >= 0
    assert np.abs(head.lmk_bary.sum(axis=1) - 1).max() < 1e-6
    assert not head.region("mouth_interior")[head.lmk_vertices[:468]].all(axis=1).any()


def test_irises_sit_on_the_limbus_in_mediapipes_order(head):
    """Centre, then the image's right, top, left, bottom; 468 is the subject's right eye."""
    marks = head.landmarks(head.v_template)
    for side, first in (("r", 468), ("l", 473)):
        centre, right, top, left, bottom = marks[first : first + 5]
        assert (centre[0] > 0) == (side == "l")
        assert right[0] > centre[0] > left[0]
        assert top[1] > centre[1] > bottom[1]
        assert np.abs((right + left) / 2 - centre).max() < 1e-6
        iris = np.unique(head.triangles_of(f"iris_{side}")[0])
        ring = head.eye_ring[head.lmk_vertices[first + 1 : first + 5, 0]]
        assert (ring == head.eye_ring[iris].max()).all()


def test_landmarks_stand_where_mediapipes_metric_face_has_them(head, shared_dir):
    """Against the canonical face after a similarity: a few millimetres, no landmark misplaced."""
    with np.load(
        shared_dir / "reference" / "data" / "canonical_face.npz", allow_pickle=False
    ) as data:
        target = data["v"].astype(float)
    marks = head.landmarks(head.v_template)[:468]
    p, q = target - target.mean(axis=0), marks - marks.mean(axis=0)
    u, s, vt = np.linalg.svd(p.T @ q)
    error = 1000 * np.linalg.norm(s.sum() / (p**2).sum() * p @ u @ vt - q, axis=1)
    assert np.median(error) < 4
    assert error.max() < 15


def corner_triangles(head, faces):
    quads, uv = head.quads[faces], head.uv_quads[faces]
    assert np.array_equal(quads < 0, uv < 0)
    four = quads[:, 3] >= 0
    split = lambda a: np.concatenate([a[:, [0, 1, 2]], a[four][:, [0, 2, 3]]])  # noqa: E731
    return split(quads), split(uv)


def signed_uv_area(uv):
    p, q = uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0]
    return (p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0]) / 2


def texels_per_mm(head, mask, size=2048):
    skin = head.face_part == head.parts.index("skin")
    faces = skin & mask[np.maximum(head.quads, 0)].all(axis=1)
    triangles, corners = corner_triangles(head, faces)
    a, b, c = 1000 * head.v_template[triangles].transpose(1, 0, 2)
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2
    return size * np.sqrt(signed_uv_area(head.uv[corners]).sum() / area)


def test_atlas_has_no_flips_and_stays_in_the_tile(head):
    assert head.uv.min() >= 0
    assert head.uv.max() <= 1
    for part in range(len(head.parts)):
        _, corners = corner_triangles(head, head.face_part == part)
        assert (signed_uv_area(head.uv[corners]) > 0).all(), head.parts[part]


def test_face_is_one_large_upright_island(head):
    assert texels_per_mm(head, head.region("face")) >= 6
    assert texels_per_mm(head, head.region("lips")) >= 6
    skin = np.isin(head.face_part, [head.parts.index(p) for p in ("skin", "mouth_interior")])
    used = np.unique(head.uv_quads[skin])
    parent = np.arange(len(head.uv))
    for quad in head.uv_quads[skin]:
        roots = []
        for i in quad:
            while parent[i] != i:
                parent[i] = parent[parent[i]]
                i = parent[i]
            roots.append(i)
        parent[roots] = min(roots)
    sizes = Counter()
    for i in used:
        while parent[i] != i:
            i = parent[i]
        sizes[i] += 1
    assert len(sizes) == 4  # skin, mouth bag, two sockets
    where = {
        v: u
        for q, c in zip(head.quads[skin], head.uv_quads[skin], strict=True)
        for v, u in zip(q, c, strict=True)
    }
    at = [head.uv[where[head.lmk_vertices[i, 0]]] for i in (10, 152, 263, 33)]
    assert at[0][1] > at[1][1] + 0.3
    assert at[2][0] > at[3][0] + 0.2


def test_islands_of_the_skin_tile_do_not_overlap(head):
    """Paint every skin triangle's texels: no texel's middle may be covered twice."""
    skin = np.isin(head.face_part, [head.parts.index(p) for p in ("skin", "mouth_interior")])
    _, corners = corner_triangles(head, skin)
    flat = np.concatenate([head.uv, np.zeros((len(head.uv), 1))], axis=1)
    # An odd offset keeps the rays off shared edges, where two hits are no overlap.
    hits, shape = cast(flat, corners, 2, [1.37e-4, 2.11e-4], [1, 1], 1 / 700)
    count = np.zeros(shape, int)
    np.add.at(count, (hits[:, 0].astype(int), hits[:, 1].astype(int)), 1)
    assert (count > 1).sum() <= 2
    assert (count == 1).mean() > 0.9


def test_regions_are_named_and_sensible(head):
    names = """face scalp neck ear_l ear_r eye_l eye_r brow_l brow_r nose lips cheek_l cheek_r
        chin jaw forehead eyeball_l eyeball_r mouth_interior"""
    wanted = set(names.split())
    assert wanted <= set(head.region_names.tolist())
    v = head.v_template
    height = {n: v[head.region(n), 1].mean() for n in wanted}
    order = ["neck", "chin", "lips", "nose", "eye_l", "brow_l", "forehead"]
    assert sorted(order, key=height.get) == order
    assert v[head.region("ear_l"), 0].min() > 0.05
    for name in ("chin", "cheek_l", "forehead", "nose"):
        assert head.region("face")[head.region(name)].all(), name
