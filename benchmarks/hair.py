# SPDX-License-Identifier: GPL-3.0-or-later
"""Hair that is known, drawn on heads of the population's average, and found again from one photo.

Strands of our own styles, perturbed (``prior``), and of shapes that no style has (``others``: a
mohawk, hair to one side alone, a high quiff), are drawn by a z-buffer over a matt head. The fit is
given, so that this measures hair alone. For each: intersection over union of the hair's picture in
the photo's view and turned by 45 degrees, median angle between the strands' directions in the
picture, and mean difference of colour in 1/255. Bald heads are counted that get hair, and others
that get none. Drawn strands are no photos: real ones are judged by eye, see docs/hair.md.
"""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np

from core.appearance.spreading import blurred
from core.geometry.camera import Camera
from core.geometry.mesh import vertex_normals
from core.geometry.raster import rasterise
from core.geometry.rotation import matrix_from_vector
from core.hair import hair as hairs
from core.hair.grow import grow
from core.hair.hull import style_fields
from core.hair.roots import candidates, scatter, spread
from core.hair.shell import shell_of
from core.hair.strands import Look, strands
from core.hair.styles import STYLES, Style
from core.heads.model import HeadModel
from core.photos.colour import srgb_bytes
from core.photos.photo import Photo
from core.reconstruct.resources import load_head
from core.reconstruction import PhotoFit

SIDE = 420
SKIN = np.array([0.45, 0.27, 0.19])
COLOURS = ((0.02, 0.014, 0.01), (0.12, 0.06, 0.03), (0.4, 0.27, 0.12), (0.5, 0.5, 0.5),
           (0.25, 0.07, 0.025))  # fmt: skip
NAMES = ("buzz", "short", "side_part", "swept_back", "fringe", "bob", "long", "curly", "coily")
OTHERS = {
    "mohawk": replace(STYLES["coily"], top=0.11, side=0.003, back=0.02,
                      volume=(0.09, 0.002, 0.02), curl=0.0),
    "to one side": replace(STYLES["bob"], parting=-0.07, comb=(0.6, 0.0, 0.0)),
    "high quiff": replace(STYLES["swept_back"], volume=(0.07, 0.006, 0.008), lift=1.0),
}  # fmt: skip
BALD = 6


def camera_at(degrees: float) -> Camera:
    """A portrait camera turned about the head."""
    turn = matrix_from_vector(np.radians(degrees) * np.array([0.0, 1.0, 0.0]))
    rotation = np.diag([1.0, -1.0, -1.0]) @ turn
    middle = np.array([0.0, -0.02, 0.02])
    offset = np.array([0.0, 0.0, 1.4]) - rotation @ middle
    return Camera.with_focal(2.4 * SIDE, rotation, offset, SIDE, SIDE)


