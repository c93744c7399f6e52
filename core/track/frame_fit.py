# SPDX-License-Identifier: GPL-3.0-or-later
"""One frame: pose, gaze and bounded sliders that explain its landmarks best, from a near start.

Gauss-Newton on the landmarks' residuals, robust (Cauchy) as in core.fitting.block, with Gaussian
priors on the sliders, on the net's strays and on the gaze; sliders stay within 0 and 1 by the same
bounded step as the solver's (core.fitting.solver).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..cues.eye_openings import closed_eyes
from ..fitting.solver import bounded_step
from ..fitting.state import FOCAL, GAZE, POSE_SIZE, SHIFT, TURN, PhotoState, State
from ..heads.arkit import mirrored_name
from .person import Person

Array = NDArray[np.float64]

#: Of the landmarks, metres: what the response does not explain, beside its own strays.
MISFIT = 1.6e-3
ROBUST = 4.0
#: Of a gaze, radians: of both eyes from straight ahead, of one against the other, and of what
#: may change from frame to frame.
_GAZE, _APART, _GAZE_STEP = 0.3, 0.03, 0.25
#: Metres by which the irises of a closed eye may lie anywhere.
_HIDDEN = 0.03
#: Of a slider: what it is thought to do before anything is seen, and how far the two sides differ.
USUAL, SIDES_DIFFER = 0.3, 0.5
#: Names with a side that are directions and not halves of the face.
_ONE_WAY = frozenset({"jawLeft", "jawRight", "mouthLeft", "mouthRight"})
_IRISES = {"right": range(468, 473), "left": range(473, 478)}


@dataclass(frozen=True, eq=False)
class FrameFit:
    """state; error: root mean square of the residuals, in shares of the eyes' distance."""

    state: PhotoState
    error: float


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


def fit_frame(
    person: Person,
    landmarks: Array,
    start: PhotoState,
    centre: Array,
    precision: Array,
    *,
    steps: int = 3,
) -> FrameFit:
    """landmarks (478, 2) pixels; centre (2,) the principal point; precision as above."""
    layout = person.layout
    e = layout.expression_count
    sliders = slice(POSE_SIZE, POSE_SIZE + e)
    strays = slice(POSE_SIZE + e, layout.size)
    target, state = landmarks[person.ids], start
    scale = state.focal / state.t[2]
    sigma: Array = np.hypot(person.sigma, MISFIT)
    for side in closed_eyes(landmarks):
        sigma = np.where(np.isin(person.ids, _IRISES[side]), _HIDDEN, sigma)
    sigma = sigma * scale
    still = np.zeros(layout.size, bool)
    still[FOCAL] = True
    still[POSE_SIZE + person.points.gaze_map.columns] = True
    ahead = np.array([[0.5, 0.0, 0.5, 0.0], [0.0, 0.5, 0.0, 0.5]])
    apart = np.array([[1.0, 0.0, -1.0, 0.0], [0.0, 1.0, 0.0, -1.0]])
    gaze_matrix = ahead.T @ ahead / _GAZE**2 + apart.T @ apart / _APART**2
    lower, upper = np.zeros(e), np.ones(e)
    r = np.zeros((len(target), 2))
    for _ in range(steps):
        pixels, jacobian = person.reported(state.R).project(np.zeros(0), state, layout)
        r = (pixels + centre - target) / sigma[:, None]
        weight = 1.0 / (1.0 + (r**2).sum(axis=1) / ROBUST**2)
        root = np.sqrt(weight) / sigma
        rows = (jacobian * root[None, :, None]).reshape(-1, layout.size)
        right = (np.sqrt(weight)[:, None] * r).T.ravel()
        matrix, gradient = rows.T @ rows, rows.T @ right
        matrix[sliders, sliders] += precision
        gradient[sliders] += precision @ state.expression
        matrix[strays, strays] += np.eye(layout.drift_count)
        gradient[strays] += state.drift
        matrix[GAZE, GAZE] += gaze_matrix + np.eye(4) / _GAZE_STEP**2
        gradient[GAZE] += gaze_matrix @ state.gaze + (state.gaze - start.gaze) / _GAZE_STEP**2
        now, pull = state.expression, gradient[sliders]
        held = still.copy()
        held[sliders] |= ((now <= lower) & (pull > 0)) | ((now >= upper) & (pull < 0))
        least, most = np.full(layout.size, -np.inf), np.full(layout.size, np.inf)
        least[sliders], most[sliders] = np.minimum(-now, 0.0), np.maximum(1.0 - now, 0.0)
        step = bounded_step(matrix, gradient, 1e-6, np.nonzero(~held)[0], least, most)
        if step is None or not np.isfinite(step).all():
            break
        (state,) = layout.moved(_one(state), step, upper, lower).photos
    eyes = float(np.linalg.norm(landmarks[33, :2] - landmarks[263, :2]))
    error = float(np.sqrt(((r * sigma[:, None]) ** 2).sum(axis=1).mean())) / max(eyes, 1e-9)
    return FrameFit(state, error)


def slider_noise(person: Person, state: PhotoState, precision: Array) -> Array:
    """(E,) by how much each slider of a frame flickers for each pixel of noise of the landmarks,
    as far as no bound holds it: the fit's own gain.
    """
    layout = person.layout
    sigma = np.hypot(person.sigma, MISFIT) * state.focal / state.t[2]
    _, jacobian = person.reported(state.R).project(np.zeros(0), state, layout)
    rows = (jacobian / sigma[None, :, None]).reshape(-1, layout.size)
    prior = np.zeros((layout.size, layout.size))
    sliders = slice(POSE_SIZE, POSE_SIZE + layout.expression_count)
    prior[sliders, sliders] = precision
    prior[sliders.stop :, sliders.stop :] = np.eye(layout.drift_count)
    prior[:POSE_SIZE, :POSE_SIZE] = 1e-6 * np.eye(POSE_SIZE)
    prior[GAZE, GAZE] += np.eye(4) / _GAZE**2
    gain = np.linalg.solve(rows.T @ rows + prior, rows.T) / np.tile(sigma, 2)
    out: Array = np.sqrt((gain[sliders] ** 2).sum(axis=1))
    return out


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
        kept = state.expression
        (state,) = layout.moved(_one(state), step, np.ones_like(kept), np.zeros_like(kept)).photos
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


def _one(state: PhotoState) -> State:
    return State(np.zeros(0), (state,))
