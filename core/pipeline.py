# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole way on one page: photos -> cues -> fit -> reconstruction -> rigged head.

Used alike by the worker (core.worker) and the command line (core.__main__). Networks and head
models are loaded once a process. Errors that a person can mend are core.errors; `progress` may
raise Cancelled and is called often enough for that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .appearance.eye_picture import with_eye_picture
from .appearance.mouth_picture import with_mouth_picture
from .appearance.painted_skin import Worn, worn_skin
from .appearance.wrinkles import with_folds
from .cues.dense_correction import corrected, with_bare_skin
from .cues.face_maps import face_box, with_maps, without_maps
from .cues.mediapipe import MediaPipeFace
from .cues.mediapipe_cues import cues_from_face
from .cues.photo_matches import PhotoMatches
from .cues.screen_cues import ScreenCues
from .errors import NoFaceError
from .fitting.checked_maps import fit_checked_maps
from .fitting.landmark_model import load_landmark_model
from .fitting.problem import FitProblem
from .fitting.several_photos import MatchedFit, fit_several_photos
from .geometry.camera import focal_from_35mm
from .heads import HeadModel
from .options import OPEN_HEAD, Options
from .photos.photo import Photo
from .progress import Progress, part, silent
from .reconstruct.assembly import build_rigged_head
from .reconstruct.refit import NewPhoto, continuation_of, remember, seen_photo
from .reconstruct.report import Evidence, Stopwatch, completed
from .reconstruct.resources import DenseTier, load_dense, load_head, load_mediapipe, load_pixel3dmm
from .reconstruction import Reconstruction
from .rig.solve_keys import key_solver
from .rigged_head import RiggedHead

#: Cues of the face that is meant; how many faces there were; notes.
Seen = tuple[ScreenCues, int | None, tuple[str, ...]]

FINDING, READING, FITTING = "Finding the face", "Reading landmarks", "Fitting the head"
MAPPING = "Reading the surface"
RIGGING, WRITING = "Building the rig", "Writing files"
PAINTING = "Painting the skin"
LOADING = "Loading the networks"


def reconstruct(
    photos: Sequence[Photo], options: Options | None = None, *, progress: Progress = silent
) -> list[Reconstruction]:
    """One Reconstruction a person: a single one if they are the same, else one a photo."""
    options = options or Options()
    head = load_head(options.head)
    # Now: what is missing is said before the work and not after it.
    tier = None
    if options.predictor == "pixel3dmm":
        tier = load_pixel3dmm(options.head, options.models)
    people = [list(photos)] if options.same_person else [[photo] for photo in photos]
    return [
        _reconstruct_person(
            head, tier, group, options, part(progress, i / len(people), (i + 1) / len(people))
        )
        for i, group in enumerate(people)
    ]


def warm_up(progress: Progress = silent) -> None:
    """Loads what every first reconstruction loads; raises what that would raise."""
    progress(LOADING, 0.0)
    load_mediapipe()
    progress(LOADING, 0.5)
    head = load_head(OPEN_HEAD)
    load_landmark_model()
    progress(LOADING, 0.8)
    key_solver(head)
    progress(LOADING, 1.0)


def rig_heads(
    photos: Sequence[Photo],
    reconstructions: Sequence[Reconstruction],
    options: Options,
    *,
    progress: Progress = silent,
) -> list[RiggedHead]:
    """A rigged head for each photo, in the photos' order; arguments as of reconstruct()."""
    head = load_head(options.head)
    rigged: list[RiggedHead] = []
    for reconstruction in reconstructions:
        count = len(reconstruction.photos)
        theirs = photos[len(rigged) : len(rigged) + count]
        progress(PAINTING, len(rigged) / len(photos))
        skin: Worn | None = None
        if options.texture != "off":
            skin = worn_skin(head, reconstruction.photos, theirs, options.texture)
        for i, photo in enumerate(theirs):
            progress(RIGGING, len(rigged) / len(photos))
            own = options.own_components
            one = build_rigged_head(head, reconstruction, i, photo, own_components=own, skin=skin)
            one = with_folds(with_mouth_picture(with_eye_picture(one)))
            rigged.append(one)
            remember(one)
    progress(RIGGING, 1.0)
    return rigged


