# SPDX-License-Identifier: GPL-3.0-or-later
"""The skin's texture, against heads whose skin, light and cover are known."""

from __future__ import annotations

import zlib
from dataclasses import replace

import numpy as np
import pytest

from core.appearance.atlas import Atlas, skin_atlas, skin_faces
from core.appearance.covering import look_for_cover
from core.appearance.hair import hair_colour
from core.appearance.layers import layer_of, light_of, source_of
from core.appearance.lighting import fit_light, surroundings
from core.appearance.painted_skin import painted_skin
from core.appearance.skin_tone import skin_at, tone_of
from core.appearance.spreading import blurred, doubled, filled, halved, stretched
from core.appearance.surface_maps import relief, roughness
from core.appearance.texture import COARSE, FILLED, REFLECTED, SHOWN, paint
from core.appearance.views import view_of
from core.appearance.visibility import COUNT, directions, responses
from core.files.png import encode_png, picture_sides
from core.geometry.bilinear import bilinear
from core.geometry.camera import Camera
from core.geometry.mesh import vertex_normals
from core.geometry.raster import rasterise
from core.geometry.rotation import matrix_from_vector
from core.heads import load_open_head
from core.heads.corners import is_skin, triangle_uv
from core.photos.colour import linear_from_srgb, srgb_from_linear
from core.photos.photo import Photo
from core.reconstruction import PhotoFit

SIDE = 420
BACKGROUND = np.array([20, 160, 40])


@pytest.fixture(scope="module")
def head():
    return load_open_head()


def albedo_of(points):
    """A colour for each place on the head (n, 3) -> (n, 3) linear: skin with a few patches, not
    the same on both sides.
    """
    skin = np.array([0.45, 0.26, 0.19])
    wave = 1 + 0.12 * np.sin(points @ np.array([[160.0], [90.0], [40.0]]))
    out = skin * wave
    left = points[:, 0] > 0.02
    out[left] *= [1.1, 0.95, 0.95]
    return out


def shot(head, turn, light=(0.2, 0.3, 0.6), ambient=0.5):
    """A photo of the head at rest, looked at from ``turn`` radians to its right, and its fit."""
    rotation = np.diag([1.0, -1.0, -1.0]) @ matrix_from_vector(np.array([0.0, turn, 0.0]))
    vertices = head.neutral()
    middle = vertices.mean(axis=0) + np.array([0, 0.02, 0])
    camera = Camera.with_focal(
        1.9 * SIDE, rotation, np.array([0.0, 0.0, 0.75]) - rotation @ middle, SIDE, SIDE
    )
    shade = ambient + np.clip(vertex_normals(vertices, head.triangles) @ np.array(light), 0, None)
    colour = albedo_of(vertices) * shade[:, None]
    seen = rasterise(
        camera.project(vertices), camera.to_camera(vertices)[:, 2], head.triangles, SIDE, SIDE
    )
    linear = seen.interpolate(colour[head.triangles])
    pixels = np.round(255 * srgb_from_linear(np.clip(linear, 0, 1))).astype(np.uint8)
    pixels[seen.triangle < 0] = BACKGROUND
    landmarks = camera.project(head.landmarks(vertices))
    full = np.full((478, 2), np.nan)
    full[head.landmark_ids] = landmarks
    full[np.isnan(full)] = np.nanmean(full)
    fit = PhotoFit(
        expression=np.zeros(head.expression_count),
        rotations=np.zeros((len(head.joint_names), 3)),
        camera=camera,
        residual=np.zeros_like(vertices),
        neutral=vertices,
        vertices=vertices,
        landmarks=full,
        landmarks_fit=full,
    )
    photo = Photo(pixels=pixels, name=f"shot {turn}", path=None, sha256="", focal_px=None, notes=())
    return photo, fit


@pytest.fixture(scope="module")
def front(head):
    return shot(head, 0.0)


@pytest.fixture(scope="module")
def side(head):
    return shot(head, 0.7)


