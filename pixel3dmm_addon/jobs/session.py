# SPDX-License-Identifier: GPL-3.0-or-later
"""What this Blender does right now, from register to unregister: its jobs and their status.

Nothing of it is Blender's data, since that would be saved with a file: a job that was running
then would grey out the button for ever.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...core import protocol
from ...core.fitting.live_surface import LiveSurface
from ...core.rigged_head import RiggedHead
from .. import installed, neural_runtime, paths
from .outcome import Outcome
from .queue import JobQueue

#: Share of a job from which on the time that it takes tells how long the rest will take.
_TELLING = 0.1


@dataclass
class Status:
    """How far the run is, and the message of the last one.

    details: figures of the message; code: of an error (core.errors), which tells what may mend it.
    cancel: the artist asked for an end. setup: what ran last was part of the setup. photo: name of
    the one under way, started its time by time.monotonic(). waiting: photos that come after it, one
    after the other; turn: True while the next of them is being started; done and failures: how many
    of this row became heads, and the sentences of those that did not.
    """

    running: bool = False
    cancel: bool = False
    stage: str = ""
    fraction: float = 0.0
    message: str = ""
    details: str = ""
    failed: bool = False
    code: str = ""
    setup: bool = False
    photo: str = ""
    started: float = 0.0
    turn: bool = False
    waiting: list[Path] = field(default_factory=list)
    done: int = 0
    failures: list[str] = field(default_factory=list)

    @property
    def seconds_left(self) -> float | None:
        """For the photo under way; None while it cannot be estimated."""
        if not self.running or self.fraction < _TELLING:
            return None
        passed = time.monotonic() - self.started
        return passed * (1 - self.fraction) / self.fraction


@dataclass
class LastRun:
    """The last outcome, and what it depends on, so that the redo panel needs no new run.

    key: equal for the same photo and options.
    """

    key: object
    outcome: Outcome


status = Status()
#: One photo's memory, not more.
last_run: LastRun | None = None
#: The head that the last refit gave, so that the next one needs not hand it over again.
last_refit: RiggedHead | None = None
#: Of the head model that was corrected last, and its digest: it is large and always the same.
live_surface: tuple[str, LiveSurface] | None = None
_jobs: JobQueue | None = None
_neural: JobQueue | None = None


def jobs() -> JobQueue:
    """The jobs; the worker process itself starts with the first of them."""
    global _jobs
    if _jobs is None:
        _jobs = JobQueue(paths.log_file)
    return _jobs


def neural_jobs() -> JobQueue:
    """As jobs(), for what needs torch: its worker runs in the neural runtime, not in Blender's
    Python, so that whatever is wrong with the one leaves the other alone.
    """
    global _neural
    if _neural is None:
        _neural = JobQueue(
            lambda: paths.log_file().with_name("neural.log"),
            lambda: protocol.worker_command(neural_runtime.neural_command_python()),
            variables={},
        )
        _neural.idle_minutes = jobs().idle_minutes
    return _neural


def jobs_for(options: dict[str, Any]) -> JobQueue:
    """The queue whose worker can reconstruct with these fields of core.options.Options."""
    return neural_jobs() if options.get("predictor") == installed.PIXEL3DMM else jobs()


def warm_up(options: dict[str, Any] | None = None) -> None:
    """Starts a worker that is not there yet and has it load its networks, without waiting."""
    workers = jobs_for(options or {})
    if not workers.running:
        workers.start_unattended("warm", {})


def remember(key: object, outcome: Outcome) -> None:
    """Remembers an outcome instead of the one before."""
    global last_run
    last_run = LastRun(key, outcome)


def close_neural() -> None:
    """Stops the neural worker, so that its runtime can be replaced."""
    global _neural
    if _neural is not None:
        _neural.close()
        _neural = None


def close() -> None:
    """Stops the worker, and what it was working on."""
    global _jobs, _neural, last_run, last_refit, live_surface
    # Blender drops a running operator with its class, without a call to its cancel().
    status.running = status.cancel = False
    status.waiting.clear()
    last_run = last_refit = live_surface = None
    for running in (_jobs, _neural):
        if running is not None:
            running.close()
    _jobs = _neural = None
