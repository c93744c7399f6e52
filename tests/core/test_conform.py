# SPDX-License-Identifier: GPL-3.0-or-later
"""A mesh of somebody's own: another unit, other axes, another triangulation, wound inside out, with
a body below it. Where its vertices belong on the open head is known, since it was made from it.
"""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from core.__main__ import main
from core.conform.check import rig_arrays
from core.conform.face_mask import open_mask
from core.conform.faces import corners_of
from core.conform.find_face import fit_similarity
from core.conform.mesh import OwnMesh
from core.conform.mesh_file import read_mesh
from core.conform.mouth_side import has_opening, lower_lip_share
from core.conform.person import BONES, put_on
from core.conform.person_file import load_person, save_person
from core.conform.profile import KINDS, HeadProfile
from core.conform.rebake import decode_own_png, places_in_our_layout, rebake
from core.conform.register import register_mesh
from core.conform.wrap import wrap, wrapped_head
from core.errors import MeshError
from core.files.png import encode_png
from core.geometry.closest import closest_points
from core.heads import load_open_head
from core.heads.corners import is_skin, triangle_uv
from core.heads.eyeballs import is_eyeball
from core.reconstruct.resources import load_mediapipe
from core.rig.rig_check import check_rig

#: The mesh's z is up and its face looks along -y, as Blender's do; a unit is a decimetre.
TURN = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
UNIT = 10.0


@pytest.fixture(scope="module")
def head():
    return load_open_head()


def somebody(head, seed, amount=0.6):
    return head.neutral(np.random.default_rng(seed).normal(scale=amount, size=40))


@pytest.fixture(scope="module")
def made(head):
    """(mesh, of): a person's skin and eyeballs, and of each vertex the open head's, -1 for the
    body's and for those that the open head does not have.
    """
    random = np.random.default_rng(3)
    kept = is_skin(head) | is_eyeball(head, "l") | is_eyeball(head, "r")
    triangles = head.triangles[kept].astype(np.int64)
    used = np.unique(triangles)
    new = np.full(head.vertex_count, -1)
    new[used] = random.permutation(len(used))
    places = np.zeros((len(used), 3))
    places[new[used]] = somebody(head, 1)[used]
    of = np.zeros(len(used), int)
    of[new[used]] = used
    triangles = new[triangles]
    split = random.random(len(triangles)) < 0.2
    centres = places[triangles[split]].mean(axis=1)
    ids = len(places) + np.arange(split.sum())
    a, b, c = triangles[split].T
    pieces = [np.stack(t, axis=1) for t in ((a, b, ids), (b, c, ids), (c, a, ids))]
    triangles = np.concatenate([triangles[~split], *pieces])
    body = np.stack(np.meshgrid(*[np.linspace(-0.25, 0.25, 8)] * 3), axis=-1).reshape(-1, 3)
    body += [0.0, -0.55, -0.05]
    corners = len(places) + len(centres) + random.integers(0, len(body), (900, 3))
    vertices = UNIT * np.concatenate([places, centres, body]) @ TURN.T
    of = np.concatenate([of, np.full(len(centres) + len(body), -1)])
    triangles = np.concatenate([triangles, corners])[:, [0, 2, 1]]
    uv = np.stack([vertices[..., 0] / 5 + 0.5, vertices[..., 2] / 5 + 0.5], axis=-1)[triangles]
    return OwnMesh.of("theirs", vertices, triangles, uv), of


@pytest.fixture(scope="module")
def profile(head, made):
    return register_mesh(head, made[0], load_mediapipe())


@pytest.fixture(scope="module")
def sent(head, made, profile):
    return put_on(head, profile, made[0], somebody(head, 2))


def test_unit_axes_and_place_are_found(profile):
    assert profile.scale == pytest.approx(1 / UNIT, rel=0.06)
    assert np.abs(profile.rotation @ TURN - np.eye(3)).max() < 0.06
    assert profile.median < 0.0003


