# SPDX-License-Identifier: GPL-3.0-or-later
"""A fit goes on: under pins, or with further photos of the same person.

Without a further photo no predictor runs, and the solve starts where the last one ended. Beside
the new head stands the old one as the same code makes it, so that a scene can add the difference
to what stands there, and keep what hands have changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..cues.photo_matches import PhotoMatches
from ..errors import FitError, ModelFileError
from ..fitting.fit import fit_head, solve_head
from ..fitting.landmark_model import load_landmark_model
from ..fitting.pins import SURFACE, Pin
from ..fitting.problem import FitProblem, Start
from ..fitting.result import assemble
from ..fitting.several_photos import fit_to_matches, state_of
from ..fitting.shaped_fit import ask_shape
from ..heads.model import HeadModel
from ..options import OPEN_HEAD
from ..photos.photo import Photo
from ..progress import FITTING, Progress, part
from ..reconstruction import Reconstruction
from ..rigged_head import RiggedHead
from .assembly import build_rigged_head
from .continuation import Continuation, pins_to_json
from .photo_record import PhotoRecord
from .report import PhotoFacts, completed, photo_hash
from .resources import load_head
from .seen_photo import SeenPhoto

HEAD_CHANGED = (
    "The head model has changed since this head was made, so it was fitted anew from its photos."
)

PINS_LOST = "Pins between landmarks were on the earlier head model and are gone: set them again."

DENSE = (
    "This head was fitted to a neural network's maps of the photo, which are not kept: reconstruct "
    "it from its landmarks alone to go on with its fit."
)


NOT_AT_HAND = (
    "Not every earlier photo is where it was, so the new one was not compared with all of them: "
    "put them back, or pack them into the file."
)


@dataclass(frozen=True, eq=False)
class Refit:
    """after and before: the first photo's head, now and as the last fit left it."""

    after: RiggedHead
    before: RiggedHead
    warnings: tuple[str, ...]


def refit(
    continuation: str,
    pins: Sequence[Pin],
    more: Sequence[SeenPhoto] = (),
    *,
    head_name: str = OPEN_HEAD,
    own_components: bool = False,
    earlier: Sequence[Photo | None] = (),
    before: RiggedHead | None = None,
    shape: bool = True,
    progress: Progress,
) -> Refit:
    """Solves identity, and every photo's expression, pose and camera again.

    continuation: a Continuation's JSON. more: further photos of the person. earlier: the
    continuation's own, as far as they are at hand, for further ones to be compared with. before:
    the head as the last fit left it, which is made again where it is not at hand. shape: whether
    the shape network reads photos that are at hand. Raises FitError, and ModelFileError where it
    cannot go on.
    """
    last = Continuation.from_json(continuation)
    head = load_head(head_name)
    if head.name != last.head_name:
        raise ModelFileError(
            f"This head was made with {last.head_name}, which is not here: import that head model."
        )
    if any(p.dense for p in last.photos) or any(n.cues.dense for n in more):
        raise FitError(DENSE)
    same = head.digest == last.head_digest
    # A place on the surface is a triangle's, and its vertices are others now.
    kept = list(pins) if same else [p for p in pins if p.landmark != SURFACE]
    problem = problem_of(head, last)
    earlier_start = problem.start_of_photos
    asked = replace(
        problem,
        cues=[*problem.cues, *(n.cues for n in more)],
        focal=[*problem.focal, *(n.focal for n in more)],
        pins=kept,
        start=Start(problem.start_of_identity, (*earlier_start, *(None for _ in more))),
    )
    solved = solve_head(asked, part(progress, 0.0, 0.4) if more else progress)
    # A pin says nothing new of how sure the photos are.
    fit = assemble(asked, solved, uncertainty=bool(more))
    pairs = last.matches
    notes = () if same else (HEAD_CHANGED, *(() if len(kept) == len(pins) else (PINS_LOST,)))
    if more:
        pixels = [*_unchanged(last.photos, earlier), *(n.photo for n in more)]
        if None in pixels:
            notes = (*notes, NOT_AT_HAND)
        if shape:
            # What was read in a photo once is kept, around whichever fit it was read.
            unread = [
                None if c.shape is not None else p for c, p in zip(asked.cues, pixels, strict=True)
            ]
            shaped = ask_shape(asked, unread, first=fit, progress=part(progress, 0.4, 0.5))
            asked, notes = shaped.problem, (*notes, *shaped.notes)
            fit = shaped.told(fit_head(asked))
        both = fit_to_matches(asked, fit, pixels, progress=part(progress, 0.5, 1.0))
        fit, pairs = both.fit, both.matches
    done = completed(
        fit,
        head,
        [*(_facts(p) for p in last.photos), *(n.facts for n in more)],
        predictor="mediapipe" if any(c.shape is not None for c in asked.cues) else "landmarks",
        options={"head": head.name, "pins": pins_to_json(kept)},
        seconds={},
        networks={},
        notes=notes,
    )
    records = [
        replace(record, shape=c.shape)
        for record, c in zip((*last.photos, *(n.record for n in more)), asked.cues, strict=True)
    ]
    done = replace(done, continuation=continuation_of(head, done, records, kept, pairs).to_json())
    after = _rigged(head, done, last.photos[0], own_components)
    if before is None:
        before = _as_it_was(problem, last.photos[0], own_components)
    progress(FITTING, 1.0)
    return Refit(after, before, tuple(done.warnings))


