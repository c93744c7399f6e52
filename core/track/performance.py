# SPDX-License-Identifier: GPL-3.0-or-later
"""What tracking a clip yields, and what can be changed of it without tracking again."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import VideoError
from ..heads.arkit import ARKIT_NAMES
from ..motion import FaceMotion

Array = NDArray[np.float64]

#: Head to camera of a head that faces the camera, whose axes differ (see core/__init__.py).
FACING = np.diag([1.0, -1.0, -1.0])


@dataclass(frozen=True, eq=False)
class Performance:
    """F frames. frames (F,) numbers in the clip from 0; times (F,) seconds; values (F, 52) in the
    order of ARKIT_NAMES; R (F, 3, 3) and t (F, 3) metres, head to camera (OpenCV); eyes (F, 2, 3,
    3) turns of the left and the right eye in the head frame; confidence (F,) 0..1, 0 where the face
    was not seen and the curves are held; shots: first frame of each, as an index; focal: pixels;
    width, height of a frame; report: JSON-ready.
    """

    frames: NDArray[np.intp]
    times: Array
    values: Array
    R: Array
    t: Array
    eyes: Array
    confidence: Array
    shots: tuple[int, ...]
    focal: float
    width: int
    height: int
    report: dict[str, Any] = field(default_factory=dict)

    def adjusted(
        self, gains: Mapping[str, float] | None = None, muted: Collection[str] = ()
    ) -> Performance:
        """With sliders times a gain about 0, within 0 and 1, and others silent. Raises VideoError
        for a name that ARKit does not have.
        """
        values = self.values.copy()
        for name in [*(gains or {}), *muted]:
            if name not in ARKIT_NAMES:
                raise VideoError(f"There is no slider {name!r}: use ARKit's names, as jawOpen.")
        for name, gain in (gains or {}).items():
            values[:, ARKIT_NAMES.index(name)] *= gain
        for name in muted:
            values[:, ARKIT_NAMES.index(name)] = 0.0
        return replace(self, values=np.clip(values, 0.0, 1.0))

    def motion(self) -> FaceMotion:
        """For keyframes and recordings: the head's turns against a head that faces the camera."""
        turns = {
            "head": FACING @ self.R,
            "eye_l": self.eyes[:, 0],
            "eye_r": self.eyes[:, 1],
        }
        return FaceMotion(self.times - self.times[0], ARKIT_NAMES, self.values, turns)
