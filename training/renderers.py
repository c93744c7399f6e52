# SPDX-License-Identifier: GPL-3.0-or-later
"""Two renderers behind one interface, and photos of held-out people by either.

``quick`` is the rasteriser that makes the training's examples; ``cycles`` is path-traced (it needs
bpy), with paint, lamps and sky from other code. The network learns from the first alone, so that
the second shows what it knows beyond that renderer's looks.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from core.heads import HeadModel, load_open_head
from core.photos.colour import linear_from_srgb, srgb_from_linear

from .drawing import Sample
from .population import PHOTO, Population, Subject

#: Of linear RGB.
LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)


@dataclass(frozen=True, eq=False)
class Shot:
    """pixels (PHOTO, PHOTO, 3) sRGB; tone: median luminance of the skin's paint, linear."""

    pixels: NDArray[np.uint8]
    tone: float


class Renderer(Protocol):
    """Takes photos of subjects by their own cameras, with nothing before the face."""

    def photo(self, subject: Subject, rng: np.random.Generator) -> Shot:
        """One photo."""


class QuickRenderer:
    """The rasteriser. Needs OpenCV."""

    def __init__(self, head: HeadModel) -> None:
        from .quick_studio import Studio

        self.studio = Studio(head)

    def photo(self, subject: Subject, rng: np.random.Generator) -> Shot:
        """See Renderer."""
        pixels, coat = self.studio.photo(subject, PHOTO, rng)
        tone = float(np.median(coat.color[coat.skin] @ LUMINANCE)) if coat.skin.any() else 0.0
        return Shot(pixels, tone)


class CyclesRenderer:
    """A Cycles scene, reused. Needs bpy."""

    def __init__(self, head: HeadModel) -> None:
        from .cycles_studio import Studio

        self.studio = Studio(head, PHOTO)

    def photo(self, subject: Subject, rng: np.random.Generator) -> Shot:
        """See Renderer."""
        s, studio = subject, self.studio
        pixels = studio.shoot(
            Sample(s.identity, s.expression, s.rotations, s.vertices, s.camera), rng
        )
        paint = np.empty(studio.texture.size[0] * studio.texture.size[1] * 4, np.float32)
        studio.texture.pixels.foreach_get(paint)
        albedo = paint.reshape(-1, 4)[:, :3][studio.painter.covered.ravel()]
        return Shot(_metered(pixels, s, rng), float(np.median(albedo @ LUMINANCE)))


def _metered(
    pixels: NDArray[np.uint8], subject: Subject, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Exposed for the face, as cameras do; the lamps' strength is anything."""
    linear = linear_from_srgb(pixels / 255.0)
    points = subject.camera.project(subject.vertices)
    low = np.clip(points.min(axis=0), 0, PHOTO - 2).astype(int)
    high = np.clip(points.max(axis=0), low + 1, PHOTO).astype(int)
    bright = np.quantile(linear[low[1] : high[1], low[0] : high[0]] @ LUMINANCE, 0.8)
    gain = rng.uniform(0.3, 0.8) / max(float(bright), 0.02)
    shown: NDArray[np.uint8] = np.round(
        255 * srgb_from_linear(np.clip(linear * gain, 0.0, 1.0))
    ).astype(np.uint8)
    return shown


RENDERERS = {"quick": QuickRenderer, "cycles": CyclesRenderer}


def shoot(renderer: str, count: int, seed: int, out: Path) -> None:
    """Writes ``out/photo-<seed>-<number>.npz`` for each person; what is there stays."""
    out.mkdir(parents=True, exist_ok=True)
    head = load_open_head()
    population = Population.of(head)
    studio: Renderer | None = None
    for number in range(count):
        path = out / f"photo-{seed}-{number:04d}.npz"
        if path.exists():
            continue
        studio = studio or RENDERERS[renderer](head)
        rng = np.random.default_rng([seed, number])
        subject = population.draw(rng)
        shot = studio.photo(subject, rng)
        with path.open("wb") as file:
            np.savez(
                file,
                pixels=shot.pixels,
                tone=shot.tone,
                vertices=subject.vertices,
                expression=subject.expression,
                R=subject.camera.R,
                t=subject.camera.t,
                focal=subject.camera.focal,
            )
        print(f"{path.name}: {number + 1} of {count}", flush=True)
