# SPDX-License-Identifier: GPL-3.0-or-later
"""A rigged head from invented numbers, through the very code that rigs a fitted one."""

from __future__ import annotations

import numpy as np

SIZE = (640, 480)


def invented_head(ours, name="someone"):
    """Open head with some identity, expression, gaze, a residual and a turned camera."""
    random = np.random.default_rng(7)
    head = ours("core.heads.open_head").load_open_head()
    identity = random.normal(scale=0.6, size=20)
    neutral = head.neutral(identity)
    expression = np.zeros(head.expression_count)
    for key, value in (("jawOpen", 0.4), ("mouthSmileLeft", 0.7), ("browInnerUp", 0.3)):
        expression[head.expression_names.index(key)] = value
    rotations = np.zeros((len(head.joint_names), 3))
    rotations[head.joint("eye_l")] = [0.1, 0.2, 0.0]
    rotations[head.joint("eye_r")] = [0.1, 0.15, 0.0]
    residual = 0.001 * random.normal(size=(1, 3)) * (neutral[:, 2:] > 0.05)
    shaped = neutral + head.expression_basis @ expression + residual
    camera = invented_camera(ours)
    fit = ours("core.reconstruction").PhotoFit(
        expression=expression,
        rotations=rotations,
        camera=camera,
        residual=residual,
        neutral=neutral,
        vertices=head.skin(shaped, head.joints(neutral), rotations),
        landmarks=np.full((478, 2), 240.0),
        landmarks_fit=np.full((478, 2), 241.0),
    )
    reconstruction = ours("core.reconstruction").Reconstruction(
        head_name=head.name,
        head_digest=head.digest,
        identity=identity,
        photos=(fit,),
        report={"warnings": ["The light comes from one side."]},
        recipe={"made": "up"},
    )
    pixels = np.full((SIZE[1], SIZE[0], 3), 128, np.uint8)
    colours = ours("core.photos.colour").face_colours(pixels, fit.landmarks)
    build = ours("core.reconstruct.assembly").build_rigged_head
    rigged = build(head, reconstruction, 0, name, colours)
    rigged = ours("core.appearance.mouth_picture").with_mouth_picture(rigged)
    rigged = ours("core.appearance.wrinkles").with_wrinkles(rigged)
    return ours("core.appearance.eye_picture").with_eye_picture(rigged)


def invented_camera(ours):
    """Turned by some 20 degrees, 0.7 m away, off-centre principal point."""
    turn = ours("core.geometry.rotation").matrix_from_vector(np.array([0.1, 0.35, -0.05]))
    k = np.array([[900.0, 0, 310.0], [0, 900.0, 250.0], [0, 0, 1]])
    facing = turn @ np.diag([1.0, -1.0, -1.0])
    return ours("core.geometry.camera").Camera(k, facing, np.array([0.01, 0.02, 0.7]), *SIZE)