def test_vertices_are_bound_to_the_places_they_were_made_from(head, made, profile):
    of = made[1]
    face = (of >= 0) & head.regions["face"][of] & (profile.kind == KINDS.index("skin"))
    rows = np.nonzero(face)[0]
    assert len(rows) > 1000
    off = np.linalg.norm(profile.bound(head.template, rows) - head.template[of[rows]], axis=1)
    # Along the skin a registration slides; off a lid or a lip it may not.
    assert np.median(off) < 0.0012
    assert np.quantile(off, 0.95) < 0.004
    both = np.isin(of, np.nonzero(head.regions["lips"])[0]) & face
    lips = np.nonzero(both)[0]
    assert np.quantile(
        np.linalg.norm(profile.bound(head.template, lips) - head.template[of[lips]], axis=1), 0.95
    ) < 0.0035  # fmt: skip


def test_eyes_are_eyes_and_a_body_is_nothing(head, made, profile):
    of = made[1]
    for side in "lr":
        ball = np.isin(of, np.unique(head.triangles[is_eyeball(head, side)]))
        assert (profile.kind[ball] == KINDS.index(f"eye_{side}")).all()
    assert (profile.kind[made[0].vertices[:, 2] < -2.5] == 0).all()


def test_scalp_ears_and_body_do_not_move_at_all(head, made, sent):
    mesh, of = made
    kept = np.zeros(len(of), bool)
    for name in ("scalp", "ear_l", "ear_r"):
        kept |= (of >= 0) & head.regions[name][of]
    inner = kept & (open_mask(head)[of] == 0)
    inner[-512:] = True
    moved = np.abs(sent.vertices - mesh.vertices).max(axis=1) > 0
    moved[sent.rows] |= np.abs(sent.deltas).max(axis=(0, 2)) > 0
    assert moved[inner].mean() < 0.02  # a vertex at the border may be bound just across it
    assert not moved[-512:].any()


def test_face_becomes_the_person(head, made, profile, sent):
    of = made[1]
    rows = np.nonzero((of >= 0) & head.regions["face"][of])[0]
    person = somebody(head, 2)
    fit = fit_similarity(sent.vertices[rows], person[of[rows]], np.ones(len(rows)))
    skin = head.triangles[is_skin(head)]
    before = closest_points(
        fit_similarity(made[0].vertices[rows], person[of[rows]], np.ones(len(rows)))(
            made[0].vertices[rows]
        ), person, skin,
    )  # fmt: skip
    after = closest_points(fit(sent.vertices[rows]), person, skin)
    assert np.median(after.distance) < 0.0004
    assert np.median(after.distance) < 0.35 * np.median(before.distance)


@pytest.mark.parametrize("strength", [0.0, 1.0])
def test_keys_pass_the_rig_check(head, made, profile, sent, strength):
    person = sent if strength else put_on(head, profile, made[0], somebody(head, 2), 0.0)
    check = check_rig(rig_arrays(head, profile, made[0], person), [("jawOpen", "mouthClose")])
    figures = [f for f in check.findings if f.check in ("region", "direction", "amplitude", "side")]
    assert len(figures) > 150
    wanted = ("region", "direction", "amplitude", "side", "blink", "mouthClose", "lips", "finite")
    assert [f for f in check.failures if f.check in wanted] == []


def test_strength_nothing_leaves_the_face_as_it_is(head, made, profile):
    person = put_on(head, profile, made[0], somebody(head, 2), 0.0)
    assert np.abs(person.vertices - made[0].vertices).max() < 1e-6 * UNIT
    assert np.linalg.norm(person.full("jawOpen"), axis=1).max() > 0.015 * UNIT


def test_weights_are_of_bones_for_all_of_the_mesh(profile, sent):
    assert sent.weights.sum(axis=1) == pytest.approx(1, abs=1e-5)
    eyes = [BONES.index("eye_l"), BONES.index("eye_r")]
    of_eye = sent.weights[:, eyes].max(axis=1) == 1
    assert of_eye.sum() == (profile.kind >= KINDS.index("eye_l")).sum() > 2 * 450
    assert sent.weights[:, BONES.index("jaw")].max() > 0.9
    assert (sent.weights[-512:, [BONES.index("jaw"), *eyes]] == 0).all()
    assert sent.joints[eyes[0], 0] > 0 > sent.joints[eyes[1], 0]


