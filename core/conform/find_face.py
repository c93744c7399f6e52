# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the face of a bare mesh is, whatever its unit and axes: pictures of it from all sides go
through the nets that find faces in photos, and the landmarks are lifted onto the surface.

What the nets say of an untextured picture is off in ways of its own (brows by 5 mm), and off alike
on every head. So the open head is looked at in the same way, and its points as found, not as they
are embedded, are what the mesh's points correspond to.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cues.mediapipe import MediaPipeFace, MediaPipePredictor
from ..errors import MeshError
from ..fitting.pose import similarity
from ..geometry.rotation import matrix_from_vector
from ..heads.face_landmarks import FACE_OVAL, LANDMARK_COUNT, SKIN_LANDMARKS
from ..heads.model import HeadModel
from .view import see

Array = NDArray[np.float64]
Index = NDArray[np.integer[Any]]

_SEARCH, _CLOSE = 320, 512
#: A find of this score ends the search; under the second there is no face.
_SURE, _DOUBTFUL = 0.85, 0.5
#: Metres around the face in a close view, and radians to the sides from which it is seen.
_SIDE, _YAWS = 0.26, (0.0, 0.5, -0.5)
#: Of the open head's size, by which lifted points may be off a similarity: heads of any style.
_WORST_SHAPE = 0.012
#: Of points on the outline, which is that of the picture: what they count for in placing the face.
_ON_OUTLINE = 0.2


@dataclass(frozen=True, eq=False)
class Similarity:
    """x -> scale * rotation @ x + offset; scale of lengths, rotation (3, 3) proper, offset (3,)."""

    scale: float
    rotation: Array
    offset: Array

    def __call__(self, points: Array) -> Array:
        """Points (n, 3)."""
        out: Array = self.scale * points @ self.rotation.T + self.offset
        return out

    @property
    def inverse(self) -> Similarity:
        """The way back."""
        back = self.rotation.T
        return Similarity(1 / self.scale, back, -(back @ self.offset) / self.scale)

    def after(self, first: Similarity) -> Similarity:
        """First the other, then this one."""
        rotation = self.rotation @ first.rotation
        return Similarity(self.scale * first.scale, rotation, self(first.offset[None])[0])


def fit_similarity(points: Array, goals: Array, weights: Array) -> Similarity:
    """The similarity from points (n, 3) to goals (n, 3) of least squares. Raises FitError for
    points on one line.
    """
    return Similarity(*similarity(points, goals, weights))


@dataclass(frozen=True, eq=False)
class FoundFace:
    """to_head: from the mesh's unit and axes to metres of the head frame. points (478, 3) of the
    mesh's surface in the head frame, weight (478,) from 0, unseen, to 1. score of the find.
    """

    to_head: Similarity
    points: Array
    weight: Array
    score: float


def find_face(
    head: HeadModel, name: str, vertices: Array, triangles: Index, predictor: MediaPipePredictor
) -> FoundFace:
    """The face of a mesh, vertices (V, 3) and triangles (T, 3). Raises MeshError for none."""
    best: tuple[float, MediaPipeFace, Any] | None = None
    for turn, centre, side in _looks(vertices):
        view = see(vertices, triangles, turn, centre, side, _SEARCH)
        for face in predictor.upright(view.picture)[:1]:
            value = face.score * face.presence
            if best is None or value > best[0]:
                best = value, face, view
        if best is not None and best[0] >= _SURE:
            break
    if best is None or best[0] < _DOUBTFUL:
        raise MeshError(
            f"No face was found on {name}: choose the mesh of a whole head, or give pairs of "
            "points."
        )
    _, face, view = best
    points, weight = view.lift(face.landmarks[:, :2], triangles, vertices)
    ours, own = template_points(head, predictor)
    to_head = _placed(name, points, weight * _trusted(), ours, own)
    return look_closely(head, name, vertices, triangles, predictor, to_head, best[0])


def look_closely(
    head: HeadModel,
    name: str,
    vertices: Array,
    triangles: Index,
    predictor: MediaPipePredictor,
    to_head: Similarity,
    score: float = 1.0,
) -> FoundFace:
    """The landmarks of a mesh whose place is roughly known."""
    ours, own = template_points(head, predictor)
    middle = ours[_trusted() > 0].mean(axis=0)
    for yaws in (_YAWS[:1], _YAWS):
        placed = to_head(vertices)
        near = (np.abs(placed - middle) < 0.3).all(axis=1)
        local = triangles[near[triangles].all(axis=1)]
        points, weight = _several(placed, local, middle, predictor, yaws)
        if not (weight > 0).any():
            raise MeshError(f"No face was found on {name}: choose the mesh of a whole head.")
        step = _placed(name, points, weight * _trusted(), ours, own)
        to_head = step.after(to_head)
        points = step(points)
    return FoundFace(to_head, points, weight, score)


