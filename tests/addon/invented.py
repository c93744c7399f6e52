# SPDX-License-Identifier: GPL-3.0-or-later
"""A rigged head from invented numbers, through the very code that rigs a fitted one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

SIZE = (640, 480)
#: Keys that tests of files call by name.
FEW = ("jawOpen", "jawLeft", "jawRight", "mouthLeft", "mouthRight", "mouthSmileLeft",
       "eyeBlinkLeft", "eyeBlinkRight", "browInnerUp", "photoResidual")  # fmt: skip


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


def with_few_keys(rigged):
    """The head with the keys that tests call by name, one driven by two keys and one by a bone."""
    names = rigged.key_names.tolist()
    kept = {name for name in FEW if name in names}
    kept |= {names[i] for i in rigged.correctives[:1].ravel()}
    kept |= {names[i] for i in rigged.bone_keys[:1, 0]}
    index = [i for i, name in enumerate(names) if name in kept]
    place = {old: new for new, old in enumerate(index)}
    triples = [row for row in rigged.correctives if set(row.tolist()) <= set(index)]
    driven = [i for i, (key, _) in enumerate(rigged.bone_keys) if int(key) in place]
    bone_keys = rigged.bone_keys[driven].copy()
    bone_keys[:, 0] = [place[int(key)] for key in bone_keys[:, 0]]
    few = replace(
        rigged,
        key_names=rigged.key_names[index],
        key_deltas=rigged.key_deltas[index],
        key_values=rigged.key_values[index],
        correctives=np.array(
            [[place[i] for i in row.tolist()] for row in triples], rigged.correctives.dtype
        ).reshape(-1, 3),
        bone_keys=bone_keys,
        bone_turns=rigged.bone_turns[driven],
    )
    few.check()
    return few


def invented_camera(ours):
    """Turned by some 20 degrees, 0.7 m away, off-centre principal point."""
    turn = ours("core.geometry.rotation").matrix_from_vector(np.array([0.1, 0.35, -0.05]))
    k = np.array([[900.0, 0, 310.0], [0, 900.0, 250.0], [0, 0, 1]])
    facing = turn @ np.diag([1.0, -1.0, -1.0])
    return ours("core.geometry.camera").Camera(k, facing, np.array([0.01, 0.02, 0.7]), *SIZE)
