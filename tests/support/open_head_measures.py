# SPDX-License-Identifier: GPL-3.0-or-later
"""The built open head as the tests see it, and what they measure with rays: gaps and overlaps.

Shares no code with the builder nor with the product.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).resolve().parents[2] / "vendor" / "open_head"
FLIP = np.array([-1.0, 1.0, 1.0])
JAW, EYE_L, EYE_R = 3, 4, 5
BLINK = {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0}
PEOPLE = 24
COMPONENTS = 130


class Head:
    """The arrays as float64, and the vertices for given coefficients."""

    def __init__(self, path: Path) -> None:
        with np.load(path, allow_pickle=False) as data:
            self.raw = {name: data[name] for name in data.files}
        for name, array in self.raw.items():
            setattr(self, name, array.astype(float) if array.dtype.kind == "f" else array)
        self.own = len(self.shapedirs)
        for name in ("shapedirs", "exprdirs", "posedirs"):
            setattr(self, name, self.followed(getattr(self, name)))
        more = len(self.v_template) - self.own
        self.J_regressor = np.pad(self.J_regressor, [(0, 0), (0, more)])
        self.parts = [str(n) for n in self.part_names]
        self.names = [str(n) for n in self.expr_names]

    def __call__(self, identity=None, expression=()):
        v = self.v_template.copy()
        if identity is not None:
            v += self.shapedirs @ identity
        for name, weight in dict(expression).items():
            v += weight * self.shape(name)
        return v

    def followed(self, motion):
        """What the last vertices do, one by one: the weighted sum over those they follow."""
        rows = [
            self.follow_weight[a:b] @ motion[self.follow_leader[a:b]].reshape(b - a, -1)
            for a, b in zip(self.follow_start[:-1], self.follow_start[1:], strict=True)
        ]
        return np.concatenate([motion, np.reshape(rows, (-1, *motion.shape[1:]))])

    def shape(self, name):
        return self.exprdirs[:, :, self.names.index(name)]

    def region(self, name):
        return self.regions[list(self.region_names).index(name)]

    def landmarks(self, v):
        return np.einsum("nk,nkc->nc", self.lmk_bary, v[self.lmk_vertices])

    def triangles_of(self, *parts):
        wanted = [self.parts.index(p) for p in parts]
        keep = np.isin(self.face_part[self.triangle_quad], wanted)
        return self.triangles[keep], self.face_part[self.triangle_quad[keep]]

    def posed(self, joint, rotation):
        """Linear blend skinning with correctives, one joint turned (all its ancestors at rest)."""
        column = 9 * (joint - 1) + np.arange(9)
        v = self.v_template + self.posedirs[:, :, column] @ (rotation - np.eye(3)).ravel()
        centre = (self.J_regressor @ self.v_template)[joint]
        return v + self.weights[:, joint, None] * ((v - centre) @ rotation.T + centre - v)


def mirrored(head, field):
    return field[head.mirror] * FLIP


def rotation(rotvec):
    angle = np.linalg.norm(rotvec)
    x, y, z = rotvec / angle
    k = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * k + (1 - np.cos(angle)) * k @ k


def cast(v, triangles, axis, low, high, step=2e-4):
    """Parallel rays along ``axis`` on a grid over the other two axes.

    Returns rays (row, column), heights along the axis, triangle numbers and facing (+1 where the
    surface faces up the axis) of every hit, and the grid's shape.
    """
    a, b = (i for i in range(3) if i != axis)
    grid = [np.arange(low[i], high[i], step) for i in (a, b)]
    hits = []
    p, h = v[:, [a, b]], v[:, axis]
    low2, high2 = p[triangles].min(axis=1), p[triangles].max(axis=1)
    inside = (high2 >= [g[0] for g in grid]).all(axis=1) & (low2 <= [g[-1] for g in grid]).all(
        axis=1
    )
    for t in np.flatnonzero(inside):
        corners = p[triangles[t]]
        spans = [
            slice(*np.searchsorted(g, [low2[t, i] - 1e-9, high2[t, i] + 1e-9]))
            for i, g in enumerate(grid)
        ]
        x, y = np.meshgrid(grid[0][spans[0]], grid[1][spans[1]], indexing="ij")
        (ax, ay), (bx, by), (cx, cy) = corners
        area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
        if x.size == 0 or abs(area) < 1e-14:
            continue
        w1 = ((x - ax) * (cy - ay) - (cx - ax) * (y - ay)) / area
        w2 = ((bx - ax) * (y - ay) - (x - ax) * (by - ay)) / area
        i, j = np.nonzero((w1 >= -1e-9) & (w2 >= -1e-9) & (w1 + w2 <= 1 + 1e-9))
        u1, u2 = w1[i, j], w2[i, j]
        ha, hb, hc = h[triangles[t]]
        facing = np.sign(area) * (-1 if axis == 1 else 1)
        rows = np.full(len(i), t), np.full(len(i), facing)
        hits.append(
            np.stack(
                [
                    i + spans[0].start,
                    j + spans[1].start,
                    (1 - u1 - u2) * ha + u1 * hb + u2 * hc,
                    *rows,
                ],
                axis=1,
            )
        )
    return np.concatenate(hits), tuple(len(g) for g in grid)


def visible(v, triangles, part, wanted, low, high, step=2e-4):
    """(columns, rows) mask of the front view: a wanted part is the nearest surface."""
    hits, shape = cast(v, triangles, 2, low, high, step)
    hits = hits[np.argsort(hits[:, 2], kind="stable")]
    seen = np.full(shape, -1)
    seen[hits[:, 0].astype(int), hits[:, 1].astype(int)] = part[hits[:, 3].astype(int)]
    return np.isin(seen, wanted)


def tallest_mm(mask, step=2e-4):
    """Longest vertical run of a mask, mm."""
    best = run = np.zeros(len(mask), int)
    for row in mask.T:
        run = np.where(row, run + 1, 0)
        best = np.maximum(best, run)
    return 1000 * step * best.max()


def lip_gap_mm(head, v):
    """Tallest sight of the mouth's inside between the lips, seen from the front."""
    triangles, part = head.triangles_of(
        "skin",
        "mouth_interior",
        "teeth_upper",
        "teeth_lower",
        "gums_upper",
        "gums_lower",
        "tongue",
    )
    mouth = head.landmarks(v)[[61, 291, 13, 14]]
    margin = np.array([0, 0.01, 0])
    low, high = mouth.min(axis=0) - margin, mouth.max(axis=0) + margin
    inner = [i for i, name in enumerate(head.parts) if name != "skin"]
    return tallest_mm(visible(v, triangles, part, inner, low, high))