@lru_cache(maxsize=2)
def template_points(head: HeadModel, predictor: MediaPipePredictor) -> tuple[Array, Array]:
    """(478, 3) and (478,) the points and weights that the nets find on the head's own template."""
    triangles = head.triangles[np.isin(_part(head), _shown(head))]
    ids = head.landmark_ids
    middle = head.landmarks(head.template, ids[ids < SKIN_LANDMARKS]).mean(axis=0)
    return _several(head.template, triangles, middle, predictor)


def _part(head: HeadModel) -> Index:
    four = np.stack([np.ones(len(head.quads), bool), head.quads[:, 3] >= 0], axis=1)
    out: Index = np.repeat(head.face_part[:, None], 2, axis=1)[four]
    return out


def _shown(head: HeadModel) -> list[int]:
    """Parts that a head of any make has."""
    kept = ("skin", "eyeball", "iris", "pupil", "mouth")
    return [i for i, name in enumerate(head.part_names) if name.startswith(kept)]


def _several(
    vertices: Array,
    triangles: Index,
    middle: Array,
    predictor: MediaPipePredictor,
    yaws: tuple[float, ...] = _YAWS,
) -> tuple[Array, Array]:
    """Landmarks of a mesh in the head frame, each from where it is seen most squarely."""
    total, weights = np.zeros((LANDMARK_COUNT, 3)), np.zeros(LANDMARK_COUNT)
    for yaw in yaws:
        turn = matrix_from_vector(np.array([0.0, -yaw, 0.0]))
        view = see(vertices, triangles, turn, middle, _SIDE, _CLOSE)
        margin = 0.2 * _CLOSE
        box = [margin, margin, _CLOSE - margin, _CLOSE - margin]
        for face in predictor.faces(view.picture, box=box)[:1]:
            if face.presence < _DOUBTFUL:
                continue
            points, square = view.lift(face.landmarks[:, :2], triangles, vertices)
            share = np.clip(square - 0.3, 0.0, None) ** 2 * (1.0 if yaw == 0 else 0.5)
            total += share[:, None] * points
            weights += share
    seen = weights > 0.02
    points = np.divide(total, weights[:, None], out=np.zeros_like(total), where=seen[:, None])
    return points, np.where(seen, np.minimum(weights, 1.0), 0.0)


def _trusted() -> Array:
    """(478,) what each point counts for where the whole face is placed."""
    out = np.ones(LANDMARK_COUNT)
    out[SKIN_LANDMARKS:] = 0.0
    out[list(FACE_OVAL)] = _ON_OUTLINE
    return out


def _placed(name: str, points: Array, weight: Array, ours: Array, own: Array) -> Similarity:
    """From the mesh to the head frame; MeshError if the points are in no face's order."""
    both = weight * own
    used = np.nonzero(both > 0)[0]
    if len(used) < 100:
        raise MeshError(
            f"Only a part of a face was found on {name}: choose the mesh of a whole head."
        )
    share = both[used].copy()
    for _ in range(4):
        fit = fit_similarity(points[used], ours[used], share)
        off = np.linalg.norm(fit(points[used]) - ours[used], axis=1)
        share = both[used] / (1.0 + (off / 0.008) ** 2)
    if float(np.median(off)) > _WORST_SHAPE:
        raise MeshError(
            f"What was found on {name} has not the shape of a face: choose the mesh of a head."
        )
    return fit


def _looks(vertices: Array) -> Iterator[tuple[Array, Array, float]]:
    """Turns, centres and sides of the squares to search: first as programs place heads, then
    every other way; of each the whole mesh and the top of it, where a body has its head.
    """
    turns = []
    for axes in permutations(range(3)):
        for signs in product((1.0, -1.0), repeat=3):
            turn = np.zeros((3, 3))
            turn[[0, 1, 2], axes] = signs
            if np.linalg.det(turn) > 0:
                turns.append(turn)
    turns.sort(key=_likely, reverse=True)
    for turn in turns:
        local = vertices @ turn.T
        low, high = local.min(axis=0), local.max(axis=0)
        tall = float(high[1] - low[1])
        head = local[local[:, 1] > high[1] - tall / 7]
        wide = float(np.ptp(head[:, 0]))
        if wide < tall / 3.5:
            centre = (head.min(axis=0) + head.max(axis=0)) / 2
            centre[1] = high[1] - tall / 14
            yield turn, centre @ turn, 1.5 * tall / 7
        yield turn, (low + high) / 2 @ turn, 1.1 * float((high - low)[:2].max())


def _likely(turn: Array) -> float:
    """Up is +y or +z, and a face looks along +z or -y."""
    up, front = turn[1], turn[2]
    if up[1] > 0.5 and front[2] > 0.5:
        return 4.0
    if up[2] > 0.5 and front[1] < -0.5:
        return 3.0
    return 2.0 * float(up[1] > 0.5) + 1.5 * float(up[2] > 0.5)
