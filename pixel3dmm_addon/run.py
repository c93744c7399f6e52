# SPDX-License-Identifier: GPL-3.0-or-later
"""One run from photo to rigged head, in steps that never block: photo in, arrays out.

The scene is not touched. A modal operator takes one step a timer tick, a blocking call takes
them all in a row; both get the same.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.continuation import pins_to_json
from ..core.errors import Cancelled
from ..core.fitting.pins import Pin
from ..core.rig.rigged_head import RiggedHead
from . import session
from .job import Job, Progress
from .photo import LoadedPhoto, loading


@dataclass(frozen=True)
class Outcome:
    """What the scene is made from, and what is said about it: warnings are sentences."""

    rigged: RiggedHead
    loaded: LoadedPhoto
    warnings: tuple[str, ...]
    seconds: float

    @property
    def summary(self) -> str:
        """How well it went, in figures, on one line."""
        photo = self.rigged.report["photos"][0]
        error = photo["reprojection_px"]["mean"]
        return f"{self.rigged.name}: {error:.1f} px from the landmarks, {self.seconds:.1f} s"


def _private_folder() -> tempfile.TemporaryDirectory[str]:
    """For this user's eyes only. A worker that was just cancelled may still be writing into it."""
    return tempfile.TemporaryDirectory(prefix="pixel3dmm-", ignore_cleanup_errors=True)


@dataclass(frozen=True)
class Change:
    """How a head in the scene is to change: the head after and before, the further photo if there
    is one, and sentences.
    """

    after: RiggedHead
    before: RiggedHead
    loaded: LoadedPhoto | None
    warnings: tuple[str, ...]


class Run:
    """A run that can be cancelled between any two steps."""

    def __init__(self, path: Path, options: dict[str, Any] | None = None) -> None:
        """options: fields of core.pipeline.Options."""
        self.path = path
        self.options = dict(options or {})
        self.cancelled = False
        self._job: Job | None = None

    def cancel(self) -> None:
        """The steps end with Cancelled soon."""
        self.cancelled = True
        if self._job is not None:
            self._job.cancel()

    def steps(self, wait: float = 0.0) -> Generator[Progress | None, None, Outcome]:
        """Yields news, or None where there is none after ``wait`` seconds.

        Raises Cancelled or a PersonError. The folder through which arrays pass is private to
        this user and gone at the end, whichever end it is.
        """
        started = time.perf_counter()
        yield Progress("Reading the photo", 0.0)
        # What the worker loads when it is new, it loads while the photo is read.
        session.warm_up(self.options)
        with _private_folder() as scratch:
            photo, out = Path(scratch, "photo.npz"), Path(scratch, "out")
            out.mkdir()
            loaded = yield from self._photo(photo, wait)
            params = {"photos": [str(photo)], "options": self.options, "out": str(out)}
            self._job = session.jobs_for(self.options).start("reconstruct", params)
            result = yield from self._job.events(wait)
            rigged = RiggedHead.load(Path(result["heads"][0]))
        warnings = tuple(str(w) for w in result.get("warnings", ()))
        return Outcome(rigged, loaded, warnings, time.perf_counter() - started)

    def _photo(self, target: Path, wait: float) -> Generator[None, None, LoadedPhoto]:
        """The photo, also in the file ``target``."""
        steps = loading(self.path, target)
        try:
            while True:
                if self.cancelled:
                    raise Cancelled
                next(steps)
                yield
                time.sleep(min(wait, 0.01))
        except StopIteration as end:
            return end.value
        finally:
            steps.close()


class RefitRun(Run):
    """A head's fit goes on: under pins, and with a further photo if there is a path."""

    def __init__(
        self,
        told: str,
        pins: Sequence[Pin],
        path: Path | None = None,
        options: dict[str, Any] | None = None,
    ) -> None:
        """told: JSON of core.continuation."""
        super().__init__(path or Path(), options)
        self._told, self._pins, self._more = told, list(pins), path is not None

    def steps(self, wait: float = 0.0) -> Generator[Progress | None, None, Change]:
        """As Run.steps."""
        with _private_folder() as scratch:
            photo, out = Path(scratch, "photo.npz"), Path(scratch, "out")
            out.mkdir()
            loaded = None
            if self._more:
                yield Progress("Reading the photo", 0.0)
                session.warm_up()
                loaded = yield from self._photo(photo, wait)
            params = {
                "continuation": self._told,
                "pins": pins_to_json(self._pins),
                "photos": [str(photo)] if self._more else [],
                "options": self.options,
                "out": str(out),
            }
            self._job = session.jobs_for(self.options).start("refit", params)
            result = yield from self._job.events(wait)
            after = RiggedHead.load(Path(result["after"]))
            before = RiggedHead.load(Path(result["before"]))
        warnings = tuple(str(w) for w in result.get("warnings", ()))
        return Change(after, before, loaded, warnings)

    def outcome(self) -> Change:
        """All steps in a row."""
        steps = self.steps(wait=0.02)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                return end.value
