# SPDX-License-Identifier: GPL-3.0-or-later
"""The line of tears: a strip that bridges each eye's lids and ball all around the opening.

The water that stands on a lid's rim is a fillet of a fraction of a millimetre (Johnson and Murphy,
"Changes in the tear film and ocular surface", Progress in Retinal and Eye Research 23, 2004: a
radius of 0.2 to 0.4 mm). Its place is where the lid's margin meets the ball, which slides along
the margin as lids move. So it is found anew for every person and under every key, instead of
carried along.

The head brings the strip as its part "tears", the left eye's first, in three rows of n columns
each: under the lid's skin, the water's surface, under the ball's. The leaders of a column's
vertices are, ring by ring from the tucked edge of the margin outwards, the vertices of the lid's
columns on either side of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry.rotation import matrix_from_vector
from ..heads.model import HeadModel

Array = NDArray[np.float64]
Index = NDArray[np.integer[Any]]

PART = "tears"
#: Rings of the lid's vertices that a column knows: the tucked edge, two of the margin, the lashes.
RINGS = 3
#: Metres that the water stands up the lid and reaches over the ball: below, above.
WIDTHS = (0.0006, 0.0003)
#: So wide it stays where lids meet, and how much of the way to the other lid it may take.
_LEAST, _SHARE = 0.00004, 0.4
#: Metres that its edges are hidden under the lid's skin and under the ball, whose facets lie up
#: to a twelfth of a millimetre below the round surface that is reckoned with.
_SUNK = (0.00012, 0.0002)
#: Where the surface of a fillet that is round lies, as a share of its widths.
_HOLLOW = 1 - np.sqrt(0.5)
#: Pieces into which a margin's two spans are cut to find where it meets the ball, from outside.
_STEPS = (2, 8)


@dataclass(frozen=True, eq=False)
class Ball:
    """A round eye with its cornea, which identity has drawn into an ellipsoid: rows of its
    vertices and where they are in a frame of its own (m, 3), metres, in which the eye is round
    about the origin and looks along +z; radii (n,) at angles (n,) from there.
    """

    rows: Index
    round: Array
    angles: Array
    radii: Array

    @classmethod
    def of(cls, template: Array, rows: Index, white: Index, pupil: Index) -> Ball:
        """From a head's template (V, 3); white: rows beyond the cornea; pupil: rows of it."""
        points = template[rows]
        middle = template[white].mean(axis=0)
        x, y, z = (template[white] - middle).T
        terms = np.stack([x * x, y * y, z * z, 2 * y * z, 2 * x * z, 2 * x * y, x, y, z], axis=1)
        scale = np.abs(terms).max(axis=0)
        q = np.linalg.lstsq(terms / scale, np.ones(len(white)), rcond=None)[0] / scale
        form = np.array([[q[0], q[5], q[4]], [q[5], q[1], q[3]], [q[4], q[3], q[2]]])
        centre = -np.linalg.solve(form, q[6:]) / 2
        sizes, axes = np.linalg.eigh(form / (1 + centre @ form @ centre))
        root = axes * np.sqrt(sizes) @ axes.T / np.linalg.det(axes * np.sqrt(sizes)) ** (1 / 3)
        own = (points - middle - centre) @ root
        ahead = (template[pupil] - middle - centre).mean(axis=0) @ root
        ahead /= np.linalg.norm(ahead)
        right = np.cross([0.0, 1.0, 0.0], ahead)
        right /= np.linalg.norm(right)
        own = own @ np.stack([right, np.cross(ahead, right), ahead], axis=1)
        radii = np.linalg.norm(own, axis=1)
        # One for each ring: the vertices of a ring differ in the last digits only.
        angles, first = np.unique(np.arccos(own[:, 2] / radii).round(3), return_index=True)
        return cls(rows, own, angles, radii[first])

    def frame(self, neutral: Array) -> tuple[Array, Array]:
        """Matrix (3, 3) and offset (3,) from a person at rest (V, 3) to the ball's own frame."""
        points = np.column_stack([neutral[self.rows], np.ones(len(self.rows))])
        back = np.linalg.lstsq(points, self.round, rcond=None)[0]
        return np.asarray(back[:3].T), np.asarray(back[3])

    def radius(self, away: Array) -> Array:
        """(...,) of the surface in the directions (..., 3) from the centre."""
        aside = np.sqrt((away[..., :2] ** 2).sum(axis=-1))
        out: Array = np.interp(np.arctan2(aside, away[..., 2]), self.angles, self.radii)
        return out


