# SPDX-License-Identifier: GPL-3.0-or-later
"""Head pose in closed form from landmarks with depth, before anything is iterated.

Pose is solved, not searched: the predictor's points have depth, so that a weighted similarity
between them and the head's points gives rotation and distance at any yaw (the pose-guidance
idea of Liu et al., "Learning 3D face reconstruction with a pose guidance network", ACCV 2020).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import FitError

Array = NDArray[np.float64]


def similarity(source: Array, target: Array, weights: Array) -> tuple[float, Array, Array]:
    """Scale, R (3, 3), t (3,) minimising sum w |scale R source + t - target|^2.

    Umeyama, "Least-squares estimation of transformation parameters between two point patterns",
    PAMI 1991. source and target (n, 3). Raises FitError if the points are (nearly) collinear.
    """
    w = weights / weights.sum()
    a, b = source - w @ source, target - w @ target
    mean_a, mean_b = w @ source, w @ target
    u, d, vt = np.linalg.svd((b * w[:, None]).T @ a)
    if not np.isfinite(d).all() or d[1] < 1e-9 * max(d[0], 1e-30):
        raise FitError("The face's points lie on one line and place no head: try another photo.")
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    r = (u * sign) @ vt
    scale = float((d * sign).sum() / (w @ (a**2).sum(axis=1)))
    return scale, r, mean_b - scale * (r @ mean_a)


def initial_pose(
    points: Array, target: Array, depth: Array, sigma: Array, focal: float, centre: Array
) -> tuple[Array, Array]:
    """R (3, 3) and t (3,) of a head whose points (n, 3) appear at target (n, 2) pixels.

    depth (n,) in pixels at the face's scale, growing away from the camera; sigma (n,) pixels;
    centre (2,) the principal point. Outliers are weighted down by reweighting (Cauchy).
    """
    image = np.column_stack([target - centre, depth])
    weights = sigma**-2
    scale, r, t = similarity(points, image, weights)
    for _ in range(5):
        error = np.linalg.norm(scale * points @ r.T + t - image, axis=1)
        typical = max(float(np.median(error)), 1e-9)
        scale, r, t = similarity(points, image, weights / (1 + (error / (3 * typical)) ** 2))
    if not np.isfinite(scale) or scale <= 0:
        raise FitError("The face's points do not form a head: try another photo.")
    distance = focal / scale
    # The similarity is seen from far away; under perspective the face turns with the ray to it.
    ray = np.array([t[0] / focal, t[1] / focal, 1.0])
    return toward(ray) @ r, ray * distance


def toward(ray: Array) -> Array:
    """The smallest rotation that takes the optical axis to a ray."""
    z = ray / np.linalg.norm(ray)
    axis = np.cross([0.0, 0.0, 1.0], z)
    k = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    out: Array = np.eye(3) + k + k @ k / (1 + z[2])
    return out
