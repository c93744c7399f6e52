# SPDX-License-Identifier: GPL-3.0-or-later
"""Head pose in closed form from points of the head and the pixels that show them.

Random sets of six pixels propose affine cameras, the one that most pixels agree with becomes a
scaled rotation, and orthogonal iteration (Lu, Hager and Mjolsness, "Fast and globally convergent
pose estimation from video images", PAMI 2000) makes it perspective. Nothing is assumed of the
direction from which the head is seen.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import FitError
from ..rotation import nearest_rotation

Array = NDArray[np.float64]

PROPOSALS, EACH = 192, 6
#: Pixels that judge proposals; more would not change which one is best.
JUDGES = 1500
#: Share of the pixels' spread by which a pixel of another head may be off.
TOLERANCE = 0.08
#: Share of the pixels that must agree.
LEAST_AGREEMENT = 0.3
ITERATIONS = 20

_CONTRADICTION = "The cues contradict one another, so no head can be placed: try another photo."


def dense_pose(
    points: Array, pixels: Array, weights: Array, focal: float, centre: Array
) -> tuple[Array, Array]:
    """R (3, 3) and t (3,) of a head whose points (n, 3) are seen in pixels (n, 2).

    weights (n,); centre (2,) the principal point. Up to two thirds of the pixels may be wrong.
    Raises FitError if too few agree or the points do not span space.
    """
    thin = np.arange(0, len(points), max(1, len(points) // JUDGES))
    points, pixels, weights = points[thin], pixels[thin], weights[thin]
    mean = points.mean(axis=0)
    local = np.column_stack([points - mean, np.ones(len(points))])
    spread = float(np.median(np.linalg.norm(pixels - np.median(pixels, axis=0), axis=1)))
    tolerance = TOLERANCE * max(spread, 1e-9)
    affine = _agreed(local, pixels, weights, tolerance)
    for _ in range(5):
        off = np.linalg.norm(local @ affine.T - pixels, axis=1) / tolerance
        w = weights / (1 + off**2) ** 2
        affine = np.linalg.solve((local * w[:, None]).T @ local, (local * w[:, None]).T @ pixels).T
    off = np.linalg.norm(local @ affine.T - pixels, axis=1) / tolerance
    if not weights[off < 1].sum() >= LEAST_AGREEMENT * weights.sum():
        raise FitError(_CONTRADICTION)
    r, t = _scaled_rotation(affine, focal, centre)
    r, t = _orthogonal_iteration(
        points - mean, (pixels - centre) / focal, weights / (1 + off**2) ** 2, r
    )
    return r, t - r @ mean


def _agreed(local: Array, pixels: Array, weights: Array, tolerance: float) -> Array:
    """The proposed affine camera (2, 4) for local (n, 4) that the most weight agrees with."""
    rng = np.random.default_rng(0)
    share = weights / weights.sum()
    drawn = rng.choice(len(local), (PROPOSALS, EACH), p=share)
    a, b = local[drawn], pixels[drawn]
    # Points that nearly lie in a plane leave the camera undetermined along its normal; a little
    # of nothing there keeps the solution finite, and the judges reject it.
    square = a.transpose(0, 2, 1) @ a + 1e-9 * np.eye(4)
    cameras = np.linalg.solve(square, a.transpose(0, 2, 1) @ b).transpose(0, 2, 1)
    error = ((cameras @ local.T - pixels.T) ** 2).sum(axis=1)
    score = (share / (1 + error / tolerance**2)).sum(axis=1)
    out: Array = cameras[np.nan_to_num(score).argmax()]
    return out


def _scaled_rotation(affine: Array, focal: float, centre: Array) -> tuple[Array, Array]:
    """The rotation and place whose scaled orthographic image is nearest to an affine camera."""
    u, scales, vt = np.linalg.svd(affine[:, :3], full_matrices=False)
    if not np.isfinite(scales).all() or scales[1] < 1e-3 * max(scales[0], 1e-30):
        raise FitError(_CONTRADICTION)
    rows = u @ vt
    r = nearest_rotation(np.vstack([rows, np.cross(rows[0], rows[1])]))
    distance = focal / float(scales.mean())
    place = (affine[:, 3] - centre) * distance / focal
    return r, np.array([place[0], place[1], distance])


def _orthogonal_iteration(
    points: Array, rays: Array, weights: Array, r: Array
) -> tuple[Array, Array]:
    """R and t that bring points (n, 3) nearest to the lines of sight (n, 2), from a first R."""
    sight = np.column_stack([rays, np.ones(len(rays))])
    sight /= np.linalg.norm(sight, axis=1, keepdims=True)
    w = weights / weights.sum()
    middle = w @ points
    # The mean projection onto the lines of sight.
    onto = (sight * w[:, None]).T @ sight
    back = np.linalg.inv(np.eye(3) - onto)

    def place(r: Array) -> Array:
        turned = points @ r.T
        along = (turned * sight).sum(axis=1, keepdims=True) * sight
        out: Array = back @ (w @ (along - turned))
        return out

    t = place(r)
    for _ in range(ITERATIONS):
        at = points @ r.T + t
        target = (at * sight).sum(axis=1, keepdims=True) * sight
        cross = ((target - w @ target) * w[:, None]).T @ (points - middle)
        r = nearest_rotation(cross)
        t = place(r)
    if t[2] + (r @ middle)[2] < 0:
        raise FitError(_CONTRADICTION)
    return r, t
