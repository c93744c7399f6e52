# SPDX-License-Identifier: GPL-3.0-or-later
"""Renders people that no head of the model can be, several photos of each, with what is true.

People are as training.population draws them: other means, other noses, bends that no component
makes. A fit is as wrong about them as about real ones in kind, if not in amount; so they are what
the expected error of a fit is calibrated on (see .likeness). Needs bpy.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from core.cues.mediapipe import MediaPipePredictor
from core.cues.mediapipe_cues import cues_from_face
from core.geometry.camera import Camera
from core.heads import load_open_head
from training.cycles_studio import Studio
from training.drawing import Sample
from training.population import PHOTO, Population

from .samples import SIZE

#: Of one person.
PHOTOS = 3


def render_strangers(count: int, seed: int, out: Path) -> None:
    """Writes ``out/strangers_<seed>.npz``: of each photo the person's number, the vertices as they
    are (V, 3) in the head frame, and the landmarks found.
    """
    out.mkdir(parents=True, exist_ok=True)
    head, detector = load_open_head(), MediaPipePredictor()
    population, studio, rows = Population.of(head), Studio(head, SIZE), []
    for i in range(count):
        rng = np.random.default_rng([seed, i])
        first = population.draw(rng)
        for k in range(PHOTOS):
            now = first if k == 0 else population.draw(rng)
            shaped = first.neutral + head.expression_basis @ now.expression
            vertices = head.skin(shaped, head.joints(first.neutral), now.rotations)
            c = now.camera
            camera = Camera.with_focal(c.focal * SIZE / PHOTO, c.R, c.t, SIZE, SIZE)
            photo = studio.shoot(
                Sample(first.identity, now.expression, now.rotations, vertices, camera), rng
            )
            faces = detector.faces(photo, max_faces=1)
            if not faces:
                continue
            cues = cues_from_face(faces[0], SIZE, SIZE)
            rows.append(
                {
                    "person": i,
                    "vertices": vertices.astype(np.float32),
                    "landmarks": cues.landmarks,
                    "depth": cues.landmark_depth,
                    "sigma": cues.landmark_sigma,
                    "focal": camera.focal,
                }
            )
        if (i + 1) % 10 == 0 or i + 1 == count:
            print(f"{i + 1}/{count} people, {len(rows)} photos", flush=True)
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    np.savez_compressed(out / f"strangers_{seed}.npz", **columns)
