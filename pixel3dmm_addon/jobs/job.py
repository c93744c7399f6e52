# SPDX-License-Identifier: GPL-3.0-or-later
"""One job of the worker: what is asked, how far it is, and how it ended. Knows no bpy."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any, Protocol

from ...core import errors, protocol
from ...core.errors import Cancelled, PersonError, WorkerError

SEE_LOG = "try again, and look into the log (Preferences, Pixel3DMM, Open Log) if it stays so."


#: Characters of a sentence that are shown.
_LONGEST = 600


@dataclass(frozen=True)
class Progress:
    """stage in words for the artist, fraction of the whole job in 0..1."""

    stage: str
    fraction: float


class JobOwner(Protocol):
    """The queue that a job is in."""

    def cancel(self, job: Job) -> None:
        """Has the worker let go of the job."""

    def pump(self, wait: float = 0.0) -> None:
        """Takes in what the worker said; waits up to ``wait`` seconds for it."""


@dataclass
class Job:
    """One piece of work. ``state``: queued, running, done, failed or cancelled."""

    id: str
    kind: str
    params: dict[str, Any]
    _owner: JobOwner = field(repr=False)
    state: str = "queued"
    progress: Progress = Progress("Starting", 0.0)
    result: dict[str, Any] | None = None
    error: PersonError | None = None
    _cancelled_at: float | None = None
    _interrupted: bool = False
    _may_repeat: bool = False

    @property
    def finished(self) -> bool:
        """True once nothing more will happen."""
        return self.state in ("done", "failed", "cancelled")

    def cancel(self) -> None:
        """Ends ``events`` at once; the worker within INTERRUPT_AFTER + KILL_AFTER seconds."""
        self._owner.cancel(self)

    @property
    def cancelled(self) -> bool:
        """True from the moment of asking."""
        return self._cancelled_at is not None

    def events(self, wait: float = 0.0) -> Generator[Progress | None, None, dict[str, Any]]:
        """Yields news, or None where there is none after ``wait`` seconds; returns the result.

        Raises Cancelled, or the PersonError that ended the job. Left early (closed), the job
        is cancelled.
        """
        shown = None
        try:
            while not self.finished and not self.cancelled:
                self._owner.pump(wait)
                news = self.progress if self.progress != shown else None
                shown = self.progress
                yield news
        finally:
            if not self.finished:
                self.cancel()
        if self.cancelled or self.state == "cancelled":
            raise Cancelled
        if self.error is not None:
            raise self.error
        assert self.result is not None
        return self.result


def as_progress(msg: protocol.Message) -> Progress:
    """Raises WorkerError for a message without stage or fraction."""
    stage, fraction = msg.get("stage"), msg.get("fraction")
    if not isinstance(stage, str) or not isinstance(fraction, int | float):
        raise WorkerError(f"The reconstruction process sent what cannot be read: {SEE_LOG}")
    # Before it is a float: an integer may be too long for one.
    return Progress(stage[:_LONGEST], float(min(max(fraction, 0), 1)))


def as_worker_error(msg: protocol.Message) -> WorkerError:
    """What the worker said of itself, not of a job."""
    return WorkerError(_sentence(msg))


def person_error(msg: protocol.Message) -> PersonError:
    """The error of core.errors that the worker named; a WorkerError for any other code."""
    return _KINDS.get(str(msg.get("code")), WorkerError)(_sentence(msg))


def _sentence(msg: protocol.Message) -> str:
    """On one line, and of a length that a status bar can take."""
    text = " ".join(str(msg.get("message", "")).split())
    return text[:_LONGEST] or f"The reconstruction failed: {SEE_LOG}"


#: Every kind of error that a person can mend, by the code that crosses the process border.
_KINDS = {
    cls.code: cls
    for cls in vars(errors).values()
    if isinstance(cls, type) and issubclass(cls, PersonError)
}
