# SPDX-License-Identifier: GPL-3.0-or-later
"""The one set of jobs of this Blender, from register to unregister."""

from __future__ import annotations

from . import paths
from .jobs import Jobs

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
    if _jobs is not None:
        _jobs.close()
        _jobs = None
