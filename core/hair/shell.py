# SPDX-License-Identifier: GPL-3.0-or-later
"""A chart of the space around a head: where on the skull, and how far out.

Above the skull's centre a place is named by its direction, below it by its height and its azimuth
about the vertical through the centre, so that hair which hangs goes straight down. In such a
chart a skull, and the outer hull of hair, is a height field: neither hides itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..heads.model import HeadModel

Array = NDArray[np.float64]

#: Metres along the chart for a radian of the upper half, and the length of the upper half.
RADIUS = 0.1
UPPER = RADIUS * np.pi / 2
#: Rows a metre, rows below the centre included, and columns about the head.
_STEP, ROWS, COLUMNS = 0.004, 150, 128
#: Points along each side of a triangle that are looked at.
_SAMPLES = 6


@dataclass(frozen=True, eq=False)
class Shell:
    """centre (3,) of the skull, head frame, metres; skull (ROWS, COLUMNS): radius of the head's
    surface by the chart's rows (from the crown down) and columns (azimuth from -pi, 0 is the face,
    positive the person's left); covered: the same with the ears, as long hair lies on them.
    """

    centre: Array
    skull: Array
    covered: Array

    def chart(self, points: Array) -> tuple[Array, Array, Array]:
        """Azimuth (n,) radians, place from the crown (n,) metres, radius (n,) of points (n, 3)."""
        x, y, z = (points - self.centre).T
        out = np.sqrt(x * x + y * y + z * z)
        flat = np.hypot(x, z)
        above = y > 0
        place = np.where(
            above, RADIUS * np.arccos(np.clip(y / np.maximum(out, 1e-9), -1, 1)), UPPER - y
        )
        return np.arctan2(x, z), place, np.where(above, out, flat)

    def point(self, azimuth: Array, place: Array, radius: Array) -> Array:
        """(..., 3) head frame: inverse of chart()."""
        outward = outwards(azimuth, place)
        below = np.maximum(place - UPPER, 0)
        out: Array = self.centre + radius[..., None] * outward
        out[..., 1] -= below
        return out

    def at(self, field: Array, azimuth: Array, place: Array) -> Array:
        """Values (n,) of a field (ROWS, COLUMNS, ...) of the chart, linear in between."""
        row = np.clip(place / _STEP, 0, ROWS - 1.001)
        column = ((azimuth / (2 * np.pi) + 0.5) * COLUMNS) % COLUMNS
        r0, c0 = row.astype(np.intp), column.astype(np.intp) % COLUMNS
        fr, fc = row - r0, column - np.floor(column)
        if field.ndim > 2:
            fr, fc = fr[:, None], fc[:, None]
        c1 = (c0 + 1) % COLUMNS
        upper = field[r0, c0] * (1 - fc) + field[r0, c1] * fc
        lower = field[r0 + 1, c0] * (1 - fc) + field[r0 + 1, c1] * fc
        out: Array = upper * (1 - fr) + lower * fr
        return out

    def grid(self) -> tuple[Array, Array]:
        """Azimuth and place (ROWS, COLUMNS) of the chart's cells."""
        azimuth = (np.arange(COLUMNS) / COLUMNS - 0.5) * 2 * np.pi
        place = np.arange(ROWS) * _STEP
        one, two = np.meshgrid(azimuth, place)
        return one, two


def outwards(azimuth: Array, place: Array) -> Array:
    """(..., 3) unit vectors from the chart's axis."""
    angle = np.minimum(place / RADIUS, np.pi / 2)
    level = np.sin(angle)
    return np.stack([level * np.sin(azimuth), np.cos(angle), level * np.cos(azimuth)], axis=-1)


def shell_of(head: HeadModel, vertices: Array) -> Shell:
    """The chart of one person's head at rest: vertices (V, 3) head frame."""
    scalp = head.regions["scalp"]
    low, high = vertices[scalp].min(axis=0), vertices[scalp].max(axis=0)
    # A skull is about as wide as it is high above its centre.
    centre = np.array([0.0, high[1] - 0.5 * (high[0] - low[0]) * 1.2, (low[2] + high[2]) / 2])
    skin = np.zeros(len(vertices), bool)
    outer = head.quads[head.face_part == head.part_names.index("skin")]
    skin[outer[outer >= 0]] = True
    ears = np.zeros(len(vertices), bool)
    for name in ("ear_l", "ear_r"):
        if name in head.regions:
            ears |= head.regions[name]
    triangles = head.triangles[skin[head.triangles].all(axis=1)]
    on_ear = ears[triangles].any(axis=1)
    shell = Shell(centre, np.zeros((ROWS, COLUMNS)), np.zeros((ROWS, COLUMNS)))
    skull = _radii(shell, vertices, triangles[~on_ear])
    covered = _radii(shell, vertices, triangles)
    return Shell(centre, softened(skull, 1), softened(np.maximum(covered, skull), 2))


def _radii(shell: Shell, vertices: Array, triangles: NDArray[np.int32]) -> Array:
    """(ROWS, COLUMNS) the largest radius of the surface in each cell, continued where there is
    none.
    """
    a, b = np.meshgrid(np.linspace(0, 1, _SAMPLES), np.linspace(0, 1, _SAMPLES))
    inside = a + b <= 1.0001
    weights = np.stack([a[inside], b[inside], 1 - a[inside] - b[inside]], axis=1)
    points = np.einsum("sk,tkc->tsc", weights, vertices[triangles]).reshape(-1, 3)
    azimuth, place, radius = shell.chart(points)
    row = np.round(place / _STEP).astype(np.intp)
    column = np.round((azimuth / (2 * np.pi) + 0.5) * COLUMNS).astype(np.intp) % COLUMNS
    good = (row >= 0) & (row < ROWS)
    out = np.zeros((ROWS, COLUMNS))
    np.maximum.at(out, (row[good], column[good]), radius[good])
    # Near the crown a row is a point, and its cells few.
    out[:2] = out[:3].max(initial=0.0)
    for _ in range(COLUMNS):
        empty = out <= 0
        if not empty.any():
            break
        near = [np.roll(out, k, axis=1) for k in (-1, 1)]
        near.append(np.vstack([out[:1], out[:-1]]))
        out = np.where(empty, np.max(near, axis=0), out)
    return out


def softened(field: Array, rounds: int) -> Array:
    """A field (ROWS, COLUMNS) averaged with its neighbours so many times."""
    out = field
    for _ in range(rounds):
        out = (np.roll(out, 1, axis=1) + 2 * out + np.roll(out, -1, axis=1)) / 4
        out = (np.vstack([out[:1], out[:-1]]) + 2 * out + np.vstack([out[1:], out[-1:]])) / 4
        out[0] = out[0].mean()
    return out
