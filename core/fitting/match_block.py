# SPDX-License-Identifier: GPL-3.0-or-later
"""Matches between two photos as residuals: both pixels must see the same point of the skin.

Which point that is, is not known, so it may slide: its place within its triangle's plane is the
one that explains the first photo's pixel, and what is left of the second's is the residual. Only
how far the surface lies, and how it and the cameras are turned, can make that vanish. The point
is a place on the skin and not in space, so that the photos' expressions may differ.

With M the map from a shift in the first photo to one in the second, by a slide along the surface,
the residual is (second's error - M first's error), in units of its own spread s^2 I + M C M^T,
where s is how unsure the second's place is and C the covariance of the first's.
M is held in the Jacobian, as in variable projection (Kaufman, "A variable projection method for
solving separable nonlinear least squares problems", BIT 1975).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cues.photo_matches import PhotoMatches
from ..cues.screen_cues import ScreenCues
from ..geometry.raster import rasterise
from ..heads.model import HeadModel
from .points import GazeMap, PointSet
from .state import Layout, State

Array = NDArray[np.float64]

#: Pixels along the longer side of the picture in which the points of the skin are looked up.
PICTURE = 512
#: Singular values of a triangle's picture below this share of the largest count as none: edge on.
EDGE_ON = 1e-3
#: A match that is missed by more than so many of its spreads is not explained.
EXPLAINED = 3.0


class MatchBlock:
    """How far two photos' pixels are from the same skin, in standard deviations. triangle (n,) and
    barycentric (n, 3) of the points that the first photo's pixels showed when the block was made;
    centres (2,) of both photos in pixels.
    """

    name = "matches"
    group = 2
    robust_scale = 2.0

    def __init__(
        self,
        head: HeadModel,
        layout: Layout,
        matches: PhotoMatches,
        triangle: NDArray[np.intp],
        barycentric: Array,
        centres: tuple[Array, Array],
    ) -> None:
        self.photos = matches.first, matches.second
        self.matches, self.layout, self.centres = matches, layout, centres
        self.triangle, self.barycentric = triangle, barycentric
        corners, count = head.triangles[triangle], layout.identity_count
        self.points = PointSet.of_surface(head, corners, barycentric, count)
        self.corners = [
            PointSet.of_vertices(head, corners[:, k].astype(np.intp), count) for k in range(3)
        ]
        first, second = (layout.columns(photo) for photo in self.photos)
        self.columns = np.concatenate([first, second[count:]])

    def residuals(self, state: State) -> Array:
        """(2n,), two for each match."""
        return self._seen(state)[2].ravel()

    def linearise(self, state: State) -> tuple[Array, Array]:
        """Residuals (2n,) and their Jacobian (2n, I + 2 photo_size)."""
        slide, whiten, residuals = self._seen(state)
        count = self.layout.identity_count
        first, second = (self._by_unknowns(state, k) for k in (0, 1))
        first = -slide @ first
        shared = first[:, :, :count] + second[:, :, :count]
        own = [first[:, :, count:], second[:, :, count:]]
        jacobian = whiten @ np.concatenate([shared, *own], axis=2)
        return residuals.ravel(), jacobian.reshape(residuals.size, -1)

    def error_px(self, state: State) -> Array:
        """(n,) pixels of the second photo by which the head misses each match."""
        slide, _, _ = self._seen(state)
        first, second = (self._errors(state, k)[0] for k in (0, 1))
        off: Array = second - (slide @ first[:, :, None])[:, :, 0]
        return np.linalg.norm(off, axis=1)

    def _seen(self, state: State) -> tuple[Array, Array, Array]:
        """M (n, 2, 2), what makes the residuals' spread one (n, 2, 2), and the residuals (n, 2)."""
        (off_first, by_first), (off_second, by_second) = (self._errors(state, k) for k in (0, 1))
        slide = by_second @ np.linalg.pinv(by_first, rcond=EDGE_ON)
        m = self.matches
        spread = slide @ m.covariance @ slide.transpose(0, 2, 1)
        spread = spread + m.spread_second**2 * np.eye(2)
        whiten = np.linalg.inv(np.linalg.cholesky(spread))
        off = off_second[:, :, None] - slide @ off_first[:, :, None]
        return slide, whiten, (whiten @ off)[:, :, 0]

    def _errors(self, state: State, k: int) -> tuple[Array, Array]:
        """Of photo k of the two: the points' projections less their pixels (n, 2), and how these
        move (n, 2, 2) along the triangles' two edges.
        """
        photo = state.photos[self.photos[k]]
        pixels = self.matches.at_second if k else self.matches.at_first
        at = self.points.in_camera(state.identity, photo)
        ratio = at[:2] / at[2]
        a, b, c = (p.in_camera(state.identity, photo) for p in self.corners)
        along = [(photo.focal / at[2] * (e[:2] - ratio * e[2])).T for e in (b - a, c - a)]
        projected = photo.focal * ratio.T + self.centres[k]
        return projected - pixels, np.stack(along, axis=2)

    def _by_unknowns(self, state: State, k: int) -> Array:
        """(n, 2, I + photo_size): the projections' derivatives."""
        photo = state.photos[self.photos[k]]
        _, jacobian = self.points.project(state.identity, photo, self.layout)
        return jacobian.transpose(1, 0, 2)


