# SPDX-License-Identifier: GPL-3.0-or-later
"""One run from photo to rigged head, in steps that never block: photo in, arrays out.

The scene is not touched. A modal operator takes one step a timer tick, a blocking call takes
them all in a row; both get the same.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...core.errors import Cancelled, ModelFileError, PhotoError, WorkerError
from ...core.fitting.pins import Pin
from ...core.reconstruct.continuation import pins_to_json
from ...core.rigged_head import RiggedHead
from ..photos.loading import KeptPhoto, LoadedPhoto, loading
from . import session
from .job import SEE_LOG, Job, Progress
from .scratch import PrivateFolder


@dataclass(frozen=True)
class Outcome:
    """What the scene is made from, and what is said about it: warnings are sentences, error_px is
    the mean distance of the photo's landmarks.
    """

    rigged: RiggedHead
    loaded: LoadedPhoto
    warnings: tuple[str, ...]
    error_px: float
    seconds: float

    @property
    def summary(self) -> str:
        """How well it went, in figures, on one line."""
        error = self.error_px
        return f"{self.rigged.name}: {error:.1f} px from the landmarks, {self.seconds:.1f} s"


@dataclass(frozen=True)
class Change:
    """How a head in the scene is to change: the head after and before, the further photos if there
    are any, and sentences.
    """

    after: RiggedHead
    before: RiggedHead
    loaded: tuple[LoadedPhoto, ...]
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
        with PrivateFolder() as scratch:
            photo, out = scratch.path / "photo.npz", scratch.path / "out"
            out.mkdir()
            loaded = yield from self._photo(loading(self.path, photo), wait)
            params = {"photos": [str(photo)], "options": self.options, "out": str(out)}
            result = yield from self._ask("reconstruct", params, scratch, wait)
            rigged = yield from _read(_path(result, "heads", out), wait)
        error = _error_px(rigged)
        return Outcome(rigged, loaded, _warnings(result), error, time.perf_counter() - started)

    def _ask(
        self, kind: str, params: dict[str, Any], scratch: PrivateFolder, wait: float
    ) -> Generator[Progress | None, None, dict[str, Any]]:
        """The worker's result of a job that writes into a folder of ours."""
        self._job = session.jobs_for(self.options).start(kind, params)
        scratch.used_by(self._job)
        return (yield from self._job.events(wait))

    def _photo(
        self, steps: Generator[None, None, LoadedPhoto], wait: float
    ) -> Generator[None, None, LoadedPhoto]:
        """What ``loading`` a photo ends with."""
        try:
            while True:
                if self.cancelled:
                    raise Cancelled
                next(steps)
                yield
                if wait:
                    time.sleep(min(wait, 0.01))
        except StopIteration as end:
            return end.value
        finally:
            steps.close()


class RefitRun(Run):
    """A head's fit goes on: under pins, and with further photos if there are paths."""

    def __init__(
        self,
        told: str,
        pins: Sequence[Pin],
        paths: Sequence[Path] = (),
        options: dict[str, Any] | None = None,
        earlier: Sequence[KeptPhoto | None] = (),
    ) -> None:
        """told: JSON of core.reconstruct.continuation. earlier: its photos, in its order, as far
        as they are at hand; the further ones are compared with them.
        """
        super().__init__(paths[0] if paths else Path(), options)
        self._told, self._pins, self._paths = told, list(pins), list(paths)
        self._earlier = list(earlier) if paths else []

    def steps(self, wait: float = 0.0) -> Generator[Progress | None, None, Change]:
        """As Run.steps."""
        with PrivateFolder() as scratch:
            photos, out = [], scratch.path / "out"
            out.mkdir()
            loaded, earlier = [], []
            if self._paths:
                yield Progress("Reading the photo", 0.0)
                session.warm_up()
                # The new photos come last: the last one stays remembered.
                for i, kept in enumerate(self._earlier):
                    earlier.append((yield from self._at_hand(kept, scratch.path, i, wait)))
                for i, path in enumerate(self._paths):
                    photos.append(scratch.path / f"photo-{i}.npz")
                    loaded.append((yield from self._photo(loading(path, photos[i]), wait)))
            params = {
                "continuation": self._told,
                "pins": pins_to_json(self._pins),
                "photos": list(map(str, photos)),
                "earlier": earlier,
                "options": self.options,
                "out": str(out),
            }
            # A drag after a drag: what stands in the scene is what came last.
            last = session.refitted
            before = last if last is not None and last.continuation_json == self._told else None
            params["before"] = before is None
            result = yield from self._ask("refit", params, scratch, wait)
            after = yield from _read(_path(result, "after", out), wait)
            if before is None:
                before = yield from _read(_path(result, "before", out), wait)
        session.refitted = after
        return Change(after, before, tuple(loaded), _warnings(result))

    def _at_hand(
        self, kept: KeptPhoto | None, folder: Path, number: int, wait: float
    ) -> Generator[None, None, str | None]:
        """The file in which an earlier photo's pixels are; None where it cannot be read, which is
        said with the result.
        """
        if kept is None:
            return None
        path, target = kept.source, folder / f"earlier-{number}.npz"
        if isinstance(path, bytes):
            # Any ending will do: pictures are known by their first bytes.
            path = folder / f"earlier-{number}.jpg"
            path.write_bytes(kept.source)
        try:
            yield from self._photo(loading(path, target, kept.sha256), wait)
        except PhotoError:
            return None
        return str(target)

    def outcome(self) -> Change:
        """All steps in a row."""
        steps = self.steps(wait=0.02)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                return end.value


