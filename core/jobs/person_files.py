# SPDX-License-Identifier: GPL-3.0-or-later
"""All files of one person, from photo files to a folder a photo, and the worker's job of that name.

params {"photos": [picture files], "folders": [one a photo], "options": {of core.options.Options},
"contact": true for the contact sheet's pictures too}. result {"photos": [{fields of WrittenPhoto}],
"seconds", "warnings": [sentences], "memory_mb"}. Needs OpenCV, which decodes the photos.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..conform.target import notes_of, on_target, target_of
from ..options import Options
from ..photos.photo import Photo, load_photo
from ..pipeline import reconstruct, rig_heads
from ..progress import OPENING, RIGGING, WRITING, Progress, part
from ..reconstruct.outputs import write_photo
from ..reconstruct.report import Stopwatch, peak_memory_mb, photo_hash
from ..reconstruct.resources import load_head
from ..reconstruction import Reconstruction
from .parameters import Parameters, incomplete


@dataclass(frozen=True)
class WrittenPhoto:
    """One photo's result. percent: the landmarks' error, of the distance between the eyes;
    uncertainty_mm: expected error of the face, None if unknown; summary: one line for people.
    """

    name: str
    folder: str
    sha256: str
    percent: float
    focal_mm: float
    uncertainty_mm: float | None
    summary: str


@dataclass(frozen=True)
class WrittenPerson:
    """One entry a photo, and the sentences on all of them."""

    photos: tuple[WrittenPhoto, ...]
    warnings: tuple[str, ...]


def write_person(
    paths: Sequence[Path],
    folders: Sequence[Path],
    options: Options,
    progress: Progress,
    *,
    contact: bool = False,
) -> WrittenPerson:
    """Photos to folders. contact: with contact.jpg. Raises PersonError; of a photo whose files
    could not all be written none has changed.
    """
    watch = Stopwatch()
    target = target_of(options)
    with watch.stage(OPENING):
        photos = [load_photo(path) for path in paths]
    people = reconstruct(photos, options, progress=part(progress, 0.0, 0.8))
    with watch.stage(RIGGING):
        heads = rig_heads(photos, people, options, progress=part(progress, 0.8, 0.9))
    model = load_head(options.head)
    shown = [on_target(target, rigged) for rigged in heads]
    fits = [(person, i) for person in people for i in range(len(person.photos))]
    done = list(zip(photos, folders, fits, heads, shown, strict=True))
    written = []
    for k, (photo, folder, (person, i), rigged, on_mesh) in enumerate(done):
        progress(WRITING, 0.9 + 0.1 * k / len(done))
        seconds = {**person.report["seconds"], **watch.seconds}
        write_photo(
            folder, photo, model, person, i, rigged, seconds, contact=contact, on_mesh=on_mesh
        )
        written.append(_written(photo, person, i, seconds, folder))
    progress(WRITING, 1.0)
    said = [s for person in people for s in person.warnings]
    said += [s for rigged in heads for s in rigged.report.get("hair", {}).get("warnings", [])]
    said += [s for rigged in shown for s in notes_of(rigged)]
    return WrittenPerson(tuple(written), tuple(dict.fromkeys(said)))


def person_files_job(
    params: Parameters, progress: Progress, before_naming: Callable[[], None]
) -> dict[str, Any]:
    """The result's fields. Raises PersonError; ``progress`` may raise Cancelled."""
    start = time.perf_counter()
    photos, folders = params.paths("photos"), params.paths("folders")
    if not photos or len(photos) != len(folders):
        raise incomplete()
    contact = params.value("contact", False) is True
    done = write_person(photos, folders, params.options(), progress, contact=contact)
    return {
        "photos": [asdict(photo) for photo in done.photos],
        "seconds": time.perf_counter() - start,
        "warnings": list(done.warnings),
        "memory_mb": peak_memory_mb(),
    }


def _written(
    photo: Photo, person: Reconstruction, index: int, seconds: dict[str, float], folder: Path
) -> WrittenPhoto:
    fit = person.photos[index]
    error = float(fit.report["reprojection_percent_of_eye_distance"])
    focal = float(fit.camera.focal_35mm)
    summary = (
        f"{photo.name}: landmarks within {error:.1f} % of the eye distance, "
        f"focal length {focal:.0f} mm ({fit.report['focal_source']}), "
        f"{_by_network(person)}"
        f"{sum(seconds.values()):.2f} s -> {folder}"
    )
    sure = person.report.get("face_uncertainty_mm")
    return WrittenPhoto(
        name=photo.name,
        folder=str(folder),
        sha256=photo_hash(photo),
        percent=round(error, 3),
        focal_mm=round(focal, 1),
        uncertainty_mm=None if sure is None else round(float(sure), 3),
        summary=summary,
    )


def _by_network(person: Reconstruction) -> str:
    """What the shape network gave beside the landmarks, as part of the summary."""
    said = person.report.get("shape_network")
    if said is None:
        return ""
    sure, unsure = person.report["face_uncertainty_mm"], said["face_uncertainty_without_mm"]
    return (
        f"face moved {said['moved_mm']:.1f} mm by the shape network, "
        f"uncertainty {sure:.1f} mm instead of {unsure:.1f}, "
    )
