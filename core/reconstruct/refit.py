# SPDX-License-Identifier: GPL-3.0-or-later
"""A fit goes on: under pins, or with further photos of the same person.

Without a further photo no predictor runs, and the solve starts where the last one ended. Beside
the new head stands the old one as the same code makes it, so that a scene can add the difference
to what stands there, and keep what hands have changed.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..cues.photo_matches import PhotoMatches
from ..cues.screen_cues import ScreenCues
from ..errors import FitError, ModelFileError
from ..fitting.fit import STAGE, solve_head
from ..fitting.landmark_model import load_landmark_model
from ..fitting.pins import Pin
from ..fitting.problem import FitProblem, Start
from ..fitting.result import assemble
from ..fitting.several_photos import fit_to_matches, state_of
from ..fitting.state import PhotoState
from ..heads.model import HeadModel
from ..options import OPEN_HEAD
from ..photos.colour import iris_color, skin_color
from ..photos.photo import Photo
from ..progress import Progress, part
from ..reconstruction import Reconstruction
from ..rigged_head import RiggedHead
from .assembly import build_rigged_head
from .continuation import Continuation, SeenPhoto, pins_to_json
from .report import Evidence, completed, photo_hash
from .resources import load_head

#: Heads of which the last fit is kept in memory.
KEPT = 4

HEAD_CHANGED = (
    "The head model has changed since this head was made, so it was fitted anew from its photos."
)


DENSE = (
    "This head was fitted to a neural network's maps of the photo, which are not kept: reconstruct "
    "it from its landmarks alone to go on with its fit."
)


NOT_AT_HAND = (
    "Not every earlier photo is where it was, so the new one was not compared with all of them: "
    "put them back, or pack them into the file."
)


@dataclass(frozen=True, eq=False)
class NewPhoto:
    """A photo of the person: cues of the face, and the focal length in pixels with its source."""

    photo: Photo
    cues: ScreenCues
    focal: float | None
    focal_source: str


@dataclass(frozen=True, eq=False)
class Refit:
    """after and before: the first photo's head, now and as the last fit left it."""

    after: RiggedHead
    before: RiggedHead
    warnings: tuple[str, ...]


def refit(
    told: str,
    pins: Sequence[Pin],
    more: Sequence[NewPhoto] = (),
    *,
    head_name: str = OPEN_HEAD,
    own_components: bool = False,
    earlier: Sequence[Photo | None] = (),
    progress: Progress,
) -> Refit:
    """Solves identity, and every photo's expression, pose and camera again.

    told: a Continuation's JSON. earlier: its photos, as far as they are at hand, for further ones
    to be compared with. Raises FitError, and ModelFileError where it cannot go on.
    """
    last = Continuation.from_json(told)
    head = load_head(head_name)
    if head.name != last.head_name:
        raise ModelFileError(
            f"This head was made with {last.head_name}, which is not here: import that head model."
        )
    if any(p.dense for p in last.photos) or any(n.cues.dense for n in more):
        raise FitError(DENSE)
    problem = _problem(head, last)
    earlier_start = problem.start_of_photos
    asked = replace(
        problem,
        cues=[*problem.cues, *(n.cues for n in more)],
        focal=[*problem.focal, *(n.focal for n in more)],
        pins=pins,
        start=Start(problem.start_of_identity, (*earlier_start, *(None for _ in more))),
    )
    solved = solve_head(asked, part(progress, 0.0, 0.4) if more else progress)
    # A pin says nothing new of how sure the photos are.
    fit = assemble(asked, solved, uncertainty=bool(more))
    pairs = last.matches
    notes = () if head.digest == last.head_digest else (HEAD_CHANGED,)
    if more:
        pixels = [*_as_seen(last.photos, earlier), *(n.photo for n in more)]
        if None in pixels:
            notes = (*notes, NOT_AT_HAND)
        both = fit_to_matches(asked, fit, pixels, progress=part(progress, 0.4, 1.0))
        fit, pairs = both.fit, both.matches
    evidence = [Evidence(_blank(p), None, 0, p.focal_source, ()) for p in last.photos]
    evidence += [Evidence(n.photo, 1, 0, n.focal_source, n.photo.notes) for n in more]
    done = completed(
        fit,
        head,
        evidence,
        predictor="mediapipe",
        options={"head": head.name, "pins": pins_to_json(pins)},
        seconds={},
        networks={},
        notes=notes,
    )
    seen = [*last.photos, *(_seen_anew(n) for n in more)]
    done = replace(done, continuation=continuation_of(head, done, seen, pins, pairs).to_json())
    after = _rigged(head, done, last.photos[0], own_components)
    before = _kept.get(told) or _as_it_was(problem, last.photos[0], own_components)
    remember(after)
    progress(STAGE, 1.0)
    return Refit(after, before, tuple(done.warnings))


