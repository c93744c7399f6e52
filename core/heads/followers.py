# SPDX-License-Identifier: GPL-3.0-or-later
"""Vertices that ride on others: teeth on their gums, lashes and brows on the skin.

A follower moves by a weighted sum of the motions of its leaders, whatever moves them: identity,
a slider, a pose corrective. The weights of one follower sum to one, and its leaders are vertices
of the head proper, which come first. So a head's file holds the shapes of the head proper alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: Up to so many numbers a vertex, sums over rows beat the product with a full matrix.
_FEW = 12


@dataclass(frozen=True, eq=False)
class Followers:
    """start (n + 1,): follower i has the rows start[i]:start[i + 1] of leader and weight, which
    are (m,); no follower is without a leader.
    """

    start: NDArray[np.integer[Any]]
    leader: NDArray[np.integer[Any]]
    weight: Array

    @property
    def count(self) -> int:
        """n."""
        return len(self.start) - 1

    @cached_property
    def _matrix(self) -> tuple[NDArray[np.intp], Array]:
        """The leaders (l,), each once, and the weights (n, l) on them: few lead many, so that for
        many motions at once a product with a full matrix takes a tenth of the time of sums.
        """
        leaders, at = np.unique(self.leader, return_inverse=True)
        weights = np.zeros((self.count, len(leaders)))
        sizes = self.start[1:].astype(np.intp) - self.start[:-1].astype(np.intp)
        rows = np.repeat(np.arange(self.count), sizes)
        np.add.at(weights, (rows, at.reshape(-1)), self.weight)
        return leaders.astype(np.intp), weights

    @cached_property
    def _light_matrix(self) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
        leaders, weights = self._matrix
        return leaders, weights.astype(np.float32)

    @cached_property
    def _rows(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        return self.leader.astype(np.intp), self.start[:-1].astype(np.intp)

    @cached_property
    def _leaders(self) -> NDArray[np.intp]:
        return np.unique(self.leader).astype(np.intp)

    def extend(self, motion: Array) -> Array:
        """Motion (V, ...) of the head proper -> (V + n, ...), the followers' after it."""
        if not self.count:
            return motion
        flat = motion.reshape(len(motion), -1)
        out = np.empty((len(motion) + self.count, flat.shape[1]))
        out[: len(motion)] = flat
        leader, start = self._rows
        followers = out[len(motion) :]
        if not flat.take(self._leaders, axis=0).any():
            followers[:] = 0.0  # most of what moves a face moves no leader at all
        elif flat.shape[1] > _FEW:
            leaders, weights = self._matrix
            followers[:] = weights @ flat[leaders]
        else:
            # take() and a product in place: a third of what indexing takes.
            rows = np.asarray(flat, np.float64).take(leader, axis=0)
            rows *= self.weight[:, None]
            np.add.reduceat(rows, start, axis=0, out=followers)
        return out.reshape(-1, *motion.shape[1:])

    def carry(self, motions: Array) -> None:
        """In place: in each of motions (k, V + n, 3), the followers' what their leaders' make it.
        For many at once; exact to a ten-millionth.
        """
        if not self.count:
            return
        leaders, weights = self._light_matrix
        led = motions[:, leaders].astype(np.float32)
        moving = np.nonzero(led.any(axis=(1, 2)))[0]
        motions[:, -self.count :] = 0.0  # most of what moves a face moves no leader at all
        columns = led[moving].transpose(1, 0, 2).reshape(len(leaders), -1)
        carried = (weights @ columns).reshape(self.count, len(moving), 3)
        motions[moving, -self.count :] = carried.transpose(1, 0, 2)

    def check(self, count: int) -> None:
        """Raises ValueError unless the arrays belong to a head proper of ``count`` vertices."""
        sizes = np.diff(self.start.astype(np.int64))
        if self.start[0] != 0 or (sizes < 1).any() or self.start[-1] != len(self.leader):
            raise ValueError("a follower has no leaders")
        if len(self.leader) != len(self.weight) or not np.isfinite(self.weight).all():
            raise ValueError("leaders without weights")
        if len(self.leader) and not 0 <= self.leader.min() <= self.leader.max() < count:
            raise ValueError("a leader is no vertex of the head")
