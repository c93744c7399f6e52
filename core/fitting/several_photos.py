# SPDX-License-Identifier: GPL-3.0-or-later
"""Several photos of one person, fitted to their landmarks and to what they show alike.

Landmarks are a network's idea of where faces have their features, and wrong in the same way in
each photo, so that more photos hardly help. Where two photos show the same point of the skin is
measured: from there on the fit and the matches take turns, since a better head shows better what
to compare.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..cues.match_photos import COMPARING, match_photos
from ..cues.photo_matches import PhotoMatches
from ..errors import FitError
from ..photos.photo import Photo
from ..progress import FITTING, Progress, part, silent
from ..reconstruction import PhotoFit, Reconstruction
from .fit import fit_head
from .problem import FitProblem, Start
from .state import PhotoState

#: How often photos are compared.
ROUNDS = 2
#: Share of the matches that the head must explain for them to be believed.
LEAST_EXPLAINED = 0.5


@dataclass(frozen=True, eq=False)
class MatchedFit:
    """The fit, and the matches between its photos that it believes."""

    fit: Reconstruction
    matches: tuple[PhotoMatches, ...] = ()


def fit_several_photos(
    problem: FitProblem, photos: Sequence[Photo], *, progress: Progress = silent
) -> MatchedFit:
    """problem: cues with landmarks, whose maps are left aside. Raises FitError as fit_head does."""
    problem = problem.without_maps()
    landmark_fit = fit_head(problem, progress=part(progress, 0.0, 0.4))
    rest = part(progress, 0.4, 1.0)
    return fit_to_matches(problem, landmark_fit, photos, progress=rest)


def fit_to_matches(
    problem: FitProblem,
    landmark_fit: Reconstruction,
    photos: Sequence[Photo | None],
    *,
    progress: Progress = silent,
) -> MatchedFit:
    """A fit of several photos, once they are compared with each other.

    landmark_fit: the problem's fit so far. photos: None where the pixels are not at hand; what the
    problem knows of such a pair stays. Where the comparison leads nowhere, ``landmark_fit`` is
    returned with a warning.
    """
    fit, matches = landmark_fit, tuple(problem.matches)
    known = matches
    if sum(photo is not None for photo in photos) < 2:
        progress(FITTING, 1.0)
        return MatchedFit(landmark_fit, known)
    found: tuple[PhotoMatches, ...] = ()
    for k in range(ROUNDS):
        middle, end = (k + 0.6) / ROUNDS, (k + 1) / ROUNDS
        step = part(progress, k / ROUNDS, middle)
        found = match_photos(problem.head, fit.photos, photos, step)
        if not found:
            fit = landmark_fit
            break
        new = {(m.first, m.second) for m in found}
        both = (*found, *(m for m in known if (m.first, m.second) not in new))
        try:
            fit = fit_head(
                replace(problem, start=start_of(fit), matches=both),
                progress=part(progress, middle, end),
                uncertainty=k == ROUNDS - 1,
            )
        except FitError as error:
            why = f"They led to no head ({str(error).rstrip('.')})."
            return MatchedFit(_noted(landmark_fit, why), known)
        matches = both
    progress(COMPARING, 1.0)
    if fit is landmark_fit:
        why = "Too little of the skin looks alike in them."
        return MatchedFit(_noted(landmark_fit, why), known)
    if fit.report["matches"]["explained_share"] < LEAST_EXPLAINED:
        why = "No single head explains what looks alike in them."
        return MatchedFit(_noted(landmark_fit, why), known)
    return MatchedFit(fit, matches)


def start_of(fit: Reconstruction) -> Start:
    """Where a fit ended, for another to go on from."""
    return Start(fit.identity, tuple(state_of(p) for p in fit.photos))


def state_of(photo: PhotoFit) -> PhotoState:
    """The unknowns of one photo."""
    camera, focal = photo.camera, float(np.log(photo.camera.focal))
    sliders = photo.solved if len(photo.solved) else photo.expression
    return PhotoState(camera.R, camera.t, focal, photo.gaze, sliders, photo.drift)


def _noted(landmark_fit: Reconstruction, why: str) -> Reconstruction:
    """A fit to landmarks alone that says why it is one."""
    warnings = [
        *landmark_fit.warnings,
        f"Comparing the photos with each other did not help, so the head follows their landmarks: "
        f"{why[0].lower()}{why[1:]}",
    ]
    report: dict[str, Any] = {**landmark_fit.report, "warnings": warnings}
    return replace(landmark_fit, report=report)
