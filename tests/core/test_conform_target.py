# SPDX-License-Identifier: GPL-3.0-or-later
"""A mesh of the artist's as what Reconstruct Face makes, points that hands give, and a profile that
follows a mesh into another shape. The mesh is a person of the open head with quads of its own.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core.conform.by_hand import NAMED_POINTS, found_by_hand, pairs_of
from core.conform.find_face import fit_similarity, template_points
from core.conform.follow import follow
from core.conform.lay_on import open_head_surface
from core.conform.mesh import OwnMesh
from core.conform.person import put_on
from core.conform.profile import HeadProfile
from core.conform.register import profile_of, register_mesh
from core.conform.send import Source
from core.conform.target import notes_of, on_own_mesh, target_of
from core.conform.wrap import wrap, wrapped_head
from core.errors import MeshError, PersonError
from core.files.png import encode_png
from core.geometry.closest import closest_points
from core.heads import load_open_head
from core.heads.corners import is_skin
from core.heads.eyeballs import is_eyeball
from core.options import Options
from core.reconstruct.resources import load_mediapipe

UNIT = 10.0


@pytest.fixture(scope="module")
def head():
    return load_open_head()


@pytest.fixture(scope="module")
def theirs(head):
    """Skin and eyes in decimetres, in quads, with two materials."""
    kept = is_skin(head) | is_eyeball(head, "l") | is_eyeball(head, "r")
    rows = np.nonzero(kept)[0]
    used, local = np.unique(head.triangles[rows], return_inverse=True)
    person = head.neutral(np.random.default_rng(1).normal(scale=0.6, size=40))
    per_quad = np.where(head.quads[:, 3] >= 0, 2, 1)
    polygon = np.repeat(np.arange(len(head.quads)), per_quad)[rows]
    triangles = local.reshape(-1, 3)
    material = np.where(is_skin(head)[rows], 0, 1)
    uv = np.stack([person[used][:, 0] + 0.5, person[used][:, 1] / 2 + 0.5], axis=-1)[triangles]
    return OwnMesh.of(
        "theirs", UNIT * person[used], triangles, uv, polygon, material, ["face", "glass"]
    )


@pytest.fixture(scope="module")
def profile(head, theirs, tmp_path_factory):
    path = tmp_path_factory.mktemp("profile") / "profile.npz"
    register_mesh(head, theirs, load_mediapipe()).save(path)
    return path


@pytest.fixture(scope="module")
def kept(profile):
    return HeadProfile.load(profile)


@pytest.fixture(scope="module")
def person(head, kept):
    """A rigged head of somebody else: the mesh wrapped, with another shape in its basis."""
    shape = head.neutral(np.random.default_rng(4).normal(scale=0.6, size=40))
    rigged = wrapped_head(head, kept)
    return replace(rigged, basis=shape.astype(np.float32))


@pytest.fixture(scope="module")
def shown(head, kept, person):
    return on_own_mesh(head, kept, person)


def test_a_head_on_their_mesh_is_a_rigged_head(shown, theirs, kept):
    shown.check()
    assert len(shown.basis) == len(theirs.vertices)
    assert (shown.quads[:, 3] >= 0).mean() > 0.9
    whole = np.bincount(theirs.polygon)
    assert len(shown.quads) == (whole > 0).sum()
    assert [str(n) for n in shown.material_names] == ["face", "glass"]
    eyes = [i for i, n in enumerate(shown.part_names) if str(n).startswith("eyeball")]
    assert (shown.own_material[np.isin(shown.face_part, eyes)] == 1).all()
    assert shown.recipe["head_mesh"] == {"name": "theirs", "sha256": kept.digest}
    assert notes_of(shown) == []


def test_its_face_stands_where_the_person_stands(head, shown, person):
    skin = head.triangles[is_skin(head)]
    face = shown.regions[list(shown.region_names).index("face")]
    off = closest_points(shown.basis[face].astype(float), person.basis.astype(float), skin).distance
    assert np.median(off) < 0.0004
    posed = closest_points(shown.posed[face].astype(float), person.posed.astype(float), skin)
    assert np.median(posed.distance) < 0.004


def test_its_landmarks_are_the_persons(head, shown, person):
    ids = head.landmark_ids[head.landmark_ids < 468]
    at = np.einsum(
        "nk,nkc->nc", shown.landmark_barycentric[ids], shown.basis[shown.landmark_vertices[ids]]
    )
    ours = head.landmarks(person.basis.astype(float), ids)
    assert np.median(np.linalg.norm(at - ours, axis=1)) < 0.0015


def test_bones_hold_all_of_it(shown):
    assert shown.weights.sum(axis=1) == pytest.approx(1, abs=1e-5)
    jaw = list(shown.joint_names).index("jaw")
    moved = np.linalg.norm(shown.key_deltas[list(shown.key_names).index("jawOpen")], axis=1)
    assert shown.weights[moved == 0, jaw].max() < 0.05
    assert shown.weights[:, jaw].max() > 0.9


def test_a_mesh_of_their_own_is_an_option(profile, tmp_path):
    assert target_of(Options()) is None
    assert target_of(Options(head_mesh=str(profile))).name == "theirs"
    assert Options(head_mesh=str(profile)).for_recipe()["head_mesh"] == "profile.npz"
    assert "head_mesh" not in Options().for_recipe()
    with pytest.raises(MeshError, match="register the mesh again"):
        target_of(Options(head_mesh=str(tmp_path / "none.npz")))
    with pytest.raises(PersonError, match="leave the head"):
        Options(head="flame.npz", head_mesh=str(profile))


def test_a_profile_follows_the_mesh_and_the_person_comes_back(head, theirs, kept):
    wanted = head.neutral(np.random.default_rng(7).normal(scale=0.6, size=40))
    sent = put_on(head, kept, theirs, wanted)
    worn = OwnMesh.of("worn", sent.vertices, theirs.triangles)
    now = profile_of(head, worn, load_mediapipe(), kept)
    assert now.digest == worn.digest != kept.digest
    back = wrap(head, now).neutral
    face = head.regions["face"]
    place = fit_similarity(back[face], wanted[face], np.ones(int(face.sum())))
    off = closest_points(place(back[face]), wanted, head.triangles[is_skin(head)]).distance
    assert np.median(off) < 0.0002
    other = OwnMesh.of("other", theirs.vertices, theirs.triangles[::-1])
    assert follow(head, kept, other) is None
    random = np.random.default_rng(0).permutation(len(theirs.vertices))
    assert follow(head, kept, OwnMesh.of("x", theirs.vertices[random], theirs.triangles)) is None


def test_points_by_name_find_a_face_that_the_nets_do_not(head, theirs, kept):
    """By hand alone: the landmarks that follow from thirteen points lie near the true ones."""
    ids = np.array(list(NAMED_POINTS.values()))
    skin = theirs.vertices
    at = np.einsum("nk,nkc->nc", kept.landmark_share[ids], skin[kept.landmark_vertices[ids]])
    points = dict(zip(NAMED_POINTS, at, strict=True))
    pairs = pairs_of(head, points)
    assert pairs.shape == (13, 6)
    ours, seen = template_points(head, load_mediapipe())
    source, _ = open_head_surface(head, ours)
    found = found_by_hand(head, theirs.welded, pairs, source, ours, seen)
    assert found.to_head.scale == pytest.approx(1 / UNIT, rel=0.08)
    true = np.einsum("nk,nkc->nc", kept.landmark_share, skin[kept.landmark_vertices])
    used = head.landmark_ids[head.landmark_ids < 468]
    off = np.linalg.norm(found.points[used] - found.to_head(true[used]), axis=1)
    assert np.median(off) < 0.005
    with pytest.raises(MeshError, match="at least 6 points"):
        pairs_of(head, {"Tip of the Nose": np.zeros(3), "nonsense": np.zeros(3)})


def test_a_person_on_another_head_is_wrapped_first(head, shown):
    source = Source.of(shown, head, load_mediapipe())
    assert "wrapped first" in source.notes[0]
    face = head.regions["face"]
    mask = shown.regions[list(shown.region_names).index("face")]
    place = fit_similarity(source.neutral[face], head.template[face], np.ones(int(face.sum())))
    assert place.scale == pytest.approx(1, rel=0.1)
    skin = head.triangles[is_skin(head)]
    points = shown.basis[mask].astype(float)
    near = fit_similarity(source.neutral[face], source.neutral[face], np.ones(int(face.sum())))
    off = closest_points(points, near(source.neutral), skin).distance
    assert np.median(off) < 0.004


def test_a_mesh_without_layout_says_that_its_skin_is_left_out(head, kept, person):
    bare = OwnMesh.of("bare", kept.mesh.vertices, kept.mesh.triangles)
    without = replace(kept, mesh=bare)
    picture = np.zeros((8, 8, 3), np.uint8)
    skin = np.frombuffer(encode_png(picture), np.uint8)
    dressed = replace(person, skin_albedo=skin, skin_photo=skin)
    made = on_own_mesh(head, without, dressed)
    made.check()
    assert not made.skin_albedo.size
    assert "no texture layout" in notes_of(made)[0]
    painted = on_own_mesh(head, kept, dressed)
    painted.check()
    assert painted.skin_albedo[25] == 6  # a PNG with alpha


def test_materials_and_polygons_survive_the_file(kept, theirs):
    assert kept.mesh.digest == theirs.digest
    assert kept.mesh.materials == ("face", "glass")
    assert np.array_equal(kept.mesh.polygon, theirs.polygon)
