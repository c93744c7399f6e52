# SPDX-License-Identifier: GPL-3.0-or-later
"""Several photos of one person, compared with each other: from patches to a nearer head.

The photos are drawn from heads whose shape is known, with a skin that is a function of the place
on it, and each in a light of its own.
"""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from core.cues.match_photos import match_photos
from core.cues.patch_flow import patch_flow, pixel_centres
from core.cues.photo_matches import PhotoMatches
from core.cues.rendered_cues import rendered_cues
from core.cues.screen_cues import ScreenCues
from core.errors import FitError, ModelFileError
from core.fitting import FitProblem, fit_head
from core.fitting.landmark_model import load_landmark_model
from core.fitting.match_block import MatchBlock, match_blocks
from core.fitting.several_photos import fit_several_photos, start_of
from core.fitting.state import Layout, PhotoState, State
from core.geometry.bilinear import bilinear
from core.geometry.camera import Camera
from core.geometry.mesh import vertex_normals
from core.geometry.raster import rasterise
from core.geometry.rotation import matrix_from_vector
from core.heads import load_open_head
from core.photos.photo import Photo
from core.reconstruct.continuation import Continuation, with_first
from core.reconstruct.refit import continuation_of
from core.reconstruct.seen_photo import SeenPhoto

SIZE = 400
YAWS = (-22.0, 0.0, 20.0)


@pytest.fixture(scope="module")
def head():
    return load_open_head()


def waves(rng, count=60):
    """Waves of 3 to 12 mm through space: (count, 3) and (count,) phases."""
    ways = rng.normal(size=(count, 3))
    ways *= (2 * np.pi / rng.uniform(3e-3, 12e-3, count) / np.linalg.norm(ways, axis=1))[:, None]
    return ways, rng.uniform(0, 2 * np.pi, count)


def camera(yaw):
    R = np.diag([1.0, -1.0, -1.0]) @ matrix_from_vector(np.array([0.03, np.radians(yaw), 0.02]))
    return Camera.with_focal(900.0, R, np.array([0.0, 0.02, 0.62]), SIZE, SIZE)


def drawn(head, vertices, view, skin, light):
    """A photo of a head whose colour is a sum of waves at each point of the average head."""
    seen = rasterise(
        view.project(vertices), view.to_camera(vertices)[:, 2], head.triangles, SIZE, SIZE
    )
    place = seen.interpolate(head.template[head.triangles])
    normal = seen.interpolate(vertex_normals(vertices, head.triangles)[head.triangles])
    ways, phases = skin
    tone = 0.55 + 0.25 * np.sin(place @ ways.T + phases).sum(axis=-1) / np.sqrt(len(ways))
    shade = 0.55 + 0.45 * np.clip(normal @ light, 0, 1)
    value = np.where(seen.triangle >= 0, tone * shade, 0.3)
    grey = np.clip(255 * value, 0, 255).astype(np.uint8)
    return Photo(np.repeat(grey[..., None], 3, axis=2), f"drawn {light[0]:.2f}")


def person(head, seed, *, skins=1):
    """cues with landmarks that are wrong alike in all photos, as a network's are; photos; the true
    vertices in each photo.
    """
    rng = np.random.default_rng(seed)
    identity = rng.normal(0, 1, 100)
    noses = np.zeros((478, 3))
    noses[head.landmark_ids] = 2e-3 * np.sin(
        head.landmarks(head.template, head.landmark_ids) * 60 + rng.uniform(0, 6, 3)
    )
    several = [waves(rng) for _ in range(skins)]
    cues, photos, truth = [], [], []
    model = load_landmark_model()
    for i, yaw in enumerate(YAWS):
        view = camera(yaw)
        expression = np.zeros(head.expression_count)
        expression[head.expression_names.index("jawOpen")] = 0.1 * i
        rotations = np.zeros((len(head.joint_names), 3))
        vertices = head.pose(identity, expression, rotations, correctives=False)
        light = np.array([0.6 * (i - 1), 0.4, 0.7])
        photos.append(drawn(head, vertices, view, several[i % skins], light))
        exact = rendered_cues(head, identity, expression, rotations, view, landmarks=True)
        wrong = (noses + model.offset(view.R)) @ view.R.T
        scale = view.focal / view.t[2]
        cues.append(
            ScreenCues(
                SIZE,
                SIZE,
                "drawn",
                landmarks=exact.landmarks + scale * wrong[:, :2],
                landmark_depth=exact.landmark_depth + scale * wrong[:, 2],
            )
        )
        truth.append(vertices)
    return cues, photos, truth


