# SPDX-License-Identifier: GPL-3.0-or-later
"""What people do in front of cameras: sliders, gazes, poses and lenses, drawn at random."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.geometry.camera import Camera, focal_from_35mm
from core.geometry.rotation import matrix_from_vector
from core.heads.model import HeadModel

Array = NDArray[np.float64]

#: Sliders that no portrait holds far open, and how far they go here.
TIMID = {"tongueOut": 0.0, "jawForward": 0.4, "jawLeft": 0.4, "jawRight": 0.4, "cheekPuff": 0.5}
#: One of these a face: what people do in front of a camera, as sliders at full.
MOODS: tuple[dict[str, float], ...] = (
    {},
    {},
    {
        "mouthSmileLeft": 0.8, "mouthSmileRight": 0.8,
        "cheekSquintLeft": 0.5, "cheekSquintRight": 0.5,
    },
    {
        "mouthSmileLeft": 0.9, "mouthSmileRight": 0.9, "jawOpen": 0.25,
        "mouthUpperUpLeft": 0.4, "mouthUpperUpRight": 0.4,
        "eyeSquintLeft": 0.4, "eyeSquintRight": 0.4,
    },
    {"jawOpen": 0.9, "eyeWideLeft": 0.6, "eyeWideRight": 0.6, "browInnerUp": 0.7},
    {"browDownLeft": 0.8, "browDownRight": 0.8, "mouthFrownLeft": 0.5, "mouthFrownRight": 0.5},
    {"mouthPucker": 0.8},
    {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0},
    {"mouthPressLeft": 0.6, "mouthPressRight": 0.6, "mouthRollLower": 0.4},
    {"mouthFunnel": 0.7, "jawOpen": 0.3},
    {
        "mouthSmileLeft": 0.6, "mouthSmileRight": 0.6, "mouthStretchLeft": 0.5,
        "mouthStretchRight": 0.5, "mouthDimpleLeft": 0.5, "mouthDimpleRight": 0.5,
        "cheekSquintLeft": 0.6, "cheekSquintRight": 0.6, "eyeSquintLeft": 0.5,
        "eyeSquintRight": 0.5,
    },
    {"mouthSmileLeft": 1.0, "mouthSmileRight": 1.0, "mouthUpperUpLeft": 0.5,
     "mouthUpperUpRight": 0.5, "mouthLowerDownLeft": 0.3, "mouthLowerDownRight": 0.3},
    {"mouthSmileLeft": 0.8, "mouthDimpleLeft": 0.4, "eyeBlinkLeft": 0.7, "cheekSquintLeft": 0.5},
    {"eyeSquintLeft": 1.0, "eyeSquintRight": 1.0, "browDownLeft": 0.5, "browDownRight": 0.5},
    {"eyeWideLeft": 1.0, "eyeWideRight": 1.0, "browOuterUpLeft": 0.6, "browOuterUpRight": 0.6,
     "browInnerUp": 0.6},
    {"jawOpen": 0.4, "mouthLowerDownLeft": 0.4, "mouthLowerDownRight": 0.4, "mouthUpperUpLeft": 0.2,
     "mouthUpperUpRight": 0.2},
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Sample:
    """identity (I,), expression (E,), joint rotations (J, 3), vertices (V, 3) posed, camera."""

    identity: Array
    expression: Array
    rotations: Array
    vertices: Array
    camera: Camera


@dataclass(frozen=True)
class Lenses:
    """longest: mm, 35 mm equivalent; yaw, pitch: standard deviations in degrees; frontal: share of
    poses whose yaw has that deviation, the others' is anything up to widest; fill: range of the
    share of the picture's height that 22 cm of head take.
    """

    longest: float
    yaw: float
    frontal: float
    widest: float
    pitch: float
    fill: tuple[float, float]


def draw_gaze(rng: np.random.Generator) -> Array:
    """(4,) pitch and yaw of the left eye, then of the right, radians."""
    gaze: Array = np.tile(rng.normal(0, [0.07, 0.12]), 2) + rng.normal(0, 0.01, 4)
    return gaze


def draw_expression(
    head: HeadModel,
    rng: np.random.Generator,
    moods: Sequence[dict[str, float]],
    share: float,
    most: float,
) -> Array:
    """(E,) one of the moods, and besides a share of the sliders anywhere up to ``most``."""
    names = list(head.expression_names)
    e = np.where(rng.random(len(names)) < share, rng.uniform(0, most, len(names)), 0.0)
    mood, strength = moods[rng.integers(len(moods))], rng.uniform(0.3, 1.0)
    for name, value in mood.items():
        e[names.index(name)] = max(e[names.index(name)], value * strength)
    for i, name in enumerate(names):
        e[i] = min(e[i], TIMID.get(name, 1.0))
        if name.endswith("Left") and rng.random() < 0.8 and not name.startswith(("jaw", "mouthLe")):
            j = names.index(name[:-4] + "Right")
            e[j] = np.clip(e[i] * rng.uniform(0.8, 1.2), 0, 1)
    # The lips cannot close further than the jaw has opened.
    e[names.index("mouthClose")] *= e[names.index("jawOpen")]
    return e


def draw_camera(rng: np.random.Generator, size: int, lenses: Lenses) -> Camera:
    """A camera before the head, whose pictures are size x size."""
    mm = float(np.exp(rng.uniform(np.log(24), np.log(lenses.longest))))
    focal = focal_from_35mm(mm, size, size)
    straight = rng.random() < lenses.frontal
    yaw = rng.normal(0, lenses.yaw) if straight else rng.uniform(-lenses.widest, lenses.widest)
    pitch, roll = rng.normal(0, lenses.pitch), rng.normal(0, 8)
    turn = np.eye(3)
    for axis, degrees in (((0, 1, 0), yaw), ((1, 0, 0), pitch), ((0, 0, 1), roll)):
        turn = matrix_from_vector(np.radians(degrees) * np.array(axis, float)) @ turn
    r = np.diag([1.0, -1.0, -1.0]) @ turn
    distance = focal * 0.22 / (rng.uniform(*lenses.fill) * size)
    x, y = rng.uniform(-0.08, 0.08, 2) * distance * size / focal
    centre = np.array([0.0, -0.01, 0.06])  # about the middle of the face
    return Camera.with_focal(focal, r, np.array([x, y, distance]) - r @ centre, size, size)