def match_report(blocks: Sequence[MatchBlock], state: State) -> dict[str, Any]:
    """Figures of the matches under ``matches``, or nothing if there are none: their number and
    median error in pixels for each pair of photos, and the share that the head explains.
    """
    if not blocks:
        return {}
    pairs, explained = [], []
    for block in blocks:
        off = np.linalg.norm(block.residuals(state).reshape(-1, 2), axis=1)
        explained.append(off < EXPLAINED)
        median = float(np.median(block.error_px(state)))
        pairs.append({"photos": list(block.photos), "count": len(off), "median_px": median})
    share = float(np.concatenate(explained).mean())
    return {"matches": {"pairs": pairs, "explained_share": share}}


def match_blocks(
    head: HeadModel,
    layout: Layout,
    cues: Sequence[ScreenCues],
    state: State,
    matches: Sequence[PhotoMatches],
) -> list[MatchBlock]:
    """For each pair of photos, at the points of the skin that ``state`` shows there."""
    centres = [np.array([c.width, c.height]) / 2 for c in cues]
    blocks = []
    for first in sorted({m.first for m in matches}):
        own = [m for m in matches if m.first == first]
        pixels = np.concatenate([m.at_first for m in own]) - centres[first]
        triangle, barycentric = _shown(head, state, first, pixels)
        ends = np.cumsum([m.count for m in own])[:-1]
        parts = zip(own, np.split(triangle, ends), np.split(barycentric, ends), strict=True)
        for m, which, where in parts:
            shown = which >= 0
            if shown.any():
                both = centres[first], centres[m.second]
                some = m.only(shown), which[shown], where[shown]
                blocks.append(MatchBlock(head, layout, *some, both))
    return blocks


def _shown(
    head: HeadModel, state: State, index: int, pixels: Array
) -> tuple[NDArray[np.intp], Array]:
    """Triangle (n,), -1 for none, and barycentric (n, 3) that photo ``index`` shows at pixels
    (n, 2) from its centre.
    """
    photo = state.photos[index]
    sliders = GazeMap.of(head).apply(photo.expression, photo.gaze)
    vertices = head.neutral(state.identity) + head.expression_basis @ sliders
    vertices = vertices @ photo.R.T + photo.t
    low, high = pixels.min(axis=0) - 2, pixels.max(axis=0) + 2
    scale = PICTURE / float((high - low).max())
    width, height = np.ceil((high - low) * scale).astype(int)
    points = (photo.focal * vertices[:, :2] / vertices[:, 2:] - low) * scale
    seen = rasterise(points, vertices[:, 2], head.triangles, width, height, both_sides=False)
    x, y = ((pixels - low) * scale).astype(np.intp).T
    return seen.triangle[y, x].astype(np.intp), seen.barycentric[y, x]
