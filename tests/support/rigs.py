# SPDX-License-Identifier: GPL-3.0-or-later
"""Rigged heads of people whom nobody photographed, through the code that rigs a fitted head."""

from __future__ import annotations

import numpy as np

from core.geometry.camera import Camera
from core.heads import HeadModel
from core.photos.colour import FaceColours
from core.reconstruct.assembly import build_rigged_head
from core.reconstruction import PhotoFit, Reconstruction
from core.rigged_head import RiggedHead


def rigged_person(
    head: HeadModel,
    identity: np.ndarray,
    values: dict[str, float] | None = None,
    own_components: bool = False,
) -> RiggedHead:
    """The head at an identity, photographed from the front with its sliders at ``values``."""
    head = head.with_sliders()
    neutral = head.neutral(identity)
    expression = np.zeros(head.expression_count)
    for name, value in (values or {}).items():
        expression[head.expression_names.index(name)] = value
    rotations = np.zeros((len(head.joint_names), 3))
    shaped = neutral + head.expression_basis @ expression
    camera = Camera.with_focal(900.0, np.diag([1.0, -1, -1]), np.array([0, 0, 0.7]), 640, 480)
    fit = PhotoFit(
        expression=expression,
        rotations=rotations,
        camera=camera,
        residual=np.zeros_like(neutral),
        neutral=neutral,
        vertices=head.skin(shaped, head.joints(neutral), rotations),
        landmarks=np.full((478, 2), 240.0),
        landmarks_fit=np.full((478, 2), 240.0),
        report={},
    )
    person = Reconstruction(head.name, head.digest, identity, (fit,), {"warnings": []}, {})
    colours = FaceColours(np.full(3, 0.2, "f4"), np.full(3, 0.1, "f4"))
    return build_rigged_head(head, person, 0, "someone", colours, own_components=own_components)