def continuation_of(
    head: HeadModel,
    fit: Reconstruction,
    photos: Sequence[PhotoRecord],
    pins: Sequence[Pin] = (),
    matches: Sequence[PhotoMatches] = (),
) -> Continuation:
    """What is known of each photo and pair of photos, and where the fit ended."""
    fitted = tuple(
        replace(photo, state=state_of(p), landmarks_fit=p.landmarks_fit)
        for photo, p in zip(photos, fit.photos, strict=True)
    )
    return Continuation(head.name, head.digest, fit.identity, fitted, tuple(pins), tuple(matches))


def _unchanged(
    records: Sequence[PhotoRecord], photos: Sequence[Photo | None]
) -> list[Photo | None]:
    """The photos, None where one is missing or not the same file any more."""
    found: list[Photo | None] = [None] * len(records)
    for i, (was, photo) in enumerate(zip(records, photos, strict=False)):
        if photo is None or photo_hash(photo) != was.sha256:
            continue
        if (photo.width, photo.height) == (was.width, was.height):
            found[i] = photo
    return found


def problem_of(head: HeadModel, last: Continuation) -> FitProblem:
    """The last fit, starting where it ended as far as the numbers still mean what they meant."""
    drifts = load_landmark_model().habits.shape[2]
    same = head.digest == last.head_digest
    sizes = (drifts, head.expression_count)
    states = [p.state if same else None for p in last.photos]
    photos = tuple(
        s if s is not None and (len(s.drift), len(s.expression)) == sizes else None for s in states
    )
    return FitProblem(
        head,
        # What was said of other components says nothing of these.
        [p.cues if same else replace(p.cues, shape=None) for p in last.photos],
        [p.focal for p in last.photos],
        [p for p in last.pins if same or p.landmark != SURFACE],
        last.matches,
        Start(last.identity if same else np.zeros(0), photos),
    )


def _as_it_was(problem: FitProblem, photo: PhotoRecord, own_components: bool) -> RiggedHead:
    """The head of a continuation, for whose numbers this head model need not be the same."""
    solved = solve_head(problem, still=None not in problem.start_of_photos)
    fit = assemble(problem, solved, uncertainty=False)
    return _rigged(problem.head, fit, photo, own_components)


def _rigged(
    head: HeadModel, fit: Reconstruction, photo: PhotoRecord, own_components: bool
) -> RiggedHead:
    return build_rigged_head(head, fit, 0, photo.name, photo.colours, own_components=own_components)


def _facts(photo: PhotoRecord) -> PhotoFacts:
    """What the report says of a photo that is not looked at again."""
    return PhotoFacts(
        name=photo.name,
        sha256=photo.sha256,
        width=photo.width,
        height=photo.height,
        focal_px=None,
        faces_found=None,
        face_used=0,
        focal_source=photo.focal_source,
        notes=(),
    )
