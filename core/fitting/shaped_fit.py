# SPDX-License-Identifier: GPL-3.0-or-later
"""ask_shape(): a fit to landmarks, around which the shape network reads the photos' pixels.

The fit that then believes both starts where the first one ended, so that it takes a few steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..cues.learnt_shape import with_shape
from ..heads.model import HeadModel
from ..photos.photo import Photo
from ..progress import SHAPING, Progress, part, silent
from ..reconstruction import Reconstruction
from .fit import fit_head
from .pose import similarity
from .problem import FitProblem
from .several_photos import start_of


@dataclass(frozen=True, eq=False)
class ShapedProblem:
    """problem: with what the network says of each photo, starting at first, the fit without it;
    notes: where it says nothing, and why.
    """

    problem: FitProblem
    first: Reconstruction
    notes: tuple[str, ...]

    def told(self, fit: Reconstruction) -> Reconstruction:
        """The problem's fit, whose report says how far the network moved the face."""
        said: dict[str, Any] | None = fit.report.get("shape_network")
        if said is None:
            return fit
        said = {**said, "moved_mm": moved_mm(self.problem.head, self.first, fit)}
        return replace(fit, report={**fit.report, "shape_network": said})


def ask_shape(
    problem: FitProblem,
    photos: Sequence[Photo | None],
    *,
    first: Reconstruction | None = None,
    progress: Progress = silent,
) -> ShapedProblem:
    """photos: None where the pixels are not at hand, of which the cues stay as they are. first: the
    problem's fit, where it is known already. Raises FitError as fit_head does.
    """
    if first is None:
        first = fit_head(problem, progress=part(progress, 0.0, 0.7), uncertainty=False)
    progress(SHAPING, 0.7)
    cues, notes = with_shape(problem.head, first, problem.cues, photos)
    progress(SHAPING, 1.0)
    if all(c.shape is None for c in cues):
        # As without the network, to the last bit.
        return ShapedProblem(problem, first, notes)
    return ShapedProblem(replace(problem, cues=cues, start=start_of(first)), first, notes)


def moved_mm(head: HeadModel, before: Reconstruction, after: Reconstruction) -> float:
    """By how much the neutral faces of two fits differ once one is laid on the other with the
    similarity that fits best: root mean square, millimetres.
    """
    face = head.regions["face"]
    old, new = (fit.photos[0].neutral[face] for fit in (before, after))
    scale, turn, shift = similarity(old, new, np.ones(len(old)))
    off = scale * old @ turn.T + shift - new
    return float(1e3 * np.sqrt((off**2).sum(axis=1).mean()))
