# SPDX-License-Identifier: GPL-3.0-or-later
"""The skin's texture: how much of the photo it keeps, what mirroring costs, seconds and memory.

On the bench's public items, one photo each, texture of 2048 x 2048:

* ``SSIM`` and ``colour``: the textured head rendered through the fitted camera against the photo;
  structural similarity of luma (Wang et al., "Image quality assessment", TIP 2004, Gaussian window
  of 1.5 pixels) and mean difference in 1/255. First where the photo is taken for skin, then over
  all of the face that the camera sees, its steep rims and whatever hair is on them included;
* ``mirrored``: where one photo's texture is a mirror image and another photo of the subject shows
  the skin, the difference of their albedo in 1/255, after one gain a channel, since no two photos
  are exposed alike; beside it the same for skin that both photos show, the floor of that figure;
* seconds of painting, of making the PNG files and of drawing the folds, and the peak memory of a
  process that fits one photo and paints it, beside one that fits it alone.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.accuracy import ROOT
from core.appearance.atlas import skin_atlas
from core.appearance.painted_skin import painted_skin
from core.appearance.texture import COARSE, REFLECTED, SHOWN, Skin, paint
from core.appearance.wrinkles import with_wrinkles
from core.geometry.bilinear import bilinear
from core.geometry.raster import rasterise
from core.heads.corners import is_skin, triangle_uv
from core.heads.model import HeadModel
from core.photos.colour import face_colours
from core.photos.photo import Photo, load_photo
from core.pipeline import reconstruct
from core.reconstruct.assembly import build_rigged_head
from core.reconstruct.report import peak_memory_mb
from core.reconstruct.resources import load_head
from core.reconstruction import PhotoFit

SIZE = "2k"
#: Pixels at the skin's border whose window reaches beyond it.
_RIM = 3


def again(head: HeadModel, fit: PhotoFit, photo: Photo, skin: Skin) -> tuple[Any, Any, Any]:
    """The photo with the textured skin drawn over it, where that is measured skin, and where it
    is the face, measured or not.
    """
    raster = rasterise(
        fit.camera.project(fit.vertices),
        fit.camera.to_camera(fit.vertices)[:, 2],
        head.triangles,
        photo.width,
        photo.height,
    )
    at = raster.interpolate(triangle_uv(head))
    at[..., 1] = 1 - at[..., 1]
    cell = np.clip((at * COARSE).astype(int), 0, COARSE - 1)
    seen = (raster.triangle >= 0) & is_skin(head)[raster.triangle]
    measured = seen & (skin.coverage[cell[..., 1], cell[..., 0]] == SHOWN)
    face = head.regions["face"][head.triangles].all(axis=1)
    drawn = photo.pixels.astype(np.float64)
    drawn[seen] = bilinear(skin.photo, at[seen] * skin.photo.shape[0])
    return drawn, measured, seen & face[raster.triangle]


def alike(drawn: Any, photo: Photo, where: Any) -> tuple[float, float]:
    """SSIM and mean difference of colour over a part of the photo."""
    inner = cv2.erode(where.astype(np.uint8), np.ones((2 * _RIM + 1,) * 2)) > 0
    away = float(np.abs(drawn - photo.pixels)[where].mean())
    return ssim(drawn, photo.pixels.astype(float), inner), away


def ssim(first: Any, second: Any, where: Any) -> float:
    """Mean over ``where`` of the structural similarity of luma."""
    x, y = (p @ np.array([0.299, 0.587, 0.114]) for p in (first, second))

    def mean(v: Any) -> Any:
        return cv2.GaussianBlur(v, (11, 11), 1.5)

    mx, my = mean(x), mean(y)
    vx, vy, cov = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    value = (2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    return float(value[where].mean())


def difference(head: HeadModel, one: Skin, other: Skin, kind: int) -> float:
    """Mean difference in 1/255 of two albedos where one is ``kind`` and the other measured."""
    there = (one.coverage == kind) & (other.coverage == SHOWN)
    texel = skin_atlas(head, COARSE).texel
    inside = np.zeros(there.size, bool)
    inside[texel] = True
    there &= inside.reshape(there.shape)
    if there.sum() < 500:
        return float("nan")
    a, b = (
        cv2.resize(s.albedo, (COARSE, COARSE), interpolation=cv2.INTER_AREA)[there].astype(float)
        for s in (one, other)
    )
    a *= np.median(b, axis=0) / np.maximum(np.median(a, axis=0), 1)
    return float(np.abs(a - b).mean())


def main(arguments: list[str] | None = None) -> int:
    """Prints a table; returns 0, or 2 without the bench."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--bench", type=Path, default=ROOT.parent / "shared" / "bench")
    parser.add_argument("--one", type=Path, help="one photo's seconds and memory, nothing else")
    parser.add_argument("--texture", action="store_true", help="with --one: its skin as well")
    options = parser.parse_args(arguments)
    if options.one:
        return one(load_photo(options.one), options.texture)
    bench = options.bench
    items = sorted(p.name for p in (bench / "public").glob("*_*") if (p / "image.png").is_file())
    if not items:
        print(f"There is no bench in {bench}.")
        return 2
    head = load_head("open-head")
    skin_atlas(head, COARSE)
    skins: dict[str, dict[str, Skin]] = defaultdict(dict)
    print(f"{'':10}{'taken':>15}{'all seen':>17}")
    print(
        f"{'':10}{'SSIM':>7}{'colour':>8}  {'SSIM':>7}{'colour':>8}{'measured':>10}{'mirrored':>10}"
    )
    for item in items:
        photo = load_photo(bench / "public" / item / "image.png")
        fit = reconstruct([photo])[0].photos[0]
        skin = paint(head, [fit], [photo], SIZE)
        drawn, *parts = again(head, fit, photo, skin)
        texts = ["{:7.3f}{:8.2f}".format(*alike(drawn, photo, where)) for where in parts]
        print(f"{item:10}{'  '.join(texts)}{skin.measured:10.0%}{skin.mirrored:10.0%}")
        skins[item.split("_")[0]][item] = skin
    print("\nAlbedo of one photo against another's, mean difference of 255")
    for subject, theirs in skins.items():
        if subject == "ict":  # six people
            continue
        pairs = [(a, b) for a in theirs.values() for b in theirs.values() if a is not b]
        found = [
            [value for a, b in pairs if np.isfinite(value := difference(head, a, b, kind))]
            for kind in (REFLECTED, SHOWN)
        ]
        texts = [f"{np.mean(f):.1f} ({len(f)} pairs)" if f else "none" for f in found]
        print(f"{subject:10} mirrored {texts[0]}, shown by both {texts[1]}")
    first = bench / "public" / items[0] / "image.png"
    print(f"\nOne photo in a process of its own, {SIZE}")
    for texture in (False, True):
        command = [sys.executable, "-m", "benchmarks.appearance", "--one", str(first)]
        done = subprocess.run(
            [*command, *(["--texture"] if texture else [])],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        print(done.stdout.strip() or done.stderr)
    return 0


def one(photo: Photo, texture: bool) -> int:
    """Prints seconds and peak memory of a photo's fit, and of its skin."""
    head = load_head("open-head")
    reconstruct([photo])
    start = time.perf_counter()
    person = reconstruct([photo])[0]
    fit = person.photos[0]
    text = f"fit {time.perf_counter() - start:.2f} s"
    if texture:
        cold = time.perf_counter()
        paint(head, [fit], [photo], SIZE)
        warm = time.perf_counter()
        paint(head, [fit], [photo], SIZE)
        files = time.perf_counter()
        painted_skin(head, [fit], [photo], SIZE)
        end = time.perf_counter()
        text += f", painting {warm - cold:.2f} s cold, {files - warm:.2f} s warm"
        text += f", with its files {end - files:.2f} s"
        colours = face_colours(photo.pixels, fit.landmarks)
        rigged = build_rigged_head(head, person, 0, photo.name, colours)
        start = time.perf_counter()
        with_wrinkles(rigged)
        text += f", folds {time.perf_counter() - start:.2f} s"
    print(f"{text}; peak memory {peak_memory_mb():.0f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