def off(head, fit, truth):
    """Root mean square of the distance of the face's vertices along the normal, mm, after the best
    similarity, over the photos.
    """
    face, errors = head.regions["face"], []
    for photo, true in zip(fit.photos, truth, strict=True):
        a, b = photo.vertices[face], true[face]
        ca, cb = a.mean(axis=0), b.mean(axis=0)
        u, d, vt = np.linalg.svd((b - cb).T @ (a - ca))
        turn = u @ vt
        scale = d.sum() / ((a - ca) ** 2).sum()
        moved = scale * (a - ca) @ turn.T + cb
        along = ((moved - b) * vertex_normals(true, head.triangles)[face]).sum(axis=1)
        errors.append(1e3 * np.sqrt(np.mean(along**2)))
    return float(np.mean(errors))


@pytest.fixture(scope="module")
def somebody(head):
    cues, photos, truth = person(head, 3)
    return cues, photos, truth, fit_head(FitProblem(head, cues))


@pytest.fixture(scope="module")
def compared(head, somebody):
    cues, photos, _, _ = somebody
    return fit_several_photos(FitProblem(head, cues), photos)


def test_patches_find_a_smooth_shift_in_another_light():
    rng = np.random.default_rng(0)
    ways = rng.normal(size=(40, 2)) * 0.5
    phases = rng.uniform(0, 6, 40)

    def skin(places):
        return 0.5 + 0.05 * np.sin(places @ ways.T + phases).sum(axis=-1)

    here = pixel_centres(120, 140)
    shift = np.stack([3 + 2 * np.sin(here[..., 1] / 40), -2 + 0.02 * here[..., 0]], axis=-1)
    light = 0.6 + 0.4 * here[..., 0] / 140
    second = skin(here)
    first = light * skin(here + shift)
    flow = patch_flow(first, second, np.ones((120, 140), bool))
    inner = np.zeros((120, 140), bool)
    inner[12:-12, 12:-12] = True
    error = np.linalg.norm(flow.shift - shift, axis=-1)[inner & flow.found]
    assert (inner & flow.found).sum() > 0.9 * inner.sum()
    assert np.median(error) < 0.1
    assert np.quantile(error, 0.95) < 0.4


def test_a_patch_is_sure_across_an_edge_and_unsure_along_it():
    here = pixel_centres(80, 80)
    rng = np.random.default_rng(1)
    edge = (here[..., 0] > 40) + rng.normal(0, 0.02, (80, 80))
    flow = patch_flow(edge, edge + rng.normal(0, 0.02, (80, 80)), np.ones((80, 80), bool))
    at = np.zeros((80, 80), bool)
    at[40, 40] = True
    (covariance,) = flow.covariance(at)
    assert covariance[1, 1] > 10 * covariance[0, 0] > 0


def test_between_pixels_a_picture_is_linear():
    picture = np.arange(12.0).reshape(3, 4)
    places = np.array([[0.5, 0.5], [2.0, 1.5], [3.5, 2.5], [9.0, -1.0]])
    assert bilinear(picture, places, np.float64).tolist() == [0.0, 5.5, 11.0, 3.0]


def true_places(head, truth, a, b, places):
    """Where photo b shows what photo a shows at places (n, 2)."""
    first, second = camera(YAWS[a]), camera(YAWS[b])
    seen = rasterise(
        first.project(truth[a]), first.to_camera(truth[a])[:, 2], head.triangles, SIZE, SIZE
    )
    x, y = places.astype(int).T
    corners = truth[b][head.triangles[seen.triangle[y, x]]]
    centres = second.project(np.einsum("nk,nkc->nc", seen.barycentric[y, x], corners))
    return centres + (places - np.stack([x, y], axis=1) - 0.5)


