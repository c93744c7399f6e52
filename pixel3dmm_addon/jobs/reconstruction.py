# SPDX-License-Identifier: GPL-3.0-or-later
"""A photo becomes a rigged head."""

from __future__ import annotations

import time
from collections.abc import Generator

from ...core.errors import ModelFileError
from ...core.rigged_head import RiggedHead
from ..photos.loading import loading
from . import session
from .job import Progress
from .outcome import Outcome
from .run import Run, read_head, result_path, warnings_of
from .scratch import PrivateFolder


class ReconstructionRun(Run[Outcome]):
    """From one photo, with fields of core.options.Options."""

    def steps(self, wait: float = 0.0) -> Generator[Progress | None, None, Outcome]:
        """As StepwiseWork.steps."""
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
            rigged = yield from read_head(result_path(result, "heads", out), wait)
        error = _error_px(rigged)
        return Outcome(rigged, loaded, warnings_of(result), error, time.perf_counter() - started)


def _error_px(rigged: RiggedHead) -> float:
    """Raises ModelFileError for a report that does not say it: before anything is built."""
    try:
        error = float(rigged.report["photos"][0]["reprojection_px"]["mean"])
    except (ValueError, TypeError, LookupError) as failure:
        raise ModelFileError(
            "The head's report is missing or damaged: reconstruct it again."
        ) from failure
    return error
