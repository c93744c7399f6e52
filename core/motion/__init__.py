# SPDX-License-Identifier: GPL-3.0-or-later
"""A recorded face: how far each ARKit slider is, and where head and eyes turn, over time."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FaceMotion:
    """F moments of a face.

    times (F,) seconds from the first, increasing; names (K,) of sliders as ARKit spells them;
    values (F, K), 0 to 1; turns: "head", "eye_l" or "eye_r" -> (F, 3, 3) rotations in the head
    frame's axes (+x the subject's left, +y up, +z out of the face), the eyes' against the head.
    notes: sentences on what was odd in the recording.
    """

    times: Array
    names: tuple[str, ...]
    values: Array
    turns: dict[str, Array] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """From the first moment to the last."""
        return float(self.times[-1])


def resampled(motion: FaceMotion, rate: float) -> FaceMotion:
    """The same at ``rate`` moments a second, in straight lines between those recorded.

    A rotation is blended as its matrix and put back among rotations by its polar factor
    (Moakher, "Means and averaging in the group of rotations", 2002, section 3.1).
    """
    count = max(int(np.floor(motion.seconds * rate + 1e-6)), 0) + 1
    times = np.arange(count) / rate
    after = np.clip(np.searchsorted(motion.times, times, side="left"), 1, len(motion.times) - 1)
    if len(motion.times) == 1:
        return motion
    gap = motion.times[after] - motion.times[after - 1]
    share = np.clip((times - motion.times[after - 1]) / gap, 0.0, 1.0)

    def blend(track: Array) -> Array:
        weight = share.reshape(-1, *[1] * (track.ndim - 1))
        out: Array = (1 - weight) * track[after - 1] + weight * track[after]
        return out

    turns = {}
    for name, track in motion.turns.items():
        u, _, vt = np.linalg.svd(blend(track))
        u[..., -1] *= np.linalg.det(u @ vt)[:, None]
        turns[name] = u @ vt
    return FaceMotion(times, motion.names, blend(motion.values), turns, motion.notes)
