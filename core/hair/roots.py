# SPDX-License-Identifier: GPL-3.0-or-later
"""Where hair is rooted: places on the scalp's triangles, evenly spread."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..heads.model import HeadModel
from .grow import Roots

Array = NDArray[np.float64]

#: Candidates for each guide, of which the one farthest from all others is taken.
_CANDIDATES = 10


def scatter(
    head: HeadModel, vertices: Array, density: Array, count: int, rng: np.random.Generator
) -> Roots:
    """``count`` roots at random on a head (V, 3); density (V,) 0..1 of hair at each vertex."""
    skin = head.face_part == head.part_names.index("skin")
    on_skin = np.zeros(len(vertices), bool)
    quads = head.quads[skin]
    on_skin[quads[quads >= 0]] = True
    triangles = head.triangles
    corners = vertices[triangles]
    area = np.linalg.norm(
        np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1
    )
    share = density[triangles].mean(axis=1) * area * on_skin[triangles].all(axis=1)
    if share.sum() <= 0:
        raise ValueError("The head has no place where hair grows.")
    triangle = rng.choice(len(triangles), count, p=share / share.sum()).astype(np.int32)
    one, two = np.sqrt(rng.random(count)), rng.random(count)
    barycentric = np.stack([1 - one, one * (1 - two), one * two], axis=1)
    # Within a triangle whose corners differ, hair stands towards the corner that has more.
    keep = rng.random(count) * density[triangles[triangle]].max(axis=1) < (
        barycentric * density[triangles[triangle]]
    ).sum(axis=1)
    triangle, barycentric = triangle[keep], barycentric[keep]
    points = np.einsum("nk,nkc->nc", barycentric, vertices[triangles[triangle]])
    return Roots(points, triangle, barycentric)


def spread(roots: Roots, count: int) -> Roots:
    """``count`` of the roots, each as far from the others as can be (farthest point sampling)."""
    points = roots.points
    count = min(count, len(points))
    chosen = np.zeros(count, np.intp)
    away = np.full(len(points), np.inf)
    for k in range(1, count):
        away = np.minimum(away, ((points - points[chosen[k - 1]]) ** 2).sum(axis=1))
        chosen[k] = int(np.argmax(away))
    return Roots(points[chosen], roots.triangle[chosen], roots.barycentric[chosen])


def candidates(count: int) -> int:
    """How many roots spread() is given for ``count`` guides."""
    return _CANDIDATES * count
