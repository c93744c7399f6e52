# SPDX-License-Identifier: GPL-3.0-or-later
"""Head pose in closed form from points of the head and the pixels that show them.

Random sets of six pixels propose affine cameras (RANSAC: Fischler and Bolles, CACM 1981), the one
that most pixels agree with becomes a scaled rotation, and a few Gauss-Newton steps of the six
unknowns make it perspective. Nothing is assumed of the direction from which the head is seen.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import FitError
from ..geometry.rotation import matrix_from_vector, nearest_rotation
from .pose import toward

Array = NDArray[np.float64]

PROPOSALS, EACH = 192, 6
#: Pixels that judge proposals; more would not change which one is best.
JUDGES = 1500
#: Shares of the pixels' spread by which a pixel of another head may be off. The larger ones are for
#: faces of which little is seen, or that are far from the head at rest.
TOLERANCES = (0.08, 0.16, 0.32)
#: Share of the pixels that must agree.
LEAST_AGREEMENT = 0.3
STEPS = 8

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
    for share in TOLERANCES:
        tolerance = share * max(spread, 1e-9)
        affine = _refined(local, pixels, weights, tolerance)
        off = local @ affine.T - pixels
        agreeing = weights[(off**2).sum(axis=1) < tolerance**2].sum()
        if agreeing >= LEAST_AGREEMENT * weights.sum():
            break
    else:
        raise FitError(_CONTRADICTION)
    r, t = _scaled_rotation(affine, focal, centre)
    w = _believed(weights, off, tolerance)
    for _ in range(STEPS):
        r, t = _step(points - mean, pixels - centre, w, focal, r, t)
        at = (points - mean) @ r.T + t
        if not (at[:, 2] > 0).all():
            raise FitError(_CONTRADICTION)
        off = focal * at[:, :2] / at[:, 2:] + centre - pixels
        # What the right pixels are off by is known better now than at first.
        near = off[(off**2).sum(axis=1) < tolerance**2]
        typical = 3 * float(np.median(np.linalg.norm(near, axis=1))) if len(near) else tolerance
        w = _believed(weights, off, min(tolerance, max(typical, 1e-9)))
    return r, t - r @ mean


def _refined(local: Array, pixels: Array, weights: Array, tolerance: float) -> Array:
    """The affine camera (2, 4) that the pixels which agree with the best proposal ask for."""
    affine = _agreed(local, pixels, weights, tolerance)
    for _ in range(5):
        w = _believed(weights, local @ affine.T - pixels, tolerance)[:, None]
        # See _agreed for the last term.
        square = (local * w).T @ local + 1e-9 * np.eye(4)
        affine = np.asarray(np.linalg.solve(square, (local * w).T @ pixels).T, np.float64)
    return affine


def _believed(weights: Array, off: Array, tolerance: float) -> Array:
    """Weights (n,) where pixels that are off (n, 2) by far more than the tolerance hardly count."""
    out: Array = weights / (1 + (off**2).sum(axis=1) / tolerance**2) ** 2
    return out


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
    ray = np.array([*((affine[:, 3] - centre) / focal), 1.0])
    return toward(ray) @ r, ray * (focal / float(scales.mean()))


def _step(
    points: Array, pixels: Array, weights: Array, focal: float, r: Array, t: Array
) -> tuple[Array, Array]:
    """A Gauss-Newton step of the reprojection, pixels (n, 2) from the principal point."""
    turned = points @ r.T
    at = turned + t
    ratio = at[:, :2] / at[:, 2:]
    by_point = np.zeros((len(at), 2, 3))
    by_point[:, 0, 0] = by_point[:, 1, 1] = 1
    by_point[:, :, 2] = -ratio
    by_point *= (focal / at[:, 2])[:, None, None]
    # d(R x) = w x (R x), so a row a of by_point gives (R x) x a.
    jacobian = np.concatenate([np.cross(turned[:, None], by_point), by_point], axis=2)
    weighted = jacobian * weights[:, None, None]
    square = np.tensordot(weighted, jacobian, ((0, 1), (0, 1)))
    slope = np.tensordot(weighted, focal * ratio - pixels, ((0, 1), (0, 1)))
    # So little damping only matters where points in a line leave a turn about it open.
    move = -np.linalg.solve(square + 1e-9 * np.trace(square) * np.eye(6), slope)
    return matrix_from_vector(move[:3]) @ r, t + move[3:]
