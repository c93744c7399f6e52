# SPDX-License-Identifier: GPL-3.0-or-later
"""What this Blender does right now, from register to unregister: its jobs and their status.

Nothing of it is Blender's data, since that would be saved with a file: a job that was running
then would grey out the button for ever.
"""

from __future__ import annotations

from dataclasses import dataclass

from . import paths
from .jobs import Jobs


@dataclass
class Status:
    """How the job does, and what the last one said. ``cancel``: the artist asked for an end."""

    running: bool = False
    cancel: bool = False
    stage: str = ""
    fraction: float = 0.0
    message: str = ""
    failed: bool = False


status = Status()
_jobs: Jobs | None = None


def jobs() -> Jobs:
    """The jobs; the worker process itself starts with the first of them."""
    global _jobs
    if _jobs is None:
        _jobs = Jobs(paths.log_file)
    return _jobs


def close() -> None:
    """Stops the worker, and what it was working on."""
    global _jobs
    # Blender drops a running operator with its class, without a call to its cancel().
    status.running = status.cancel = False
    if _jobs is not None:
        _jobs.close()
        _jobs = None
