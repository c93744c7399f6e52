# SPDX-License-Identifier: GPL-3.0-or-later
"""Smoothing of values over a head's surface, from vertex to vertex."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..geometry.mesh import edges
from ..heads.model import HeadModel

Floats = NDArray[np.float32]


@lru_cache(maxsize=2)
def neighbours(head: HeadModel) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """The first neighbour of every vertex, the second of those that have one, and so on."""
    links = edges(head.triangles)
    both = np.concatenate([links, links[:, ::-1]])
    both = both[np.argsort(both[:, 0], kind="stable")].astype(np.intp)
    rank = np.arange(len(both)) - np.searchsorted(both[:, 0], both[:, 0])
    return [(both[rank == k, 0], both[rank == k, 1]) for k in range(int(rank.max()) + 1)]


def smoothed(
    values: Floats, links: list[tuple[NDArray[np.intp], NDArray[np.intp]]], rounds: int
) -> Floats:
    """Values (V, k), each repeatedly replaced by the mean of its own and its neighbours'."""
    count = np.ones((len(values), 1), np.float32)
    for rows, _ in links:
        count[rows] += 1
    for _ in range(rounds):
        total = values.copy()
        for rows, others in links:
            total[rows] += values[others]
        values = total / count
    return values
