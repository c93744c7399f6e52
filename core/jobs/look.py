# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker's job "look": which faces a photo shows, and what to know before choosing one.

params {"photo": .npz of core.photos.photo.Photo.save, "out": an existing folder}. result {"faces":
[by falling size, doubtful ones behind (core.cues.mediapipe.rank): {"box": [x0, y0, x1, y1] pixels,
"advice": [sentences], "remarks": [milder ones]}], "advice": [sentences on the photo as a whole],
"picture": .npy of the photo with numbered boxes, (h, w, 3) uint8}.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..cues.photo_check import NO_FACE, check_faces
from ..photos.face_picture import face_picture
from ..photos.photo import photo_advice, photo_from_npz
from ..progress import Progress
from ..reconstruct.resources import load_mediapipe
from .parameters import Parameters

STAGE = "Looking for faces"


def look_job(
    params: Parameters, progress: Progress, before_naming: Callable[[], None]
) -> dict[str, Any]:
    """The result's fields. Raises PersonError; ``progress`` may raise Cancelled."""
    photo_path, out = params.path("photo"), params.path("out")
    progress(STAGE, 0.0)
    photo = photo_from_npz(photo_path)
    faces = check_faces(photo.pixels, load_mediapipe().faces(photo.pixels))
    progress(STAGE, 0.9)
    path = out / "faces.npy"
    np.save(path, face_picture(photo.pixels, [face.box for face in faces]), allow_pickle=False)
    return {
        "faces": [
            {
                "box": face.box.tolist(),
                "advice": list(face.advice),
                "remarks": list(face.remarks),
            }
            for face in faces
        ],
        "advice": [*photo_advice(photo), *(() if faces else (NO_FACE,))],
        "picture": str(path),
    }