def _reconstruct_person(
    head: HeadModel,
    tier: DenseTier | None,
    photos: list[Photo],
    options: Options,
    progress: Progress,
) -> Reconstruction:
    watch = Stopwatch()
    seen: list[Seen] = []
    for i, photo in enumerate(photos):
        step = part(part(progress, 0.0, 0.5), i / len(photos), (i + 1) / len(photos))
        seen.append(_look_at(photo, tier, options, watch, step))
    focals = [_focal(photo, options) for photo in photos]
    known = [focal for focal, _ in focals]
    # In whatever texture layout: the vertices are the head's own.
    fitted = head if tier is None else tier.head
    plain: MatchedFit | None = None
    matches: tuple[PhotoMatches, ...] = ()
    fitted_by = 0.5
    landmarks = [without_maps(cues) for cues, _, _ in seen]
    if options.predictor == "dense" or len(photos) > 1:
        with watch.stage(FITTING):
            step = part(progress, 0.5, 0.65)
            problem = FitProblem(fitted, landmarks, known)
            plain = fit_several_photos(problem, photos, progress=step)
            matches = plain.matches
        fitted_by = 0.65
    if options.predictor == "dense" and plain is not None:
        with watch.stage(MAPPING):
            progress(MAPPING, 0.65)
            network, shown = load_dense(), plain.fit
            seen = [
                (cues, found, (*notes, *more))
                for i, (_, found, notes) in enumerate(seen)
                for cues, more in [corrected(network, head, shown, i, photos[i], landmarks[i])]
            ]
        fitted_by = 0.7
    with watch.stage(FITTING):
        fit = fit_checked_maps(
            FitProblem(fitted, [cues for cues, _, _ in seen], known, matches=matches),
            [photo.name for photo in photos],
            landmark_fit=None if plain is None else plain.fit,
            progress=part(progress, fitted_by, 1.0),
        )
    fit = with_bare_skin(fit, [cues for cues, _, _ in seen])
    evidence = [
        Evidence(photo, found, options.face or 0, source, (*photo.notes, *notes, *cues.notes))
        for photo, (cues, found, notes), (_, source) in zip(photos, seen, focals, strict=True)
    ]
    done = completed(
        fit,
        head,
        evidence,
        predictor=options.predictor,
        options=options.for_recipe(),
        seconds=watch.seconds,
        networks=_networks(tier, options),
        notes=() if tier is None else tier.notes,
    )
    kept = [
        seen_photo(photo, cues, *focal)
        for photo, (cues, _, _), focal in zip(photos, seen, focals, strict=True)
    ]
    told = [p for p in kept if p is not None]
    if len(told) < len(kept):
        return done
    return replace(done, continuation=continuation_of(head, done, told, (), matches).to_json())


def _networks(tier: DenseTier | None, options: Options) -> dict[str, str]:
    """SHA-256 of the dense networks that were used, by kind."""
    if options.predictor == "dense":
        return {"dense": load_dense().sha256}
    return {} if tier is None else tier.networks


def look_again(
    photos: Sequence[Photo], options: Options, *, progress: Progress = silent
) -> list[NewPhoto]:
    """Further photos of a person, for core.reconstruct.refit, read by landmarks alone."""
    found = []
    for i, photo in enumerate(photos):
        step = part(progress, i / len(photos), (i + 1) / len(photos))
        cues, _, _ = _look_at(photo, None, options, Stopwatch(), step)
        found.append(NewPhoto(photo, cues, *_focal(photo, options)))
    return found


def _look_at(
    photo: Photo,
    tier: DenseTier | None,
    options: Options,
    watch: Stopwatch,
    progress: Progress,
) -> Seen:
    """What one photo shows."""
    progress(FINDING, 0.0)
    maps = None if tier is None else tier.predictor
    end = 1.0 if maps is None else 0.3
    with watch.stage(READING):
        faces = load_mediapipe().faces(photo.pixels, box=options.box)
        progress(READING, 0.9 * end)
        face, notes = _choose(photo, faces, options)
        cues = cues_from_face(face, photo.width, photo.height)
    progress(READING, end)
    if tier is not None and maps is not None:
        step = part(progress, end, 1.0)
        with watch.stage(MAPPING):
            seen = maps.cues(photo.pixels, face_box(cues), lambda done: step(MAPPING, done))
            # One network may predict both; what this head cannot use is not looked at.
            left_out = without_maps(seen, uv="uv" not in tier.networks, normal=False)
            cues = with_maps(cues, left_out)
    return cues, None if options.box else len(faces), notes


def _choose(
    photo: Photo, faces: Sequence[MediaPipeFace], options: Options
) -> tuple[MediaPipeFace, tuple[str, ...]]:
    """The face that the person meant, of faces by falling size. Raises NoFaceError."""
    if not faces:
        raise NoFaceError(
            f"No face was found in {photo.name}: use a photo that shows the face larger and from "
            "the front, or say where it is with a box around it."
        )
    if options.box is not None:
        unsure = faces[0].presence < 0.5
        return faces[0], (f"The box in {photo.name} hardly shows a face.",) if unsure else ()
    if options.face is None:
        if len(faces) == 1:
            return faces[0], ()
        return faces[0], (
            f"{len(faces)} faces were found in {photo.name} and the largest is used: another one "
            f"is chosen by its number (0 to {len(faces) - 1}, by falling size) or by a box.",
        )
    if options.face >= len(faces):
        raise NoFaceError(
            f"There is no face {options.face} in {photo.name}: {len(faces)} found, numbered from "
            "0 (the largest)."
        )
    return faces[options.face], ()


def _focal(photo: Photo, options: Options) -> tuple[float | None, str]:
    """Focal length in pixels if it is known, and where it comes from."""
    if options.focal_px:
        return options.focal_px, "given"
    if options.focal_35mm:
        return focal_from_35mm(options.focal_35mm, photo.width, photo.height), "given"
    if photo.focal_px:
        return photo.focal_px, "EXIF"
    return None, "estimated"
