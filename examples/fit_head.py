# SPDX-License-Identifier: GPL-3.0-or-later
"""A tour of core: one photo, its landmarks, the fitted head, a mesh.

python -m examples.fit_head examples/astronaut.jpg head.ply     (numpy and opencv-python)
"""

from __future__ import annotations

import sys
from pathlib import Path

from core.cues.mediapipe import MediaPipePredictor
from core.cues.mediapipe_cues import cues_from_face
from core.files.ply import ply_bytes
from core.fitting import FitProblem, fit_head
from core.heads import load_open_head
from core.photos.photo import load_photo


def main(photo_path: str, mesh_path: str) -> None:
    """Fits the open head to the largest face, tells how well, writes it in the camera's frame."""
    photo = load_photo(Path(photo_path))
    face = MediaPipePredictor().faces(photo.pixels)[0]  # 478 landmarks in pixels, with depth
    cues = cues_from_face(face, photo.width, photo.height)  # what every predictor speaks
    head = load_open_head()  # template + identity + expression, metres
    fit = fit_head(FitProblem(head, [cues], [photo.focal_px]))  # identity, then each photo's
    seen = fit.photos[0]
    print(f"yaw {seen.report['pose_degrees']['yaw']:.0f} degrees, f {seen.camera.focal:.0f} px")
    moved = sorted(zip(seen.expression, head.expression_names, strict=True), reverse=True)
    print("expression:", ", ".join(f"{name} {value:.2f}" for value, name in moved[:5]))
    Path(mesh_path).write_bytes(ply_bytes(seen.camera.to_camera(seen.vertices), head.triangles))


if __name__ == "__main__":
    main(*sys.argv[1:])
