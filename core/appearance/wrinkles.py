# SPDX-License-Identifier: GPL-3.0-or-later
"""Wrinkles that expressions draw on the skin: a picture of heights, and the sliders that drive it.

Which sliders: those whose muscles do (Ekman and Friesen, "Facial action coding system", 1978). The
lines are the same for everybody, drawn in the plane of the head's texture layout, in which a face
is unrolled nearly true to scale.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..files.png import encode_png
from ..geometry.smooth_step import smooth_step
from ..heads.arkit import ARKIT_NAMES
from ..rigged_head import RiggedHead
from .wrinkle_lines import LINES, Line

Array = NDArray[np.float64]
Floats = NDArray[np.float32]

#: The picture's two tiles, upper and lower, and the kind of wrinkle in each channel.
TILES = {
    "face": ("nasolabial", "crows_feet", "nose"),
    "brow": ("frown", "forehead_outer", "forehead_inner"),
}
KINDS = tuple(kind for kinds in TILES.values() for kind in kinds)
SIDES = ("Left", "Right")
#: Metres that the deepest line of each kind lies in the skin where its amount is 1.
DEPTH = {
    "nasolabial": 1.1e-3, "crows_feet": 0.45e-3, "nose": 0.5e-3, "frown": 0.8e-3,
    "forehead_outer": 0.5e-3, "forehead_inner": 0.5e-3,
}  # fmt: skip
#: Sliders that bring a kind out, without their sides, and how much each does.
DRIVES: dict[str, dict[str, float]] = {
    "nasolabial": {"mouthSmile": 1.0, "noseSneer": 0.6, "mouthUpperUp": 0.5, "mouthDimple": 0.35,
                   "cheekSquint": 0.3},
    "crows_feet": {"cheekSquint": 1.0, "eyeSquint": 0.8, "mouthSmile": 0.4},
    "nose": {"noseSneer": 1.0, "browDown": 0.15},
    "frown": {"browDown": 1.0, "noseSneer": 0.2},
    "forehead_outer": {"browOuterUp": 1.0},
    "forehead_inner": {"browInnerUp": 1.0, "browOuterUp": 0.3},
}  # fmt: skip
#: Where several sliders meet, wrinkles get no deeper than this.
MOST = 1.2
#: A byte of the picture: LEVEL is the smooth skin, UNIT steps are a depth of 1.
LEVEL, UNIT = 176, 128

#: Millimetres of a texel; of free skin around the lines; and over which one side meets the other.
_TEXEL, _MARGIN, _MIDDLE = 0.25, 2.0, 10.0
#: Landmarks across the face from each other that tell whether a layout is a mirror image.
_PAIRS = ((33, 263), (61, 291), (129, 358), (70, 300), (107, 336), (34, 264))
#: Millimetres by which they may be off.
_SYMMETRIC = 1.5
#: Millimetres beside the midline over which the forehead's middle gives way to its side.
_INNER = (10.0, 28.0)


@dataclass(frozen=True, eq=False)
class Wrinkles:
    """picture (2 h, w, 3): TILES above each other, rows from the top. layout (6,): the window of
    the texture layout that each tile shows, u and v of its lower left and upper right corner, and
    the u at which the person's right ends and their left begins; in between is both.
    """

    picture: NDArray[np.uint8]
    layout: Floats


def with_wrinkles(rigged: RiggedHead) -> RiggedHead:
    """The head with the PNG file of its wrinkles, if they can be drawn in its layout."""
    wrinkles = wrinkles_of(rigged)
    if wrinkles is None:
        return rigged
    data = np.frombuffer(encode_png(wrinkles.picture), np.uint8)
    return replace(rigged, folds_picture=data, folds_layout=wrinkles.layout)


def driving_keys(kind: str, side: str) -> dict[str, float]:
    """Slider -> how much of this kind of wrinkle it makes on a side, "Left" or "Right"."""
    sided = ((stem + side, stem, weight) for stem, weight in DRIVES[kind].items())
    return {name if name in ARKIT_NAMES else stem: weight for name, stem, weight in sided}


def wrinkles_of(rigged: RiggedHead) -> Wrinkles | None:
    """None for a head whose landmarks are not embedded, or whose layout is no mirror image."""
    plane = _Plane.of(rigged)
    if plane is None:
        return None
    paths = {group: [plane.path(line) for line in lines] for group, lines in LINES.items()}
    every = np.concatenate([path for group in paths.values() for path in group])
    reach = max(x.reach[0] + 3 * x.reach[1] for lines in LINES.values() for x in lines) + _MARGIN
    half = float(np.abs(every[:, 0]).max()) + reach
    low, high = float(every[:, 1].min()) - reach, float(every[:, 1].max()) + reach
    shape = (int(np.ceil((high - low) / _TEXEL)), int(np.ceil(2 * half / _TEXEL)))
    corner = np.array([-half, high])
    across = np.abs(corner[0] + (np.arange(shape[1]) + 0.5) * _TEXEL)
    inner = (1 - smooth_step(across, *_INNER)).astype(np.float32)
    parts = {"forehead": {"forehead_inner": inner, "forehead_outer": 1 - inner}}
    picture = np.full((len(TILES), *shape, 3), LEVEL, np.uint8)
    seeds = itertools.count()
    for group, lines in LINES.items():
        heights = np.zeros(shape, np.float32)
        for line, path in zip(lines, paths[group], strict=True):
            _carve(heights, corner, path, line, next(seeds))
            if not line.across:
                other = replace(line, banks=line.banks[::-1])
                _carve(heights, corner, path * [-1, 1], other, next(seeds))
        for kind, share in parts.get(group, {group: np.ones(1, np.float32)}).items():
            tile, channel = divmod(KINDS.index(kind), 3)
            levels = np.round(LEVEL + UNIT * share * heights)
            picture[tile, ..., channel] = np.clip(levels, 0, 255)
    ends = corner + _TEXEL * np.array([shape[1], -shape[0]])
    window = [corner[0], ends[1], ends[0], corner[1], -_MIDDLE / 2, _MIDDLE / 2]
    return Wrinkles(np.concatenate(picture), plane.layout(np.array(window)))


@dataclass(frozen=True, eq=False)
class _Plane:
    """The texture layout in millimetres, x to the person's left from the face's middle, y up:
    (u, v) = middle + (x, y) * scale. landmarks (478, 2), nan where there is none.
    """

    landmarks: Array
    middle: Array
    scale: Array

    @classmethod
    def of(cls, rigged: RiggedHead) -> _Plane | None:
        """None where there is no such plane."""
        used = {i for lines in LINES.values() for line in lines
                for a, b, _ in line.points for i in (a, b)}  # fmt: skip
        needed = [*used, *(i for pair in _PAIRS for i in pair)]
        at = rigged.landmark_vertices
        if not len(at) or (at[needed] < 0).any() or "skin" not in rigged.part_names:
            return None
        skin = rigged.face_part == list(rigged.part_names).index("skin")
        quads, uv_quads = rigged.quads[skin], rigged.uv_quads[skin]
        corner = quads >= 0
        uv = np.full((len(rigged.basis), 2), np.nan)
        uv[quads[corner]] = rigged.uv[uv_quads[corner]]
        marks = np.einsum("nk,nkc->nc", rigged.landmark_barycentric, uv[at])
        marks[at[:, 0] < 0] = np.nan
        right, left = (marks[[pair[i] for pair in _PAIRS]] for i in (0, 1))
        if not np.isfinite(marks[needed]).all():
            return None
        middle = np.array([float((left + right)[:, 0].mean()) / 2, 0.0])
        scale = _texture_units(rigged.basis, uv, quads, marks[needed])
        if left[0, 0] < right[0, 0]:
            scale[0] = -scale[0]
        flat = (marks - middle) / scale
        right, left = (flat[[pair[i] for pair in _PAIRS]] for i in (0, 1))
        if np.abs(right * [-1, 1] - left).max() > _SYMMETRIC:
            return None
        return cls(flat, middle, scale)

    def path(self, line: Line) -> Array:
        """(n, 2) along a line, of the right side unless it goes across, in steps of at most half a
        texel.
        """
        knots = np.array([(1 - t) * self.landmarks[a] + t * self.landmarks[b]
                          for a, b, t in line.points])  # fmt: skip
        if line.across:
            knots[-1, 0] = 0.0
            knots = np.concatenate([knots, (knots * [-1, 1])[-2::-1]])
        return _smooth(knots)

    def layout(self, window: Array) -> Floats:
        """As of Wrinkles, for (left, low, right, high, the middle's two ends) in millimetres."""
        u = self.middle[0] + window[[0, 2, 4, 5]] * self.scale[0]
        v = self.middle[1] + window[[1, 3]] * self.scale[1]
        out: Floats = np.array([u[0], v[0], u[1], v[1], u[2], u[3]], np.float32)
        return out


def _texture_units(basis: Floats, uv: Array, quads: NDArray[np.int32], marks: Array) -> Array:
    """(2,) of the layout along u and v for a millimetre of skin around the landmarks: the medians
    over edges that run along either.
    """
    ends = quads[:, [[0, 1], [1, 2]]].reshape(-1, 2)
    inside = ((uv >= marks.min(axis=0)) & (uv <= marks.max(axis=0))).all(axis=1)
    ends = ends[inside[ends].all(axis=1)]
    by = np.abs(uv[ends[:, 0]] - uv[ends[:, 1]])
    length = 1e3 * np.linalg.norm(basis[ends[:, 0]] - basis[ends[:, 1]], axis=1)
    long = [by[:, i] > 3 * by[:, 1 - i] for i in (0, 1)]
    return np.array([np.median(by[at, i] / length[at]) for i, at in enumerate(long)])


def _smooth(knots: Array) -> Array:
    """A Catmull-Rom spline through (n, 2) knots, in steps of half a texel."""
    p = np.concatenate([[2 * knots[0] - knots[1]], knots, [2 * knots[-1] - knots[-2]]])
    pieces = []
    for i in range(1, len(p) - 2):
        count = max(2, int(2 * np.linalg.norm(p[i + 1] - p[i]) / _TEXEL))
        t = (np.arange(count) / count)[:, None]
        a, b, c, d = p[i - 1 : i + 3]
        pieces.append(b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d
                      + t * (3 * (b - c) + d - a))))  # fmt: skip
    return np.concatenate([*pieces, knots[-1:]])


