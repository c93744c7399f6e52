# SPDX-License-Identifier: GPL-3.0-or-later
"""Renders random heads with Cycles and records what the detector says of each. Needs bpy."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np

from core.cues.mediapipe import MediaPipePredictor
from core.heads import load_open_head
from training.cycles_studio import Studio

from .samples import SIZE, draw


def render(count: int, seed: int, out: Path) -> None:
    """Write ``count`` observations to ``out/samples_<seed>.npz``, saved as it goes."""
    out.mkdir(parents=True, exist_ok=True)
    head, detector = load_open_head(), MediaPipePredictor()
    studio, rows, missed, began = Studio(head, SIZE), [], 0, time.monotonic()
    for i in range(count):
        rng = np.random.default_rng([seed, i])
        sample = draw(head, rng)
        photo = studio.shoot(sample, rng)
        faces = detector.faces(photo, max_faces=1)
        if i < 12:
            np.save(out / f"look_{seed}_{i}.npy", photo)
        if not faces:
            missed += 1
        else:
            true = sample.camera.to_camera(head.landmarks(sample.vertices))
            rows.append(
                {
                    "identity": sample.identity,
                    "expression": sample.expression,
                    "R": sample.camera.R,
                    "t": sample.camera.t,
                    "focal": sample.camera.focal,
                    "true": true,
                    "landmarks": faces[0].landmarks,
                    "spread": faces[0].spread,
                    "presence": faces[0].presence,
                }
            )
        if (i + 1) % 50 == 0 or i + 1 == count:
            each = (time.monotonic() - began) / (i + 1)
            print(f"{i + 1}/{count} rendered, {missed} missed, {each:.2f} s each", flush=True)
            path = out / f"samples_{seed}.npz"
            columns = {k: np.array([r[k] for r in rows]) for k in rows[0]}
            with open(path.with_suffix(".tmp"), "wb") as file:
                np.savez_compressed(file, **columns)
            os.replace(path.with_suffix(".tmp"), path)
