# SPDX-License-Identifier: GPL-3.0-or-later
"""Points of a face that can be found on any head mesh without knowing its topology: the
outlines of the open eyes, the profile of the nose and the corners of the mouth. A registration
starts from them, since closest points alone let lids and lips slide along themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry.front_view import front_view
from ..geometry.mesh import boundary_vertices

Array = NDArray[np.float64]
Index = NDArray[np.integer[Any]]

_STEP = 0.00025
_REACH = 0.024
#: Where the rims are taken: from the eyeball's centre, in units of the way to the outer end.
_ALONG = np.linspace(-0.5, 0.9, 8)


@dataclass(frozen=True, eq=False)
class Surface:
    """A head as registration sees it. Metres, head frame.

    vertices (V, 3) of the whole model; triangles (T, 3) of its outer skin; eyeballs: triangles
    of the left and of the right eyeball; jaw (V,) weight of the jaw joint; eyes (2, 3) centres
    of the eyeballs, left first.
    """

    vertices: Array
    triangles: Index
    eyeballs: tuple[Index, Index]
    jaw: Array
    eyes: Array


def eye_outline(surface: Surface, side: int) -> Array | None:
    """(17, 3) points on the rim of an eye's lids: upper, lower, outer end; None if the eye is
    closed or has no eyeball. The inner end is left out: the caruncle, where a head has one,
    covers it.
    """
    view = _eye_view(surface, side)
    if view is None:
        return None
    x, y, open_, skin = view
    centre = surface.eyes[side]
    columns = np.nonzero(open_.any(axis=0))[0]
    if len(columns) < 20:
        return None
    _, depth = front_view(surface.vertices, skin, x, y)
    upper = np.array([np.nonzero(open_[:, c])[0].max() + 1 for c in columns])
    lower = np.array([np.nonzero(open_[:, c])[0].min() - 1 for c in columns])
    upper, lower = np.minimum(upper, len(y) - 1), np.maximum(lower, 0)
    outward = 1.0 if side == 0 else -1.0
    width = float((outward * (x[columns] - centre[0])).max())
    at = centre[0] + outward * width * _ALONG
    points = []
    for rows in (upper, lower):
        rim = (x[columns], y[rows], depth[rows, columns])
        points.append(np.column_stack([np.interp(at, rim[0], part) for part in rim]))
    end = columns[-1] if side == 0 else columns[0]
    c = int(np.searchsorted(columns, end))
    middle = (upper[c] + lower[c]) // 2
    points.append(np.array([[x[end], y[middle], depth[upper[c], end]]]))
    outline = np.concatenate(points)
    return outline if np.isfinite(outline).all() else None


def eye_opening(surface: Surface, side: int) -> float:
    """Square metres of an eye that are seen from the front between its lids."""
    view = _eye_view(surface, side)
    return 0.0 if view is None else float(view[2].sum()) * _STEP**2


def _eye_view(surface: Surface, side: int) -> tuple[Array, Array, NDArray[np.bool_], Index] | None:
    """Grid x (w,) and y (h,), what of it (h, w) lies between the lids, and the skin triangles
    around; None without an eyeball.
    """
    ball = surface.eyeballs[side]
    if not len(ball):
        return None
    centre = surface.eyes[side]
    x, y = (centre[k] + np.arange(-_REACH, _REACH, _STEP) for k in (0, 1))
    near = (np.abs(surface.vertices[surface.triangles].mean(axis=1) - centre) < 2 * _REACH).all(1)
    skin = surface.triangles[near]
    corners = surface.vertices[skin]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    # Skin that faces the ball is the inside of the socket: seen, it belongs to the opening.
    inside = (normal * (corners.mean(axis=1) - centre)).sum(axis=1) < 0
    index, _ = front_view(surface.vertices, np.concatenate([skin, ball]), x, y)
    seen = np.append(np.concatenate([inside, np.ones(len(ball), bool)]), False)[index]
    return x, y, _opening(seen), skin


def _opening(seen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Of a mask (h, w), the runs down each column that hang together with the middle."""
    out = np.zeros_like(seen)
    height, width = seen.shape
    for steps in (range(width // 2, width), range(width // 2 - 1, -1, -1)):
        low, high = 0, height
        for c in steps:
            rows = low + np.nonzero(seen[low:high, c])[0]
            if len(rows) < 3:
                break
            middle = rows[len(rows) // 2]
            gaps = np.nonzero(~seen[:, c])[0]
            low = int(max(gaps[gaps < middle], default=-1)) + 1
            high = int(min(gaps[gaps > middle], default=height))
            out[low:high, c] = True
    return out


def mouth_corners(surface: Surface, mouth: Array) -> Array | None:
    """(2, 3) left and right end of the rim where the outer skin ends within the mouth; None
    where there is no such rim near ``mouth`` (3,).
    """
    rim = boundary_vertices(surface.triangles, len(surface.vertices))
    points = surface.vertices[rim]
    points = points[np.linalg.norm(points - mouth, axis=1) < 0.045]
    if len(points) < 8 or np.ptp(points[:, 0]) < 0.02:
        return None
    corners: Array = points[[points[:, 0].argmax(), points[:, 0].argmin()]]
    return corners


def nose_points(surface: Surface, mouth: Array) -> Array | None:
    """(2, 3) on the profile: the deepest point between the eyes and the tip of the nose; None
    where the midline has no nose.
    """
    level = float(surface.eyes[:, 1].mean())
    # Just beside the midline, where meshes have their edges: a ray could slip between two.
    x = np.array([surface.eyes[:, 0].mean() + _STEP])
    y = np.arange(mouth[1], level + 0.02, _STEP)
    near = np.abs(surface.vertices[surface.triangles][..., 0] - x).min(axis=1) < _REACH
    z = front_view(surface.vertices, surface.triangles[near], x, y)[1][:, 0]
    below_eyes = y < level - 0.01
    if not np.isfinite(z).all() or below_eyes.sum() < 40:
        return None
    tip = int(np.where(below_eyes, z, -np.inf).argmax())
    root = int(np.where(below_eyes, np.inf, z).argmin())
    if z[tip] - z[root] < 0.008:
        return None
    return np.column_stack([np.repeat(x, 2), y[[root, tip]], z[[root, tip]]])


def anchor_motion(source: Surface, target: Surface, mouth: Array) -> tuple[Array, Array]:
    """Anchors (n, 3) on the source and where they want to go (n, 3); n is 0 if none is found."""
    start, motion = [np.zeros((0, 3))], [np.zeros((0, 3))]
    for side in (0, 1):
        ours, theirs = eye_outline(source, side), eye_outline(target, side)
        if ours is not None and theirs is not None:
            start.append(ours)
            motion.append(theirs - ours)
    ours, theirs = nose_points(source, mouth), nose_points(target, mouth)
    if ours is not None and theirs is not None:
        start.append(ours)
        motion.append(theirs - ours)
    ours, theirs = mouth_corners(source, mouth), mouth_corners(target, mouth)
    if ours is not None and theirs is not None:
        # How deep the rim lies within the mouth differs from mesh to mesh: only its width counts.
        wider = (theirs - ours) * np.array([1.0, 0.0, 0.0])
        for depth in (0.0, 0.007):
            start.append(ours + np.array([0.0, 0.0, depth]))
            motion.append(wider)
    return np.concatenate(start), np.concatenate(motion)


def warp(points: Array, anchors: Array, motion: Array, width: float = 0.012) -> Array:
    """Points (n, 3) moved smoothly with their anchors: Gaussian radial basis functions."""
    if not len(anchors):
        return points

    def kernel(a: Array) -> Array:
        squares = ((a[:, None] - anchors[None]) ** 2).sum(axis=2)
        out: Array = np.exp(-squares / (2 * width**2))
        return out

    # The ridge lets neighbouring anchors disagree by a fraction of a millimetre.
    strength = np.linalg.solve(kernel(anchors) + 0.05 * np.eye(len(anchors)), motion)
    return points + kernel(points) @ strength
