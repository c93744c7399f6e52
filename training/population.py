# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws heads, expressions, gazes, poses and lenses that are wider than any one population.

The open head's average is flatter than people: nose ridge and forehead lie further back. A network
that sees only heads around it would learn that average and not the shading. So the mean is drawn
too: between this average, a little beyond it, and the open head warped to MediaPipe's canonical
face (Apache-2.0), on the line through both; around it the model's own components and named
sliders, the nose's most of all. No benchmark head is ever looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.fitting.points import GazeMap
from core.fitting.result import eye_rotations
from core.geometry.camera import Camera
from core.heads.model import HeadModel

from .drawing import MOODS, Lenses, draw_camera, draw_expression, draw_gaze

Array = NDArray[np.float64]

ROOT = Path(__file__).resolve().parents[1]
#: Where the mean lies: 0 the open head's, 1 the canonical face's.
MEAN_RANGE = (-0.3, 1.5)
#: Ridge of the warp to the canonical face: a component of one sigma costs as much as so many
#: square millimetres.
WARP_RIDGE = 100.0
#: Photos are squares of so many pixels.
PHOTO = 512
LENSES = Lenses(longest=135, yaw=20, frontal=0.75, widest=75, pitch=10, fill=(0.45, 0.8))
#: Moods of portraits, a little more often none.
PORTRAITS = ({}, *MOODS[:10])
#: Tilt of the surface by the bends, degrees (rms), and their strength along each axis.
BEND_DEGREES, BEND_AXES = (2.0, 9.0), np.array([0.35, 0.35, 1.0])
_UNIT = 1e-5  # metres a step of delta_10um


@dataclass(frozen=True, eq=False)
class Subject:
    """What is true of one photo: neutral (V, 3) head frame, metres; identity (I,) the part of it
    in the model's components; expression (E,); rotations (J, 3); vertices (V, 3) posed; camera.
    """

    neutral: Array
    identity: Array
    expression: Array
    rotations: Array
    vertices: Array
    camera: Camera


@dataclass(frozen=True, eq=False)
class Slider:
    """One of MakeHuman's: group/name, standard deviation, and what its two ends move: indices
    (n,) and offsets (n, 3) in metres.
    """

    name: str
    sigma: float
    less: tuple[NDArray[np.intp], Array]
    more: tuple[NDArray[np.intp], Array]


@dataclass(frozen=True, eq=False)
class Population:
    """canonical (I,): components of the head that is nearest to the canonical face."""

    head: HeadModel
    canonical: Array
    sliders: tuple[Slider, ...]

    @classmethod
    def of(cls, head: HeadModel) -> Population:
        """Reads the canonical face and the named shapes from vendor/."""
        return cls(head, canonical_identity(head), _sliders())

    def draw(self, rng: np.random.Generator) -> Subject:
        """One person in front of one camera."""
        head = self.head
        identity = rng.uniform(*MEAN_RANGE) * self.canonical
        identity = identity + rng.uniform(0.4, 1.1) * rng.normal(size=head.identity_count)
        neutral = head.neutral(identity)
        for slider in self.sliders:
            if rng.random() < (0.5 if slider.name.startswith("nose") else 0.2):
                value = rng.normal(0, 1.2 * slider.sigma)
                at, offset = slider.less if value < 0 else slider.more
                neutral[at] += min(abs(value), 1.0) * offset
        neutral = neutral + _bends(head.template, rng)
        gaze = draw_gaze(rng)
        expression = GazeMap.of(head).apply(draw_expression(head, rng, PORTRAITS, 0.1, 0.5), gaze)
        rotations = eye_rotations(head, gaze)
        shaped = neutral + head.expression_basis @ expression
        vertices = head.skin(shaped, head.joints(neutral), rotations)
        return Subject(
            neutral, identity, expression, rotations, vertices, draw_camera(rng, PHOTO, LENSES)
        )


def _bends(points: Array, rng: np.random.Generator) -> Array:
    """(V, 3) smooth offsets that no slider makes, most of them in depth: waves whose lengths are
    those of a nose, a cheek or a whole face, each of which tilts the surface as much as the others.
    """
    count = 14
    length = np.exp(rng.uniform(np.log(0.025), np.log(0.16), count))
    waves = rng.normal(size=(count, 3))
    waves *= (2 * np.pi / length / np.linalg.norm(waves, axis=1))[:, None]
    direction = rng.normal(size=(count, 3)) * BEND_AXES
    slope = np.radians(rng.uniform(*BEND_DEGREES)) * np.sqrt(2 / count)
    amplitude = slope * length / (2 * np.pi)
    phase = points @ waves.T + rng.uniform(0, 2 * np.pi, count)
    return np.sin(phase) @ (direction * amplitude[:, None])


def canonical_identity(head: HeadModel, rounds: int = 4) -> Array:
    """(I,) components that bring the head's landmarks nearest to MediaPipe's canonical face, up
    to a similarity, with a ridge of WARP_RIDGE.
    """
    with np.load(ROOT / "vendor" / "mediapipe" / "canonical_face.npz", allow_pickle=False) as z:
        target = z["vertices"].astype(np.float64)
    ids = head.landmark_ids[head.landmark_ids < len(target)]
    rest, basis = head.landmarks(head.template, ids), head.landmarks(head.identity_basis, ids)
    flat = 1e3 * basis.reshape(-1, head.identity_count)
    square = flat.T @ flat + WARP_RIDGE * np.eye(head.identity_count)
    identity = np.zeros(head.identity_count)
    for _ in range(rounds):
        placed = similarity(target[ids], rest + basis @ identity)
        identity = np.linalg.solve(square, flat.T @ (1e3 * (placed - rest).ravel()))
    return identity


def similarity(points: Array, onto: Array) -> Array:
    """Points (n, 3) moved by the similarity that takes them nearest to others (Umeyama 1991)."""
    p, q = points - points.mean(axis=0), onto - onto.mean(axis=0)
    u, s, vt = np.linalg.svd(q.T @ p)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    scale = (s * sign).sum() / (p * p).sum()
    return scale * p @ (u * sign @ vt).T + onto.mean(axis=0)


def _sliders() -> tuple[Slider, ...]:
    with np.load(ROOT / "vendor" / "open_head" / "named_shapes.npz", allow_pickle=False) as z:
        a = {name: z[name] for name in z.files}
    number = {str(n): i for i, n in enumerate(a["names"])}

    def shape(names: str) -> tuple[NDArray[np.intp], Array]:
        """A slider may move several shapes: those of both sides."""
        at, offset = [], []
        for name in filter(None, str(names).split("|")):
            part = slice(*a["ptr"][number[name] : number[name] + 2])
            at.append(a["index"][part].astype(np.intp))
            offset.append(a["delta_10um"][part] * _UNIT)
        if not at:
            return np.zeros(0, np.intp), np.zeros((0, 3))
        every, place = np.unique(np.concatenate(at), return_inverse=True)
        total = np.zeros((len(every), 3))
        np.add.at(total, place, np.concatenate(offset))
        return every, total

    rows = zip(
        a["slider_groups"], a["slider_names"], a["slider_sigma"], a["slider_negative"],
        a["slider_positive"], strict=True,
    )  # fmt: skip
    return tuple(
        Slider(f"{group}/{name}", float(sigma), shape(less), shape(more))
        for group, name, sigma, less, more in rows
    )
