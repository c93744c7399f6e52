# SPDX-License-Identifier: GPL-3.0-or-later
"""The pins of one photo while a fit is corrected: asked for, dragged, under the mouse.

What follows them is core's LiveFit; here is which point is meant and what a drag makes of it.
Places are photo pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ...core.fitting.live_fit import LiveFit, LivePose
from ...core.fitting.pins import Pin
from ...core.reconstruct.continuation import Continuation

#: Region pixels within which a press takes hold of a handle, and of the mesh's outline.
REACH, OUTLINE = 13.0, 10.0
#: A pin counts as this share of its distance.
PIN_NEARER = 0.4


def with_pin(pins: Sequence[Pin], pin: Pin) -> list[Pin]:
    """The pins with one more, in place of one on the same point of the same photo."""
    return [*without_pin(pins, pin), pin]


def without_pin(pins: Sequence[Pin], pin: Pin) -> list[Pin]:
    """The pins without the one on the same point of the same photo."""
    return [p for p in pins if p.place != pin.place]


@dataclass(frozen=True)
class Mark:
    """What the mouse can take hold of: a point of the head, at no place or where its pin is; name
    in English, empty for a place that has none.
    """

    pin: Pin
    name: str = ""


@dataclass
class FitPins:
    """known: the fit; photo: which of its photos; live: what follows the pins, None until the
    worker has brought it; pose and scene: the head under the pins of now, and under those of the
    fit, which the scene shows; wanted: pins that were asked for and are not fitted yet; hover:
    under the mouse; held: what is dragged, base: the head as it was before, grip: from where the
    mouse took hold of it to its point, dragged: the pins of the drag.
    """

    known: Continuation
    photo: int
    live: LiveFit | None = None
    pose: LivePose | None = None
    scene: LivePose | None = None
    wanted: list[Pin] | None = None
    hover: Mark | None = None
    held: Mark | None = None
    base: LivePose | None = None
    grip: np.ndarray = field(default_factory=lambda: np.zeros(2))
    dragged: list[Pin] = field(default_factory=list)
    _known_marks: tuple[bool, list[Mark]] | None = None

    def pins(self) -> list[Pin]:
        """The last that were asked for, fitted or not; those of a drag while there is one."""
        if self.held is not None and self.dragged:
            return list(self.dragged)
        return list(self.known.pins if self.wanted is None else self.wanted)

    def own(self) -> list[Pin]:
        """Those on this photo."""
        return [p for p in self.pins() if p.photo == self.photo]

    def follow(self, live: LiveFit | None) -> None:
        """Another fit is known: its pose under the pins of now."""
        self.live = live
        self.scene = self.pose = None
        if live is not None:
            self.scene = live.solve(self.known.pins)
            self.pose = live.solve(self.pins()) if self.pins() != list(self.known.pins) else None
            self.pose = self.pose or self.scene

    def learn(self, known: Continuation) -> None:
        """The scene shows another fit; a drag goes on."""
        self.known, self.wanted = known, None
        self.follow(self.live)

    def marks(self, *, everything: bool) -> list[Mark]:
        """All that has a name: the few handles that matter first, or every landmark as well."""
        if self.live is None:
            return []
        surface, out = self.live.surface, []
        for handle in surface.handles:
            if handle.first or everything:
                out.append(Mark(surface.pin_of(handle, self.photo), handle.name))
        if everything:
            named = {m.pin.landmark for m in out}
            for i in range(len(surface.landmark_vertices)):
                pin = None if i in named else surface.pin_of_landmark(i, self.photo)
                if pin is not None:
                    out.append(Mark(pin))
        return out

    def shown(self, *, everything: bool) -> tuple[list[Mark], np.ndarray]:
        """Those of the marks that this photo shows and no pin holds, then the pins, and their
        places (n, 2).
        """
        live, pose = self.live, self.pose
        if live is None or pose is None:
            return [], np.zeros((0, 2))
        if self._known_marks is None or self._known_marks[0] != everything:
            self._known_marks = (everything, self.marks(everything=everything))
        marks, own = self._known_marks[1], self.own()
        names, held = {m.pin.place: m.name for m in marks}, {p.place for p in own}
        there, at, seen = live.places_of([m.pin for m in marks], pose)
        rows = [i for i, pin in enumerate(there) if seen[i] and pin.place not in held]
        found = [Mark(there[i], names[there[i].place]) for i in rows]
        pinned = np.array([[p.x, p.y] for p in own]).reshape(-1, 2)
        found += [Mark(p, names.get(p.place, "")) for p in own]
        return found, np.concatenate([at[rows].reshape(-1, 2), pinned])

    def under(
        self,
        marks: Sequence[Mark],
        on_screen: np.ndarray,
        mouse: np.ndarray,
        at: np.ndarray,
        scale: float,
    ) -> Mark | None:
        """What a press would take hold of. marks: shown, on_screen (n, 2) their region pixels;
        mouse (2,) region pixels, at (2,) the same on the photo; scale: region pixels a photo pixel.
        """
        if self.live is None or self.pose is None:
            return None
        if len(marks):
            distance = np.nan_to_num(np.linalg.norm(on_screen - mouse, axis=1), nan=np.inf)
            # What was pinned is most likely meant among points that lie close together.
            held = {p.place for p in self.own()}
            nearer = [PIN_NEARER if m.pin.place in held else 1.0 for m in marks]
            best = int((distance * nearer).argmin())
            if distance[best] < REACH:
                return marks[best]
        pin = self.live.grip(self.pose, at, OUTLINE / max(scale, 1e-6))
        return None if pin is None else Mark(pin)

    def is_pin(self, mark: Mark | None) -> bool:
        """Whether the mark is a pin of this photo."""
        return mark is not None and any(p.place == mark.pin.place for p in self.own())

    def take(self, mark: Mark, at: np.ndarray) -> None:
        """A drag begins with the mouse at photo pixels (2,)."""
        assert self.live is not None
        place = self.at(mark)
        self.base = self.live.solve(self.pins())
        self.grip, self.held, self.dragged = place - at, mark, []

    def drag(self, at: np.ndarray, *, symmetric: bool) -> None:
        """The mouse is at photo pixels (2,) now, and the head follows."""
        assert self.held is not None
        self.move(self.held, at + self.grip, symmetric=symmetric)

    def move(self, mark: Mark, to: np.ndarray, *, symmetric: bool) -> None:
        """A point's pin goes to photo pixels (2,), with the one across the face if symmetric."""
        assert self.live is not None
        start = self.wanted if self.wanted is not None else list(self.known.pins)
        pin = replace(mark.pin, x=float(to[0]), y=float(to[1]))
        pins = with_pin(start, pin)
        other = self.live.mirrored(pin, self.base) if symmetric and self.base else None
        if other is not None:
            pins = with_pin(pins, other)
        self.dragged = pins
        self.pose = self.live.solve(pins, None if self.pose is None else self.pose.state)

    def drop(self) -> list[Pin]:
        """The drag ends: the pins that are to be fitted; a press without a move pins the point
        where it is.
        """
        assert self.held is not None
        if not self.dragged:
            self.move(self.held, self.at(self.held), symmetric=False)
        pins, self.held, self.dragged = self.dragged, None, []
        self.wanted = pins
        return pins

    def give_up(self) -> None:
        """The drag ends and nothing is changed."""
        self.held, self.dragged = None, []
        self.follow(self.live)

    def nudge(self, mark: Mark, by: np.ndarray, *, symmetric: bool) -> list[Pin]:
        """The pins with one moved by photo pixels (2,)."""
        assert self.live is not None
        self.base = self.live.solve(self.pins())
        self.move(mark, self.at(mark) + by, symmetric=symmetric)
        self.wanted, self.dragged = self.dragged, []
        return self.wanted

    def at(self, mark: Mark) -> np.ndarray:
        """Where a mark is: at its pin, or where the head has it."""
        assert self.live is not None
        assert self.pose is not None
        for p in self.own():
            if p.place == mark.pin.place:
                return np.array([p.x, p.y])
        place = self.live.place_of(mark.pin, self.pose)
        return np.array([mark.pin.x, mark.pin.y]) if place is None else place
