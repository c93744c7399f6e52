# SPDX-License-Identifier: GPL-3.0-or-later
"""Pins: where a person says a point of the head lies in the photo.

The point is one of MediaPipe's landmarks or any place on the surface. A pin is the head's own
point, so that it has none of a predictor's bias, and it is believed far more than any predictor:
what is detected of the same place no longer counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cues.screen_cues import ScreenCues
from ..heads.model import HeadModel
from .landmark_blocks import LandmarkBlock
from .points import PointSet
from .state import Layout, State

Array = NDArray[np.float64]
Index = NDArray[np.integer[Any]]

#: Spread of a pin, metres at the face, in the solve: what a pin says of the whole person, and how
#: near the surface is held to it in the end. The first is the larger one, or the whole face would
#: turn and stretch to please one point of it.
PIN_SIGMA, PIN_HELD = 2e-3, 5e-5
#: How many of the former a pin may be off before the person is doubted less for it.
PIN_REACH = 6.0
#: Instead of a landmark's number: a place on the surface.
SURFACE = -1
#: Metres at rest within which the landmark nearest to a pinned place is that place.
SAME_PLACE = 5e-3


@dataclass(frozen=True)
class Pin:
    """photo: its index; landmark: among the 478, or SURFACE; x, y: pixels of that photo; corners
    and weights: of a place on the surface its triangle's three vertices and their shares.
    """

    photo: int
    landmark: int
    x: float
    y: float
    corners: tuple[int, ...] = ()
    weights: tuple[float, ...] = ()

    @classmethod
    def on_surface(
        cls, photo: int, corners: Sequence[int], weights: Sequence[float], x: float, y: float
    ) -> Pin:
        """A pin within a triangle; the weights are rounded to what a file keeps of them."""
        one, two = (round(float(w), 4) for w in weights[:2])
        a, b, c = (int(v) for v in corners)
        return cls(photo, SURFACE, x, y, (a, b, c), (one, two, round(1 - one - two, 4)))

    @property
    def place(self) -> tuple[object, ...]:
        """What it pins, equal for pins of the same point in the same photo."""
        return (self.photo, self.landmark, self.corners, self.weights)


class PinBlock(LandmarkBlock):
    """As LandmarkBlock. Robust like it: a pin that no face can reach shall not make a mask of the
    whole face; the surface near it still follows, see PIN_HELD.
    """

    name = "pins"

    @property
    def held(self) -> Array:
        """(n,) pixels: how near the extra shape holds the surface to each pin."""
        return self.sigma * (PIN_HELD / PIN_SIGMA)


def overruled(
    pins: Sequence[Pin], photo: int, template: Array, landmarks: Array
) -> NDArray[np.int32]:
    """Landmarks of a photo of which a person has said where they are (n,): pinned ones, and the
    nearest to a pinned place. template (V, 3) and landmarks (478, 3) at rest, nan where the head
    has none.
    """
    found = set()
    for p in pins:
        if p.photo != photo:
            continue
        if p.landmark != SURFACE:
            found.add(p.landmark)
        elif max(p.corners) < len(template):
            at = np.asarray(p.weights) @ template[list(p.corners)]
            distance = np.linalg.norm(landmarks - at, axis=1)
            distance = np.where(np.isfinite(distance), distance, np.inf)
            if distance.min() < SAME_PLACE:
                found.add(int(distance.argmin()))
    return np.array(sorted(found), dtype=np.int32)


def overruled_on(head: HeadModel, pins: Sequence[Pin], photo: int) -> NDArray[np.int32]:
    """As overruled, of a head model."""
    at = np.full((len(head.landmark_vertices), 3), np.nan)
    at[head.landmark_ids] = head.landmarks(head.template)
    return overruled(pins, photo, head.template, at)


def places(
    pins: Sequence[Pin], landmark_vertices: Index, landmark_barycentric: Array, vertex_count: int
) -> tuple[list[Pin], NDArray[np.intp], Array]:
    """The pins on points that a head has, and of each the corners (n, 3) and their weights."""
    known, corners, weights = [], [], []
    for p in pins:
        if p.landmark == SURFACE:
            at, share = np.array(p.corners), np.array(p.weights)
        else:
            at, share = landmark_vertices[p.landmark], landmark_barycentric[p.landmark]
        if at.min() >= 0 and at.max() < vertex_count:
            known.append(p)
            corners.append(at)
            weights.append(share)
    shape = (len(known), 3)
    return (
        known,
        np.array(corners, dtype=np.intp).reshape(shape),
        np.array(weights, dtype=np.float64).reshape(shape),
    )


def pin_block(
    pins: Sequence[Pin], points: PointSet, layout: Layout, state: State, photo: int, centre: Array
) -> PinBlock:
    """Of pins (n,) on n points; photo: which of the state's; centre (2,) pixels."""
    taken = state.photos[photo]
    return PinBlock(
        photo,
        points,
        layout,
        np.array([[p.x, p.y] for p in pins]),
        np.full(len(pins), PIN_SIGMA * taken.focal / taken.t[2]),
        centre,
        robust_scale=PIN_REACH,
    )


def pin_blocks(
    head: HeadModel,
    layout: Layout,
    cues: Sequence[ScreenCues],
    state: State,
    pins: Sequence[Pin],
) -> list[PinBlock]:
    """One block for each photo with pins on points that the head has."""
    blocks = []
    for i, c in enumerate(cues):
        own, corners, weights = places(
            [p for p in pins if p.photo == i],
            head.landmark_vertices,
            head.landmark_barycentric,
            head.vertex_count,
        )
        if own:
            points = PointSet.of_surface(head, corners, weights, layout.identity_count)
            centre = np.array([c.width / 2, c.height / 2])
            blocks.append(pin_block(own, points, layout, state, i, centre))
    return blocks
