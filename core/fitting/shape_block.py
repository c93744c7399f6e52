# SPDX-License-Identifier: GPL-3.0-or-later
"""What the photos' pixels say of the identity, beside its prior, and what that changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cues.screen_cues import ScreenCues
from ..cues.shape_cue import ShapeCue
from ..heads.model import HeadModel
from .prior_blocks import IdentityPrior
from .solver import Problem
from .state import Layout, State
from .uncertainty import face_spread_mm, identity_information

Array = NDArray[np.float64]


class ShapeBlock:
    """One photo's likelihood of the first components of the identity, of which see `ShapeCue`.

    The prior is a block of its own, so that several photos' are multiplied and it counts once.
    """

    name = "shape network"
    group = 1
    robust_scale = None

    def __init__(self, photo: int, layout: Layout, cue: ShapeCue) -> None:
        count = min(layout.identity_count, cue.matrix.shape[1])
        self.photo, self.columns = photo, np.arange(count)
        self.matrix, self.goal = cue.matrix[:, :count], cue.goal

    def residuals(self, state: State) -> Array:
        """(r,)."""
        return self.matrix @ state.identity[self.columns] - self.goal

    def linearise(self, state: State) -> tuple[Array, Array]:
        """Residuals (r,) and their Jacobian (r, k)."""
        return self.residuals(state), self.matrix


def shape_blocks(layout: Layout, cues: Sequence[ScreenCues]) -> list[ShapeBlock]:
    """One for each photo whose pixels say something."""
    return [ShapeBlock(i, layout, c.shape) for i, c in enumerate(cues) if c.shape is not None]


def shape_report(head: HeadModel, problem: Problem, state: State, total: Array) -> dict[str, Any]:
    """How much the landmarks and the network each said of the identity; empty without a network.

    total (I, I): the identity's information. Nats are what an observation takes off the
    uncertainty that is left without it: half the log of how much smaller the identity's
    volume is with it.
    """
    shapes = [b for b in problem.blocks if isinstance(b, ShapeBlock)]
    if not shapes:
        return {}
    rest = [b for b in problem.blocks if not isinstance(b, ShapeBlock)]
    without = identity_information(replace(problem, blocks=rest), state)
    priors = [b for b in rest if isinstance(b, IdentityPrior)]
    alone = np.zeros_like(total)
    said: list[IdentityPrior | ShapeBlock] = [*priors, *shapes]
    for block in said:
        _, jacobian = block.linearise(state)
        alone[np.ix_(block.columns, block.columns)] += jacobian.T @ jacobian
    volume = _log_volume(total)
    return {
        "shape_network": {
            "photos": [b.photo for b in shapes],
            "nats": {
                "landmarks": 0.5 * (volume - _log_volume(alone)),
                "network": 0.5 * (volume - _log_volume(without)),
            },
            "face_uncertainty_without_mm": face_spread_mm(head, without),
        }
    }


def _log_volume(information: Array) -> float:
    return float(np.linalg.slogdet(information)[1])
