# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders through which photos and arrays pass to the worker: private, and gone at the end.

A job that was cancelled may still write for a moment: its folder is removed again when the worker
has let go of it. A Blender that was killed cannot remove anything: the next one does, and knows a
folder that is still in use by a lock, which ends with the process that holds it. Knows no bpy.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import IO

from .job import Job

PREFIX = "pixel3dmm-"
_LOCK = "in-use"
#: Seconds for which a folder may be without a lock, since it is made before that is taken.
_NEW = 60.0
#: Seconds between two looks at a job that was cancelled, and how often a folder is then removed
#: into which its worker, on its way out, still writes.
_PAUSE, _TRIES = 0.05, 100


class PrivateFolder:
    """``with PrivateFolder() as folder``: for this user's eyes only. Raises OSError."""

    def __init__(self) -> None:
        _remove_abandoned_once()
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX))
        self._job: Job | None = None
        self._lock: IO[bytes] | None = None
        try:
            self._lock = open(self.path / _LOCK, "wb")  # noqa: SIM115 - held until close()
        except OSError:
            self.close()
            raise
        # A drive without locks keeps what a Blender leaves that was killed.
        with contextlib.suppress(OSError):
            _lock(self._lock)

    def used_by(self, job: Job) -> None:
        """The worker may write here until this job has ended."""
        self._job = job

    def close(self) -> None:
        """Everything in it is removed, again and again until nothing is written any more."""
        if self._lock is not None:
            self._lock.close()
        shutil.rmtree(self.path, ignore_errors=True)
        if self.path.exists() or not (self._job is None or self._job.finished):
            threading.Thread(target=self._remove_later, name="pixel3dmm-scratch").start()

    def _remove_later(self) -> None:
        while not (self._job is None or self._job.finished):
            time.sleep(_PAUSE)
        for _ in range(_TRIES):
            shutil.rmtree(self.path, ignore_errors=True)
            if not self.path.exists():
                return
            time.sleep(_PAUSE)

    def __enter__(self) -> PrivateFolder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def remove_abandoned() -> int:
    """Removes what Blenders have left behind that did not live to do so; how many folders."""
    removed = 0
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        try:
            if folder.is_symlink() or time.time() - folder.stat().st_mtime < _NEW:
                continue
            with open(folder / _LOCK, "r+b") as lock:
                _lock(lock)
        except OSError:  # in use, not ours to touch, or no folder of this kind
            continue
        shutil.rmtree(folder, ignore_errors=True)
        removed += 1
    return removed


_looked = threading.Lock()


def _remove_abandoned_once() -> None:
    """In a thread, the first time that this process needs a folder."""
    if _looked.acquire(blocking=False):
        threading.Thread(target=remove_abandoned, name="pixel3dmm-scratch", daemon=True).start()


def _lock(file: IO[bytes]) -> None:
    """Raises OSError if another process holds it, or this one by another handle."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