@dataclass(frozen=True, eq=False)
class TearLine:
    """One eye's: rows (3, n) of its vertices; lids (n, 2, RINGS) vertices of the lid's columns on
    either side of each column; widths (n,) metres; turn: the sign with which the way along the
    columns times outwards points into the opening; upper (n,) which columns are the upper lid's;
    joint of the eye.
    """

    rows: Index
    lids: Index
    widths: Array
    turn: float
    upper: NDArray[np.bool_]
    ball: Ball
    joint: int

    def place(self, lids: Array, neutral: Array, centre: Array, gaze: Array) -> Array:
        """(p, 3, n, 3) where the strip is in p poses, before bones turn the lids.

        lids (p, n, 2, RINGS, 3): their vertices in each; neutral (V, 3): the person at rest;
        centre (3,) of the eye's joint; gaze (p, k, 3) rotation vectors of the eye: in each pose the
        strip lies on all the balls that are turned so, together, and ends below each.
        """
        matrix, offset = self.ball.frame(neutral)
        turns = matrix_from_vector(gaze)

        def heights(points: Array) -> Array:
            """(p, k, m) metres of points (p, m, 3) above each ball."""
            turned = (points - centre)[:, None] @ turns + centre
            away = turned @ matrix.T + offset
            out: Array = _length(away)[..., 0] - self.ball.radius(away)
            return out

        def height(points: Array) -> Array:
            """(p, m) metres of points (p, m, 3) above all balls together."""
            out: Array = heights(points).min(axis=1)
            return out

        def moved(points: Array, by: Array) -> Array:
            """The points (p, n, 3) moved along the ball's radii by (p, n)."""
            out = points - middle
            return points + out * (by[..., None] / _length(out))

        middle = -np.linalg.solve(matrix, offset)
        lid, along = _contact(lids.mean(axis=2)[:, :, ::-1], height)
        foot = moved(lid, -height(lid))
        normal = _unit(foot - middle)
        tangent = np.roll(foot, -1, axis=1) - np.roll(foot, 1, axis=1)
        inwards = self.turn * _unit(np.cross(tangent, normal))
        skin = self.turn * _unit(np.cross(tangent, along))
        width = self._fitting(foot)[..., None]
        up = width * along
        reach = foot + width * inwards
        over = moved(reach, -height(reach)) - foot
        return np.stack(
            [
                lid + up - np.minimum(_SUNK[0], width) * skin,
                (lid + foot) / 2 + _HOLLOW * (up + over),
                moved(reach, -_SUNK[1] - heights(reach).max(axis=1)),
            ],
            axis=1,
        )

    def _fitting(self, foot: Array) -> Array:
        """(p, n) widths that leave room for those of the other lid."""
        out = np.empty(foot.shape[:2])
        for own in (self.upper, ~self.upper):
            between = foot[:, own, None] - foot[:, None, ~own]
            out[:, own] = np.sqrt((between**2).sum(axis=-1).min(axis=-1))
        clipped: Array = np.clip(_SHARE * out, _LEAST, self.widths)
        return clipped


def _contact(margin: Array, height: Callable[[Array], Array]) -> tuple[Array, Array]:
    """Where columns (p, n, RINGS, 3) of a margin, from outside inwards, meet the ball or come
    nearest to it, and unit directions (p, n, 3) outwards along them there.
    """
    p, n = margin.shape[:2]
    parts = [margin[:, :, :1]]
    for k, steps in enumerate(_STEPS):
        share = (np.arange(steps) + 1)[:, None] / steps
        a, b = margin[:, :, k, None], margin[:, :, k + 1, None]
        parts.append(a + share * (b - a))
    fine = np.concatenate(parts, axis=2)
    above = height(fine.reshape(p, -1, 3)).reshape(p, n, -1)
    under = above <= 0
    # Without a crossing the nearest place; with one, the first from outside.
    last = np.where(under.any(axis=-1), under.argmax(axis=-1), above.argmin(axis=-1))
    last = np.maximum(last, 1)[..., None]
    high, low = (np.take_along_axis(above, i, axis=-1) for i in (last - 1, last))
    part = np.clip(high / np.where(high - low > 1e-12, high - low, 1.0), 0, 1)
    a, b = (np.take_along_axis(fine, i[..., None], axis=2)[:, :, 0] for i in (last - 1, last))
    return a + part * (b - a), _unit(a - b)


