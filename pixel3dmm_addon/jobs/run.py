# SPDX-License-Identifier: GPL-3.0-or-later
"""What an artist's run is made of: jobs of the worker in steps that never block, arrays in files.

The scene is not touched. A modal operator takes one step a timer tick, a blocking call takes
them all in a row; both get the same.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, Generic, TypeVar

from ...core.errors import Cancelled, WorkerError
from ...core.rigged_head import RiggedHead
from ..photos.loading import LoadedPhoto
from . import session
from .job import SEE_LOG, Job, Progress
from .scratch import PrivateFolder

Result = TypeVar("Result")
Loaded = TypeVar("Loaded")
#: Seconds between two looks at the worker of who waits for it.
WAIT = 0.02


class StepwiseWork(Generic[Result]):
    """Work of the worker that can be cancelled between any two steps.

    path: what the status names while it goes on.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.cancelled = False
        self._job: Job | None = None

    def cancel(self) -> None:
        """The steps end with Cancelled soon."""
        self.cancelled = True
        if self._job is not None:
            self._job.cancel()

    def steps(self, wait: float = 0.0) -> Generator[Progress | None, None, Result]:
        """Yields news, or None where there is none after ``wait`` seconds; returns the result.

        Raises Cancelled or a PersonError.
        """
        raise NotImplementedError

    def outcome(self) -> Result:
        """All steps in a row. Raises Cancelled or a PersonError."""
        steps = self.steps(wait=WAIT)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                result: Result = end.value
                return result


class Run(StepwiseWork[Result]):
    """From photos to a head. The folder through which arrays pass is private to this user and gone
    at the end, whichever end it is.
    """

    def __init__(self, path: Path, options: dict[str, Any] | None = None) -> None:
        """options: fields of core.options.Options."""
        super().__init__(path)
        self.options = dict(options or {})

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


def result_path(result: dict[str, Any], name: str, out: Path) -> Path:
    """The file that a result names, or the first of them; in our own folder, and nowhere else.

    Raises WorkerError.
    """
    found = result.get(name)
    if isinstance(found, list) and found:
        found = found[0]
    if not isinstance(found, str) or Path(found).parent != out:
        raise WorkerError(f"The reconstruction process named no result: {SEE_LOG}")
    return Path(found)


def warnings_of(result: dict[str, Any]) -> tuple[str, ...]:
    """The sentences of a result."""
    found = result.get("warnings")
    return tuple(str(w) for w in found) if isinstance(found, list) else ()


def read_head(path: Path, wait: float) -> Generator[None, None, RiggedHead]:
    """A head that the worker wrote."""
    try:
        return (yield from loaded(lambda: RiggedHead.load(path), wait))
    except MemoryError as error:
        raise WorkerError("The head does not fit into memory: close other programs.") from error


def loaded(load: Callable[[], Loaded], wait: float) -> Generator[None, None, Loaded]:
    """What a thread reads: megabytes, on a disk that may be slow. Raises what ``load`` raises."""
    found: list[Loaded | BaseException] = []

    def work() -> None:
        try:
            found.append(load())
        except BaseException as error:  # raised by the steps
            found.append(error)

    thread = threading.Thread(target=work, name="pixel3dmm-load", daemon=True)
    thread.start()
    while thread.is_alive():
        yield
        thread.join(wait)
    if isinstance(found[0], BaseException):
        raise found[0]
    return found[0]
