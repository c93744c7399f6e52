# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of the faces in a photo is meant: the one a person named, or the first in their order."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import NoFaceError
from .mediapipe import MediaPipeFace

#: Presence below which a box is said to hardly show a face.
UNSURE = 0.5


def chosen_face(
    name: str,
    faces: Sequence[MediaPipeFace],
    number: int | None,
    box: tuple[float, float, float, float] | None,
) -> tuple[MediaPipeFace, tuple[str, ...]]:
    """The face and notes on the choice. name: of the photo; faces in the predictor's order, those
    in the box if there is one; number: the one asked for, from 0, where people count from 1. Raises
    NoFaceError.
    """
    if not faces:
        raise NoFaceError(
            f"No face was found in {name}: use a photo that shows the face larger and from "
            "the front, or say where it is with a box around it."
        )
    if box is not None:
        unsure = faces[0].presence < UNSURE
        return faces[0], (f"The box in {name} hardly shows a face.",) if unsure else ()
    if number is None:
        if len(faces) == 1:
            return faces[0], ()
        return faces[0], (
            f"{len(faces)} faces were found in {name} and the largest that is sure is used: "
            f"another one is chosen by its number (1 to {len(faces)}) or by a box.",
        )
    if number >= len(faces):
        raise NoFaceError(
            f"There is no face {number + 1} in {name}: {len(faces)} found, numbered from "
            "1 (the largest that is sure)."
        )
    return faces[number], ()
