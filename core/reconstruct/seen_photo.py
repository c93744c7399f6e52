# SPDX-License-Identifier: GPL-3.0-or-later
"""see(): from photos to what their faces show, the first stage of the pipeline and of a refit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..cues.chosen_face import chosen_face
from ..cues.face_maps import face_box, with_maps, without_maps
from ..cues.mediapipe_cues import cues_from_face
from ..cues.photo_check import check_face
from ..cues.screen_cues import ScreenCues
from ..errors import FitError
from ..options import Options
from ..photos.colour import face_colours
from ..photos.photo import Photo, known_focal, photo_advice
from ..progress import FINDING, MAPPING, READING, Progress, part, silent
from .photo_record import PhotoRecord
from .report import PhotoFacts, Stopwatch, photo_hash
from .resources import DenseTier, load_mediapipe


@dataclass(frozen=True, eq=False)
class SeenPhoto:
    """A photo and the cues of the face that is meant in it.

    faces_found: how many there were, None if the person gave a box; face_used: which of them.
    focal: pixels, None if unknown, with its source in words. notes: sentences.
    """

    photo: Photo
    cues: ScreenCues
    focal: float | None
    focal_source: str
    faces_found: int | None = 1
    face_used: int = 0
    notes: tuple[str, ...] = ()

    @property
    def facts(self) -> PhotoFacts:
        """For the report."""
        photo = self.photo
        return PhotoFacts(
            name=photo.name,
            sha256=photo_hash(photo),
            width=photo.width,
            height=photo.height,
            focal_px=photo.focal_px,
            faces_found=self.faces_found,
            face_used=self.face_used,
            focal_source=self.focal_source,
            notes=(*photo.notes, *self.notes, *self.cues.notes),
        )

    @property
    def record(self) -> PhotoRecord:
        """What a continuation keeps of it, before its fit. Raises FitError without landmarks."""
        cues = self.cues
        if cues.landmarks is None or cues.landmark_depth is None:
            raise FitError(f"No landmarks were found in {self.photo.name}.")
        sigma = cues.landmark_sigma
        return PhotoRecord(
            name=self.photo.name[:200],
            sha256=photo_hash(self.photo),
            width=self.photo.width,
            height=self.photo.height,
            predictor=cues.predictor,
            landmarks=cues.landmarks,
            depth=cues.landmark_depth,
            sigma=np.zeros(len(cues.landmarks)) if sigma is None else sigma,
            detail=cues.detail,
            teeth_together=cues.teeth_together,
            dense=cues.dense,
            focal=self.focal,
            focal_source=self.focal_source,
            colours=face_colours(self.photo.pixels, cues.landmarks, cues.unseen),
            landmarks_fit=np.full(cues.landmarks.shape, np.nan),
            shape=cues.shape,
        )


def see(
    photos: Sequence[Photo],
    options: Options,
    *,
    tier: DenseTier | None = None,
    watch: Stopwatch | None = None,
    progress: Progress = silent,
) -> list[SeenPhoto]:
    """Landmarks of each photo, and Pixel3DMM's maps where there is a tier for them.

    Raises NoFaceError, also where the face that the options name is not there.
    """
    seen = []
    for i, photo in enumerate(photos):
        step = part(progress, i / len(photos), (i + 1) / len(photos))
        seen.append(_see(photo, options, tier, watch or Stopwatch(), step))
    return seen


def _see(
    photo: Photo,
    options: Options,
    tier: DenseTier | None,
    watch: Stopwatch,
    progress: Progress,
) -> SeenPhoto:
    progress(FINDING, 0.0)
    maps = None if tier is None else tier.predictor
    end = 1.0 if maps is None else 0.3
    with watch.stage(READING):
        faces = load_mediapipe().faces(photo.pixels, box=options.box)
        progress(READING, 0.9 * end)
        face, notes = chosen_face(photo.name, faces, options.face, options.box)
        checked = check_face(photo.pixels, face)
        cues = cues_from_face(face, photo.width, photo.height, checked)
    progress(READING, end)
    if tier is not None and maps is not None:
        step = part(progress, end, 1.0)
        with watch.stage(MAPPING):
            seen = maps.cues(photo.pixels, face_box(cues), lambda done: step(MAPPING, done))
            # One network may predict both; what this head cannot use is not looked at.
            left_out = without_maps(seen, uv="uv" not in tier.networks, normal=False)
            cues = with_maps(cues, left_out)
    focal = known_focal(photo, options)
    notes = (*notes, *photo_advice(photo, focal_given=focal[1] == "given"))
    found = None if options.box else len(faces)
    return SeenPhoto(photo, cues, *focal, found, options.face or 0, notes)