def lid_gap_mm(head, v):
    """Tallest sight of either eyeball between the lids, seen from the front."""
    worst = 0.0
    for side in "lr":
        ball = (f"eyeball_{side}", f"iris_{side}", f"pupil_{side}")
        triangles, part = head.triangles_of("skin", *ball)
        eye = v[head.region(f"eyeball_{side}")]
        mask = visible(
            v,
            triangles,
            part,
            [head.parts.index(n) for n in ball],
            eye.min(axis=0),
            eye.max(axis=0),
        )
        worst = max(worst, tallest_mm(mask))
    return worst


def lip_overlap_mm(head, v):
    """Thickest vertical stretch near the mouth line that is inside the skin twice."""
    triangles, _ = head.triangles_of("skin", "mouth_interior")
    mouth = head.landmarks(v)[[61, 291, 13, 14, 0]]
    low, high = mouth.min(axis=0) - [0, 0, 0.006], mouth.max(axis=0)
    line = mouth[:4, 1].min() - 0.003, mouth[:4, 1].max() + 0.003
    hits, _ = cast(v, triangles, 1, low, high, 2.7e-4)
    hits = hits[np.lexsort((hits[:, 2], hits[:, 1], hits[:, 0]))]
    ray = hits[:, 0] * 10_000 + hits[:, 1]
    entered = np.cumsum(-hits[:, 4])
    first = np.concatenate([[True], np.diff(ray) != 0])
    # Depth after each hit, counted from the ray's start below the chin.
    depth = (
        entered
        - (entered + hits[:, 4])[np.maximum.accumulate(np.where(first, np.arange(len(ray)), 0))]
    )
    twice = (depth[:-1] >= 2) & ~first[1:] & (hits[:-1, 2] > line[0]) & (hits[1:, 2] < line[1])
    return 1000 * np.diff(hits[:, 2])[twice].max(initial=0.0)


@cache
def load_head():
    return Head(FOLDER / "open_head.npz")


@cache
def load_named_shapes():
    with np.load(FOLDER / "named_shapes.npz", allow_pickle=False) as data:
        return {name: data[name] for name in data.files}


@cache
def random_people():
    return np.random.default_rng(2024).standard_normal((PEOPLE, COMPONENTS))
