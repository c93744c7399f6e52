# SPDX-License-Identifier: GPL-3.0-or-later
"""Has the worker bring what follows a photo's pins at once."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

from ...core.fitting.live_fit import LiveFit
from ...core.reconstruct.live_files import load_fit, load_surface
from . import session
from .job import Progress
from .run import Run, loaded, result_path
from .scratch import PrivateFolder


class LiveRun(Run[LiveFit]):
    """A head's fit around where it ended, for one of its photos."""

    def __init__(self, continuation: str, photo: int, digest: str, options: dict[str, Any]) -> None:
        """continuation: JSON of core.reconstruct.continuation; digest: of its head model."""
        super().__init__(Path(), options)
        self._continuation, self._index, self._digest = continuation, photo, digest

    def steps(self, wait: float = 0.0) -> Generator[Progress | None, None, LiveFit]:
        """As StepwiseWork.steps."""
        known = session.live_surface
        surface = known[1] if known is not None and known[0] == self._digest else None
        with PrivateFolder() as scratch:
            out = scratch.path / "out"
            out.mkdir()
            params = {
                "continuation": self._continuation,
                "photo": self._index,
                "options": self.options,
                "out": str(out),
                "surface": surface is None,
            }
            result = yield from self._ask("live", params, scratch, wait)
            if surface is None:
                path = result_path(result, "surface", out)
                surface = yield from loaded(lambda: load_surface(path), wait)
                session.live_surface = (self._digest, surface)
            fit, whole = result_path(result, "fit", out), surface
            return (yield from loaded(lambda: load_fit(fit, whole), wait))
