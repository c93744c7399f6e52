# SPDX-License-Identifier: GPL-3.0-or-later
"""One setup job in steps that never block, as an operator that waits for the worker takes them."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

from ..jobs import session
from ..jobs.job import Progress
from ..jobs.run import StepwiseWork


class SetupJob(StepwiseWork[dict[str, Any]]):
    """A job that installs, removes, imports or checks; what was half made is taken away again by
    the worker.
    """

    def __init__(self, kind: str, params: dict[str, Any], about: str) -> None:
        """about: what the status names while it goes on."""
        super().__init__(Path(about))
        self._kind, self._params = kind, params

    def steps(self, wait: float = 0.0) -> Generator[Progress | None, None, dict[str, Any]]:
        """See Job.events."""
        self._job = session.jobs().start(self._kind, self._params)
        return (yield from self._job.events(wait))
