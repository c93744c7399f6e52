# SPDX-License-Identifier: GPL-3.0-or-later
"""Points of a face that hands give: where the nets see no face, or a landmark is wrong.

The points have names, and the open head knows its own: only those on the artist's mesh are wanted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..errors import MeshError
from ..geometry.closest import closest_points, interpolate
from ..heads.face_anchors import Surface
from ..heads.face_landmarks import SKIN_LANDMARKS
from ..heads.model import HeadModel
from .find_face import FoundFace, fit_similarity
from .lay_on import drawn_to, fit_identity
from .mesh import Welded

Array = NDArray[np.float64]

FEWEST = 6
#: Name, as a person reads it, and which of MediaPipe's points it is; left and right are the face's
#: own. In the order in which they are clicked.
NAMED_POINTS = {
    "Right Eye, Outer Corner": 33,
    "Right Eye, Inner Corner": 133,
    "Left Eye, Inner Corner": 362,
    "Left Eye, Outer Corner": 263,
    "Bridge of the Nose": 168,
    "Tip of the Nose": 1,
    "Right Nostril, Outer Side": 129,
    "Left Nostril, Outer Side": 358,
    "Right Corner of the Mouth": 61,
    "Left Corner of the Mouth": 291,
    "Upper Lip, Middle of Its Rim": 0,
    "Lower Lip, Middle of Its Rim": 17,
    "Tip of the Chin": 152,
}
#: Metres around a point from hand in which landmarks found by the nets count for less.
_AROUND = 0.012
#: What a point from hand counts for, in landmarks.
_WEIGHT = 16.0
#: What landmarks count for that were guessed from the points alone.
_GUESSED = 0.2


def pairs_of(head: HeadModel, points: Mapping[str, Array]) -> Array:
    """(P, 6) of points (3,) on a mesh by name; the names that there are count. Raises MeshError."""
    known = {name: at for name, at in points.items() if name in NAMED_POINTS}
    if len(known) < FEWEST:
        raise MeshError(f"Give at least {FEWEST} points of the face; {len(known)} were given.")
    ids = np.array([NAMED_POINTS[name] for name in known], np.int32)
    return np.column_stack([np.array(list(known.values()), np.float64), _ours(head, ids)])


def checked_pairs(pairs: Array) -> Array:
    """(P, 6). Raises MeshError for too few, and for what is no number."""
    pairs = np.asarray(pairs, np.float64).reshape(-1, 6)
    if len(pairs) < FEWEST or not np.isfinite(pairs).all():
        raise MeshError(f"Give at least {FEWEST} pairs of points on the mesh and the head.")
    return pairs


def found_by_hand(
    head: HeadModel, welded: Welded, pairs: Array, source: Surface, ours: Array, seen: Array
) -> FoundFace:
    """The face of a mesh on which the nets see none, from pairs (P, 6) alone.

    source: the open head's surface; ours (478, 3) the landmarks on its template and seen (478,)
    what each counts for. The template is shaped by the pairs and its landmarks are brought to the
    mesh from there.
    """
    placed = fit_similarity(pairs[:, :3], pairs[:, 3:], np.ones(len(pairs)))
    goals, vertices = placed(pairs[:, :3]), placed(welded.vertices)
    weight = np.ones(len(pairs))
    shaped = fit_identity(head, source, None, pairs[:, 3:], goals, weight)
    shaped = drawn_to(source, shaped, pairs[:, 3:], goals, weight)
    on_source = closest_points(ours, source.vertices, source.triangles)
    points = interpolate(on_source, source.triangles, shaped)
    near = (np.abs(vertices - goals.mean(axis=0)) < 0.25).all(axis=1)
    local = welded.triangles[near[welded.triangles].all(axis=1)]
    if not len(local):
        raise MeshError("The points lie on no part of the mesh: set them again.")
    points = interpolate(closest_points(points, vertices, local), local, vertices)
    # The nets' habits on bare meshes do not cancel here: a landmark's own place is its goal.
    guessed = np.where(np.arange(len(seen)) < SKIN_LANDMARKS, _GUESSED * (seen > 0), 0.0)
    return FoundFace(placed, points, guessed, 0.0)


def with_pairs(
    found: FoundFace, ours: Array, weight: Array, pairs: Array
) -> tuple[Array, Array, Array]:
    """Points on the template, goals on the mesh and weights: the landmarks, and after them pairs
    (P, 6), which are believed before the landmarks around them.
    """
    goals = found.to_head(pairs[:, :3])
    away = ((ours[:, None] - pairs[None, :, 3:]) ** 2).sum(axis=2).min(axis=1)
    weight = weight * (1 - np.exp(-away / _AROUND**2))
    return (
        np.concatenate([ours, pairs[:, 3:]]),
        np.concatenate([found.points, goals]),
        np.concatenate([weight, np.full(len(pairs), _WEIGHT)]),
    )


def moved_goals(found: FoundFace, pairs: Array, ours: Array) -> FoundFace:
    """Landmarks that are drawn along by the pairs near them, for what is measured between them."""
    goals = found.to_head(pairs[:, :3])
    ids = ((ours[:, None] - pairs[None, :, 3:]) ** 2).sum(axis=2).argmin(axis=0)
    points = found.points.copy()
    points[ids] = goals + ours[ids] - pairs[:, 3:]
    return replace(found, points=points)


def _ours(head: HeadModel, ids: NDArray[np.int32]) -> Array:
    return head.landmarks(head.template, ids)