def _length(vectors: Array) -> Array:
    """(..., 1)"""
    return np.sqrt((vectors**2).sum(axis=-1, keepdims=True))


def _unit(vectors: Array) -> Array:
    return vectors / np.maximum(_length(vectors), 1e-12)


def make_line(template: Array, rows: Index, lids: Index, ball: Ball, joint: int) -> TearLine:
    """The line over lids (n, 2, RINGS) and a ball, all of a template (V, 3)."""
    rim = template[lids].mean(axis=1)[:, -1]
    middle = rim.mean(axis=0)
    tangent = np.roll(rim, -1, axis=0) - np.roll(rim, 1, axis=0)
    inwards = np.cross(tangent, rim - template[ball.rows].mean(axis=0))
    turn = float(np.sign((inwards * (middle - rim)).sum()))
    upper = _above(rim)
    return TearLine(rows, lids, np.where(upper, WIDTHS[1], WIDTHS[0]), turn, upper, ball, joint)


def _above(rim: Array) -> NDArray[np.bool_]:
    """(n,) which columns belong to the upper lid: those above the line between the corners."""
    inner, outer = rim[np.abs(rim[:, 0]).argmin()], rim[np.abs(rim[:, 0]).argmax()]
    share = (rim[:, 0] - inner[0]) / (outer[0] - inner[0])
    out: NDArray[np.bool_] = rim[:, 1] > inner[1] + share * (outer[1] - inner[1])
    return out


@lru_cache(maxsize=2)
def tear_lines(head: HeadModel) -> tuple[TearLine, ...]:
    """Both eyes' lines, the left one's first; none on a head without the part."""
    follow = head.followers
    if PART not in head.part_names or follow is None:
        return ()
    quads = head.quads[head.face_part == head.part_names.index(PART)]
    rows = np.unique(quads[quads >= 0]).reshape(2, 3, -1)
    out = []
    for side, own in zip("lr", rows, strict=True):
        start = follow.start[own[0] - head.proper_count]
        lids = follow.leader[start[:, None] + np.arange(2 * RINGS)].reshape(-1, 2, RINGS)
        lids = lids.astype(np.intp)
        eye = eyeball(head.template, head.quads, head.face_part, head.part_names, side)
        out.append(make_line(head.template, own, lids, eye, head.joint(f"eye_{side}")))
    return tuple(out)


def eyeball(
    template: Array, quads: Index, face_part: Index, part_names: Sequence[str], side: str
) -> Ball:
    """One eye's ball of a head's template (V, 3), by the names of its faces' parts."""

    def used(part: str) -> Index:
        found = np.unique(quads[face_part == part_names.index(f"{part}_{side}")])
        return found[found >= 0]

    pupil, iris, white = (used(part) for part in ("pupil", "iris", "eyeball"))
    rows = np.unique(np.concatenate([pupil, iris, white]))
    return Ball.of(template, rows, np.setdiff1d(white, iris), pupil)


def wet_vertices(head: HeadModel) -> Index:
    """Numbers of all strips' vertices; none on a head without any."""
    lines = tear_lines(head)
    return np.concatenate([np.zeros(0, np.intp), *(line.rows.ravel() for line in lines)])


def settle(
    head: HeadModel,
    neutral: Array,
    shapes: Sequence[Array],
    gaze: Mapping[int, Sequence[Array]] | None = None,
) -> list[Array]:
    """For each of the shapes (V, 3) the places (m, 3) of :func:`wet_vertices` on its lids.

    neutral (V, 3): the person at rest; gaze: joint of an eye -> for each shape (k, 3) rotation
    vectors of the eye, any of which may be, and k is the same for all; ahead if None.
    """
    joints = head.joints(neutral)
    parts = []
    for line in tear_lines(head):
        lids = np.stack([shape[line.lids] for shape in shapes])
        turns = np.zeros((len(shapes), 1, 3)) if gaze is None else np.stack(gaze[line.joint])
        placed = line.place(lids, neutral, joints[line.joint], turns)
        parts.append(placed.reshape(len(shapes), -1, 3))
    return list(np.concatenate(parts, axis=1))


def settled(head: HeadModel, neutral: Array) -> Array:
    """A person at rest (V, 3), their strips where they belong."""
    rows = wet_vertices(head)
    if not len(rows):
        return neutral
    out = neutral.copy()
    out[rows] = settle(head, neutral, [neutral])[0]
    return out