def test_matches_lie_where_the_same_skin_is(head, somebody):
    _, photos, truth, plain = somebody
    found = match_photos(head, plain.photos, photos)
    assert {(m.first, m.second) for m in found} == {(0, 1), (0, 2), (1, 2)}
    for m in found:
        there = true_places(head, truth, m.first, m.second, m.at_first)
        error = np.linalg.norm(there - m.at_second, axis=1)
        assert m.count > 100
        assert np.median(error) < 0.5
        assert np.mean(error < 2) > 0.9


def test_the_head_comes_nearer(head, somebody, compared):
    _, _, truth, plain = somebody
    fit = compared.fit
    assert off(head, fit, truth) < 0.6 * off(head, plain, truth)
    assert compared.matches
    report = fit.report["matches"]
    assert report["explained_share"] > 0.8
    assert [p["photos"] for p in report["pairs"]] == [[m.first, m.second] for m in compared.matches]
    assert all(share > 0 for share in fit.report["uncertainty_lowered_mm"])
    assert fit.report["face_uncertainty_mm"] < plain.report["face_uncertainty_mm"]
    assert not [w for w in fit.warnings if "Comparing" in w]


def test_photos_that_have_nothing_in_common_change_nothing_and_it_is_said(head):
    cues, photos, _ = person(head, 4, skins=3)
    plain = fit_head(FitProblem(head, cues))
    both = fit_several_photos(FitProblem(head, cues), photos)
    assert np.array_equal(both.fit.identity, plain.identity)
    assert both.matches == ()
    assert any("Comparing the photos with each other did not help" in w for w in both.fit.warnings)


def test_a_photo_whose_pixels_are_gone_is_left_out(head, somebody):
    _, photos, _, plain = somebody
    found = match_photos(head, plain.photos, [photos[0], None, photos[2]])
    assert [(m.first, m.second) for m in found] == [(0, 2)]


def exact_block(head, state, layout, rng):
    """A block whose matches are what ``state`` shows, so that nothing is left to explain."""
    triangle = rng.choice(
        np.nonzero(head.regions["face"][head.triangles].all(axis=1))[0], 30, replace=False
    )
    barycentric = rng.dirichlet([2, 2, 2], 30)
    nothing = np.zeros((30, 2))
    square = rng.normal(size=(30, 2, 2))
    covariance = square @ square.transpose(0, 2, 1) + np.eye(2)
    matches = PhotoMatches(0, 1, nothing, nothing, covariance, 0.7)
    centres = (np.array([256.0, 250.0]), np.array([200.0, 260.0]))
    block = MatchBlock(head, layout, matches, triangle, barycentric, centres)
    shown = [block._errors(state, k)[0] for k in (0, 1)]
    return MatchBlock(
        head,
        layout,
        replace(matches, at_first=shown[0], at_second=shown[1]),
        triangle,
        barycentric,
        centres,
    )


def test_the_jacobian_agrees_with_differences(head):
    rng = np.random.default_rng(5)
    layout = Layout(12, head.expression_count, 2, 3)

    def photo():
        return PhotoState(
            R=matrix_from_vector(np.array([np.pi, 0, 0]) + rng.normal(0, 0.2, 3)),
            t=np.array([0.02, -0.03, 0.6]),
            log_focal=float(np.log(700) + rng.normal(0, 0.2)),
            gaze=rng.choice([-1, 1], 4) * rng.uniform(0.03, 0.12, 4),
            expression=rng.uniform(0.2, 0.6, head.expression_count),
            drift=np.zeros(3),
        )

    state = State(rng.normal(0, 1, 12), (photo(), photo()))
    block = exact_block(head, state, layout, rng)
    residuals, jacobian = block.linearise(state)
    assert np.abs(residuals).max() < 1e-6
    bound = np.full(head.expression_count, 9.0)
    scale = np.abs(jacobian).max()
    for column in [0, 5, *rng.choice(len(block.columns), 25, replace=False)]:
        step = np.zeros(layout.size)
        step[block.columns[column]] = 1e-6
        ahead = block.residuals(layout.moved(state, step, bound, -bound))
        behind = block.residuals(layout.moved(state, -step, bound, -bound))
        assert np.abs((ahead - behind) / 2e-6 - jacobian[:, column]).max() < 1e-5 * scale