def test_wrapped_back_the_person_is_the_same(head, made, profile, sent):
    mesh = OwnMesh.of("sent", sent.vertices, made[0].triangles)
    back = wrap(head, register_mesh(head, mesh, load_mediapipe()))
    person, skin = somebody(head, 2), head.triangles[is_skin(head)]
    face = head.regions["face"]
    place = fit_similarity(back.neutral[face], person[face], np.ones(int(face.sum())))
    off = closest_points(place(back.neutral[face]), person, skin).distance
    assert np.median(off) < 0.0003
    assert np.quantile(off, 0.9) < 0.001


def test_a_wrapped_head_is_a_head_of_ours(head, profile, tmp_path):
    rigged = wrapped_head(head, profile)
    rigged.save(tmp_path / "head.npz")
    again = type(rigged).load(tmp_path / "head.npz")
    layer = again.key_names.tolist().index("photoResidual")
    assert again.key_values[layer] == 1.0
    whole = again.basis + again.key_deltas[layer]
    face = head.regions["face"]
    theirs = profile.laid[face].astype(float)
    place = fit_similarity(whole[face].astype(float), theirs, np.ones(int(face.sum())))
    assert np.median(np.linalg.norm(place(whole[face].astype(float)) - theirs, axis=1)) < 1e-4


def test_skin_is_drawn_where_it_belongs(head, made, profile):
    # The picture says where it was read: red and green are the place in our layout.
    size = 256
    steps = ((np.arange(size) + 0.5) / size * 255).astype(np.uint8)
    picture = np.zeros((size, size, 3), np.uint8)
    picture[..., 0], picture[..., 1] = steps[None], steps[::-1, None]
    drawn = rebake(head, profile, made[0], decode_own_png(encode_png(picture)), size)
    places, of = places_in_our_layout(head, profile), made[1]
    nose = np.nonzero((of >= 0) & head.regions["nose"][of] & (made[0].vertices[:, 1] < -1.0))[0]
    layout = np.zeros((head.vertex_count, 2))
    layout[head.triangles[is_skin(head)]] = triangle_uv(head)[is_skin(head)]
    assert np.median(np.abs(places[nose] - layout[of[nose]])) < 0.004
    uv = np.stack([made[0].vertices[:, 0] / 5 + 0.5, made[0].vertices[:, 2] / 5 + 0.5], axis=1)
    at = np.floor(np.stack([uv[nose, 0], 1 - uv[nose, 1]], axis=1) * size).astype(int)
    seen = drawn[at[:, 1], at[:, 0]]
    assert (seen[:, 3] > 250).mean() > 0.95
    error = np.abs(seen[:, :2] / 255 - places[nose])
    assert np.median(error) < 0.01


def test_files_come_back_as_they_were(head, made, profile, sent, tmp_path):
    profile.save(tmp_path / "p.npz")
    again = HeadProfile.load(tmp_path / "p.npz")
    assert again.digest == profile.digest
    assert np.array_equal(again.corners, profile.corners)
    save_person(sent, tmp_path / "c.npz")
    person = load_person(tmp_path / "c.npz", len(made[0].vertices))
    assert np.array_equal(person.deltas, sent.deltas)
    assert person.key_names == sent.key_names
    with pytest.raises(MeshError, match="damaged"):
        load_person(tmp_path / "c.npz", 5)
    replace(profile, corners=profile.corners + 10**6).save(tmp_path / "q.npz")
    (tmp_path / "r.npz").write_bytes(b"PK no")
    for name in ("q.npz", "r.npz", "none.npz"):
        with pytest.raises(MeshError, match="register the mesh again"):
            HeadProfile.load(tmp_path / name)


def test_a_mesh_that_was_changed_is_told(head, made, profile):
    other = OwnMesh.of("theirs", made[0].vertices + 1.0, made[0].triangles)
    with pytest.raises(MeshError, match="has changed since"):
        put_on(head, profile, other, head.template)


