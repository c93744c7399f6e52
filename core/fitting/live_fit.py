# SPDX-License-Identifier: GPL-3.0-or-later
"""LiveFit: a solved fit that follows one photo's pins many times a second.

What is near the pins is solved as it is: the photo's landmarks and its pins, with their robust
losses, the sliders' bounds, camera and sliders. All else is one Gaussian around the solution
(live_rest). Nothing of it needs the head model, so that whoever draws can have it. Teeth that
meet in the photo are left where the jaw has them: the skin is where it is either way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..geometry.camera import Camera
from ..geometry.pick import facing, pick
from .landmark_blocks import LandmarkBlock
from .live_rest import RestBlock
from .live_surface import LiveSurface
from .pins import Pin, PinBlock, overruled, pin_block, places
from .points import PointSet
from .residual_shape import pulled
from .residuals import OVERRULED
from .solver import Problem, solve
from .state import Layout, State

Array = NDArray[np.float64]

#: Most steps of one solve, each of which starts where the one before it ended; and the share of
#: the cost below which it is not worth another.
STEPS, TOLERANCE = 3, 1e-3


@dataclass(frozen=True, eq=False)
class LivePose:
    """The head under some pins: the unknowns, the camera, and of the surface's vertices in_head
    (n, 3) metres, pixels (n, 2) and depth (n,) metres.
    """

    state: State
    camera: Camera
    in_head: Array
    pixels: Array
    depth: Array

    def place(self, corners: Sequence[int], weights: Sequence[float]) -> Array:
        """(2,) pixels of a place on the surface."""
        return np.asarray(np.asarray(weights) @ self.pixels[list(corners)])


@dataclass(frozen=True, eq=False)
class LiveFit:
    """photo: which of the person's; width, height: its pixels; rest: all else that is known;
    points, target (n, 2), sigma (n,): of its landmarks ``ids`` (n,), as LandmarkBlock; free (size,)
    and bounds lower, upper (E,) as in Problem; shift (E,): what closed lids add to the sliders;
    damp (V,): how much of the extra shape each vertex takes; seen (V,): whether nothing hides it.
    """

    photo: int
    width: int
    height: int
    surface: LiveSurface
    rest: RestBlock
    points: PointSet
    ids: NDArray[np.int32]
    target: Array
    sigma: Array
    free: NDArray[np.bool_]
    lower: Array
    upper: Array
    shift: Array
    damp: Array
    seen: NDArray[np.bool_]

    @property
    def layout(self) -> Layout:
        """Of [identity | photo]."""
        state = self.rest.around
        photo = state.photos[0]
        return Layout(len(state.identity), len(photo.expression), 1, len(photo.drift))

    def solve(self, pins: Sequence[Pin], start: State | None = None) -> LivePose:
        """The head under the pins on this photo, others being of no account; start: of a solve
        just before, the fit's own end if None.
        """
        layout, state = self.layout, self.rest.around if start is None else start
        own, corners, weights = places(
            [p for p in pins if p.photo == self.photo],
            self.surface.landmark_vertices,
            self.surface.landmark_barycentric,
            self.surface.count,
        )
        landmarks = self._landmarks(layout, own)
        blocks = [b for b in (landmarks, self._pins(layout, own, corners, weights)) if b]
        problem = Problem(layout, [self.rest, *blocks], self.free, self.lower, self.upper)
        state, _ = solve(problem, state, max_steps=STEPS, tolerance=TOLERANCE)
        return self._posed(state, blocks)

    def mirrored(self, pin: Pin, at: LivePose) -> Pin | None:
        """The pin across the face that moves as this one does, from where both points are; None
        for a point in the middle, or one that has none across.
        """
        there = self.surface.across(pin)
        own, corners, weights = places(
            [pin, *([] if there is None else [there])],
            self.surface.landmark_vertices,
            self.surface.landmark_barycentric,
            self.surface.count,
        )
        if there is None or len(own) < 2:
            return None
        here, other = np.einsum("nk,nki->ni", weights, at.in_head[corners])
        depth = float(at.camera.to_camera(here)[2])
        ray = np.linalg.solve(at.camera.K, [pin.x, pin.y, 1.0])
        moved = at.camera.R.T @ (ray * depth - at.camera.t) - here
        x, y = at.camera.project((other + moved * [-1.0, 1.0, 1.0])[None])[0]
        return replace(there, x=float(x), y=float(y))

    def grip(self, at: LivePose, mouse: Array, reach: float) -> Pin | None:
        """A pin on the surface that is seen at photo pixels (2,), at its place; beside the head
        the nearest place of its outline within ``reach`` pixels.
        """
        found = pick(at.pixels, at.depth, self.surface.triangles, mouse, reach)
        if found is None:
            return None
        corners, weights = self.surface.triangles[found[0]], found[1]
        x, y = at.place(corners.tolist(), weights.tolist())
        return Pin.on_surface(self.photo, corners.tolist(), weights.tolist(), float(x), float(y))

    def wire(self, at: LivePose) -> NDArray[np.int32]:
        """(n, 2) the edges of the mesh that are seen: on a face that looks here, and not behind
        another part of the head.
        """
        front = facing(at.pixels, self.surface.wire_triangles)
        edges = self.surface.wire
        shown = front[self.surface.wire_sides].any(axis=1) & self.seen[edges].all(axis=1)
        out: NDArray[np.int32] = edges[shown]
        return out

    def place_of(self, pin: Pin, at: LivePose) -> Array | None:
        """(2,) pixels where the head has what is pinned; None where it has no such point."""
        known, pixels, _ = self.places_of([pin], at)
        return np.asarray(pixels[0]) if known else None

    def places_of(
        self, pins: Sequence[Pin], at: LivePose
    ) -> tuple[list[Pin], Array, NDArray[np.bool_]]:
        """The pins on points that the head has, where it has them, (n, 2) pixels, and whether each
        is seen in the photo, and not behind another part of the head (n,).
        """
        known, corners, weights = places(
            pins,
            self.surface.landmark_vertices,
            self.surface.landmark_barycentric,
            self.surface.count,
        )
        pixels = np.einsum("nk,nki->ni", weights, at.pixels[corners])
        largest = weights.argmax(axis=1)
        return known, pixels, self.seen[corners[np.arange(len(known)), largest]]

    def motion(self, before: LivePose, now: LivePose) -> Array:
        """(V, 3) metres in the head frame by which all vertices of ``before`` have to move for its
        camera to see them as that of ``now`` sees its own.
        """
        there = now.camera.to_camera(now.in_head)
        there[:, :2] *= now.camera.focal / before.camera.focal
        moved: Array = (there - before.camera.t) @ before.camera.R - before.in_head
        return self.surface.extended(moved)

    def _landmarks(self, layout: Layout, pins: Sequence[Pin]) -> LandmarkBlock | None:
        if not len(self.ids):
            return None
        said = overruled(
            pins, self.photo, self.surface.points.base.T, self.surface.template_landmarks
        )
        sigma = np.where(np.isin(self.ids, said), OVERRULED, self.sigma)
        return LandmarkBlock(0, self.points, layout, self.target, sigma, self._centre)

    def _pins(
        self, layout: Layout, own: Sequence[Pin], corners: NDArray[np.intp], weights: Array
    ) -> PinBlock | None:
        if not own:
            return None
        points = self.surface.points.within(corners, weights)
        return pin_block(own, points, layout, self.rest.around, 0, self._centre)

    @property
    def _centre(self) -> Array:
        return np.array([self.width / 2, self.height / 2])

    def _posed(self, state: State, blocks: Sequence[LandmarkBlock]) -> LivePose:
        photo = state.photos[0]
        camera = Camera.with_focal(photo.focal, photo.R, photo.t, self.width, self.height)
        shown = replace(photo, expression=photo.expression + self.shift)
        at = self.surface.points.in_head(state.identity, shown).T.copy()
        if blocks:
            skin = self.surface.skin
            at[skin] += pulled(at[skin], blocks, state, camera) * self.damp[skin, None]
        in_camera = camera.to_camera(at)
        depth = in_camera[:, 2]
        pixels = photo.focal * in_camera[:, :2] / depth[:, None] + self._centre
        return LivePose(state, camera, at, pixels, depth)
