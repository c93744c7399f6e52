# SPDX-License-Identifier: GPL-3.0-or-later
"""Carries iris, pupil, texture and iris landmarks from one eyeball to another of another size.

An iris is as large in a small eye as in a large one, so eyeballs are compared by the length of
the arc from the middle of the iris and not by the angle.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry.closest import Closest, closest_points
from ..geometry.mesh import components
from .corners import triangle_part
from .model import HeadModel

Array = NDArray[np.float64]
Index = NDArray[np.integer[Any]]


@dataclass(frozen=True, eq=False)
class Eyeball:
    """triangles (T, 3) into a head's vertices, centre (3,) and radius of its sphere in metres,
    axis (3,) from the centre through the middle of the iris at rest.
    """

    triangles: Index
    centre: Array
    radius: float
    axis: Array

    @classmethod
    def of(cls, vertices: Array, triangles: Index, iris: Array | None = None) -> Eyeball:
        """The sphere that fits the vertices of the triangles best, by least squares.

        iris (3,): its middle; where none is known the eye looks along +z.
        """
        points = vertices[np.unique(triangles)]
        system = np.column_stack([2 * points, np.ones(len(points))])
        solution = np.linalg.lstsq(system, (points**2).sum(axis=1), rcond=None)[0]
        centre = solution[:3]
        axis = np.array([0.0, 0.0, 1.0]) if iris is None else iris - centre
        radius = float(np.sqrt(solution[3] + centre @ centre))
        return cls(triangles, centre, radius, axis / np.linalg.norm(axis))

    @property
    def frame(self) -> Array:
        """(3, 3) rows: rightward, upward and forward of the eye as it looks at rest."""
        right = np.cross([0.0, 1.0, 0.0], self.axis)
        right /= np.linalg.norm(right)
        return np.stack([right, np.cross(self.axis, right), self.axis])

    def onto(self, points: Array, other: Eyeball) -> Array:
        """Unit directions in ``other`` of the places of ``points`` (n, 3) on this eyeball."""
        away = (points - self.centre) @ self.frame.T
        angle = np.arctan2(np.linalg.norm(away[:, :2], axis=1), away[:, 2])
        around = np.arctan2(away[:, 1], away[:, 0])
        turned = np.minimum(angle * self.radius / other.radius, np.pi)
        local = np.column_stack(
            [np.sin(turned) * np.cos(around), np.sin(turned) * np.sin(around), np.cos(turned)]
        )
        out: Array = local @ other.frame
        return out

    def find(self, vertices: Array, directions: Array) -> Closest:
        """Where unit directions (n, 3) from the centre meet this eyeball's triangles."""
        unit = (vertices - self.centre) / np.linalg.norm(
            vertices - self.centre, axis=1, keepdims=True
        )
        return closest_points(directions, unit, self.triangles)


def is_eyeball(head: HeadModel, side: str) -> NDArray[np.bool_]:
    """(T,) the open head's triangles of one eyeball with iris and pupil, side "l" or "r"."""
    names = [head.part_names.index(f"{name}_{side}") for name in ("eyeball", "iris", "pupil")]
    return np.isin(triangle_part(head), names)


def find_eyeballs(vertices: Array, triangles: Index, eyes: Array) -> tuple[Index, Index, Index]:
    """Triangles of the skin, of the left and of the right eyeball.

    The skin is the largest connected part. An eyeball is a part of its own around its joint,
    eyes (2, 3); without one its array is empty.
    """
    label = components(triangles, len(vertices))[triangles[:, 0]]
    names, counts = np.unique(label, return_counts=True)
    skin = triangles[label == names[counts.argmax()]]
    balls = []
    for eye in eyes:
        best = skin[:0]
        for name in names[names != names[counts.argmax()]]:
            part = triangles[label == name]
            points = vertices[np.unique(part)]
            middle = (points.max(axis=0) + points.min(axis=0)) / 2
            if np.linalg.norm(middle - eye) < 0.5 * np.ptp(points[:, 0]) and len(part) > len(best):
                best = part
        balls.append(best)
    return skin, balls[0], balls[1]
