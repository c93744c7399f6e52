# SPDX-License-Identifier: GPL-3.0-or-later
"""Pins: where a person says a landmark of the head lies in the photo.

A pin is the head's own point, so that it has none of a predictor's bias, and it is believed far
more than any predictor: what is detected of the same landmark no longer counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..cues.screen_cues import ScreenCues
from ..heads.model import HeadModel
from .landmark_blocks import LandmarkBlock
from .points import PointSet
from .state import Layout, State

Array = NDArray[np.float64]

#: Spread of a pin, metres at the face, in the solve: what a pin says of the whole person, and how
#: near the surface is held to it in the end. The first is the larger one, or the whole face would
#: turn and stretch to please one point of it.
PIN_SIGMA, PIN_HELD = 2e-3, 5e-5
#: How many of the former a pin may be off before the person is doubted less for it.
PIN_REACH = 6.0


@dataclass(frozen=True)
class Pin:
    """photo: its index; landmark: among the 478; x, y: pixels of that photo."""

    photo: int
    landmark: int
    x: float
    y: float


class PinBlock(LandmarkBlock):
    """As LandmarkBlock. Robust like it: a pin that no face can reach shall not make a mask of the
    whole face; the surface near it still follows, see PIN_HELD.
    """

    name = "pins"

    @property
    def held(self) -> Array:
        """(n,) pixels: how near the extra shape holds the surface to each pin."""
        return self.sigma * (PIN_HELD / PIN_SIGMA)


def pinned(pins: Sequence[Pin], photo: int) -> NDArray[np.int32]:
    """Landmarks of a photo that have a pin (n,)."""
    return np.array([p.landmark for p in pins if p.photo == photo], dtype=np.int32)


def pin_blocks(
    head: HeadModel,
    layout: Layout,
    cues: Sequence[ScreenCues],
    state: State,
    pins: Sequence[Pin],
) -> list[PinBlock]:
    """One block for each photo with pins on points that the head has."""
    known = set(head.landmark_ids.tolist())
    blocks = []
    for i, (c, photo) in enumerate(zip(cues, state.photos, strict=True)):
        own = [p for p in pins if p.photo == i and p.landmark in known]
        if not own:
            continue
        ids = np.array([p.landmark for p in own], dtype=np.int32)
        sigma = np.full(len(own), PIN_SIGMA * photo.focal / photo.t[2])
        blocks.append(
            PinBlock(
                i,
                PointSet.of_landmarks(head, ids, layout.identity_count),
                layout,
                np.array([[p.x, p.y] for p in own]),
                sigma,
                np.array([c.width / 2, c.height / 2]),
                robust_scale=PIN_REACH,
            )
        )
    return blocks
