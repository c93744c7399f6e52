# SPDX-License-Identifier: GPL-3.0-or-later
"""A fit is believed within stated bounds, warned of beyond them, and refused far beyond.

A wild head is worse than none: an artist would correct it for an hour before seeing why.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import FitError
from .landmark_blocks import LandmarkBlock
from .state import State

#: Mean reprojection error of the landmarks, in percent of the outer eye distance.
POOR_REPROJECTION, REFUSED_REPROJECTION = 6.0, 25.0
#: Root mean square of the identity in sigma units; a person drawn at random has 1.
ODD_IDENTITY, REFUSED_IDENTITY = 1.5, 4.0
#: A landmark further than this many standard deviations is not explained by the face.
UNEXPLAINED = 3.0
#: A face whose outer eye corners are nearer than this has too few pixels to be read.
SMALLEST_EYE_DISTANCE = 12.0


def identity_warnings(rms: float) -> list[str]:
    """Sentences on the identity. Raises FitError if it is no head any more."""
    if not np.isfinite(rms) or rms > REFUSED_IDENTITY:
        raise FitError(
            f"The cues ask for a head unlike any person's ({rms:.1f} sigma): try another photo."
        )
    if rms > ODD_IDENTITY:
        return [f"The head is unusual ({rms:.1f} sigma): compare it with the photo."]
    return []


def photo_warnings(report: dict[str, Any], block: LandmarkBlock | None, state: State) -> list[str]:
    """Sentences on one photo, by its landmarks or, where it has none, its dense cues. Raises
    FitError if the landmarks fit no face at all.
    """
    warnings = []
    if block is None:
        hidden = float(report["dense"]["hidden_share"])
    else:
        percent = float(report["reprojection_percent_of_eye_distance"])
        if not np.isfinite(percent) or percent > REFUSED_REPROJECTION:
            raise FitError(
                f"The landmarks fit no face (off by {percent:.0f} % of the eye distance): "
                "mark the face with a box or try another photo."
            )
        if percent > POOR_REPROJECTION:
            warnings.append(
                f"The face fits poorly (off by {percent:.0f} % of the eye distance): "
                "compare it with the photo."
            )
        hidden = hidden_share(block, state)
    report["hidden_share"] = hidden
    if hidden > 0.5:
        warnings.append(
            f"More than half of the face is hidden or unexplained ({100 * hidden:.0f} %): "
            "the rest of the head is a guess."
        )
    if report["eye_distance_px"] < SMALLEST_EYE_DISTANCE:
        warnings.append("The face is only a few pixels wide: use a larger photo.")
    return warnings


def hidden_share(block: LandmarkBlock, state: State) -> float:
    """Share of the landmarks that do not count: turned away, or not explained by the face."""
    photo = state.photos[block.photo]
    error = np.linalg.norm(block.residuals(state).reshape(-1, 2), axis=1)
    at = block.points.in_camera(state.identity, photo)
    centre = at.mean(axis=1, keepdims=True)
    # The face is nearly convex about a point behind its middle: what lies beyond its rim as
    # seen from the camera is hidden by the rest.
    behind = centre + photo.R @ np.array([[0.0], [0.0], [-0.06]])
    outward = at - behind
    turned_away = (outward * at).sum(axis=0) > 0
    return float(np.mean((error > UNEXPLAINED) | turned_away))
