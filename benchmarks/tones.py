# SPDX-License-Identifier: GPL-3.0-or-later
"""The skin's tone, which no texture can please by being darker or lighter than the person.

* ``drawn``: the head at rest in six tones from very light to dark, in lights of random direction,
  hardness, tint and exposure, drawn by the same matt surface with a little mirroring that the
  texture's light is fitted with; so this measures what one photo cannot tell, not the surface's
  model. Luminance of the cheeks' reflectance found, by the true one;
* ``photos`` (``--photos DIR``, and the bench's public items): the albedo in the light that Match
  Light makes, seen by the photo's camera, against the photo, where skin is seen: luminance ratio of
  the cheeks, and mean difference of colour in 1/255. The light is read out of the very picture
  that the world gets. A texture that is too dark needs too much light, and the studio shows it;
  the last column is the cheeks' lightness L* in white light.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.accuracy import ROOT
from core.appearance.atlas import skin_atlas
from core.appearance.skin_tone import GLAZE, skin_at
from core.appearance.texture import COARSE, SHOWN, Skin, paint
from core.appearance.visibility import COUNT, directions, lobes, responses, visibility
from core.geometry.axes import to_scene
from core.geometry.bilinear import bilinear
from core.geometry.camera import Camera
from core.geometry.mesh import vertex_normals
from core.geometry.raster import rasterise
from core.heads.corners import is_skin, triangle_uv
from core.heads.model import HeadModel
from core.photos.colour import linear_from_srgb, srgb_from_linear
from core.photos.photo import Photo, load_photo
from core.pipeline import reconstruct
from core.reconstruct.resources import load_head
from core.reconstruction import PhotoFit

TONES = (36.0, 44.0, 52.0, 59.0, 65.0, 71.0)
LIGHTS = 4
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
CHEEKS = ("cheek_l", "cheek_r")
SIDE = 360


def drawn(head: HeadModel, lightness: float, rng: np.random.Generator) -> tuple[Photo, PhotoFit]:
    """A photo of the head in a tone, and the fit that it was drawn with."""
    vertices = head.neutral()
    rotation = np.diag([1.0, -1.0, -1.0])
    middle = vertices.mean(axis=0) + np.array([0, 0.02, 0])
    offset = np.array([0.0, 0.0, 0.75]) - rotation @ middle
    camera = Camera.with_focal(1.9 * SIDE, rotation, offset, SIDE, SIDE)
    towards = np.array([rng.uniform(-0.8, 0.8), rng.uniform(-0.1, 0.9), 1.0])
    towards /= np.linalg.norm(towards)
    strength = 0.3 + rng.uniform(1, 6) * np.maximum(directions() @ towards, 0) ** rng.uniform(1, 12)
    lit = responses(head, vertex_normals(vertices, head.triangles).astype(np.float32)) @ strength
    lit *= np.exp(rng.normal(0, 0.2)) / np.percentile(lit[head.regions["face"]], 80)
    tint = np.exp(rng.normal(0, 0.06, 3))
    colour = (skin_at(np.array([lightness]))[0] * lit[:, None] * tint).clip(0, 1)
    depth = camera.to_camera(vertices)[:, 2]
    seen = rasterise(camera.project(vertices), depth, head.triangles, SIDE, SIDE)
    pixels = srgb_from_linear(seen.interpolate(colour[head.triangles]))
    pixels[seen.triangle < 0] = (0.3, 0.4, 0.5)
    full = np.full((478, 2), np.nan)
    full[head.landmark_ids] = camera.project(head.landmarks(vertices))
    full[np.isnan(full)] = np.nanmean(full)
    still = np.zeros((len(head.joint_names), 3))
    fit = PhotoFit(
        np.zeros(head.expression_count), still, camera, np.zeros_like(vertices), vertices, vertices,
        full, full,
    )  # fmt: skip
    bytes_ = np.round(255 * pixels).astype(np.uint8)
    return Photo(bytes_, f"L* {lightness:.0f}", None, "", None, ()), fit


def cheeks(head: HeadModel, skin: Skin) -> float:
    """Median luminance of the cheeks' reflectance, mirroring included."""
    atlas = skin_atlas(head, COARSE)
    inside = np.maximum.reduce([atlas.spread(head.regions[name]) for name in CHEEKS]) > 0.9
    shown = inside & (skin.coverage.ravel()[atlas.texel] == SHOWN)
    texels = texture_at(skin, atlas.texel[shown if shown.sum() > 100 else inside])
    return float(np.median((texels * (1 - GLAZE) + GLAZE) @ LUMINANCE))


