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
from ..cues.screen_cues import ScreenCues
from ..errors import FitError
from ..heads.model import HeadModel
from ..photos.photo import Photo
from ..progress import Progress, part
from ..reconstruction import PhotoFit, Reconstruction
from . import fit_head
from .fit import STAGE, Start
from .pins import Pin
from .state import PhotoState

#: How often photos are compared.
ROUNDS = 2
#: Share of the matches that the head must explain for them to be believed.
LEAST_EXPLAINED = 0.5


@dataclass(frozen=True, eq=False)
class Together:
    """The fit, and the matches that it believes."""

    fit: Reconstruction
    matches: tuple[PhotoMatches, ...] = ()


def fit_together(
    head: HeadModel,
    cues: Sequence[ScreenCues],
    photos: Sequence[Photo],
    *,
    focal: Sequence[float | None],
    progress: Progress,
) -> Together:
    """cues: with landmarks; their maps are left aside. Raises FitError as fit_head does."""
    plain = fit_head(head, cues, focal=focal, progress=part(progress, 0.0, 0.4))
    rest = part(progress, 0.4, 1.0)
    return compared(head, plain, cues, photos, focal=focal, progress=rest)


def compared(
    head: HeadModel,
    plain: Reconstruction,
    cues: Sequence[ScreenCues],
    photos: Sequence[Photo | None],
    *,
    focal: Sequence[float | None],
    progress: Progress,
    pins: Sequence[Pin] = (),
    known: Sequence[PhotoMatches] = (),
) -> Together:
    """A fit of several photos, once they are compared with each other.

    photos: None where the pixels are not at hand; what is ``known`` of such a pair stays. Where
    the comparison leads nowhere, ``plain`` is returned with a warning.
    """
    fit, matches = plain, tuple(known)
    if sum(photo is not None for photo in photos) < 2:
        progress(STAGE, 1.0)
        return Together(plain, matches)
    found: tuple[PhotoMatches, ...] = ()
    for k in range(ROUNDS):
        middle, end = (k + 0.6) / ROUNDS, (k + 1) / ROUNDS
        step = part(progress, k / ROUNDS, middle)
        found = match_photos(head, fit.photos, photos, step)
        if not found:
            fit = plain
            break
        new = {(m.first, m.second) for m in found}
        both = (*found, *(m for m in known if (m.first, m.second) not in new))
        try:
            fit = fit_head(
                head,
                cues,
                focal=focal,
                progress=part(progress, middle, end),
                pins=pins,
                start=start_of(fit),
                matches=both,
                uncertainty=k == ROUNDS - 1,
            )
        except FitError as error:
            why = f"They led to no head ({str(error).rstrip('.')})."
            return Together(_noted(plain, why), tuple(known))
        matches = both
    progress(COMPARING, 1.0)
    if fit is plain:
        why = "Too little of the skin looks alike in them."
        return Together(_noted(plain, why), tuple(known))
    if fit.report["matches"]["explained_share"] < LEAST_EXPLAINED:
        why = "No single head explains what looks alike in them."
        return Together(_noted(plain, why), tuple(known))
    return Together(fit, matches)


def start_of(fit: Reconstruction) -> Start:
    """Where a fit ended, for another to go on from."""
    return Start(fit.identity, tuple(state_of(p) for p in fit.photos))


def state_of(photo: PhotoFit) -> PhotoState:
    """The unknowns of one photo."""
    camera, focal = photo.camera, float(np.log(photo.camera.focal))
    return PhotoState(camera.R, camera.t, focal, photo.gaze, photo.expression, photo.drift)


def _noted(plain: Reconstruction, why: str) -> Reconstruction:
    """A fit to landmarks alone that says why it is one."""
    warnings = [
        *plain.warnings,
        f"Comparing the photos with each other did not help, so the head follows their landmarks: "
        f"{why[0].lower()}{why[1:]}",
    ]
    report: dict[str, Any] = {**plain.report, "warnings": warnings}
    return replace(plain, report=report)
