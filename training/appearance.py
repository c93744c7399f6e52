# SPDX-License-Identifier: GPL-3.0-or-later
"""What covers the head: skin of all tones, brows, lashes, lips, stubble, hair, cloth, eyes.

Paint lies by distance on the average head, which all identities share, so that it is baked once
into the texture layout and looked up for each pixel. Colours are linear RGB. Skin follows the
two pigments that matter (melanin darkens and browns, haemoglobin reddens), as colours and not as
spectra.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.geometry.mesh import vertex_normals
from core.geometry.raster import rasterise
from core.heads.corners import triangle_part, triangle_uv
from core.heads.model import HeadModel

Array = NDArray[np.float64]

ATLAS = 512
_BROWS = (
    ((70, 63, 105, 66, 107), (46, 53, 52, 65, 55)),
    ((300, 293, 334, 296, 336), (276, 283, 282, 295, 285)),
)
_UPPER = (
    (33, 246, 161, 160, 159, 158, 157, 173, 133),
    (263, 466, 388, 387, 386, 385, 384, 398, 362),
)
_LOWER = ((33, 7, 163, 144, 145, 153, 154, 155, 133), (263, 249, 390, 373, 374, 380, 381, 382, 362))
#: Directions from which light reaches a vertex or not.
_SKY = 60
#: Metres by which a point must lie behind another to be in its shadow.
SHADOW_BIAS = 0.004


def noise_bank(count: int = 24, size: int = 256) -> NDArray[np.float32]:
    """(count, size, size) tileable noise of unit variance, from coarse to fine."""
    rng = np.random.default_rng(20)
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None]) * size
    out = []
    for k in range(count):
        cutoff = 3 * 2 ** (5 * k / (count - 1))
        shape = np.exp(-((frequency / cutoff) ** 2)) / np.maximum(frequency, 1) ** 0.5
        shape[0, 0] = 0
        field = np.fft.irfft2(np.fft.rfft2(rng.normal(size=(size, size))) * shape, (size, size))
        out.append(field / field.std())
    return np.array(out, np.float32)


@dataclass(frozen=True, eq=False)
class Pixels:
    """The n pixels of a picture that show the head: triangle (n,), barycentric (n, 3), uv (n, 2)
    v downward, place (n, 3) on the average head, metres.
    """

    triangle: NDArray[np.int32]
    barycentric: Array
    uv: Array
    place: Array


class Paint:
    """Masks in the texture layout and values a vertex, made once."""

    def __init__(self, head: HeadModel) -> None:
        self.head, self.bank = head, noise_bank()
        self.part = triangle_part(head)
        self.names = {name: i for i, name in enumerate(head.part_names)}
        uv = triangle_uv(head)
        self.uv = np.stack([uv[..., 0], 1 - uv[..., 1]], axis=-1)
        skin = np.flatnonzero(self.part == self.names["skin"])
        flat = self.uv.reshape(-1, 2) * ATLAS
        corners = np.arange(len(flat)).reshape(-1, 3)[skin]
        drawn = rasterise(flat, np.ones(len(flat)), corners, ATLAS, ATLAS)
        covered = drawn.triangle >= 0
        places = drawn.interpolate(head.template[head.triangles[skin]])[covered]

        def baked(values: Array) -> NDArray[np.float32]:
            out = np.full((ATLAS, ATLAS), 99.0, np.float32)
            out[covered] = values
            return out

        self.brow = baked(np.min([self._across(places, *arcs) for arcs in _BROWS], axis=0))
        self.upper = baked(np.min([_distance(places, self._line(u)) for u in _UPPER], axis=0))
        self.lower = baked(np.min([_distance(places, self._line(u)) for u in _LOWER], axis=0))
        region = {n: m.astype(float) for n, m in head.regions.items()}
        beard = np.maximum(region["chin"], region["jaw"]) * (1 - region["lips"])
        moustache = (np.abs(head.template[:, 0]) < 0.03) * (
            np.abs(head.template[:, 1] - head.template[region["lips"] > 0, 1].max() - 0.006) < 0.01
        )
        red = np.maximum.reduce([region["cheek_l"], region["cheek_r"], region["nose"]])
        sky = open_sky(head.template, head)
        self.vertex = np.stack(
            [region["lips"], np.maximum(beard, moustache * 1.0), red, region["neck"], sky], axis=1
        )

    def _line(self, ids: tuple[int, ...]) -> Array:
        points = self.head.landmarks(self.head.template, np.array(ids, dtype=np.int32))
        t = np.linspace(0, len(points) - 1, 8 * len(points))
        return np.column_stack([np.interp(t, np.arange(len(points)), p) for p in points.T])

    def _across(self, points: Array, upper: tuple[int, ...], lower: tuple[int, ...]) -> Array:
        """Distance from the brow's middle, in halves of its height."""
        u, lo = self._line(upper), self._line(lower)
        return _distance(points, (u + lo) / 2) / (np.linalg.norm(u - lo, axis=1).mean() / 2)

    def noise(self, uv: Array, scale: float, level: float, rng: np.random.Generator) -> Array:
        """(n,) of the bank, turned and shifted; level 0..1 from coarse to fine."""
        angle, shift = rng.uniform(0, 2 * np.pi), rng.uniform(0, 1, 2)
        c, s = np.cos(angle), np.sin(angle)
        at = (uv @ np.array([[c, -s], [s, c]]) * scale + shift) % 1.0
        cell = np.minimum((at * 256).astype(np.intp), 255)
        return self.bank[round(level * (len(self.bank) - 1))][cell[:, 1], cell[:, 0]]

    def pixels(self, triangle: NDArray[np.int32], barycentric: Array) -> Pixels:
        """Pixels by what a raster says of them, (n,) and (n, 3)."""
        uv = np.einsum("nk,nkc->nc", barycentric, self.uv[triangle])
        corners = self.head.template[self.head.triangles[triangle]]
        return Pixels(triangle, barycentric, uv, np.einsum("nk,nkc->nc", barycentric, corners))

    def colors(self, at: Pixels, rng: np.random.Generator) -> Coat:
        """Colours and gloss of one random person."""
        n = len(at.triangle)
        melanin, blood = rng.random() ** 1.2, rng.uniform(0.0, 1.0)
        values = np.einsum(
            "nk,nkc->nc", at.barycentric, self.vertex[self.head.triangles[at.triangle]]
        )
        lips, beard, red, neck, sky = values.T
        cell = np.clip((at.uv * ATLAS).astype(np.intp), 0, ATLAS - 1)
        brow, upper, lower = (
            m[cell[:, 1], cell[:, 0]] for m in (self.brow, self.upper, self.lower)
        )

        base = skin_color(melanin, blood) * rng.uniform(0.9, 1.1, 3)
        out = np.tile(base, (n, 1))
        tone = rng.uniform(0.0, 0.08) * self.noise(at.uv, rng.uniform(0.5, 2), 0.1, rng)
        tone += rng.uniform(0.0, 0.07) * self.noise(at.uv, rng.uniform(1, 2.5), 0.5, rng)
        tone += rng.random() ** 2 * 0.07 * self.noise(at.uv, rng.uniform(1, 3), 1.0, rng)
        out *= np.exp(tone)[:, None]
        blotch = red * rng.uniform(-0.1, 0.5) + 0.3 * rng.random() * self.noise(
            at.uv, 1.5, 0.3, rng
        )
        out *= np.exp(blotch[:, None] * np.array([0.12, -0.16, -0.10]))
        if rng.random() < 0.25:
            freckles = np.clip(self.noise(at.uv, rng.uniform(2, 4), 1.0, rng) - 1.2, 0, 1.5)
            _mix(out, base * [0.6, 0.45, 0.35], freckles * rng.uniform(0.2, 0.6))
        tint = base * np.array([0.9, 0.55, 0.55])
        if rng.random() < 0.3:
            tint = np.array(
                [rng.uniform(0.15, 0.6), rng.uniform(0.01, 0.15), rng.uniform(0.03, 0.2)]
            )
        _mix(out, tint, lips * rng.uniform(0.2, 1.0))
        hair = np.array([0.02, 0.014, 0.01]) + rng.random() ** 2.5 * np.array([0.35, 0.26, 0.16])
        if rng.random() < 0.12:
            hair = np.full(3, rng.uniform(0.15, 0.5))
        streak = np.clip(0.8 + 0.25 * self.noise(at.uv, 3, 1.0, rng), 0, 1)
        if rng.random() < 0.95:
            width = rng.uniform(0.6, 1.2)
            _mix(out, hair, np.exp(-((brow / width) ** 4)) * streak * rng.uniform(0.2, 0.95))
        if rng.random() < 0.3:  # lids painted, or shadows under the eyes
            shade = base * rng.uniform(0.4, 1.1, 3)
            _mix(
                out, shade, np.exp(-((np.minimum(upper, lower) / 0.006) ** 2)) * rng.uniform(0, 0.6)
            )
        _mix(out, hair * 0.4, np.exp(-((upper / 0.0014) ** 2)) * rng.uniform(0.2, 1.0))
        _mix(out, hair * 0.4, np.exp(-((lower / 0.001) ** 2)) * rng.uniform(0.0, 0.6))
        bristle = 0.0
        if rng.random() < 0.35:
            bristle = rng.uniform(0.1, 0.95)
            _mix(out, hair, np.clip(beard * bristle * streak * rng.uniform(0.6, 1.2), 0, 1))
        hairy = self._hairline(at, rng)
        _mix(out, hair * np.exp(0.3 * self.noise(at.uv, 2, 0.9, rng))[:, None], hairy)
        cloth = np.zeros(n)
        if rng.random() < 0.7:
            edge = rng.uniform(-0.155, -0.115)
            cloth = (neck > 0.5) * (at.place[:, 1] < edge + 0.2 * at.place[:, 2])
            _mix(out, rng.uniform(0.01, 0.8, 3) ** 1.5, cloth)
        gloss = 0.8 * rng.random() ** 1.7 * (1 - hairy) * (1 - cloth) * (1 + lips * rng.random())
        covered = np.maximum(hairy, cloth)
        if bristle > 0.5:
            covered = np.maximum(covered, np.clip(beard - 0.5, 0, 1))
        self._inner_parts(out, gloss, at, rng)
        is_skin = self.part[at.triangle] == self.names["skin"]
        return Coat(np.clip(out, 0.003, 0.95), gloss, sky, hair, is_skin & (covered < 0.5))

    def _hairline(self, at: Pixels, rng: np.random.Generator) -> Array:
        if rng.random() < 0.15:
            return np.zeros(len(at.triangle))
        x, y, z = at.place.T
        rough = 0.004 * self.noise(at.uv, 2.5, 0.8, rng)
        above = (y - 0.1) + rng.uniform(0.9, 1.3) * (0.08 - z) + rng.uniform(-0.015, 0.012) + rough
        away = np.abs(x) < rng.uniform(0.072, 0.09)
        return np.clip(above / 0.006, 0, 1) * away * rng.uniform(0.85, 1.0)

    def _inner_parts(self, out: Array, gloss: Array, at: Pixels, rng: np.random.Generator) -> None:
        """Eyes, teeth, tongue and mouth."""
        part = self.part[at.triangle]
        white, iris = rng.uniform(0.45, 0.75), rng.uniform(0.02, 0.2, 3) * [1.0, 0.9, 1.1]
        for name, color, shine in (
            ("eyeball", np.array([1.0, 0.93, 0.9]) * white, 1.5),
            ("iris", iris, 2.0),
            ("pupil", np.full(3, 0.01), 2.0),
            ("teeth", np.array([0.7, 0.66, 0.55]) * rng.uniform(0.6, 1.1), 0.8),
            ("tongue", np.array([0.35, 0.12, 0.1]), 0.3),
            ("mouth", np.array([0.12, 0.03, 0.025]), 0.2),
        ):
            ids = [i for n, i in self.names.items() if n.startswith(name)]
            these = np.isin(part, ids)
            out[these], gloss[these] = color, shine