def state_of_fit(head, fit):
    """(layout, state) where a fit of three photos ended."""
    count = len(fit.identity)
    layout = Layout(count, head.expression_count, 3, len(fit.photos[0].drift))
    return layout, State(fit.identity, start_of(fit).photos)


def test_a_point_may_slide_along_the_skin_but_not_leave_it(head, somebody):
    """The residual is about depth: a match is met by a point anywhere on the surface."""
    _, _, _, plain = somebody
    layout, state = state_of_fit(head, plain)
    block = exact_block(head, state, layout, np.random.default_rng(6))
    m = block.matches
    shift = np.array([0.8, -0.5])
    slide, _, _ = block._seen(state)
    along = replace(m, at_first=m.at_first + shift, at_second=m.at_second + slide @ shift)
    moved = MatchBlock(head, layout, along, block.triangle, block.barycentric, block.centres)
    assert np.abs(moved.residuals(state)).max() < 1e-6


def test_no_blocks_without_skin_under_the_matches(head, somebody):
    cues, _, _, plain = somebody
    layout, state = state_of_fit(head, plain)
    corner = np.array([[1.0, 1.0], [3.0, 2.0]])
    nowhere = PhotoMatches(0, 1, corner, corner, np.tile(np.eye(2), (2, 1, 1)), 1.0)
    assert match_blocks(head, layout, cues, state, [nowhere]) == []


@pytest.mark.parametrize(
    "spoil",
    [
        {"at_first": np.full((2, 2), np.nan)},
        {"at_second": np.zeros((3, 2))},
        {"covariance": np.zeros((2, 2, 2))},
        {"spread_second": 0.0},
        {"second": 0},
    ],
    ids=["not numbers", "another count", "of no width", "no spread", "with itself"],
)
def test_damaged_matches_are_refused(spoil):
    good = PhotoMatches(0, 1, np.zeros((2, 2)), np.zeros((2, 2)), np.tile(np.eye(2), (2, 1, 1)), 1)
    with pytest.raises(FitError, match="damaged"):
        replace(good, **spoil)


@pytest.fixture(scope="module")
def told(head, somebody, compared):
    cues, photos, _, _ = somebody
    seen = [SeenPhoto(p, c, None, "estimated").record for p, c in zip(photos, cues, strict=True)]
    return continuation_of(head, compared.fit, seen, (), compared.matches).to_json()


def test_matches_live_on_with_the_head(compared, told):
    again = Continuation.from_json(told)
    assert again.to_json() == told
    for was, now in zip(compared.matches, again.matches, strict=True):
        assert np.abs(was.at_first - now.at_first).max() < 0.01
        assert np.abs(was.at_second - now.at_second).max() < 0.01
        assert np.allclose(was.covariance, now.covariance, rtol=1e-3)
    swapped = Continuation.from_json(with_first(told, 2))
    assert swapped.photos[0].name == again.photos[2].name
    assert {(m.first, m.second) for m in swapped.matches} == {(1, 2), (1, 0), (2, 0)}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda m: m.update(photos=[0, 7]),
        lambda m: m.update(photos=[0, True]),
        lambda m: m.update(at=m["at"] * 500),
        lambda m: m.update(at=[[1, 2]]),
        lambda m: m["at"][0].__setitem__(0, "a"),
        lambda m: m["covariance"].__setitem__(0, [-1.0, 0.0, 1.0]),
        lambda m: m.update(spread=-1),
        lambda m: m.pop("at"),
    ],
)
def test_damaged_matches_in_a_file_are_one_sentence(told, spoil):
    data = json.loads(told)
    spoil(data["matches"][0])
    with pytest.raises(ModelFileError, match="damaged"):
        Continuation.from_json(json.dumps(data))
