# SPDX-License-Identifier: GPL-3.0-or-later
"""The landmarks of one photo as they stand while a fit is corrected: fitted, pinned, dragged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...core.fitting.pins import Pin
from ...core.reconstruct.continuation import Continuation

#: Region pixels within which a press takes hold of a landmark.
REACH = 14.0
#: A pin counts as this share of its distance.
PIN_NEARER = 0.4


def with_pin(pins: Sequence[Pin], pin: Pin) -> list[Pin]:
    """The pins with one more, in place of one on the same landmark of the same photo."""
    return [*without_pin(pins, pin.photo, pin.landmark), pin]


def without_pin(pins: Sequence[Pin], photo: int, landmark: int) -> list[Pin]:
    """The pins without the one on a landmark of a photo."""
    return [p for p in pins if (p.photo, p.landmark) != (photo, landmark)]


@dataclass
class PinnedLandmarks:
    """known: the fit; photo: which of its photos; wanted: pins that were asked for and are not
    solved yet; hover: the landmark under the mouse; drag: a landmark and its photo pixels (2,).
    """

    known: Continuation
    photo: int
    wanted: list[Pin] | None = None
    hover: int | None = None
    drag: tuple[int, np.ndarray] | None = None

    def pins(self) -> list[Pin]:
        """The last that were asked for, solved or not."""
        return list(self.known.pins if self.wanted is None else self.wanted)

    def dropped(self) -> list[Pin]:
        """The drag ends: the pins with one where the landmark was dragged to."""
        assert self.drag is not None
        (landmark, (x, y)), self.drag = self.drag, None
        return with_pin(self.pins(), Pin(self.photo, landmark, float(x), float(y)))

    def places(self) -> np.ndarray:
        """(478, 2) photo pixels, pinned ones where their pins are."""
        out = self.known.photos[self.photo].landmarks_fit.copy()
        for pin in self.pins():
            if pin.photo == self.photo:
                out[pin.landmark] = pin.x, pin.y
        if self.drag is not None:
            out[self.drag[0]] = self.drag[1]
        return out

    def nearest(self, at: np.ndarray, mouse: tuple[float, float], *, only_pins: bool) -> int | None:
        """The landmark within REACH of the mouse; at (478, 2) and mouse: region pixels."""
        distance = np.nan_to_num(np.linalg.norm(at - mouse, axis=1), nan=np.inf)
        pins = self._pinned()
        if only_pins:
            distance[np.setdiff1d(np.arange(len(distance)), pins)] = np.inf
        # What was pinned is what is most likely meant among landmarks that lie close together.
        ranked = distance.copy()
        ranked[pins] *= PIN_NEARER
        nearest = int(np.argmin(ranked))
        return nearest if distance[nearest] < REACH else None

    def groups(self, shown: np.ndarray) -> dict[str, list[int]]:
        """Rows of "point", "pin" and "held" among those shown, (478,) bool."""
        pins = set(self._pinned())
        held = {self.hover, self.drag[0] if self.drag else None}
        out: dict[str, list[int]] = {"point": [], "pin": [], "held": []}
        for i in np.nonzero(shown)[0].tolist():
            out["held" if i in held else "pin" if i in pins else "point"].append(i)
        return out

    def _pinned(self) -> list[int]:
        return [p.landmark for p in self.pins() if p.photo == self.photo]