def picture(
    head: HeadModel, vertices: np.ndarray, camera: Camera, drawn: np.ndarray | None, colour: object,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """sRGB (SIDE, SIDE, 3), where hair is seen, and its directions as doubled-angle vectors."""
    depth = camera.to_camera(vertices)[:, 2]
    raster = rasterise(camera.project(vertices), depth, head.triangles, SIDE, SIDE)
    light = np.array([0.3, 0.5, 0.8]) / np.linalg.norm([0.3, 0.5, 0.8])
    lit = 0.35 + 0.75 * np.clip(vertex_normals(vertices, head.triangles) @ light, 0, 1)
    tone = np.tile(SKIN, (len(vertices), 1))
    for name, other in (("lips", (0.3, 0.1, 0.09)), ("brow_l", (0.05, 0.03, 0.02)),
                        ("brow_r", (0.05, 0.03, 0.02))):  # fmt: skip
        tone[head.regions[name]] = other
    shaded = raster.interpolate((tone * lit[:, None])[head.triangles])
    seen = raster.triangle >= 0
    out = np.where(seen[..., None], shaded, [0.35, 0.4, 0.45])
    nearest = np.where(seen, raster.depth, np.inf)
    there = np.zeros((SIDE, SIDE), bool)
    ways = np.zeros((SIDE, SIDE, 2))
    if drawn is not None:
        fine = np.linspace(0, drawn.shape[1] - 1, 3 * drawn.shape[1])
        low = np.minimum(fine.astype(int), drawn.shape[1] - 2)
        share = (fine - low)[None, :, None]
        path = drawn[:, low] * (1 - share) + drawn[:, low + 1] * share
        at = camera.project(path.reshape(-1, 3)).reshape(*path.shape[:2], 2)
        step = np.gradient(at, axis=1)
        angle = 2 * np.arctan2(step[..., 1], step[..., 0]).ravel()
        far = camera.to_camera(path.reshape(-1, 3))[:, 2]
        spot = np.floor(at.reshape(-1, 2)).astype(int)
        inside = ((spot >= 0) & (spot < SIDE)).all(axis=1)
        order = np.argsort(-far)
        order = order[inside[order] & (far[order] < nearest[spot[order % len(spot), 1].clip(
            0, SIDE - 1), spot[order % len(spot), 0].clip(0, SIDE - 1)])]  # fmt: skip
        x, y = spot[order].T
        # A mass of hair is darker than what it is made of.
        gleam = np.repeat(0.8 * rng.uniform(0.8, 1.2, len(path)), path.shape[1])[order]
        out[y, x] = np.asarray(colour) * gleam[:, None]
        there[y, x] = True
        ways[y, x] = np.stack([np.cos(angle[order]), np.sin(angle[order])], axis=1)
    out += rng.normal(0, 0.004, out.shape)
    # Single strands are thinner than a pixel: hair is where most pixels around show some.
    there = blurred(there.astype(np.float32), 2, passes=1) > 0.4
    return srgb_bytes(np.clip(out, 0, 1)), there, ways


def known_hair(
    head: HeadModel, vertices: np.ndarray, style: Style, rng: np.random.Generator
) -> np.ndarray:
    """Strands of a style, which is perturbed."""
    style = replace(
        style,
        top=style.top * rng.uniform(0.8, 1.25), side=style.side * rng.uniform(0.8, 1.25),
        volume=tuple(float(v * rng.uniform(0.75, 1.4)) for v in style.volume),
        floor=style.floor * rng.uniform(0.85, 1.1),
    )  # fmt: skip
    scalp = head.regions["scalp"].astype(float)
    shell = shell_of(head, vertices)
    roots = spread(scatter(head, vertices, scalp, candidates(300), rng), 300)
    guides = grow(shell, roots, style, style_fields(shell, style), rng)
    look = Look(style.curl, style.wave, style.frizz, style.clump)
    return strands(guides, roots.points, scatter(head, vertices, scalp, 16000, rng), look, rng)


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union."""
    return float((one & other).sum() / max((one | other).sum(), 1))


def main() -> int:
    """Prints a line a head, and what of the bars is met."""
    head = load_head("open-head")
    vertices = head.neutral()
    rows, wrong = [], [0, 0]
    cases = [(name, STYLES[name]) for name in NAMES] + list(OTHERS.items())
    for number, (name, style) in enumerate([*cases, *[("bald", None)] * BALD]):
        rng = np.random.default_rng(number)
        colour = np.array(COLOURS[number % len(COLOURS)])
        camera = camera_at(float(rng.uniform(-12, 12)))
        truth = None if style is None else known_hair(head, vertices, style, rng)
        pixels, there, ways = picture(head, vertices, camera, truth, colour, rng)
        fit = fit_of(head, vertices, camera)
        photo = Photo(pixels, name)
        found, report = hairs.from_photo(head, fit, photo, SKIN)
        if truth is None or found is None:
            wrong[0 if truth is None else 1] += (found is None) == (truth is not None)
            if truth is not None:
                print(f"{name:12} no hair was found")
            continue
        drawn = hairs.drawn(head, vertices, found, hairs.Adjust())["hair_strands"] * hairs.STEP
        _, again, turned = picture(head, vertices, camera, drawn, colour, rng)
        side = camera_at(45.0)
        _, one, _ = picture(head, vertices, side, truth, colour, rng)
        _, two, _ = picture(head, vertices, side, drawn, colour, rng)
        both = there & again
        cosine = np.clip((ways[both] * turned[both]).sum(axis=1), -1, 1)
        angle = float(np.degrees(np.median(np.arccos(cosine))) / 2)
        apart = np.abs(
            srgb_bytes(found.colour).astype(float) - srgb_bytes(colour).astype(float)
        ).mean()  # fmt: skip
        rows.append((overlap(there, again), overlap(one, two), angle, float(apart)))
        front, aside = rows[-1][:2]
        print(
            f"{name:12} -> {report['style']:10} front {front:.2f}  45 degrees {aside:.2f}  "
            f"direction {angle:4.1f}  colour {apart:4.1f}",
            flush=True,
        )
    middle = np.median(rows, axis=0)
    print(f"median: front {middle[0]:.2f} (bar 0.88), 45 degrees {middle[1]:.2f} (0.75), direction "
          f"{middle[2]:.1f} (15), colour {middle[3]:.1f} (8)")  # fmt: skip
    print(f"bald heads with hair: {wrong[0]} of {BALD}; hair not found: {wrong[1]} of {len(cases)}")
    return 0


def fit_of(head: HeadModel, vertices: np.ndarray, camera: Camera) -> PhotoFit:
    """The fit that the picture was drawn with."""
    joints = np.zeros((len(head.joint_names), 3))
    marks = np.full((478, 2), np.nan)
    placed = head.landmark_vertices[:, 0] >= 0
    points = head.landmarks(vertices, np.flatnonzero(placed))
    marks[placed] = camera.project(points)
    marks[~placed] = np.nanmean(marks, axis=0)
    return PhotoFit(
        np.zeros(head.expression_count), joints, camera, np.zeros_like(vertices), vertices,
        vertices, marks, marks,
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