@dataclass(frozen=True, eq=False)
class Coat:
    """color (n, 3) linear; gloss (n,); sky (n,) share of the light from around that arrives;
    hair (3,) its colour; skin (n,) True where skin is to be seen.
    """

    color: Array
    gloss: Array
    sky: Array
    hair: Array
    skin: NDArray[np.bool_]


def skin_color(melanin: float, blood: float) -> Array:
    """(3,) linear RGB of skin from pale (0) to dark (1)."""
    pale, dark = np.array([0.68, 0.46, 0.36]), np.array([0.055, 0.028, 0.018])
    color = np.exp((1 - melanin) * np.log(pale) + melanin * np.log(dark))
    return color * np.array([1.0, 1.05 - 0.18 * blood, 1.05 - 0.15 * blood])


def open_sky(vertices: Array, head: HeadModel) -> Array:
    """(V,) share of a bright sphere's light, by the cosine, that reaches each vertex."""
    normals = vertex_normals(vertices, head.triangles)
    k = np.arange(_SKY) + 0.5
    height, around = 1 - 2 * k / _SKY, np.pi * (1 + np.sqrt(5)) * k
    flat = np.sqrt(1 - height**2)
    total, got = np.zeros(len(vertices)), np.zeros(len(vertices))
    for light in np.column_stack([flat * np.cos(around), height, flat * np.sin(around)]):
        cosine = np.maximum(normals @ light, 0)
        total += cosine
        got += cosine * lit(vertices, normals, shadow_map(vertices, head, light), light)
    return got / np.maximum(total, 1e-9)