def texture_at(skin: Skin, texel: Any) -> Any:
    """Linear albedo (n, 3) at texels of the coarse layout."""
    step = skin.albedo.shape[0] // COARSE
    rows, columns = np.divmod(texel, COARSE)
    return linear_from_srgb(skin.albedo[rows * step, columns * step] / 255.0)


def matched(head: HeadModel, fit: PhotoFit, photo: Photo, skin: Skin) -> tuple[float, float]:
    """Luminance ratio of the cheeks, and mean difference of 255, in the world of Match Light."""
    light = skin.lights[0].astype(np.float64)
    scene = to_scene(directions())
    turn = np.arctan2(scene[:, 1], scene[:, 0])
    row = (0.5 - np.arcsin(scene[:, 2]) / np.pi) * len(light)
    places = np.column_stack([(0.5 - turn / (2 * np.pi)) * 2 * len(light), row])
    arriving = bilinear(light, places)
    normals = vertex_normals(fit.vertices, head.triangles)
    facing = np.maximum(normals @ directions().T, 0) * visibility(head)
    lit = 4 / COUNT * facing @ arriving
    depth = fit.camera.to_camera(fit.vertices)[:, 2]
    raster = rasterise(
        fit.camera.project(fit.vertices), depth, head.triangles, photo.width, photo.height
    )
    at = raster.interpolate(triangle_uv(head))
    at[..., 1] = 1 - at[..., 1]
    cell = np.clip((at * COARSE).astype(int), 0, COARSE - 1)
    seen = (raster.triangle >= 0) & is_skin(head)[np.maximum(raster.triangle, 0)]
    seen &= skin.coverage[cell[..., 1], cell[..., 0]] == SHOWN
    albedo = linear_from_srgb(bilinear(skin.albedo, at[seen] * skin.albedo.shape[0]) / 255)
    shown = (albedo * (1 - GLAZE) + GLAZE) * raster.interpolate(lit[head.triangles])[seen]
    true = linear_from_srgb(photo.pixels[seen] / 255)
    on = np.maximum.reduce([head.regions[name] for name in CHEEKS])[head.triangles].all(axis=1)
    there = on[raster.triangle[seen]]
    if there.sum() < 30:
        return float("nan"), float("nan")
    ratio = (shown[there] @ LUMINANCE).sum() / (true[there] @ LUMINANCE).sum()
    away = np.abs(srgb_from_linear(shown.clip(0, 1)) - srgb_from_linear(true)).mean()
    return float(ratio), float(255 * away)


def main(arguments: list[str] | None = None) -> int:
    """Prints two tables; returns 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--bench", type=Path, default=ROOT.parent / "shared" / "bench")
    parser.add_argument("--photos", type=Path, help="a folder of photos besides the bench")
    options = parser.parse_args(arguments)
    head, rng = load_head("open-head"), np.random.default_rng(4)
    assert np.allclose(lobes().sum(axis=1), 1)
    print("drawn: reflectance found / true, by tone")
    every = []
    for lightness in TONES:
        true = float(skin_at(np.array([lightness]))[0] @ LUMINANCE)
        shots = [drawn(head, lightness, rng) for _ in range(LIGHTS)]
        found = [cheeks(head, paint(head, [f], [p], "1k")) / true for p, f in shots]
        print(f"L* {lightness:.0f}  " + " ".join(f"{x:.2f}" for x in found))
        every += found
    away = np.abs(np.array(every) - 1)
    bias = np.exp(np.mean(np.log(every))) - 1
    print(f"bias {bias:+.1%}, within 15 %: {(away < 0.15).mean():.0%}, worst {away.max():.0%}")
    photos = sorted((options.bench / "public").glob("*_*/image.png"))
    photos += sorted(options.photos.iterdir()) if options.photos else []
    print(f"\n{'photo':22}{'ratio':>7}{'colour':>8}{'L*':>6}")
    for path in photos:
        photo = load_photo(path)
        fit = reconstruct([photo])[0].photos[0]
        skin = paint(head, [fit], [photo], "1k")
        ratio, colour = matched(head, fit, photo, skin)
        lightness = 116 * cheeks(head, skin) ** (1 / 3) - 16
        name = path.parent.name if path.stem == "image" else path.stem
        print(f"{name[:21]:22}{ratio:7.2f}{colour:8.1f}{lightness:6.0f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