def continuation_of(
    head: HeadModel,
    fit: Reconstruction,
    seen: Sequence[SeenPhoto],
    pins: Sequence[Pin] = (),
    matches: Sequence[PhotoMatches] = (),
) -> Continuation:
    """What is known of each photo and pair of photos, and where the fit ended."""
    photos = tuple(
        replace(photo, state=state_of(p), landmarks_fit=p.landmarks_fit)
        for photo, p in zip(seen, fit.photos, strict=True)
    )
    return Continuation(head.name, head.digest, fit.identity, photos, tuple(pins), tuple(matches))


def _as_seen(seen: Sequence[SeenPhoto], photos: Sequence[Photo | None]) -> list[Photo | None]:
    """The photos, None where one is missing or not the same file any more."""
    found: list[Photo | None] = [None] * len(seen)
    for i, (was, photo) in enumerate(zip(seen, photos, strict=False)):
        if photo is None or photo_hash(photo) != was.sha256:
            continue
        if (photo.width, photo.height) == (was.width, was.height):
            found[i] = photo
    return found


def seen_photo(
    photo: Photo, cues: ScreenCues, focal: float | None, focal_source: str
) -> SeenPhoto | None:
    """What is kept of a photo before its fit; None for cues that no fit can go on from."""
    if cues.landmarks is None or cues.landmark_depth is None:
        return None
    sigma = np.zeros(len(cues.landmarks)) if cues.landmark_sigma is None else cues.landmark_sigma
    nothing = np.zeros(0)
    return SeenPhoto(
        name=photo.name[:200],
        sha256=photo_hash(photo),
        width=photo.width,
        height=photo.height,
        predictor=cues.predictor,
        landmarks=cues.landmarks,
        depth=cues.landmark_depth,
        sigma=sigma,
        dense=cues.dense,
        focal=focal,
        focal_source=focal_source,
        skin=skin_color(photo.pixels, cues.landmarks).astype(np.float64),
        iris=iris_color(photo.pixels, cues.landmarks).astype(np.float64),
        landmarks_fit=np.full(cues.landmarks.shape, np.nan),
        state=PhotoState(np.eye(3), np.array([0, 0, 1.0]), 1.0, np.zeros(4), nothing, nothing),
    )


#: The last heads by their continuation: a drag after a drag need not make the old one again.
_kept: OrderedDict[str, RiggedHead] = OrderedDict()


def remember(rigged: RiggedHead) -> None:
    """A head that a refit may start from."""
    if rigged.continuation_json:
        _kept[rigged.continuation_json] = rigged
        while len(_kept) > KEPT:
            _kept.popitem(last=False)


def _seen_anew(new: NewPhoto) -> SeenPhoto:
    seen = seen_photo(new.photo, new.cues, new.focal, new.focal_source)
    if seen is None:
        raise FitError(f"No landmarks were found in {new.photo.name}.")
    return seen


def _problem(head: HeadModel, last: Continuation) -> FitProblem:
    """The last fit, starting where it ended as far as the numbers still mean what they meant."""
    drifts = load_landmark_model().habits.shape[2]
    same = head.digest == last.head_digest
    sizes = (drifts, head.expression_count)
    photos = tuple(
        p.state if same and (len(p.state.drift), len(p.state.expression)) == sizes else None
        for p in last.photos
    )
    return FitProblem(
        head,
        [p.cues for p in last.photos],
        [p.focal for p in last.photos],
        last.pins,
        last.matches,
        Start(last.identity if same else np.zeros(0), photos),
    )


def _as_it_was(problem: FitProblem, photo: SeenPhoto, own_components: bool) -> RiggedHead:
    """The head of a continuation, for whose numbers this head model need not be the same."""
    solved = solve_head(problem, still=None not in problem.start_of_photos)
    fit = assemble(problem, solved, uncertainty=False)
    return _rigged(problem.head, fit, photo, own_components)


def _rigged(
    head: HeadModel, fit: Reconstruction, photo: SeenPhoto, own_components: bool
) -> RiggedHead:
    rigged = build_rigged_head(head, fit, 0, _blank(photo), own_components=own_components)
    skin, iris = photo.skin.astype(np.float32), photo.iris.astype(np.float32)
    return replace(rigged, skin_color=skin, iris_color=iris)


def _blank(photo: SeenPhoto) -> Photo:
    """Of the photo's size, and of no size in memory."""
    pixels = np.broadcast_to(np.uint8(128), (photo.height, photo.width, 3))
    return Photo(pixels, photo.name, None, photo.sha256, None)
