# SPDX-License-Identifier: GPL-3.0-or-later
"""Paints skin, lips, brows, lash lines, stubble and hair for a head, in its own UV atlas.

The detector leans on brows, lips and lash lines, so that a head without them is read wrongly by
millimetres. Paint is laid by distance on the template, which all identities share.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.heads.model import HeadModel

Array = NDArray[np.float64]

TEXTURE = 768

_BROWS = (
    ((70, 63, 105, 66, 107), (46, 53, 52, 65, 55)),
    ((300, 293, 334, 296, 336), (276, 283, 282, 295, 285)),
)
_LIDS = (
    ((33, 246, 161, 160, 159, 158, 157, 173, 133), (33, 7, 163, 144, 145, 153, 154, 155, 133)),
    ((263, 466, 388, 387, 386, 385, 384, 398, 362), (263, 249, 390, 373, 374, 380, 381, 382, 362)),
)  # fmt: skip


class Painter:
    """Holds the template's position and region weights of every texel of the skin."""

    def __init__(self, head: HeadModel) -> None:
        self.head = head
        skin = np.isin(head.face_part, [head.part_names.index("skin")])
        faces, corners = head.quads[skin], head.uv_quads[skin]
        regions = {n: head.regions[n].astype(float) for n in ("lips", "chin", "jaw")}
        values = np.column_stack([head.template, *regions.values()])
        self.map = _bake(head.uv, corners, faces, values)
        at = self.map[..., 3:].T
        self.weight = {name: np.nan_to_num(w.T) for name, w in zip(regions, at, strict=True)}
        self.covered = ~np.isnan(self.map[..., 0])
        points = np.nan_to_num(self.map[..., :3])
        self.height, self.aside = _height(points), np.abs(points[..., 0]) < 0.079
        self.brow = np.max([self._between(points, *arcs) for arcs in _BROWS], axis=0)
        upper = [_distance(points, self._line(u)) for u, _ in _LIDS]
        lower = [_distance(points, self._line(lo)) for _, lo in _LIDS]
        self.lash = np.exp(-((np.min(upper, axis=0) / 0.0013) ** 2))
        self.lash_lower = np.exp(-((np.min(lower, axis=0) / 0.0009) ** 2))

    def _line(self, ids: tuple[int, ...]) -> Array:
        points = self.head.landmarks(self.head.template, np.array(ids, dtype=np.int32))
        t = np.linspace(0, len(points) - 1, 8 * len(points))
        return np.column_stack([np.interp(t, np.arange(len(points)), p) for p in points.T])

    def _between(self, points: Array, upper: tuple[int, ...], lower: tuple[int, ...]) -> Array:
        u, lo = self._line(upper), self._line(lower)
        middle, half = (u + lo) / 2, np.linalg.norm(u - lo, axis=1).mean() / 2
        return np.exp(-((_distance(points, middle) / (0.9 * half)) ** 4))

    def paint(self, rng: np.random.Generator) -> NDArray[np.float32]:
        """(TEXTURE, TEXTURE, 3) linear RGB, first row at the bottom as Blender stores images."""
        tone = rng.random()  # from dark to pale
        base = (1 - tone) * np.array([0.06, 0.03, 0.02]) + tone * np.array([0.62, 0.40, 0.31])
        base = base * rng.uniform(0.85, 1.15, 3)
        grain = 1 + 0.06 * rng.normal(size=(TEXTURE // 4, TEXTURE // 4)).repeat(4, 0).repeat(4, 1)
        out = base * grain[..., None]
        hair = np.array([0.02, 0.014, 0.01]) + rng.random() ** 3 * np.array([0.25, 0.18, 0.1])
        lips = base * np.array([0.85, 0.5, 0.5]) + rng.random() ** 2 * np.array([0.15, 0, 0.02])
        _mix(out, lips, self.weight["lips"] * rng.uniform(0.3, 1.0))
        streaks = rng.uniform(0.6, 1.0, out.shape[:2])
        if rng.random() < 0.95:
            _mix(out, hair, self.brow * streaks * rng.uniform(0.35, 1.0))
        _mix(out, hair * 0.5, self.lash * rng.uniform(0.3, 1.0))
        _mix(out, hair * 0.5, self.lash_lower * rng.uniform(0.0, 0.6))
        if rng.random() < 0.75:
            # A fringe falls over the forehead, down to the brows.
            lower = rng.uniform(0.0, 0.03) if rng.random() < 0.3 else 0.0
            scalp = np.clip((self.height + lower) / 0.006, 0, 1) * self.aside
            _mix(out, hair, scalp * rng.uniform(0.7, 1.0))
        if rng.random() < 0.3:
            beard = np.maximum(self.weight["chin"], self.weight["jaw"]) * (1 - self.weight["lips"])
            _mix(out, hair, beard * streaks * rng.uniform(0.1, 0.8))
        return np.ascontiguousarray(out, dtype=np.float32)


def _height(points: Array) -> Array:
    """Metres above a hairline that runs from the forehead past the temples to the nape."""
    _, y, z = np.moveaxis(points, -1, 0)
    out: Array = (y - 0.1) + 1.1 * (0.08 - z)
    return out


def _mix(image: Array, color: Array, weight: Array) -> None:
    image += weight[..., None] * (color - image)


def _distance(points: Array, line: Array) -> Array:
    """Distance of every texel to the nearest of a line's samples, metres."""
    best = np.full(points.shape[:2], np.inf)
    for p in line:
        np.minimum(best, ((points - p) ** 2).sum(axis=-1), out=best)
    return np.sqrt(best)


def _bake(uv: Array, corners: Array, faces: Array, values: Array) -> Array:
    """Per-vertex values carried into the atlas, nan where no face lies."""
    out = np.full((TEXTURE, TEXTURE, values.shape[1]), np.nan)
    triples = [(0, 1, 2), (0, 2, 3)]
    for quad, uvs in zip(faces, corners, strict=True):
        for triple in triples[: 2 if quad[3] >= 0 else 1]:
            p = uv[uvs[list(triple)]] * TEXTURE - 0.5
            low = np.maximum(np.floor(p.min(axis=0)).astype(int), 0)
            high = np.minimum(np.ceil(p.max(axis=0)).astype(int) + 1, TEXTURE)
            if (high <= low).any():
                continue
            x, y = np.meshgrid(np.arange(low[0], high[0]), np.arange(low[1], high[1]))
            a, b, c = p
            area = (b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1])
            if abs(area) < 1e-12:
                continue
            w1 = ((x - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (y - a[1])) / area
            w2 = ((b[0] - a[0]) * (y - a[1]) - (x - a[0]) * (b[1] - a[1])) / area
            w0 = 1 - w1 - w2
            inside = (w0 > -0.2) & (w1 > -0.2) & (w2 > -0.2)
            w = np.stack([w0[inside], w1[inside], w2[inside]], axis=1)
            out[y[inside], x[inside]] = w @ values[quad[list(triple)]]
    return out
