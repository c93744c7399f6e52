# SPDX-License-Identifier: GPL-3.0-or-later
"""A head's fit, as far as its text keeps it, as a LiveFit of one of its photos."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..errors import FitError, ModelFileError
from ..fitting.closed_lids import closed_sides, with_closed_lids
from ..fitting.fit import solve_head
from ..fitting.landmark_blocks import LandmarkBlock
from ..fitting.live_fit import LiveFit
from ..fitting.live_rest import rest_of
from ..fitting.live_surface import LiveSurface
from ..fitting.pins import PinBlock, overruled_on
from ..fitting.points import GazeMap
from ..fitting.problem import Solved
from ..fitting.residuals import OVERRULED
from ..fitting.state import PhotoState
from ..geometry.camera import Camera
from ..geometry.raster import rasterise
from ..heads.lid_zone import away_from_lids
from ..heads.model import HeadModel
from ..options import OPEN_HEAD
from .continuation import Continuation
from .refit import DENSE, problem_of
from .resources import load_head

Array = NDArray[np.float64]

#: Pixels along the longer side of the picture in which is seen what hides what, and metres by
#: which a surface may seem to lie behind itself.
_SIDE, _SLACK = 320, 0.006


@lru_cache(maxsize=1)
def surface_of(head: HeadModel, identity_count: int) -> LiveSurface:
    """Of a head model; one is remembered."""
    return LiveSurface.of(head, identity_count)


def live_fit(continuation: str, photo: int, *, head_name: str = OPEN_HEAD) -> LiveFit:
    """The fit of a Continuation's JSON, around where it ended. Raises FitError and ModelFileError
    as refit does.
    """
    last = Continuation.from_json(continuation)
    head = load_head(head_name)
    if head.name != last.head_name or head.digest != last.head_digest:
        raise ModelFileError(
            f"This head was made with another version of {last.head_name}: press Remove Pins once, "
            "which fits it to the one that is here."
        )
    if any(p.dense for p in last.photos):
        raise FitError(DENSE)
    if not 0 <= photo < len(last.photos):
        raise FitError(f"This head has no photo {photo}: it has {len(last.photos)}.")
    problem = problem_of(head, last)
    solved = solve_head(problem, still=None not in problem.start_of_photos)
    cues = problem.cues[photo]
    shut = closed_sides(head, cues, overruled_on(head, problem.pins, photo))
    return _around(head, solved, photo, (cues.width, cues.height), shut)


def _around(
    head: HeadModel, solved: Solved, photo: int, size: tuple[int, int], shut: tuple[str, ...]
) -> LiveFit:
    equations, state = solved.problem, solved.state
    mine = [b for b in equations.blocks if getattr(b, "photo", None) == photo]
    landmarks = next(b for b in mine if type(b) is LandmarkBlock)
    pins = next((b for b in mine if isinstance(b, PinBlock)), None)
    rest = rest_of(equations, state, photo, [landmarks, *([] if pins is None else [pins])])
    layout, alone = equations.layout, rest.around
    surface = surface_of(head, layout.identity_count)
    neutral, taken = head.neutral(state.identity), alone.photos[0]
    expression = GazeMap.of(head).apply(taken.expression, taken.gaze)
    shown = with_closed_lids(head, neutral, expression, shut)
    shape = neutral + head.expression_basis @ shown
    own = landmarks.sigma.copy()
    # A pin that goes lets what was detected count again, as far as its own spread says.
    own[own >= OVERRULED] = np.median(own[own < OVERRULED]) if (own < OVERRULED).any() else 1.0
    return LiveFit(
        photo=photo,
        width=size[0],
        height=size[1],
        surface=surface,
        rest=rest,
        points=landmarks.points,
        ids=head.landmark_ids,
        target=landmarks.target,
        sigma=own,
        free=equations.free[layout.columns(photo)],
        lower=equations.lower,
        upper=equations.upper,
        shift=shown - expression,
        damp=away_from_lids(head, shape, shut)[: surface.count],
        seen=_seen(surface, shape[: surface.count], taken, size),
    )


def _seen(
    surface: LiveSurface, shape: Array, photo: PhotoState, size: tuple[int, int]
) -> NDArray[np.bool_]:
    """(n,) vertices before which nothing lies."""
    scale = _SIDE / max(size)
    width, height = (max(1, round(scale * side)) for side in size)
    camera = Camera.with_focal(photo.focal * scale, photo.R, photo.t, width, height)
    pixels, depth = camera.project(shape), camera.to_camera(shape)[:, 2]
    picture = rasterise(pixels, depth, surface.triangles, width, height, both_sides=False).depth
    column, row = np.clip(np.nan_to_num(pixels), 0, [width - 1, height - 1]).astype(int).T
    # At the outline the picture's step may show what lies behind: the deepest around counts.
    deepest = picture[row, column]
    for up, left in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        near = picture[np.clip(row + up, 0, height - 1), np.clip(column + left, 0, width - 1)]
        deepest = np.maximum(deepest, near)
    seen: NDArray[np.bool_] = depth < deepest + _SLACK
    return seen