def shadow_map(vertices: Array, head: HeadModel, light: Array, size: int = 96) -> tuple:
    """What a light far away along ``light`` (3,) sees: axes (2, 3), corner (2,), scale, depth."""
    across = np.cross(light, [0.0, 1.0, 0.1])
    across /= np.linalg.norm(across)
    axes = np.stack([across, np.cross(light, across)])
    flat = vertices @ axes.T
    corner = flat.min(axis=0)
    scale = (size - 1) / float((flat.max(axis=0) - corner).max())
    away = 1.0 - vertices @ light
    seen = rasterise((flat - corner) * scale, away, head.triangles, size, size)
    return axes, corner, scale, seen.depth


def lit(points: Array, normals: Array, shadow: tuple, light: Array) -> NDArray[np.bool_]:
    """(n,) whether light arrives at points with normals."""
    axes, corner, scale, depth = shadow
    raised = points + 0.002 * normals
    at = ((raised @ axes.T - corner) * scale).astype(np.intp)
    at = np.clip(at, 0, len(depth) - 1)
    return 1.0 - raised @ light < depth[at[:, 1], at[:, 0]] + SHADOW_BIAS


def _mix(image: Array, color: Array, weight: Array) -> None:
    image += np.asarray(weight)[:, None] * (color - image)


def _distance(points: Array, line: Array) -> Array:
    """Distance of points (n, 3) to the nearest of a line's samples, metres."""
    best = np.full(len(points), np.inf)
    for p in line:
        np.minimum(best, ((points - p) ** 2).sum(axis=-1), out=best)
    return np.sqrt(best)