def errors(head, skin, which):
    """Differences to the true albedo (n, 3) at texels of a kind, after one gain a channel."""
    atlas = skin_atlas(head, COARSE)
    there = skin.coverage.ravel()[atlas.texel] == which
    face = atlas.spread(head.regions["face"]) > 0.5
    there &= face
    step = skin.albedo.shape[0] // COARSE
    small = skin.albedo[step // 2 :: step, step // 2 :: step].reshape(-1, 3)[atlas.texel]
    linear = linear_from_srgb(small / 255.0)
    true = albedo_of(atlas.spread(head.neutral()).astype(float))
    gain = np.median(true[face & (skin.coverage.ravel()[atlas.texel] == SHOWN)], axis=0)
    gain /= np.median(linear[face & (skin.coverage.ravel()[atlas.texel] == SHOWN)], axis=0)
    return np.abs(srgb_from_linear(np.clip(linear * gain, 0, 1)) - srgb_from_linear(true))[there]


def test_a_photo_from_the_front_covers_the_face(head, front):
    photo, fit = front
    skin = paint(head, [fit], [photo], "1k")
    assert skin.photo.shape == skin.albedo.shape == (1024, 1024, 3)
    assert skin.measured > 0.5
    found = errors(head, skin, SHOWN)
    # Without its light, the skin is what it was painted as.
    assert np.median(found) < 0.02 and np.percentile(found, 90) < 0.08


def test_the_hidden_side_is_the_mirror_image(head, side):
    photo, fit = side
    skin = paint(head, [fit], [photo], "1k")
    atlas = skin_atlas(head, COARSE)
    points = atlas.spread(head.neutral())
    kinds = skin.coverage.ravel()[atlas.texel]
    assert skin.mirrored > 0.1
    # The camera stands at the head's right: what is mirrored lies on its left.
    assert (points[kinds == REFLECTED][:, 0] > -0.005).mean() > 0.9
    assert np.median(errors(head, skin, REFLECTED)) < 0.06
    without = paint(replace(head, mirror=None), [fit], [photo], "1k")
    assert without.mirrored == 0.0 and not (without.coverage == REFLECTED).any()


def test_two_photos_cover_more_than_either(head, side):
    left, right = side, shot(head, -0.7)
    both = paint(head, [left[1], right[1]], [left[0], right[0]], "1k")
    one = paint(head, [left[1]], [left[0]], "1k")
    assert both.measured > one.measured + 0.1
    assert np.median(errors(head, both, SHOWN)) < 0.035


def test_photo_texture_shows_the_photo(head, front):
    """Rendered from the photo's camera, the texture is the photo."""
    photo, fit = front
    skin = paint(head, [fit], [photo], "2k")
    seen, shown = seen_again(head, fit, photo, skin)
    away = np.abs(shown.astype(float) - photo.pixels[seen])
    assert away.mean() < 2.0


def seen_again(head, fit, photo, skin):
    """Pixels of the photo where measured skin is, and the texture there."""
    raster = rasterise(
        fit.camera.project(fit.vertices),
        fit.camera.to_camera(fit.vertices)[:, 2],
        head.triangles,
        photo.width,
        photo.height,
    )
    places = raster.interpolate(triangle_uv(head))
    places[..., 1] = 1 - places[..., 1]
    cell = np.clip((places * COARSE).astype(int), 0, COARSE - 1)
    seen = (raster.triangle >= 0) & is_skin(head)[np.maximum(raster.triangle, 0)]
    seen &= skin.coverage[cell[..., 1], cell[..., 0]] == SHOWN
    return seen, bilinear(skin.photo, places[seen] * skin.photo.shape[0])


def test_no_background_and_no_eyes_on_the_skin(head, front):
    photo, fit = front
    skin = paint(head, [fit], [photo], "1k")
    atlas = skin_atlas(head, 1024)
    texels = skin.albedo.reshape(-1, 3)[atlas.texel].astype(float)
    greenish = texels[:, 1] > 1.2 * texels[:, 0]
    assert not greenish.any()


def test_foreign_colours_on_the_forehead_are_left_out(head, front):
    photo, fit = front
    marked = photo.pixels.copy()
    above = fit.landmarks[[10, 109, 338]].mean(axis=0)
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5
    blob = (np.abs(x - above[0]) < 30) & (np.abs(y - above[1]) < 14)
    marked[blob] = (30, 40, 160)
    skin = paint(head, [fit], [replace(photo, pixels=marked)], "1k")
    texels = skin.albedo.reshape(-1, 3)[skin_atlas(head, 1024).texel].astype(float)
    assert not (texels[:, 2] > 1.1 * texels[:, 0]).any()


def test_strands_before_the_forehead_are_found_and_a_mole_is_not(head):
    atlas = skin_atlas(head, COARSE)
    skin = np.array([0.5, 0.3, 0.22], np.float32)
    albedo = np.tile(skin, (len(atlas.texel), 1))
    rows, columns = np.divmod(atlas.texel, COARSE)
    forehead = np.nonzero(atlas.spread(head.regions["forehead"]) > 0.9)[0]
    middle = np.median(rows[forehead])
    strand = (np.abs(columns - 230 - 0.3 * (rows - middle)) < 3) & (np.abs(rows - middle) < 25)
    mole = (np.abs(columns - 300) < 1) & (np.abs(rows - middle) < 1)
    albedo[strand] *= 0.3
    albedo[mole] *= 0.3
    seen = np.ones(len(albedo), np.float32)
    finds = look_for_cover(head, atlas, albedo, skin, seen)
    bare = finds.bare.ravel()[atlas.texel]
    assert bare[strand].max() < 0.3 and bare[mole].min() > 0.7
    assert bare[forehead].mean() > 0.6
    # Flipped, it is on the other side.
    other = finds.mirrored(atlas)
    assert other is not None
    np.testing.assert_array_equal(other.bare, finds.bare[:, ::-1])


def test_a_full_beard_stays_and_a_dark_patch_of_its_colour_does_not(head):
    atlas = skin_atlas(head, COARSE)
    skin = np.array([0.5, 0.3, 0.22], np.float32)
    albedo = np.tile(skin, (len(atlas.texel), 1))
    jaw = np.maximum(atlas.spread(head.regions["chin"]), atlas.spread(head.regions["jaw"]))
    beard = (jaw > 0.5) & (atlas.spread(head.regions["lips"]) < 0.5)
    forehead = np.nonzero(atlas.spread(head.regions["forehead"]) > 0.9)[0]
    rows, columns = np.divmod(atlas.texel, COARSE)
    patch = np.hypot(rows - np.median(rows[forehead]), columns - 230) < 8
    hair = np.array([0.05, 0.035, 0.03], np.float32)
    albedo[beard], albedo[patch] = hair, hair
    finds = look_for_cover(head, atlas, albedo, skin, np.ones(len(albedo), np.float32))
    bare = finds.bare.ravel()[atlas.texel]
    assert bare[beard].mean() > 0.95
    assert bare[patch].max() < 0.3


@pytest.mark.parametrize(
    ("scalp", "hairy"), [((0.75, 0.62, 0.5), False), ((0.12, 0.1, 0.09), True)]
)
def test_a_bald_head_in_warm_shade_is_given_no_hair(head, scalp, hairy):
    photo, fit = shot(head, 0.0)
    atlas, view = skin_atlas(head, COARSE), view_of(head, fit, photo)
    source = source_of(photo, view, 1.0)
    layer = layer_of(head, atlas, view, view.on(atlas), source, light_of(head, atlas, view, source))
    there = atlas.spread(head.regions["scalp"]) > 0.5
    shown = source.at(layer.pixels) / layer.shading
    colour = np.where(there[:, None], layer.light.colour * np.array(scalp), shown)
    known = replace(
        layer,
        source=_Known(colour.astype(np.float32) * layer.shading),
        likeness=np.where(there, 0.0, layer.likeness).astype(np.float32),
    )
    found = hair_colour(head, atlas, [known])
    assert (found is not None) == hairy
    if found is not None:
        np.testing.assert_allclose(found, layer.light.colour * np.array(scalp), rtol=0.02)


class _Known:
    """A source that shows one colour a texel (n, 3)."""

    def __init__(self, colours):
        self.colours = colours

    def at(self, pixels):
        return self.colours


def test_a_collar_under_the_chin_is_left_out(head, front):
    photo, fit = front
    y = np.mgrid[:SIDE, :SIDE][0] + 0.5
    shirt = photo.pixels.copy()
    shirt[y > fit.landmarks[152, 1] - 6] = 250
    skin = paint(head, [fit], [replace(photo, pixels=shirt)], "1k")
    texels = skin.albedo.reshape(-1, 3)[skin_atlas(head, 1024).texel].astype(float)
    # Skin is redder than it is blue, linen is not.
    assert not (texels[:, 2] > 0.95 * texels[:, 0]).any()


def test_auto_holds_what_the_photo_holds(head, front):
    photo, fit = front
    assert paint(head, [fit], [photo], "auto").albedo.shape[0] == 1024


def test_a_face_that_is_not_in_the_photo_gives_plain_skin(head, front):
    photo, fit = front
    away = Camera(fit.camera.K, fit.camera.R, fit.camera.t + np.array([3.0, 0, 0]), SIDE, SIDE)
    skin = paint(head, [replace(fit, camera=away)], [photo], "1k")
    assert skin.measured == 0.0 and (skin.coverage == FILLED).all()
    assert np.isfinite(skin.albedo).all() and np.ptp(skin.albedo.reshape(-1, 3), axis=0).max() < 40


def test_worn_skin_is_what_was_painted(head, front):
    cv2 = pytest.importorskip("cv2")
    photo, fit = front
    skin = paint(head, [fit], [photo], "1k")
    worn = painted_skin(head, [fit], [photo], "1k")
    data = worn.fields["skin_albedo"].tobytes()
    assert picture_sides(data)
    back = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)[..., ::-1]
    np.testing.assert_array_equal(back, skin.albedo)
    shares = worn.report["texture"]
    assert shares["size"] == 1024
    total = shares["face_measured"] + shares["face_mirrored"] + shares["face_inferred"]
    assert total == pytest.approx(1.0, abs=1e-3)


