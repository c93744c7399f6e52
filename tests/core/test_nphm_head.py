# SPDX-License-Identifier: GPL-3.0-or-later
"""The neural head's surface, rays, fit and detail, on a decoder of known shape."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import trimesh

from core.errors import FitError, ModelFileError
from core.heads import load_open_head
from core.nphm.decoder import NEGLIGIBLE, Codes
from core.nphm.fit import NeuralFit, Observation, Widths, fit_codes
from core.nphm.onto_rig import KEPT, TEXELS, detail_maps, detail_mask, directions, project
from core.nphm.placement import place
from core.nphm.regressor import SIZE, Regressor, front_map
from core.nphm.render import (
    depth_slopes,
    normals,
    onto_surface,
    tangent_slopes,
    tangents_of,
    trace,
)
from core.nphm.surface import extract
from tests.support.nphm_like import nphm_like

QUICK = Widths(rounds=4)
#: A box around the face, units; millimetres a unit.
LOW, HIGH, MM = np.array([-0.28, -0.3, -0.05]), np.array([0.28, 0.25, 0.45]), 250.0


@pytest.fixture(scope="module")
def head():
    return load_open_head()


@pytest.fixture(scope="module")
def neural(head):
    return nphm_like(head)


def field_of(neural, a=None, e=None):
    s = neural.statistics
    a = np.zeros(s.basis.shape[1]) if a is None else a
    e = np.zeros(s.basis_exp.shape[1]) if e is None else e
    return neural.decoder.field(Codes(s.identity(a), s.face(e)))


def front(count, seed=1, wide=0.24):
    rng = np.random.default_rng(seed)
    o = np.column_stack([rng.uniform(-wide, wide, (count, 2)) * [1, 1.3], np.full(count, 0.8)])
    return o, np.tile([0.0, 0.0, -1.0], (count, 1))


def test_surface_lies_on_the_level_and_few_are_asked(neural):
    field = field_of(neural)
    cell = 0.016
    sparse = extract(lambda p: field.distance(p, NEGLIGIBLE), LOW, HIGH, cell)
    counts = np.ceil((HIGH - LOW) / cell)
    # Of coarse cells many are near the surface: the gain grows as cells shrink.
    assert sparse.queries < 0.55 * np.prod(counts + 1)
    mesh = trimesh.Trimesh(sparse.vertices, sparse.triangles, process=False)
    assert mesh.is_watertight and mesh.volume > 0
    inside = ((sparse.vertices > LOW + cell) & (sparse.vertices < HIGH - 2 * cell)).all(axis=1)
    off = np.abs(field.distance(sparse.vertices[inside])) * MM
    assert np.percentile(off, 99) < 0.05


def test_no_surface_and_no_numbers_are_said():
    for distance in (lambda p: np.ones(len(p)), lambda p: np.full(len(p), np.nan)):
        with pytest.raises(FitError):
            extract(distance, LOW, HIGH, 0.03)


def test_rays_follow_codes(neural):
    rng = np.random.default_rng(3)
    i, x = neural.statistics.basis.shape[1], neural.statistics.basis_exp.shape[1]
    a, e = 0.7 * rng.standard_normal(i), 0.7 * rng.standard_normal(x)
    va, ve = rng.standard_normal(i), rng.standard_normal(x)
    field = field_of(neural, a, e)
    o, d = front(150)
    hit = trace(field, o, d, 1.2)
    assert hit.met.mean() > 0.9
    points, d = hit.points[hit.met], d[hit.met]
    keep = normals(field, points)[:, 2] > 0.4
    points, d, o = points[keep], d[keep], o[hit.met][keep]
    tangent, _ = tangents_of(normals(field, points))
    step = 5e-3
    there = [field_of(neural, a + s * step * va, e + s * step * ve) for s in (1, -1)]
    met = [onto_surface(f, points, d, 0.1) for f in there]
    depth = ((met[0] - met[1]) * d).sum(axis=1) / (2 * step)
    said = depth_slopes(field, points, d)
    by = said.geometry @ (neural.statistics.basis @ va)
    by = by + said.expression @ (neural.statistics.basis_exp @ ve)
    assert np.percentile(np.abs(by - depth), 95) < 1e-3 * np.abs(depth).max()
    turn = [tangent_slopes(f, m, tangent).value for f, m in zip(there, met, strict=True)]
    turn = (turn[0] - turn[1]) / (2 * step)
    said = tangent_slopes(field, points, tangent, d)
    by = said.geometry @ (neural.statistics.basis @ va)
    by = by + said.expression @ (neural.statistics.basis_exp @ ve)
    assert np.percentile(np.abs(by - turn), 80) < 0.02 * np.abs(turn).max()


def observed(neural, a, e, seed):
    """A face seen from the front: normals with noise, a mesh that is off by a millimetre and more,
    a fifth hidden; and the true field.
    """
    rng = np.random.default_rng(seed)
    field = field_of(neural, a, e)
    o, d = front(260, seed)
    hit = trace(field, o, d, 1.2)
    points = hit.points[hit.met]
    n = normals(field, points)
    hidden = (points[:, 0] > 0.06) & (points[:, 1] > 0.0)
    keep = (n[:, 2] > 0.3) & ~hidden
    assert hidden.mean() > 0.15
    points, n = points[keep], n[keep]
    n = n + 0.08 * rng.standard_normal(n.shape)
    n /= np.linalg.norm(n, axis=1, keepdims=True)
    waves = np.sin(points @ (8 * rng.standard_normal((3, 6))) + rng.uniform(0, 6, 6))
    points = points + n * (waves @ rng.standard_normal(6))[:, None] * 0.003
    anchors = field.anchors + 0.008 * rng.standard_normal(field.anchors.shape)
    one = np.ones(len(points))
    return field, Observation(points, n, one, one, anchors)


def error(truth, found):
    """Millimetres and degrees over the face, mean."""
    o, d = front(300, 77)
    hit = trace(truth, o, d, 1.2)
    points = hit.points[hit.met]
    n = normals(truth, points)
    keep = n[:, 2] > 0.3
    points, n = points[keep], n[keep]
    off = np.abs(found.distance(points)).mean() * MM
    cosine = (normals(found, onto_surface(found, points, n, 0.03)) * n).sum(axis=1)
    return off, np.degrees(np.arccos(np.clip(cosine, -1, 1))).mean()


def test_codes_are_found_again_and_one_person_stays_one(neural):
    rng = np.random.default_rng(8)
    i, x = neural.statistics.basis.shape[1], neural.statistics.basis_exp.shape[1]
    a = 0.8 * rng.standard_normal(i)
    faces = [0.8 * rng.standard_normal(x) for _ in range(2)]
    seen = [observed(neural, a, e, 20 + k) for k, e in enumerate(faces)]
    both = fit_codes(neural, [o for _, o in seen], None, QUICK)
    assert both.costs[-1] < both.costs[len(both.costs) - 2] * 1.001
    for k, (truth, _) in enumerate(seen):
        before = error(truth, field_of(neural))
        after = error(truth, field_of(neural, both.identity, both.faces[k]))
        assert after[0] < 0.7 * before[0] and after[1] < 0.7 * before[1]
    # From a start that knows the codes roughly, it stays near it.
    rough = NeuralFit(
        a + 0.2 * rng.standard_normal(i), (faces[0] + 0.2 * rng.standard_normal(x),), ()
    )
    near = fit_codes(neural, [seen[0][1]], rough, QUICK)
    assert np.abs(near.identity - rough.identity).mean() < 0.5
    truth = seen[0][0]
    started = error(truth, field_of(neural, near.identity, near.faces[0]))
    alone = fit_codes(neural, [seen[0][1]], None, QUICK)
    # What it gains differs by hundredths of a millimetre between machines; it never harms.
    without = error(truth, field_of(neural, alone.identity, alone.faces[0]))
    assert started[0] < 1.1 * without[0]
    assert started[0] < 0.7 * error(truth, field_of(neural))[0]


def test_nothing_to_fit_to_is_said(neural):
    one = Observation(np.zeros((3, 3)), np.zeros((3, 3)), np.ones(3), np.ones(3))
    with pytest.raises(FitError):
        fit_codes(neural, [one])
    bad = Observation(np.full((20, 3), np.nan), np.zeros((20, 3)), np.ones(20), np.ones(20))
    with pytest.raises(FitError):
        fit_codes(neural, [bad])


def test_detail_comes_onto_the_mesh_and_leaves_lips_lids_and_ears(head, neural):
    where = place(head, neural.decoder)
    assert where.gap < 1e-4 and abs(where.scale - 4) < 1e-3
    field = field_of(neural)
    mask = detail_mask(head, head.template)
    kept = np.any([head.regions[name] for name in KEPT if name in head.regions], axis=0)
    assert not mask[kept].any() and (mask > 0.5).sum() > 500
    done = project(field, where, head, head.template, mask)
    moved = head.template + done.along[:, None] * directions(head, head.template)
    inside = mask > 0.95
    gap = [np.abs(field.distance(where.to_units(v[inside]))) * MM for v in (head.template, moved)]
    assert np.median(gap[1]) < 0.4 * np.median(gap[0])
    maps = detail_maps(field, where, head, head.template, done, TEXELS // 4)
    assert maps.known.sum() > 500 and np.isfinite(maps.height).all()
    assert (maps.normal[~maps.known] == [128, 128, 255]).all()
    assert maps.normal[maps.known][:, 2].mean() > 180


def test_front_map_shows_the_face_once(head, neural):
    where = place(head, neural.decoder)
    points = where.to_units(head.template)
    view = front_map(points, head.outer_triangles, np.tile([0.0, 0, 1], (len(points), 1)),
                     np.ones(len(points)))  # fmt: skip
    assert view.shape == (5, SIZE, SIZE) and 0.3 < view[4].mean() < 0.9
    nose = points[:, 2].max()
    assert abs(view[3].max() - nose) < 0.03


def test_regressor_of_another_decoder_is_refused(neural, tmp_path):
    with pytest.raises(ModelFileError):
        Regressor.load(tmp_path / "none.npz")
    s = neural.statistics
    net = Regressor({"place": np.zeros((64, 8), np.float32)}, 2, s)
    other = replace(s, geometry=s.geometry[:-1])
    with pytest.raises(ModelFileError, match="another decoder"):
        net.start(np.zeros((5, SIZE, SIZE), np.float32), other)


def test_whole_way_on_a_photo_and_the_rig_holds(head, neural, example_photo, monkeypatch):
    from core.nphm import person as person_module
    from core.options import Options
    from core.photos.photo import load_photo
    from core.pipeline import reconstruct, rig_heads
    from core.reconstruct import resources
    from core.reconstruct.resources import NeuralTier
    from core.rig.rig_arrays import RigArrays
    from core.rig.rig_check import check_rig

    monkeypatch.setattr(person_module, "CELL", 0.012)
    monkeypatch.setattr(person_module, "MAP", 48)
    monkeypatch.setattr("core.pipeline.load_neural", lambda name, models: NeuralTier(neural, None))
    photo = load_photo(example_photo)
    options = Options(head="nphm", predictor="landmarks", texture="off")
    person = reconstruct([photo], options)[0]
    rigged = rig_heads([photo], [person], options)[0]
    key = rigged.key_names.tolist().index("photoDetail")
    assert rigged.key_values[key] == 1.0
    moved = np.linalg.norm(rigged.key_deltas[key], axis=1)
    assert 0.0005 < moved.max() < 0.0061
    assert not moved[head.regions["lips"]].any()
    assert rigged.licence_commercial == 0 and "undeclared" in rigged.licence_spdx
    assert person.report["licences"]["commercial_use"] is False
    assert any("no normals" in sentence for sentence in person.warnings)
    assert person.neural is not None and len(person.neural.vertices) > 500
    assert check_rig(RigArrays.of(rigged), []).passed
    monkeypatch.undo()
    with pytest.raises(ModelFileError, match="NPHM"):
        resources.load_neural("nphm", None)