def test_command_writes_all_of_it(head, made, profile, tmp_path, capsys):
    mesh = made[0]
    path = tmp_path / "theirs.obj"
    lines = [f"v {x:.7f} {y:.7f} {z:.7f}" for x, y, z in mesh.vertices]
    lines += [f"f {a} {b} {c}" for a, b, c in mesh.triangles + 1]
    path.write_text("\n".join(lines))
    read = read_mesh(path)
    assert np.array_equal(read.triangles, mesh.triangles)
    replace(profile, mesh=read).save(tmp_path / "profile.npz")
    out = tmp_path / "out"
    given = ["--profile", str(tmp_path / "profile.npz"), "--out", str(out)]
    assert main(["conform", str(path), *given]) == 0
    report = json.loads((out / "report.json").read_text())
    assert report["vertices"] == len(mesh.vertices)
    assert main(["wrap", str(path), *given]) == 0
    assert (out / "head.npz").is_file()
    assert main(["conform", str(tmp_path / "none.obj"), "--out", str(out)]) == 2
    assert "cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("vertices", "triangles", "sentence"),
    [
        (np.zeros((3, 3)), np.zeros((1, 3), int), "too few"),
        (np.full((400, 3), np.nan), np.zeros((400, 3), int), "no numbers"),
        (np.zeros((400, 3)), np.zeros((400, 3), int), "in one place"),
        (np.eye(3)[np.arange(400) % 3], np.full((400, 3), 500), "refer to vertices"),
    ],
)
def test_a_damaged_mesh_is_refused_with_a_sentence(vertices, triangles, sentence):
    with pytest.raises(MeshError, match=sentence):
        OwnMesh.of("broken", vertices, triangles)


def test_faces_without_area_are_left_out(made):
    mesh = made[0]
    flat = np.concatenate([mesh.triangles, np.repeat(mesh.triangles[:50, :1], 3, axis=1)])
    assert len(OwnMesh.of("flat", mesh.vertices, flat).welded.rows) <= len(mesh.triangles)
    with pytest.raises(MeshError, match="no area"):
        _ = OwnMesh.of("lines", mesh.vertices, mesh.triangles[:, [0, 0, 1]]).welded


def test_a_mouth_without_an_opening_is_told_from_one_with(head):
    ids = np.arange(len(head.landmark_vertices), dtype=np.int32)
    points, skin = head.landmarks(head.template, ids), head.triangles[is_skin(head)]
    assert has_opening(lower_lip_share(head.template, skin, points)[1])
    # The same face as a sheet without a slit: a grid over it, as a scan has.
    x, y = np.meshgrid(np.linspace(-0.06, 0.06, 60), np.linspace(-0.1, 0.05, 75))
    grid = np.stack([x, y, np.zeros_like(x)], axis=-1).reshape(-1, 3)
    i = np.arange(74 * 60).reshape(74, 60)[:, :-1].ravel()
    sheet = np.concatenate([np.stack([i, i + 1, i + 60], 1), np.stack([i + 1, i + 61, i + 60], 1)])
    assert not has_opening(lower_lip_share(grid, sheet, points * [1, 1, 0])[1])


def test_seams_of_textures_are_sewn_and_neighbours_are_not(made):
    mesh = made[0]
    # All corners apart, as a file with its own normals at every face has them.
    corners = np.arange(mesh.triangles.size).reshape(-1, 3)
    apart = OwnMesh.of("apart", mesh.vertices[mesh.triangles.ravel()], corners)
    used = len(np.unique(mesh.triangles))
    assert abs(len(np.unique(apart.welded.triangles)) - used) < 0.01 * used


def test_half_a_head_and_a_heap_are_refused_with_a_sentence(head, made):
    mesh = made[0]
    half = (mesh.vertices[mesh.triangles][..., 0] > 0).all(axis=1)
    with pytest.raises(MeshError, match=r"whole head|mesh of a head|opening|near"):
        register_mesh(
            head, OwnMesh.of("half", mesh.vertices, mesh.triangles[half]), load_mediapipe()
        )


def test_non_manifold_edges_do_no_harm(made):
    """Three faces on an edge, a face twice, and a loose island: all of it stays where it is."""
    mesh = made[0]
    extra = np.stack(
        [mesh.triangles[:40, 0], mesh.triangles[:40, 1], mesh.triangles[900:940, 2]], 1
    )
    both = np.concatenate([mesh.triangles, mesh.triangles[:30], extra])
    welded = OwnMesh.of("folded", mesh.vertices, both).welded
    assert len(welded.triangles) <= len(both)
    corners = corners_of(OwnMesh.of("folded", mesh.vertices, both))
    ids = np.sort(both.ravel()[np.maximum(corners, 0)][:, :3], axis=1)
    assert len(np.unique(ids, axis=0)) == len(ids)
