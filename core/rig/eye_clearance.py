# SPDX-License-Identifier: GPL-3.0-or-later
"""Eyes that stay behind their lids, on every person and under every key.

The inner edge of a lid's margin is tucked into the eyeball, where nobody sees it, so that no gap
opens between them. On some people it is tucked so deep that the ball comes through the margin
itself. There the tucked edge comes out along the ball's radii, as far as it takes; what can be
seen of the lids stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry.mesh import vertex_normals

Array = NDArray[np.float64]
Index = NDArray[np.integer[Any]]

#: Metres that a ball may stand out of the skin, measured straight through the skin.
_LEFT = 0.0001
#: How far out the tucked edge comes, in shares of its depth below the ball's surface and then
#: metres above it (between its vertices, skin is a chord), step by step until the eye is clear.
_STEPS = (
    (0.25, 0.0), (0.5, 0.0), (0.75, 0.0), (1.0, 0.0), (1.0, 3e-4), (1.0, 6e-4), (1.0, 1e-3)
)  # fmt: skip
#: Lids lie within this many radii of the eye's centre; a tucked vertex faces the centre.
_NEAR, _FACING = 1.45, -0.3
#: So near to the ball or nearer, metres, an edge is tucked in.
_TUCKED = 0.0005


@dataclass(frozen=True, eq=False)
class Socket:
    """One eye and the skin around it: triangles (n, 3) of the lids' margins and (m, 3) of the
    ball, tucked (k,) vertices, front (b,) the ball's vertices that can come near the lids.
    """

    lids: Index
    ball: Index
    tucked: Index
    front: Index

    @classmethod
    def of(cls, template: Array, skin: Index, ball: Index, centre: Array) -> Socket:
        """Of a head's template (V, 3), skin and ball triangles, and the eye's centre (3,)."""
        used = np.unique(ball)
        reach = np.linalg.norm(template[used] - centre, axis=1)
        away = template - centre
        near = (np.linalg.norm(away, axis=1) < _NEAR * reach.min()) & (away[:, 2] > 0)
        lids = skin[near[skin].all(axis=1)]
        tucked: Index = np.zeros(0, np.intp)
        if len(lids):
            facing = (vertex_normals(template, lids) * away).sum(axis=1)
            edge = np.unique(lids)
            inward = facing[edge] < _FACING * np.linalg.norm(away[edge], axis=1)
            tucked = edge[inward]
            # A head whose lids only lie on its eyes has no edge that could give way unseen.
            at = away[tucked] * (1 - _TUCKED / reach.min())
            tucked = tucked[_surface(at, template[ball] - centre) > 0]
        beside = lids[np.isin(lids, tucked).any(axis=1)]
        margin = np.isin(lids, beside).any(axis=1)
        front = used[away[used, 2] > 0.4 * reach]
        return cls(lids[margin], ball, tucked, front)

    def lift(self, vertices: Array, centre: Array) -> Array | None:
        """(V, 3) offsets that clear the eye at vertices (V, 3); None where it is clear."""
        if not len(self.tucked) or self.depth(vertices, centre) <= _LEFT:
            return None
        away = vertices[self.tucked] - centre
        length = np.linalg.norm(away, axis=1)
        sunk = _surface(away, vertices[self.ball] - centre)
        out = np.zeros_like(vertices)
        for share, above in _STEPS:
            rise = np.where(sunk > 0, share * sunk + above, 0)
            out[self.tucked] = away * (rise / length)[:, None]
            if self.depth(vertices + out, centre) <= _LEFT:
                break
        return out

    def depth(self, vertices: Array, centre: Array) -> float:
        """Metres that a vertex of the ball stands out of the lids, straight through the skin."""
        ball = vertices[self.front] - centre
        reach = np.linalg.norm(ball, axis=1)
        lids, cosine = _leaving(ball / reach[:, None], vertices[self.lids] - centre)
        out = np.where(np.isfinite(lids), reach - lids, 0) * cosine
        return float(out.max(initial=0.0))


def _surface(points: Array, ball: Array) -> Array:
    """(n,) how deep points (n, 3) are below a ball's triangles (m, 3, 3), 0 where they are not."""
    length = np.linalg.norm(points, axis=1)
    surface, _ = _leaving(points / length[:, None], ball)
    out: Array = np.where(np.isfinite(surface), np.maximum(surface - length, 0), 0)
    return out


def _leaving(directions: Array, triangles: Array) -> tuple[Array, Array]:
    """How far rays from the origin along unit directions (n, 3) go until they first leave a
    surface of triangles (m, 3, 3), infinite where they do not; and the cosine between the two.
    To a millionth of the lengths.
    """
    a, b, c = triangles.transpose(1, 0, 2)
    normal = np.cross(b - a, c - a)
    height = (normal * a).sum(axis=1)
    rays = directions.astype(np.float32)
    slope = rays @ normal.T.astype(np.float32)
    # A ray backwards meets what lies behind the origin.
    inside = (slope > 0) & (height > 0)
    for p, q in ((a, b), (b, c), (c, a)):
        inside &= rays @ np.cross(p, q).T.astype(np.float32) >= 0
    length = np.full(slope.shape, np.inf, np.float32)
    np.divide(height.astype(np.float32), slope, out=length, where=inside)
    first = length.argmin(axis=1)
    rows = np.arange(len(directions))
    size = np.maximum(np.linalg.norm(normal[first], axis=1), 1e-12)
    return length[rows, first], slope[rows, first] / size