def test_what_is_darker_lies_deeper():
    albedo = np.full((256, 256, 3), 180, np.uint8)
    albedo[:, 100:104] = 120  # a groove from top to bottom
    albedo[180:184, 150:] = 120  # and one across, where no photo shows the skin
    measured = np.zeros((128, 128), np.float32)
    measured[:, :70] = 1
    normals = relief(albedo, measured) / 127.5 - 1.0
    np.testing.assert_allclose(np.linalg.norm(normals, axis=2), 1, atol=0.02)
    row = normals[128]
    # Its left wall faces right, its right wall left; elsewhere the skin is flat.
    assert row[99, 0] > 0.1 and row[104, 0] < -0.1
    assert abs(row[60:80, :2]).max() < 0.02 and abs(normals[150:, 170:, :2]).max() < 0.02
    across = relief(np.swapaxes(albedo, 0, 1), measured.T) / 127.5 - 1.0
    # Rows run down, the layout's v up: the upper wall faces down.
    assert across[99, 128, 1] < -0.1 and across[104, 128, 1] > 0.1


def test_lips_shine_and_a_scalp_does_not(head):
    atlas = skin_atlas(head, COARSE)
    values = roughness(head, atlas).ravel()[atlas.texel] / 255
    lips, scalp = (atlas.spread(head.regions[name]) > 0.99 for name in ("lips", "scalp"))
    assert values[lips].mean() < 0.4 < 0.7 < values[scalp].mean()


