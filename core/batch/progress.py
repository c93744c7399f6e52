# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a batch is: photos done and failed, rate, time left; for people or for programs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..console import Console
from .ledger import Record
from .plan import PersonPhotos

#: Seconds between two lines of progress; in a log.
_EVERY, _EVERY_IN_LOG = 1.0, 30.0


class BatchProgress:
    """Counts photos. A rate is of what this run made, not of what it found done."""

    def __init__(
        self, console: Console, photos: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._console, self._clock = console, clock
        self._started = self._shown = clock()
        self.total = photos
        self.made = self.failures = self.found_done = 0

    @property
    def settled(self) -> int:
        """Photos about which nothing more is to be done."""
        return self.made + self.failures + self.found_done

    @property
    def rate(self) -> float:
        """Photos a minute, 0 while none is made."""
        passed = self._clock() - self._started
        return 60.0 * (self.made + self.failures) / passed if passed > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """None while it cannot be told."""
        return 60.0 * (self.total - self.settled) / self.rate if self.rate else None

    def begun(self, person: PersonPhotos, tries: int) -> None:
        """A worker has them."""
        self._console.event("begun", person=person.name, photos=len(person.photos), tries=tries)

    def done(self, person: PersonPhotos, records: Sequence[Record]) -> None:
        """Their files lie there."""
        self.made += len(records)
        for record in records:
            line = (
                f"{record['folder']}: landmarks within {record['percent']:.1f} % of the eye "
                f"distance, {record['seconds']:.2f} s"
            )
            self._console.summary(line, **record)
        self.tick()

    def failed(self, person: PersonPhotos, records: Sequence[Record]) -> None:
        """There is no head, and why."""
        self.failures += len(records)
        first = records[0]
        if self._console.as_json:
            for record in records:
                self._console.event("photo", **record)
        else:
            self._console.explain(f"{person.name}: {first['message']}")
        self.tick()

    def skipped(self, person: PersonPhotos, *, failed: bool) -> None:
        """An earlier run, or one beside this, has settled them."""
        if failed:
            self.failures += len(person.photos)
        else:
            self.found_done += len(person.photos)
        self._console.event("skipped", person=person.name, failed=failed)
        self.tick()

    def repeated(self, person: PersonPhotos, sentence: str) -> None:
        """It is tried once more."""
        self._console.say(f"{person.name} is tried again: {sentence}")

    def waits_for_room(self, out: Path) -> None:
        """Until somebody makes some."""
        self._console.event("waiting", reason="disk")
        self._console.explain(f"The disk of {out} is full: make room there, the run waits for it.")

    def has_room(self, out: Path) -> None:
        """Somebody did."""
        self._console.say(f"The disk of {out} has room again: the run goes on.")

    def tick(self) -> None:
        """Time passes."""
        every = _EVERY if self._console.lively else _EVERY_IN_LOG
        if self._clock() - self._shown >= every or self.settled == self.total:
            self._show()

    def _show(self) -> None:
        self._shown = self._clock()
        left = self.seconds_left
        fields: dict[str, Any] = {
            "settled": self.settled,
            "failed": self.failures,
            "total": self.total,
            "photos_per_minute": round(self.rate, 2),
            "seconds_left": None if left is None else round(left),
        }
        self._console.event("progress", **fields)
        failed = f", {self.failures} failed" if self.failures else ""
        time_left = "" if left is None else f", {_words(left)} left"
        self._console.status(
            f"{self.settled} of {self.total} photos{failed}, {self.rate:.1f} a minute{time_left}"
        )


def _words(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{round(seconds)} s"
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
