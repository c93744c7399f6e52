# SPDX-License-Identifier: GPL-3.0-or-later
"""One setup job in steps that never block, as operators.running wants it."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

from ..jobs import session
from ..jobs.job import Job, Progress


class SetupRun:
    """path: what the status names while it runs."""

    def __init__(self, kind: str, params: dict[str, Any], about: str) -> None:
        self.path = Path(about)
        self._kind, self._params = kind, params
        self._job: Job | None = None
        self._asked = False

    @property
    def cancelled(self) -> bool:
        """True from the moment of asking."""
        return self._asked

    def cancel(self) -> None:
        """Ends the steps at once; what was half made is taken away by the worker."""
        self._asked = True
        if self._job is not None:
            self._job.cancel()

    def steps(self, wait: float = 0.0) -> Generator[Progress | None, None, dict[str, Any]]:
        """See Job.events."""
        self._job = session.jobs().start(self._kind, self._params)
        return (yield from self._job.events(wait))