def _carve(canvas: Floats, corner: Array, path: Array, line: Line, seed: int) -> None:
    """Adds a line's heights, -1 at its deepest, to texels (h, w); corner: upper left, mm."""
    along = np.linspace(0, 1, len(path))
    length = _TEXEL / 2 * len(path)
    # No crease is as straight as a ruler or equally deep all along; seeds give the two sides
    # of a face their own.
    wave = np.random.default_rng(seed).uniform(0, 2 * np.pi, 4)
    sway = 0.25 * np.sin(length / 7 * along + wave[0]) + 0.12 * np.sin(length / 3 * along + wave[1])
    aside = _normals(path, 2)
    path = path + aside * (sway * min(2.0, length / 30))[:, None]
    deep = (
        line.depth
        * smooth_step(along, 0, line.fade[0])
        * (1 - smooth_step(along, 1 - line.fade[1], 1))
    )
    deep *= (
        1
        + 0.12 * np.sin(length / 5 * along + wave[2])
        + 0.08 * np.sin(length / 2 * along + wave[3])
    )
    # Of a broad piece, so that swells on the inner side of a bend do not fold over.
    aside = _normals(path, min(len(path) // 5, int(8 / _TEXEL)))
    off, wide = line.reach
    far = off + 2.5 * wide
    low = np.floor((path.min(axis=0) - corner - far) / _TEXEL).astype(int)
    high = np.ceil((path.max(axis=0) - corner + far) / _TEXEL).astype(int)
    view = canvas[-high[1] : -low[1], low[0] : high[0]]
    start = corner + _TEXEL * np.array([low[0], high[1]])
    # Each texel belongs to the nearest point of the path: nearer ones overwrite farther ones.
    around = np.linspace(far, 0, int(2 * far / _TEXEL) + 1)
    around = np.column_stack([around, -around]).ravel()
    places = path[None] + around[:, None, None] * aside - start
    cells = (places / [_TEXEL, -_TEXEL]).astype(np.int32)
    owner = np.full(view.shape, -1, np.int32)
    owner[cells[..., 1], cells[..., 0]] = np.arange(len(path))
    rows, columns = np.nonzero(owner >= 0)
    of = owner[rows, columns]
    at = start + np.column_stack([columns + 0.5, -rows - 0.5]) * _TEXEL
    d = ((at - path[of]) * aside[of]).sum(axis=1)
    bank = np.where(d > 0, line.banks[0], line.banks[1])
    rise = line.swell * bank * np.exp(-(((np.abs(d) - off) / wide) ** 2))
    soft = 1 - smooth_step(np.abs(d), 0.7 * far, far)
    view[rows, columns] += deep[of] * soft * (rise - np.exp(-((d / line.width) ** 2)))


def _normals(path: Array, over: int) -> Array:
    """(n, 2) unit vectors to a path's left, of the direction over so many points before and
    after.
    """
    n = len(path)
    at = np.arange(n)
    step = path[np.minimum(at + over, n - 1)] - path[np.maximum(at - over, 0)]
    step /= np.linalg.norm(step, axis=1, keepdims=True)
    return np.column_stack([-step[:, 1], step[:, 0]])
