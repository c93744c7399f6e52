# SPDX-License-Identifier: GPL-3.0-or-later
"""FitProblem: all that a fit is asked, in one frozen value, and Solved, where it ended.

What more is known of a person is one more field here and one more residual block in
``residuals.residual_blocks``; no signature in between changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cues.face_maps import without_maps
from ..cues.photo_matches import PhotoMatches
from ..cues.screen_cues import ScreenCues
from ..errors import FitError
from ..heads.model import HeadModel
from .landmark_model import LandmarkModel, load_landmark_model
from .pins import Pin
from .solver import Problem, Trace
from .state import Layout, PhotoState, State

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Start:
    """Where an earlier fit ended: identity (I,), or (0,) for none, and the photos' unknowns, None
    for photos that are new. The drifts are of the length of this landmark model's habits.
    """

    identity: Array
    photos: tuple[PhotoState | None, ...]


@dataclass(frozen=True, eq=False)
class FitProblem:
    """One person from one or more photos.

    head: the model to fit; cues: what each photo shows; focal: pixels for each photo, None where
    unknown (empty: unknown for all); pins: where a person says landmarks are; matches: between the
    photos; start: where an earlier fit ended; landmark_model: how the predictor errs, None for the
    measured one; identity_limit: most identity components to solve for, None for
    the head's own number. Sequences are kept as
    tuples. Raises ValueError if the photos do not agree in number.
    """

    head: HeadModel
    cues: Sequence[ScreenCues]
    focal: Sequence[float | None] = ()
    pins: Sequence[Pin] = ()
    matches: Sequence[PhotoMatches] = ()
    start: Start | None = None
    landmark_model: LandmarkModel | None = None
    identity_limit: int | None = None

    def __post_init__(self) -> None:
        count = len(self.cues)
        values = {
            "cues": tuple(self.cues),
            "focal": tuple(self.focal) or (None,) * count,
            "pins": tuple(self.pins),
            "matches": tuple(self.matches),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)
        if len(self.focal) != count or len(self.start_of_photos) != count:
            raise ValueError("the cues, focal lengths and starts are not of as many photos")

    @property
    def identity_count(self) -> int:
        """I, the identity components that are solved for: the head model's own, bounded."""
        return min(self.head.identity_count, self.identity_limit or self.head.fitted_count)

    @property
    def start_of_photos(self) -> tuple[PhotoState | None, ...]:
        """What each photo starts from, None where nothing is known."""
        return (None,) * len(self.cues) if self.start is None else self.start.photos

    @property
    def start_of_identity(self) -> Array:
        """(I,) what the identity starts from, zero where nothing is known."""
        out = np.zeros(self.identity_count)
        if self.start is not None:
            known = self.start.identity[: len(out)]
            out[: len(known)] = known
        return out

    def layout(self, model: LandmarkModel) -> Layout:
        """Of the unknowns; model: as of ``model_of_landmarks``."""
        return Layout(
            self.identity_count,
            self.head.expression_count,
            len(self.cues),
            model.habits.shape[2],
        )

    def model_of_landmarks(self) -> LandmarkModel:
        """How the landmarks' predictor errs on this head."""
        if self.landmark_model is not None:
            model = self.landmark_model
        elif any(has_landmarks(c) for c in self.cues):
            model = load_landmark_model()
        else:
            model = LandmarkModel.uninformed()
        return model.for_head(self.head)

    def without_maps(self) -> FitProblem:
        """The same by landmarks alone."""
        return replace(self, cues=[without_maps(c) for c in self.cues])

    def check(self) -> None:
        """Raises FitError if some photo's cues give nothing to start from."""
        for c in self.cues:
            if c.uv is None and not has_landmarks(c):
                raise FitError(f"The {c.predictor} predictor gave nothing to start from.")
            if c.uv is None and not len(self.head.landmark_ids):
                raise FitError(
                    f"The head model {self.head.name} has no places for face landmarks: choose "
                    "another head model, or a predictor that reads every pixel."
                )


@dataclass(frozen=True, eq=False)
class Solved:
    """Where a fit ended: the unknowns, the last round's problem and trace, and by photo the
    figures of those that have dense cues.
    """

    state: State
    problem: Problem
    trace: Trace
    dense: dict[int, dict[str, Any]]


def has_landmarks(cues: ScreenCues) -> bool:
    """Whether there are landmarks with their depth."""
    return cues.landmarks is not None and cues.landmark_depth is not None