def test_atlas_shows_skin_alone(head):
    atlas = skin_atlas(head, 128)
    skin_vertices = np.unique(head.quads[skin_faces(head)])
    assert set(np.unique(atlas.corners)) <= set(skin_vertices.tolist())
    assert skin_faces(head).sum() < len(head.quads)
    np.testing.assert_allclose(atlas.weights.sum(axis=1), 1, atol=1e-5)
    # A texel's point lies where the layout says.
    uv = np.zeros((head.vertex_count, 2), np.float32)
    uv[head.quads[:, :3]] = head.uv[head.uv_quads[:, :3]]
    picture = atlas.picture(np.ones(len(atlas.texel), np.float32))
    assert picture.sum() == len(atlas.texel) == atlas.covered().sum()


def test_light_is_found_and_taken_away(head):
    rng = np.random.default_rng(3)
    face = np.nonzero(
        head.regions["face"] & (vertex_normals(head.neutral(), head.triangles)[:, 2] > 0)
    )[0]
    normals = vertex_normals(head.neutral(), head.triangles).astype(np.float32)
    answers = responses(head, normals)[face]
    true = np.full((COUNT, 3), 0.3)
    true += 2.5 * np.maximum(directions() @ np.array([0.6, 0.4, 0.7]), 0)[:, None] ** 4
    skin = np.array([0.4, 0.25, 0.2])
    colours = skin * (answers @ true)
    dark = rng.permutation(len(face))[: len(face) // 12]
    colours[dark] *= 0.2  # brows and moles
    light = fit_light(colours.astype(np.float32), answers, np.ones(len(face), np.float32))
    assert light.strength.min() >= 0
    rest = np.setdiff1d(np.arange(len(face)), dark)
    albedo = colours[rest] / light.shading(answers[rest])
    lit = colours[rest].std(axis=0) / colours[rest].mean(axis=0)
    assert (albedo.std(axis=0) / albedo.mean(axis=0) < 0.4 * lit).all()
    # What a scene is lit with is brighter where the light came from.
    around = surroundings(light, 8)
    assert around.shape == (8, 16, 3) and around.min() >= 0
    bright = np.unravel_index(around.mean(axis=2).argmax(), (8, 16))
    assert bright[0] in (1, 2, 3) and bright[1] in (8, 9, 10, 11)


def test_white_surroundings_light_an_open_place_to_one(head):
    up = np.zeros((head.vertex_count, 3), np.float32)
    up[:, 2] = 1.0
    tip = int(head.neutral()[:, 2].argmax())
    assert responses(head, up)[tip].sum() == pytest.approx(1.0, abs=0.08)
    # In the corner between nose and cheek less of it arrives than on the tip.
    open_sky = responses(head, vertex_normals(head.neutral(), head.triangles).astype(np.float32))
    assert open_sky[head.regions["eye_l"]].sum(axis=1).mean() < 0.8


@pytest.mark.parametrize("lightness", [38.0, 45.0, 55.0, 65.0, 69.0])
def test_common_light_leaves_the_tone_as_it_is(lightness):
    skin = skin_at(np.array([lightness]))[0]
    found = tone_of((0.95 * skin).astype(np.float32))
    np.testing.assert_allclose(found.skin, skin, rtol=0.13)
    np.testing.assert_allclose(found.skin * found.light, 0.95 * skin, rtol=1e-4)


def test_pale_skin_in_the_dark_and_dark_skin_in_glare_are_neither_black_nor_white():
    pale, dark = skin_at(np.array([70.0, 36.0]))
    dim = tone_of((0.08 * pale).astype(np.float32)).skin
    glare = tone_of((6.0 * dark).astype(np.float32)).skin
    assert dim.mean() > 1.4 * 0.08 * pale.mean() and glare.mean() < 0.8 * 6 * dark.mean()


def test_the_white_of_the_eye_tells_the_light():
    skin = skin_at(np.array([55.0]))[0]
    seen, eye = 0.5 * skin, 0.5 * np.array([0.31, 0.285, 0.27])
    without, with_eye = (
        tone_of(seen.astype(np.float32), white).skin.mean() for white in (None, eye)
    )
    assert without < with_eye < 1.3 * skin.mean()


def test_what_is_no_whiter_than_the_skin_is_no_white_of_the_eye():
    seen = (0.6 * skin_at(np.array([60.0]))[0]).astype(np.float32)
    corner = 0.4 * seen
    np.testing.assert_array_equal(tone_of(seen, corner).skin, tone_of(seen).skin)


def test_eyes_in_the_shade_of_their_lids_do_not_make_skin_pale():
    skin = skin_at(np.array([50.0]))[0]
    seen = (0.95 * skin).astype(np.float32)
    shaded = tone_of(seen, np.array([0.11, 0.1, 0.095], np.float32)).skin.mean()
    assert shaded < 1.25 * skin.mean()


def test_tinted_light_is_told_from_skin():
    skin = skin_at(np.array([60.0]))[0]
    found = tone_of((skin * [1.2, 1.0, 0.8]).astype(np.float32)).skin
    tint = np.log((found / skin)[[0, 2]]) - np.log(found / skin).mean()
    assert np.abs(tint).max() < 0.6 * np.log(1.2)


def test_filling_keeps_what_is_known():
    rng = np.random.default_rng(0)
    picture = rng.random((64, 64, 3)).astype(np.float32)
    weight = np.zeros((64, 64), np.float32)
    weight[20:40, 10:30] = 1.0
    out = filled(picture, weight)
    np.testing.assert_allclose(out[20:40, 10:30], picture[20:40, 10:30], atol=1e-5)
    low, high = picture[20:40, 10:30].min(), picture[20:40, 10:30].max()
    assert low - 1e-4 <= out.min() and out.max() <= high + 1e-4
    assert not filled(picture, np.zeros((64, 64), np.float32)).any()


def test_pictures_are_scaled_in_place():
    y, x = np.mgrid[:16, :16].astype(np.float32) + 0.5
    ramp = np.stack([x, y], axis=2) / 16
    large = stretched(ramp, 64, 64)
    at = (np.arange(64) + 0.5) / 64
    np.testing.assert_allclose(large[8:-8, 8:-8, 0], np.tile(at[8:-8], (48, 1)), atol=1e-6)
    np.testing.assert_array_equal(stretched(ramp, 64, 64, (10, 20)), large[10:20])
    np.testing.assert_allclose(halved(doubled(ramp))[2:-2, 2:-2], ramp[2:-2, 2:-2], atol=1e-6)
    for radius in (2, 9):
        np.testing.assert_allclose(
            blurred(np.full((32, 32), 0.3, np.float32), radius), 0.3, atol=1e-6
        )
    points = np.array([[3.5, 4.5], [3.0, 4.5], [-5.0, 90.0]])
    grid = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    np.testing.assert_allclose(bilinear(grid, points)[:, 0], [67, 66.5, 240])


@pytest.mark.parametrize("shape", [(5, 7, 3), (4, 9)])
def test_png_can_be_read_by_others(shape):
    cv2 = pytest.importorskip("cv2")
    pixels = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    data = np.frombuffer(encode_png(pixels), np.uint8)
    back = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(back if len(shape) == 2 else back[..., ::-1], pixels)


@pytest.mark.parametrize(
    "data",
    [b"GIF89a" + bytes(60), b"\x89PNG\r\n\x1a\n",
     encode_png(np.zeros((1, 9000, 3), np.uint8)), zlib.compress(bytes(100))],
)  # fmt: skip
def test_no_texture_is_told(data):
    assert not picture_sides(data)


def test_empty_is_no_picture_but_allowed():
    assert picture_sides(b"")


def test_part_of_an_atlas():
    atlas = Atlas(
        2,
        np.array([0, 3], np.int32),
        np.array([[0, 1, 2], [2, 1, 0]], np.int32),
        np.array([[1, 0, 0], [0, 0, 1]], np.float32),
    )
    part = atlas.at(np.array([False, True]))
    np.testing.assert_array_equal(part.picture(np.array([7.0])), [[0, 0], [0, 7]])
