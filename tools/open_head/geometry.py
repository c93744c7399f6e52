# SPDX-License-Identifier: GPL-3.0-or-later
"""Small geometric helpers on triangles."""

from __future__ import annotations

import numpy as np


def closest_on_triangles(point: np.ndarray, triangles: np.ndarray) -> tuple[int, np.ndarray]:
    """The triangle (n, 3, 3) nearest to a point (3,), and barycentric weights (3,) of the foot.

    The foot lies in the plane's projection where that falls inside, else on the nearest edge.
    """
    a, b, c = triangles.transpose(1, 0, 2)
    normal = np.cross(b - a, c - a)
    area = (normal**2).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        w1 = (np.cross(point - a, c - a) * normal).sum(axis=1) / area
        w2 = (np.cross(b - a, point - a) * normal).sum(axis=1) / area
    inner = np.stack([1 - w1 - w2, w1, w2], axis=1)
    options = [np.where((inner.min(axis=1) >= 0)[:, None], inner, np.nan)]
    for i in range(3):
        j = (i + 1) % 3
        p, q = triangles[:, i], triangles[:, j]
        t = np.clip(((point - p) * (q - p)).sum(axis=1) / ((q - p) ** 2).sum(axis=1), 0, 1)
        weights = np.zeros((len(triangles), 3))
        weights[:, i], weights[:, j] = 1 - t, t
        options.append(weights)
    bary = np.stack(options, axis=1)
    feet = np.einsum("nok,nkc->noc", bary, triangles)
    distance = np.linalg.norm(feet - point, axis=2)
    best, option = np.unravel_index(np.nanargmin(distance), distance.shape)
    return int(best), bary[best, option]
