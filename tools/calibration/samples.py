# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws the heads, expressions, cameras and gazes that are rendered."""

from __future__ import annotations

import numpy as np

from core.fitting.points import GazeMap, eye_rotation
from core.geometry.rotation import vector_from_matrix
from core.heads.model import HeadModel
from training.drawing import MOODS, Lenses, Sample, draw_camera, draw_expression, draw_gaze

SIZE = 256
LENSES = Lenses(longest=110, yaw=22, frontal=0.7, widest=65, pitch=11, fill=(0.42, 0.7))


def draw(head: HeadModel, rng: np.random.Generator) -> Sample:
    """One random head in front of one random camera."""
    identity = rng.normal(0, 1, head.identity_count)
    gaze = draw_gaze(rng)
    expression = GazeMap.of(head).apply(draw_expression(head, rng, MOODS, 0.12, 0.6), gaze)
    rotations = np.zeros((len(head.joint_names), 3))
    for side, name in enumerate(("eye_l", "eye_r")):
        turn = eye_rotation(*gaze[2 * side : 2 * side + 2])[0]
        rotations[head.joint(name)] = vector_from_matrix(turn)
    vertices = head.pose(identity, expression, rotations, correctives=False)
    return Sample(identity, expression, rotations, vertices, draw_camera(rng, SIZE, LENSES))
