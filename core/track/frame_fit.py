# SPDX-License-Identifier: GPL-3.0-or-later
"""One frame: pose, gaze and bounded sliders that explain its landmarks and its picture best, from a
near start.

Gauss-Newton, robust (Cauchy for landmarks as in core.fitting.block, Geman and McClure for the
picture), with Gaussian priors on the sliders, on the net's strays and on the gaze; sliders stay
within 0 and 1 by the same bounded step as the solver's (core.fitting.solver). The picture's part is
the direct alignment of Lucas and Kanade ("An iterative image registration technique", IJCAI 1981)
with the head as the warp: each point of the face at rest looks for its like, coarse then fine.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..cues.eye_openings import RINGS, closed_eyes
from ..fitting.landmark_model import view_features
from ..fitting.solver import bounded_step
from ..fitting.state import FOCAL, GAZE, POSE_SIZE, SHIFT, TURN, PhotoState, State
from ..heads.arkit import mirrored_name
from .person import Person
from .pictures import Crop, Level
from .surface import Surface
from .texture import Texture

Array = NDArray[np.float64]

#: Of the landmarks, metres: what the response does not explain, beside its own strays.
MISFIT = 1.6e-3
ROBUST = 4.0
#: Of a gaze, radians: of both eyes from straight ahead, of one against the other, and of what
#: may change from frame to frame.
_GAZE, _APART, _GAZE_STEP = 0.3, 0.03, 0.25
#: The same behind a lid.
_GAZE_SHUT = 0.02
#: Metres by which the irises of a closed eye may lie anywhere.
_HIDDEN = 0.03
#: Of a slider: what it is thought to do before anything is seen, and how far the two sides differ.
USUAL, SIDES_DIFFER = 0.3, 0.5
#: Names with a side that are directions and not halves of the face.
_ONE_WAY = frozenset({"jawLeft", "jawRight", "mouthLeft", "mouthRight"})
_EYES = {"left": 0, "right": 1}
_GAZES = {"left": slice(0, 2), "right": slice(2, 4)}
_IRISES = {"right": range(468, 473), "left": range(473, 478)}
#: Beside the picture: what landmarks count, but for those of the eyes, which count in full. Their
#: errors are a face's habits, which the picture does not share.
BESIDE = 0.2
#: What a point of the picture counts, since neighbours err together; the least deviation that is
#: believed, in Level's units; and at how many of the frame's own deviations a point is in doubt.
POINT, LEAST_DEVIATION, DOUBTED = 0.1, 0.15, 1.5
#: Steps by landmarks alone, and by each level of the picture.
STEPS, LEVEL_STEPS = 2, (2, 2)
_AHEAD = np.array([[0.5, 0.0, 0.5, 0.0], [0.0, 0.5, 0.0, 0.5]])
_ASIDE = np.array([[1.0, 0.0, -1.0, 0.0], [0.0, 1.0, 0.0, -1.0]])
_GAZE_MATRIX = _AHEAD.T @ _AHEAD / _GAZE**2 + _ASIDE.T @ _ASIDE / _APART**2


@dataclass(frozen=True, eq=False)
class FrameFit:
    """state; error: root mean square of the landmarks' residuals, in shares of the eyes' distance;
    agreement 0..1: the share of the picture that looks as at rest, 1 where it was not asked;
    matrix, seen: of the normal equations (layout size), all of it and what was seen.
    """

    state: PhotoState
    error: float
    agreement: float
    matrix: Array
    seen: Array

    def flicker(self) -> Array:
        """(E,) how much each slider flickers, as far as no bound holds it, but for one factor: the
        sandwich of both matrices.
        """
        sliders = POSE_SIZE + len(self.state.expression)
        free = np.r_[TURN, SHIFT, GAZE, POSE_SIZE : len(self.matrix)]
        free = free[np.diag(self.matrix)[free] > 0]
        both = np.ix_(free, free)
        damped = self.matrix[both] + 1e-9 * np.diag(np.diag(self.matrix[both]))
        inverse = np.linalg.inv(damped)
        variance = np.zeros(len(self.matrix))
        variance[free] = np.einsum("ij,jk,ik->i", inverse, self.seen[both], inverse)
        out: Array = np.sqrt(np.maximum(variance[POSE_SIZE:sliders], 0.0))
        return out


def slider_precision(person: Person, spread: Array, differ: float = SIDES_DIFFER) -> Array:
    """(E, E) inverse covariance of the sliders: spread (E,) of each, both sides alike as far as
    their difference has ``differ`` of their spread.
    """
    names = person.head.expression_names
    at = {name: i for i, name in enumerate(names)}
    out = np.diag(np.asarray(spread, dtype=np.float64) ** 2)
    for i, name in enumerate(names):
        j = at.get(mirrored_name(name), i)
        if j != i and name not in _ONE_WAY and not name.startswith("eyeLook"):
            out[i, j] = (1 - differ**2 / 2) * spread[i] * spread[j]
    inverse: Array = np.asarray(np.linalg.inv(out), dtype=np.float64)
    return inverse


class FrameFitter:
    """For one person and one clip: centre (2,) the principal point, precision as above."""

    def __init__(
        self, person: Person, centre: Array, precision: Array, texture: Texture | None = None
    ) -> None:
        self._person, self._centre, self._precision = person, centre, precision
        self._texture, self._layout = texture, person.layout
        self._points = Surface.of(person.points, person.layout.drift_count)
        eyes = [*RINGS["left"], *RINGS["right"], *_IRISES["left"], *_IRISES["right"]]
        self._beside = np.where(np.isin(person.ids, eyes), 1.0, BESIDE)

    def fit(
        self, landmarks: Array, start: PhotoState, crop: Crop | None = None, steps: int = STEPS
    ) -> FrameFit:
        """landmarks (478, 2) pixels; with a crop the texture is asked too."""
        person, layout, e = self._person, self._layout, self._layout.expression_count
        sliders = slice(POSE_SIZE, POSE_SIZE + e)
        sigma: Array = np.hypot(person.sigma, MISFIT)
        shut = closed_eyes(landmarks)
        gaze_step = np.full(4, _GAZE_STEP)
        for side in shut:
            sigma = np.where(np.isin(person.ids, _IRISES[side]), _HIDDEN, sigma)
            gaze_step[_GAZES[side]] = _GAZE_SHUT
        sigma = sigma * (start.focal / start.t[2])
        still = np.zeros(layout.size, bool)
        still[FOCAL] = True
        still[POSE_SIZE + person.points.gaze_map.columns] = True
        plan: list[int | None] = [None] * steps
        levels: list[Level] = []
        if crop is not None and self._texture is not None:
            levels = crop.levels()
            plan += [k for k, count in enumerate(LEVEL_STEPS) for _ in range(count)]
        state, r, agreement = start, np.zeros((len(person.ids), 2)), 1.0
        seen = matrix = np.zeros((layout.size, layout.size))
        for level in plan:
            seen, gradient, r = self._by_landmarks(landmarks, state, sigma, level is not None)
            if level is not None and crop is not None:
                agreement = self._by_picture(crop, level, levels, state, seen, gradient, shut)
            matrix = seen.copy()
            self._believed(matrix, gradient, state, start.gaze, gaze_step)
            now, pull = state.expression, gradient[sliders]
            held = still.copy()
            held[sliders] |= ((now <= 0) & (pull > 0)) | ((now >= 1) & (pull < 0))
            least, most = np.full(layout.size, -np.inf), np.full(layout.size, np.inf)
            least[sliders], most[sliders] = np.minimum(-now, 0.0), np.maximum(1.0 - now, 0.0)
            step = bounded_step(matrix, gradient, 1e-6, np.nonzero(~held)[0], least, most)
            if step is None or not np.isfinite(step).all():
                break
            state = _moved(person, state, step)
        eyes = float(np.linalg.norm(landmarks[33, :2] - landmarks[263, :2]))
        error = float(np.sqrt(((r * sigma[:, None]) ** 2).sum(axis=1).mean())) / max(eyes, 1e-9)
        return FrameFit(state, error, agreement, matrix, seen)

    def _by_landmarks(
        self, landmarks: Array, state: PhotoState, sigma: Array, beside: bool
    ) -> tuple[Array, Array, Array]:
        """Normal equations, and residuals (n, 2) in sigmas."""
        person = self._person
        placed = self._points.placed(state, person.bias @ view_features(state.R) + person.rest.T)
        r = (placed.pixels() + self._centre - landmarks[person.ids]) / sigma[:, None]
        weight = 1.0 / (1.0 + (r**2).sum(axis=1) / ROBUST**2)
        if beside:
            weight = weight * self._beside
        root = np.sqrt(weight)
        matrix, gradient = np.zeros((self._layout.size,) * 2), np.zeros(self._layout.size)
        for axis in (0, 1):
            slopes = np.zeros((len(root), 2))
            slopes[:, axis] = root / sigma
            rows = placed.rows(slopes)
            matrix += rows.T @ rows
            gradient += rows.T @ (root * r[:, axis])
        return matrix, gradient, r

    def _by_picture(
        self,
        crop: Crop,
        level: int,
        levels: list[Level],
        state: PhotoState,
        matrix: Array,
        gradient: Array,
        shut: tuple[str, ...],
    ) -> float:
        """Adds to the normal equations; the share of the face that agrees."""
        texture = self._texture
        assert texture is not None
        placed = texture.surface.placed(state)
        places, inverse = crop.samples(placed.pixels() + self._centre)
        found = levels[level].at(places)
        r = found[:, 0] - texture.look[level]
        deviation = max(1.4826 * float(np.median(np.abs(r))), LEAST_DEVIATION)
        trust = 1.0 / (1.0 + (r / (DOUBTED * deviation)) ** 2)
        facing = texture.facing(state)
        for side in shut:
            facing = np.where(texture.surface.eye == _EYES[side], 0.0, facing)
        root = np.sqrt(POINT * facing) * trust / deviation
        rows = placed.rows((found[:, 1:] @ inverse) * root[:, None])
        matrix += rows.T @ rows
        gradient += rows.T @ (root * r)
        return float((facing * (np.abs(r) < 1)).sum() / max(facing.sum(), 1e-9))

    def _believed(
        self, matrix: Array, gradient: Array, state: PhotoState, before: Array, gaze_step: Array
    ) -> None:
        """Adds what is believed before anything is seen."""
        layout, e = self._layout, self._layout.expression_count
        sliders, strays = slice(POSE_SIZE, POSE_SIZE + e), slice(POSE_SIZE + e, layout.size)
        matrix[sliders, sliders] += self._precision
        gradient[sliders] += self._precision @ state.expression
        matrix[strays, strays] += np.eye(layout.drift_count)
        gradient[strays] += state.drift
        matrix[GAZE, GAZE] += _GAZE_MATRIX + np.diag(gaze_step**-2)
        gradient[GAZE] += _GAZE_MATRIX @ state.gaze + (state.gaze - before) / gaze_step**2


def posed(person: Person, landmarks: Array, state: PhotoState, centre: Array) -> PhotoState:
    """The state with its pose and gaze alone fitted to landmarks (n, 2), sliders as they are."""
    layout = person.layout
    sigma = np.full(len(landmarks), MISFIT * 2) * state.focal / state.t[2]
    move = np.r_[TURN, SHIFT, GAZE]
    for _ in range(6):
        pixels, jacobian = person.reported(state.R).project(np.zeros(0), state, layout)
        r = (pixels + centre - landmarks) / sigma[:, None]
        root = 1.0 / np.sqrt(1.0 + (r**2).sum(axis=1) / ROBUST**2)
        rows = (jacobian * (root / sigma)[None, :, None]).reshape(-1, layout.size)[:, move]
        right = (root[:, None] * r).T.ravel()
        matrix, gradient = rows.T @ rows, rows.T @ right
        matrix[6:, 6:] += np.eye(4) / _APART**2
        step = np.zeros(layout.size)
        step[move] = -np.linalg.solve(matrix, gradient)
        state = _moved(person, state, step)
    return state


def rest_offset(person: Person, state: PhotoState, landmarks: Array, centre: Array) -> Array:
    """(3, n) head frame, metres: what to add to the rest so that the landmarks (n, 2) are met."""
    points = replace(person, rest=np.zeros_like(person.rest)).reported(state.R)
    x, y, z = points.in_camera(np.zeros(0), state)
    pixels = state.focal * np.stack([x / z, y / z]) + centre[:, None]
    across = np.zeros((3, len(z)))
    across[:2] = (landmarks.T - pixels) * z / state.focal
    out: Array = state.R.T @ across
    return out


def _moved(person: Person, state: PhotoState, step: Array) -> PhotoState:
    e = person.layout.expression_count
    (out,) = person.layout.moved(State(np.zeros(0), (state,)), step, np.ones(e), np.zeros(e)).photos
    return out
