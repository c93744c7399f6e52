# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole way on one page: photos -> see -> fit -> report -> paint -> rig -> heads.

Used alike by the worker (core.worker) and the command line (core.__main__). Networks and head
models are loaded once a process. Errors that a person can mend are core.errors; `progress` may
raise Cancelled and is called often enough for that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from .appearance.eye_picture import with_eye_picture
from .appearance.mouth_picture import with_mouth_picture
from .appearance.painted_skin import PaintedSkin, painted_skin
from .appearance.wrinkles import with_wrinkles
from .cues.learnt_shape import load_shape_network
from .cues.photo_matches import PhotoMatches
from .fitting.checked_maps import fit_checked_maps
from .fitting.problem import FitProblem
from .fitting.several_photos import fit_several_photos
from .fitting.shaped_fit import ShapedProblem, ask_shape
from .hair.dress import with_hair
from .heads import HeadModel
from .nphm.person import STAGE as NEURAL
from .nphm.person import neural_detail
from .options import NAMED_HEADS, Options
from .photos.colour import face_colours
from .photos.photo import Photo
from .progress import FITTING, PAINTING, RIGGING, SHAPING, Progress, part, silent
from .reconstruct.assembly import build_rigged_head
from .reconstruct.neural import with_neural
from .reconstruct.refit import continuation_of
from .reconstruct.report import Stopwatch, completed
from .reconstruct.resources import (
    DenseTier,
    NeuralTier,
    load_head,
    load_neural,
    load_pixel3dmm,
)
from .reconstruct.seen_photo import SeenPhoto, see
from .reconstruction import NeuralDetail, Reconstruction
from .rigged_head import RiggedHead


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
    neural = load_neural(options.head, options.models)
    people = [list(photos)] if options.same_person else [[photo] for photo in photos]
    done = []
    for i, group in enumerate(people):
        step = part(progress, i / len(people), (i + 1) / len(people))
        watch = Stopwatch()
        seen = see(group, options, tier=tier, watch=watch, progress=part(step, 0.0, 0.5))
        fitted = fit(head, tier, seen, options, watch, part(step, 0.5, 0.8 if neural else 1.0))
        detail = None
        if neural is not None:
            detail = add_detail(head, neural, fitted, watch, part(step, 0.8, 1.0))
        told = report(head, tier, fitted, options, watch)
        done.append(told if detail is None else with_neural(told, detail))
    return done


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
    for person in reconstructions:
        theirs = photos[len(rigged) : len(rigged) + len(person.photos)]
        progress(PAINTING, len(rigged) / len(photos))
        skin = paint(head, person, theirs, options)
        for i, photo in enumerate(theirs):
            progress(RIGGING, len(rigged) / len(photos))
            rigged.append(rig(head, person, i, photo, skin, options))
    progress(RIGGING, 1.0)
    return rigged


@dataclass(frozen=True, eq=False)
class Fitted:
    """A person's fit, the photos with the cues that it had, what matches between them, and notes on
    what was left out.
    """

    fit: Reconstruction
    seen: Sequence[SeenPhoto]
    matches: Sequence[PhotoMatches]
    notes: tuple[str, ...] = ()


def fit(
    head: HeadModel,
    tier: DenseTier | None,
    seen: Sequence[SeenPhoto],
    options: Options,
    watch: Stopwatch,
    progress: Progress,
) -> Fitted:
    """One person's head: by landmarks, what pixels say of the shape, and what photos show alike;
    then by maps that agree.
    """
    problem = FitProblem(
        # In whatever texture layout: the vertices are the head's own.
        head if tier is None else tier.head,
        [s.cues for s in seen],
        [s.focal for s in seen],
    )
    landmark_fit, fitted_by = None, 0.0
    shaped: ShapedProblem | None = None
    if options.predictor == "mediapipe" and options.head in NAMED_HEADS:
        with watch.stage(SHAPING):
            photos = [s.photo for s in seen]
            shaped = ask_shape(problem, photos, progress=part(progress, 0.0, 0.4))
        problem, fitted_by = shaped.problem, 0.4
        seen = [replace(s, cues=c) for s, c in zip(seen, problem.cues, strict=True)]
    if len(seen) > 1:
        with watch.stage(FITTING):
            photos = [s.photo for s in seen]
            matched = fit_several_photos(problem, photos, progress=part(progress, fitted_by, 0.6))
        landmark_fit, fitted_by = matched.fit, 0.6
        problem = replace(problem, matches=matched.matches)
    with watch.stage(FITTING):
        whole = fit_checked_maps(
            problem,
            [s.photo.name for s in seen],
            landmark_fit=landmark_fit,
            progress=part(progress, fitted_by, 1.0),
        )
    if shaped is None:
        return Fitted(whole, seen, problem.matches)
    return Fitted(shaped.told(whole), seen, problem.matches, shaped.notes)


def add_detail(
    head: HeadModel, neural: NeuralTier, fitted: Fitted, watch: Stopwatch, progress: Progress
) -> NeuralDetail:
    """What a neural head adds to a person's fit."""
    cues = [s.cues for s in fitted.seen]
    with watch.stage(NEURAL):
        return neural_detail(
            head, neural.head, fitted.fit, cues, neural.regressor, progress=progress
        )


def report(
    head: HeadModel, tier: DenseTier | None, fitted: Fitted, options: Options, watch: Stopwatch
) -> Reconstruction:
    """The fit with report, recipe, and what it would go on from."""
    networks = {} if tier is None else tier.networks
    if "shape_network" in fitted.fit.report:
        networks = {"shape": load_shape_network().sha256}
    done = completed(
        fitted.fit,
        head,
        [s.facts for s in fitted.seen],
        predictor=options.predictor,
        options=options.for_recipe(),
        seconds=watch.seconds,
        networks=networks,
        notes=(*(() if tier is None else tier.notes), *fitted.notes),
    )
    records = [s.record for s in fitted.seen]
    continuation = continuation_of(head, done, records, (), fitted.matches)
    return replace(done, continuation=continuation.to_json())


def paint(
    head: HeadModel, person: Reconstruction, photos: Sequence[Photo], options: Options
) -> PaintedSkin | None:
    """The person's skin, or None if no texture is wanted."""
    if options.texture == "off":
        return None
    relief = None if person.neural is None else person.neural.normal_map
    return painted_skin(head, person.photos, photos, options.texture, under=relief)


def rig(
    head: HeadModel,
    person: Reconstruction,
    index: int,
    photo: Photo,
    skin: PaintedSkin | None,
    options: Options,
) -> RiggedHead:
    """The head of photo ``index`` with keys, bones, pictures and hair."""
    shown = person.photos[index]
    colours = face_colours(photo.pixels, shown.landmarks, shown.unseen)
    own = options.own_components
    rigged = build_rigged_head(
        head, person, index, photo.name, colours, own_components=own, skin=skin
    )
    rigged = with_wrinkles(with_mouth_picture(with_eye_picture(rigged)))
    return with_hair(head, rigged, person.photos[index], photo, options.hair)