class RebuildRun(Run):
    """The photo and its recipe's options once more; a fit that went on is made from what the head
    keeps of it.
    """

    def __init__(
        self, path: Path, options: dict[str, Any], told: str = "", pins: Sequence[Pin] = ()
    ) -> None:
        """told: JSON of core.reconstruct.continuation, of a head refined under these pins."""
        super().__init__(path, options)
        self._told, self._pins = told, list(pins)

    def steps(self, wait: float = 0.0) -> Generator[Progress | None, None, Outcome]:
        """As Run.steps."""
        outcome = yield from super().steps(wait)
        if not self._told:
            return outcome
        head = {"head": self.options["head"]}
        change = yield from RefitRun(self._told, self._pins, options=head).steps(wait)
        warnings = tuple(dict.fromkeys((*outcome.warnings, *change.warnings)))
        # A fit that goes on paints no skin: it has that of the first one, as in the old head.
        first, then = outcome.rigged, change.before
        painted = {
            f.name: getattr(first, f.name)
            for f in fields(first)
            if f.name.startswith(("skin_", "eye_")) and np.size(getattr(first, f.name))
        }
        return replace(outcome, rigged=replace(then, **painted), warnings=warnings)


def _path(result: dict[str, Any], name: str, out: Path) -> Path:
    """The file that a result names, or the first of them; in our own folder, and nowhere else."""
    found = result.get(name)
    if isinstance(found, list) and found:
        found = found[0]
    if not isinstance(found, str) or Path(found).parent != out:
        raise WorkerError(f"The reconstruction process named no result: {SEE_LOG}")
    return Path(found)


def _warnings(result: dict[str, Any]) -> tuple[str, ...]:
    found = result.get("warnings")
    return tuple(str(w) for w in found) if isinstance(found, list) else ()


def _read(path: Path, wait: float) -> Generator[None, None, RiggedHead]:
    """A thread reads and checks it: megabytes, on a disk that may be slow."""
    found: list[RiggedHead | BaseException] = []

    def work() -> None:
        try:
            found.append(RiggedHead.load(path))
        except MemoryError:
            found.append(WorkerError("The head does not fit into memory: close other programs."))
        except BaseException as error:  # raised where somebody waits for it
            found.append(error)

    thread = threading.Thread(target=work, name="pixel3dmm-head", daemon=True)
    thread.start()
    while thread.is_alive():
        yield
        thread.join(wait)
    if isinstance(found[0], BaseException):
        raise found[0]
    return found[0]


def _error_px(rigged: RiggedHead) -> float:
    """Raises ModelFileError for a report that does not say it: before anything is built."""
    try:
        error = float(rigged.report["photos"][0]["reprojection_px"]["mean"])
    except (ValueError, TypeError, LookupError) as failure:
        raise ModelFileError(
            "The head's report is missing or damaged: reconstruct it again."
        ) from failure
    return error
