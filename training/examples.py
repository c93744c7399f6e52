# SPDX-License-Identifier: GPL-3.0-or-later
"""One example: a synthetic photo around a landmark fit, and what is true of each cell of its grid.

A geometry (subject, pose, fit) is shown in LOOKS looks: other skin, light, hair, things in front
and camera. Truth is told on the network's grid, in the crop's frame: where the fit shows the
point that is truly seen (``flow``, cells of the grid), the true normal, and where there is skin.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from core.cues.dense_input import (
    GRID,
    SIZE,
    draw,
    face_region,
    in_crop,
    normalised,
    rasterised,
    to_crop_frame,
)
from core.cues.mediapipe import MediaPipePredictor
from core.cues.mediapipe_cues import cues_from_face
from core.errors import NoFaceError
from core.geometry.mesh import vertex_normals
from core.geometry.raster import Raster
from core.heads import load_open_head
from core.heads.corners import is_skin
from core.heads.model import HeadModel

from .appearance import Coat, Paint
from .develop import background, develop
from .landmark_fit import Fit, LandmarkFitter
from .light import shade
from .occluders import Occluders
from .population import PHOTO, Population, Subject

Array = NDArray[np.float64]

LOOKS = 3
FITS = ("quick", "product", "detected")
#: Pixels on a side of the photo that the detector sees.
DETECTED = 256
#: Cells by which a truth may lie from what the fit shows; further off it is another surface.
FARTHEST_FLOW = 10.0


@dataclass(frozen=True, eq=False)
class Example:
    """colors (LOOKS, SIZE, SIZE, 3) uint8; skin (LOOKS, GRID, GRID) uint8, 1 where bare skin is
    seen; of the fit: normal (GRID, GRID, 3), place (GRID, GRID, 3), mask (GRID, GRID); of the
    truth: flow (GRID, GRID, 2), nan where there is none, true_normal (GRID, GRID, 3).
    """

    colors: NDArray[np.uint8]
    skin: NDArray[np.uint8]
    normal: NDArray[np.float16]
    place: NDArray[np.float16]
    mask: NDArray[np.bool_]
    flow: NDArray[np.float16]
    true_normal: NDArray[np.float16]


NAMES = tuple(f.name for f in fields(Example))


class Studio:
    """Makes examples; example k of a seed is the same on every machine with the same libraries.

    fits: one of FITS, around what fits the examples are made. "quick" takes a hundredth of a
    second; "product" a quarter: the product's own fit of a simulated report. "detected" takes
    twice that: the product's own fit of what MediaPipe itself reports of a photo.
    """

    def __init__(self, head: HeadModel | None = None, *, fits: str = "quick") -> None:
        self.head = load_open_head() if head is None else head
        self.fits = fits
        self.population = Population.of(self.head)
        self.fitter = LandmarkFitter(self.head, self.population.canonical)
        self.detector = MediaPipePredictor()
        self.paint, self.occluders = Paint(self.head), Occluders(self.head, SIZE)
        self.skin = is_skin(self.head)
        self.hairy = np.clip((_above_hairline(self.head.template)) / 0.02, 0, 1)

    def example(self, seed: int, number: int) -> Example:
        """Example ``number`` of a seed."""
        rng = np.random.default_rng([seed, number])
        while True:
            subject = self.population.draw(rng)
            fitted = {
                "quick": self.fitter.fit,
                "product": self.fitter.product_fit,
                "detected": self.detected_fit,
            }[self.fits]
            fit = fitted(subject, rng)
            if fit is not None:
                return self.render(subject, fit, rng)

    def render(self, subject: Subject, fit: Fit, rng: np.random.Generator) -> Example:
        """A subject as the crop around a fit shows it."""
        head, camera = self.head, subject.camera
        region = face_region(head, fit.vertices, fit.camera)
        fitted = draw(head, fit.vertices, fit.camera, region)
        vertices = subject.vertices + self.hair(subject.vertices, rng)
        normals = vertex_normals(vertices, head.triangles)
        depth = camera.to_camera(vertices)[:, 2]
        photo = camera.project(vertices)

        coarse = rasterised(in_crop(photo, region, GRID), depth, head, GRID)
        turned = normals @ (to_crop_frame(region) @ camera.R).T
        true_normal = normalised(coarse.interpolate(turned[head.triangles]))
        claimed = in_crop(fit.camera.project(fit.vertices), region, GRID)
        x, y = np.meshgrid(*(np.arange(GRID) + 0.5,) * 2)
        flow = coarse.interpolate(claimed[head.triangles]) - np.stack([x, y], axis=-1)
        known = (coarse.triangle >= 0) & self.skin[coarse.triangle]
        known &= np.linalg.norm(flow, axis=-1) < FARTHEST_FLOW
        flow[~known] = np.nan

        fine = rasterised(in_crop(photo, region, SIZE), depth, head, SIZE)
        looks = [
            self._look(subject, vertices, normals, fine, coarse, region, rng) for _ in range(LOOKS)
        ]
        return Example(
            colors=np.stack([colors for colors, _ in looks]),
            skin=np.stack([skin for _, skin in looks]).astype(np.uint8),
            normal=fitted.normal.astype(np.float16),
            place=fitted.place.astype(np.float16),
            mask=fitted.mask,
            flow=flow.astype(np.float16),
            true_normal=true_normal.astype(np.float16),
        )

    def hair(self, vertices: Array, rng: np.random.Generator) -> Array:
        """(V, 3) offsets of the scalp, as hair of some thickness."""
        if rng.random() < 0.35:
            return np.zeros_like(vertices)
        out = vertex_normals(vertices, self.head.triangles)
        waves = rng.normal(0, 60, (3, 3))
        uneven = 1 + 0.3 * np.sin(self.head.template @ waves).mean(axis=1)
        return out * (self.hairy * rng.uniform(0.003, 0.045) * uneven)[:, None]

    def _look(self, subject, vertices, normals, fine, coarse, region, rng):  # type: ignore[no-untyped-def]
        camera = subject.camera
        picture, skin, coat, light = self.scene(subject, vertices, normals, fine, rng)
        face = skin > 0
        tone = light[coat.skin].mean(axis=0) if coat.skin.any() else np.full(3, 0.3)
        lit = tone / np.maximum(coat.color[coat.skin].mean(axis=0), 1e-3) if face.any() else tone

        def project(points: Array) -> Array:
            return in_crop(camera.project(points), region, SIZE)

        covered = self.occluders.draw(picture, vertices, project, (coat.hair * lit, tone), rng)
        bare = np.where(covered > 0.3, 0, skin).reshape(GRID, 2, GRID, 2).mean(axis=(1, 3)) > 0.5
        bare &= (coarse.triangle >= 0) & self.skin[coarse.triangle]
        return develop(np.maximum(picture, 0), face, rng), bare

    def photo(
        self, subject: Subject, size: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.uint8], Coat]:
        """The subject's whole photo, size x size, with nothing before the face."""
        head, camera = self.head, subject.camera
        vertices = subject.vertices + self.hair(subject.vertices, rng)
        normals = vertex_normals(vertices, head.triangles)
        points = camera.project(vertices) * (size / camera.width)
        drawn = rasterised(points, camera.to_camera(vertices)[:, 2], head, size)
        picture, skin, coat, _ = self.scene(subject, vertices, normals, drawn, rng)
        return develop(np.maximum(picture, 0), skin > 0, rng), coat

    def detected_fit(self, subject: Subject, rng: np.random.Generator) -> Fit | None:
        """The product's fit to what MediaPipe itself finds in a photo of a subject, if it does."""
        pixels, _ = self.photo(subject, DETECTED, rng)
        points = subject.camera.project(self.fitter.landmarks(subject))
        low, high = points.min(axis=0), points.max(axis=0)
        box = np.concatenate([low, high]) * (DETECTED / PHOTO)
        try:
            (face,) = self.detector.faces(pixels, box=box, passes=2)
        except NoFaceError:
            return None
        if face.presence < 0.5:
            return None
        return self.fitter.fit_to(cues_from_face(face, DETECTED, DETECTED), subject, rng)

    def scene(
        self,
        subject: Subject,
        vertices: Array,
        normals: Array,
        drawn: Raster,
        rng: np.random.Generator,
    ) -> tuple[Array, Array, Coat, Array]:
        """A square raster of a subject (with hair: vertices and normals (V, 3)), lit: linear
        picture (s, s, 3), skin (s, s) 0 or 1, and of the head's pixels coat and light (n, 3).
        """
        head, camera, paint = self.head, subject.camera, self.paint
        seen = drawn.triangle >= 0
        at = paint.pixels(drawn.triangle[seen], drawn.barycentric[seen])
        corners = head.triangles[at.triangle]
        points = np.einsum("nk,nkc->nc", at.barycentric, vertices[corners])
        normal = normalised(np.einsum("nk,nkc->nc", at.barycentric, normals[corners]))
        view = normalised(camera.centre - points)
        up = camera.R.T @ np.array([0.0, -1.0, 0.0])
        coat = paint.colors(at, rng)
        picture = background(len(seen), paint.bank, rng)
        light = shade(paint, head, vertices, at, points, normal, view, up, coat, rng)
        picture *= np.exp(rng.normal(0.0, 0.6)) * float(light.mean() + 0.05) / 0.3
        picture[seen] = light
        skin = np.zeros(seen.shape)
        skin[seen] = coat.skin
        return picture, skin, coat, light


def _above_hairline(points: Array) -> Array:
    """(n,) metres above a line from the forehead past the temples to the nape, ears apart."""
    x, y, z = points.T
    return np.where(np.abs(x) < 0.082, (y - 0.105) + 1.1 * (0.075 - z), 0)
