# SPDX-License-Identifier: GPL-3.0-or-later
"""What was read of a clip, on the disk: landmarks of ten thousand frames need no memory."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from typing import IO

import numpy as np
from numpy.typing import NDArray

from ..heads.face_landmarks import LANDMARK_COUNT
from .face_reader import Reading, relative_spread

Array = NDArray[np.float64]

_BYTES = LANDMARK_COUNT * 3 * 4


@dataclass(eq=False)
class Spool:
    """Frames in order: index in the clip, seconds, presence (0 where no face was seen), spread in
    eye distances, whether a shot begins, and, in a temporary file, landmarks (478, 3).
    """

    index: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    presence: list[float] = field(default_factory=list)
    spread: list[float] = field(default_factory=list)
    cuts: list[bool] = field(default_factory=list)
    _file: IO[bytes] = field(default_factory=tempfile.TemporaryFile)

    def add(self, index: int, seconds: float, reading: Reading | None, cut: bool) -> None:
        """The next frame."""
        self.index.append(index)
        self.seconds.append(seconds)
        self.cuts.append(cut)
        self.presence.append(0.0 if reading is None else reading.presence)
        self.spread.append(0.0 if reading is None else relative_spread(reading))
        points = np.zeros((LANDMARK_COUNT, 3)) if reading is None else reading.landmarks
        self._file.seek(0, 2)
        self._file.write(points.astype(np.float32).tobytes())

    def __len__(self) -> int:
        return len(self.index)

    def seen(self) -> NDArray[np.bool_]:
        """(F,) where a face was."""
        return np.array(self.presence) > 0

    def landmarks(self, i: int) -> Array:
        """(478, 3) of the i-th frame."""
        self._file.seek(i * _BYTES)
        data = np.frombuffer(self._file.read(_BYTES), np.float32)
        return data.reshape(LANDMARK_COUNT, 3).astype(np.float64)

    def close(self) -> None:
        """Removes the file."""
        self._file.close()
