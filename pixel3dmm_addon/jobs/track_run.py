# SPDX-License-Identifier: GPL-3.0-or-later
"""A clip becomes a performance, in steps that never block: frames out, curves in."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any, Protocol

from ...core.errors import Cancelled
from ...core.jobs.track import STOP
from ...core.track.files import load_performance
from ...core.track.performance import Performance
from . import session
from .job import Progress
from .run import Run, result_path
from .scratch import PrivateFolder

DECODING = "Reading the clip"
#: Share of the whole that decoding is thought to take.
_DECODED = 0.3


class Frames(Protocol):
    """A clip that can be written as pictures: scene.clip_frames.ClipFrames."""

    path: Path
    rate: float

    def write(self, folder: Path) -> Generator[float, None, None]:
        """Yields the share that is done."""


class TrackRun(Run[Performance]):
    """One that can be ended early and keeps what it has."""

    def __init__(
        self,
        frames: Frames,
        continuation: str,
        options: dict[str, Any],
        focal_35mm: float | None = None,
    ) -> None:
        """options: fields of core.track.tracker.TrackOptions, with frames counted from the first
        that is decoded.
        """
        super().__init__(frames.path, {})
        self._frames, self._continuation, self._track = frames, continuation, options
        self._focal_35mm = focal_35mm
        self._early = False
        self._stop: Path | None = None

    def finish_early(self) -> None:
        """Keeps what is read by now and leaves the rest of the clip out."""
        self._early = True
        if self._stop is not None:
            self._stop.touch()

    def steps(self, wait: float = 0.0) -> Generator[Progress | None, None, Performance]:
        """As StepwiseWork.steps."""
        session.warm_up()
        with PrivateFolder() as scratch:
            frames, out = scratch.path / "frames", scratch.path / "out"
            frames.mkdir()
            out.mkdir()
            yield from self._decoded(frames)
            self._stop = out / STOP
            params = {
                "clip": str(frames),
                "rate": self._frames.rate,
                "continuation": self._continuation,
                "focal_35mm": self._focal_35mm,
                "track": self._track,
                "out": str(out),
            }
            self._job = session.jobs().start("track", params)
            scratch.used_by(self._job)
            job = self._job.events(wait)
            while True:
                try:
                    news = next(job)
                except StopIteration as end:
                    return load_performance(result_path(end.value, "track", out))
                if news is not None:
                    share = _DECODED + (1 - _DECODED) * news.fraction
                    news = Progress(news.stage, share)
                yield news

    def _decoded(self, folder: Path) -> Generator[Progress, None, None]:
        """All frames, or those so far where somebody asks for an early end."""
        steps = self._frames.write(folder)
        try:
            for done in steps:
                if self.cancelled:
                    raise Cancelled
                if self._early:
                    return
                yield Progress(DECODING, _DECODED * done)
        finally:
            steps.close()
