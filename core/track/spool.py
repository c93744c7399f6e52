# SPDX-License-Identifier: GPL-3.0-or-later
"""What was read of a clip, on the disk: landmarks and crops of ten thousand frames (0.4 GB) need no
memory.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from typing import IO

import numpy as np
from numpy.typing import NDArray

from ..heads.face_landmarks import LANDMARK_COUNT
from .face_reader import Reading, relative_spread
from .pictures import SIDE, Crop

Array = NDArray[np.float64]

_LANDMARKS, _MATRIX = LANDMARK_COUNT * 3 * 4, 6 * 8
_BYTES = _LANDMARKS + _MATRIX + SIDE * SIDE


@dataclass(eq=False)
class Spool:
    """Frames in order: index in the clip, seconds, presence (0 where no face was seen), spread in
    eye distances, whether a shot begins, and, in a temporary file, landmarks (478, 3) and
    the face's crop.
    """

    index: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    presence: list[float] = field(default_factory=list)
    spread: list[float] = field(default_factory=list)
    cuts: list[bool] = field(default_factory=list)
    _file: IO[bytes] = field(default_factory=tempfile.TemporaryFile)

    def add(
        self,
        index: int,
        seconds: float,
        reading: Reading | None,
        cut: bool,
        crop: Crop | None = None,
    ) -> None:
        """The next frame."""
        self.index.append(index)
        self.seconds.append(seconds)
        self.cuts.append(cut)
        self.presence.append(0.0 if reading is None else reading.presence)
        self.spread.append(0.0 if reading is None else relative_spread(reading))
        points = np.zeros((LANDMARK_COUNT, 3)) if reading is None else reading.landmarks
        self._file.seek(0, 2)
        self._file.write(points.astype(np.float32).tobytes())
        if crop is None:
            self._file.write(bytes(_BYTES - _LANDMARKS))
        else:
            self._file.write(crop.matrix.astype(np.float64).tobytes() + crop.grey.tobytes())

    def __len__(self) -> int:
        return len(self.index)

    def seen(self) -> NDArray[np.bool_]:
        """(F,) where a face was."""
        return np.array(self.presence) > 0

    def landmarks(self, i: int) -> Array:
        """(478, 3) of the i-th frame."""
        self._file.seek(i * _BYTES)
        data = np.frombuffer(self._file.read(_LANDMARKS), np.float32)
        return data.reshape(LANDMARK_COUNT, 3).astype(np.float64)

    def crop(self, i: int) -> Crop | None:
        """Of the i-th frame, or None where none was kept."""
        self._file.seek(i * _BYTES + _LANDMARKS)
        matrix = np.frombuffer(self._file.read(_MATRIX), np.float64).reshape(2, 3)
        if not matrix.any():
            return None
        grey = np.frombuffer(self._file.read(SIDE * SIDE), np.uint8)
        return Crop(grey.reshape(SIDE, SIDE), matrix)

    def close(self) -> None:
        """Removes the file."""
        self._file.close()
