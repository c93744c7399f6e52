# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole way on one page: photos -> cues -> fit -> reconstruction -> rigged head.

Used alike by the worker (core.worker) and the command line (core.__main__). Networks and head
models are loaded once a process. Errors that a person can mend are core.errors; `progress` may
raise Cancelled and is called often enough for that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from .appearance.folds import with_folds
from .appearance.texture import CHOICES as TEXTURES
from .appearance.worn import Worn, worn_skin
from .camera import focal_from_35mm
from .cautious_fit import fit_cautiously
from .corrections import corrected, with_bare_skin
from .cues.face_maps import face_box, with_maps, without_maps
from .cues.mediapipe import MediaPipeFace
from .cues.mediapipe_cues import cues_from_face
from .cues.photo_matches import PhotoMatches
from .cues.screen_cues import ScreenCues
from .errors import NoFaceError, PersonError
from .fitting.landmark_model import load_landmark_model
from .heads import HeadModel
from .images import Photo
from .progress import Progress, part, silent
from .reconstruction import Reconstruction
from .refit import NewPhoto, continuation_of, remember, seen_photo
from .report import Evidence, Stopwatch, completed
from .resources import (
    OPEN_HEAD,
    PREDICTORS,
    DenseTier,
    load_dense,
    load_head,
    load_mediapipe,
    load_pixel3dmm,
)
from .rig.build import build_rigged_head
from .rig.eye_picture import with_eye_picture
from .rig.mouth_picture import with_mouth_picture
from .rig.rigged_head import RiggedHead
from .rig.solve_keys import key_solver
from .together import Together, fit_together

#: Cues of the face that is meant; how many faces there were; notes.
Seen = tuple[ScreenCues, int | None, tuple[str, ...]]

FINDING, READING, FITTING = "Finding the face", "Reading landmarks", "Fitting the head"
MAPPING = "Reading the surface"
RIGGING, WRITING = "Building the rig", "Writing files"
PAINTING = "Painting the skin"
LOADING = "Loading the networks"


#: Pixels or millimetres; beyond it is no photo.
_LARGEST = 1e9


@dataclass(frozen=True)
class Options:
    """What a person may choose. Raises PersonError for values that make no sense.

    predictor: "mediapipe"; or "dense", our own network, or "pixel3dmm", whose maps are added to
    MediaPipe's landmarks;
    head: "open-head", or the path of an imported FLAME head;
    models: the folder with Pixel3DMM's weights, and with the FLAME head whose texture layout the
    open head borrows for them;
    face: which of several, 0 is the largest (None: the largest, and the report says so);
    box: x0, y0, x1, y1 around the face in pixels, instead of looking for it;
    focal_px or focal_35mm (mm, 35 mm equivalent) override the photo's EXIF;
    same_person: all photos show one person, who gets one identity;
    own_components: a FLAME head's own expression components become keys too, after the others;
    texture: size of the skin's texture, "1k", "2k" or "4k", "auto" for what holds the photo's
    detail, "off" for none.
    """

    predictor: str = "mediapipe"
    head: str = OPEN_HEAD
    models: str | None = None
    face: int | None = None
    box: tuple[float, float, float, float] | None = None
    focal_px: float | None = None
    focal_35mm: float | None = None
    same_person: bool = False
    own_components: bool = False
    texture: str = "auto"

    def __post_init__(self) -> None:
        if self.predictor not in PREDICTORS:
            raise PersonError(
                f"There is no predictor {self.predictor!r}: use {' or '.join(PREDICTORS)}."
            )
        if self.head != OPEN_HEAD and not str(self.head).lower().endswith((".npz", ".pkl")):
            raise PersonError(
                f"There is no head model {self.head!r}: use {OPEN_HEAD} or the .npz of an imported "
                "FLAME head."
            )
        if self.predictor == "dense" and self.head != OPEN_HEAD:
            raise PersonError(
                "The dense predictor knows the open head alone: choose the open head, or MediaPipe "
                "as the predictor."
            )
        if not (self.models is None or isinstance(self.models, str)):
            raise PersonError("The models folder must be a path.")
        if self.face is not None and (type(self.face) is not int or self.face < 0):
            raise PersonError("The face's number must be 0 (the largest), 1, 2 and so on.")
        if type(self.same_person) is not bool or type(self.own_components) is not bool:
            raise PersonError("same_person and own_components must be true or false.")
        for focal in (self.focal_px, self.focal_35mm):
            if focal is not None and not (_is_number(focal) and focal > 0):
                raise PersonError("The focal length must be a number above zero.")
        if self.texture not in TEXTURES:
            raise PersonError(
                f"There is no texture of size {self.texture!r}: use {', '.join(TEXTURES)}."
            )
        if self.box is not None and not _is_box(self.box):
            raise PersonError("The box must be x0, y0, x1, y1 in pixels with x0 < x1 and y0 < y1.")

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Options:
        """From a JSON object; unknown names are ignored."""
        known = {f.name for f in fields(cls)}
        values = {name: value for name, value in data.items() if name in known}
        if isinstance(values.get("box"), list):
            values["box"] = tuple(values["box"])
        return cls(**values)

    def for_recipe(self) -> dict[str, Any]:
        """JSON-ready, without the folders of this machine; what lay in them has its hashes."""
        values = {**asdict(self), "head": Path(self.head).name}
        del values["models"]
        return values


def _is_number(value: object) -> bool:
    # Compared, not asked for its finiteness: JSON knows integers that no float can hold.
    return type(value) in (int, float) and -_LARGEST < value < _LARGEST  # type: ignore[operator]


def _is_box(box: object) -> bool:
    if not isinstance(box, tuple) or len(box) != 4 or not all(_is_number(v) for v in box):
        return False
    x0, y0, x1, y1 = box
    return bool(x0 < x1 and y0 < y1)


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
    plain: Together | None = None
    matches: tuple[PhotoMatches, ...] = ()
    fitted_by = 0.5
    landmarks = [without_maps(cues) for cues, _, _ in seen]
    if options.predictor == "dense" or len(photos) > 1:
        with watch.stage(FITTING):
            step = part(progress, 0.5, 0.65)
            plain = fit_together(fitted, landmarks, photos, focal=known, progress=step)
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
        fit = fit_cautiously(
            fitted,
            [cues for cues, _, _ in seen],
            [photo.name for photo in photos],
            focal=known,
            progress=part(progress, fitted_by, 1.0),
            plain=None if plain is None else plain.fit,
            matches=matches,
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
    """Further photos of a person, for :func:`core.refit.refit`, read by landmarks alone."""
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
