# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys of a person, carried from those of the head's template.

Person and template share their mesh. Around some hundred nodes the map from template to person
is fitted by an affine one (as the nodes of Sumner, Schmid and Pauly, "Embedded deformation for
shape manipulation", SIGGRAPH 2007, section 3, carry one), and blended in space between them. A
vertex moves on the person as it does on the template, seen through that map: u = A(x) d. So a
wider mouth smiles wider, a steeper jaw slides along its own slope, and a larger eye closes
further.

The blend is smooth in space rather than along the surface, and contacts are kept to first
order: where a key brings two points of the template together, d_a - d_b = x_b - x_a, it brings
their images together, as A takes the way between the points to the way between the images.
What remains of that at the lids is closed by ``core.rig.lids``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..heads.arkit import ARKIT_NAMES
from ..heads.model import HeadModel

Array = NDArray[np.float64]

#: Number and width in metres of the nodes' bumps.
_NODES, _WIDTH = 100, 0.014
#: Square metres by which a neighbourhood's extent counts as known in every direction: across a
#: flat one an affine map is not determined, and stays near the identity.
_FLAT = 0.004**2


@dataclass(frozen=True, eq=False)
class KeySolver:
    """What is the same for every person of a head.

    deltas (52, V, 3) the template's keys; moving (W,) the vertices that any of them moves, and
    motions (3, 52, W) by how much; share (N, P) what each vertex of the head proper counts for in
    a node, rows sum to one; centre (N, 3) the nodes' means; inverse (N, 3, 3) of their second
    moments; blend (W, N), rows sum to one.
    """

    head: HeadModel
    template: Array
    deltas: Array
    moving: NDArray[np.intp]
    motions: Array
    share: Array
    centre: Array
    inverse: Array
    blend: Array

    @classmethod
    def of(cls, head: HeadModel) -> KeySolver:
        """For a head with the 52 names; ValueError without one of them."""
        order = [head.expression_names.index(name) for name in ARKIT_NAMES]
        deltas = np.ascontiguousarray(head.expression_basis[:, :, order].transpose(2, 0, 1))
        template = head.template
        # What follows others is carried by them: counted here, it would weigh them twice.
        own = head.proper_count
        moving = np.nonzero(np.abs(deltas[:, :own]).max(axis=(0, 2)) > 1e-7)[0]
        nodes = template[_spread(template, moving)]
        bumps = np.exp(-_squares(nodes, template[:own]) / (2 * _WIDTH**2))
        share = bumps / bumps.sum(axis=1, keepdims=True)
        centre = share @ template[:own]
        moments = _moments(share, template[:own], centre, template[:own])
        near = bumps[:, moving].T + 1e-12
        return cls(
            head,
            template,
            deltas,
            moving,
            np.ascontiguousarray(deltas[:, moving].transpose(2, 0, 1)),
            share,
            centre,
            np.asarray(np.linalg.inv(moments + _FLAT * np.eye(3)), np.float64),
            near / near.sum(axis=1, keepdims=True),
        )

    def solve(self, neutral: Array) -> Array:
        """(52, V, 3) the keys of a person at rest, neutral (V, 3)."""
        at = self._map(neutral) + np.eye(3)
        out = self.deltas.copy()
        moved = np.empty((len(out), len(self.moving), 3))
        # Row by row of the matrices of threes: einsum and matmul take several times as long.
        for i in range(3):
            np.multiply(at[:, i, 0], self.motions[0], out=moved[..., i])
            for j in (1, 2):
                moved[..., i] += at[:, i, j] * self.motions[j]
        out[:, self.moving] = moved
        if self.head.followers is not None:
            self.head.followers.carry(out)
        return out

    def carried(self, neutral: Array, shape: Array) -> Array:
        """(V, 3) another shape of the template (V, 3), where its keys move."""
        out = shape.copy()
        out[self.moving] += np.einsum("wij,wj->wi", self._map(neutral), shape[self.moving])
        return self.head.led(out)

    def _map(self, neutral: Array) -> Array:
        """(W, 3, 3) A - 1 at the moving vertices."""
        own = slice(self.head.proper_count)
        off = neutral[own] - self.template[own]
        change = _moments(self.share, off, self.share @ off, self.template[own]) @ self.inverse
        return (self.blend @ change.reshape(-1, 9)).reshape(-1, 3, 3)


@lru_cache(maxsize=2)
def key_solver(head: HeadModel) -> KeySolver:
    """The solver of a head, made once."""
    return KeySolver.of(head)


def _moments(share: Array, values: Array, middle: Array, points: Array) -> Array:
    """(N, 3, 3) of values (V, 3) about their means, by points (V, 3) about theirs."""
    products = (values[:, :, None] * points[:, None, :]).reshape(-1, 9)
    centre = share @ points
    out: Array = (share @ products).reshape(-1, 3, 3) - middle[:, :, None] * centre[:, None, :]
    return out


def _spread(vertices: Array, moving: NDArray[np.intp]) -> NDArray[np.intp]:
    """Up to _NODES moving vertices that lie as far from each other as can be."""
    points = vertices[moving]
    chosen = [int(points[:, 2].argmax())]
    away = np.full(len(points), np.inf)
    for _ in range(min(_NODES, len(points)) - 1):
        away = np.minimum(away, ((points - points[chosen[-1]]) ** 2).sum(axis=1))
        chosen.append(int(away.argmax()))
    return moving[chosen]


def _squares(one: Array, other: Array) -> Array:
    out: Array = (one**2).sum(axis=1)[:, None] - 2 * one @ other.T + (other**2).sum(axis=1)[None]
    return np.maximum(out, 0)
