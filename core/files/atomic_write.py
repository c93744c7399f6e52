# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes big files so that nobody ever sees half of one: lock, room on the disk, rename.

A lock is the operating system's, on a file of its own, and ends with the process that holds it:
a crash leaves nothing that has to be cleared by hand.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import OutputError

#: Left free beside what is written, so that the system itself does not run out.
_MARGIN = 64 << 20


@contextmanager
def exclusive(lock: Path, busy: str) -> Iterator[None]:
    """Holds the lock file for the block; its folder is made if need be.

    busy: the whole sentence for the person if another process holds it, raised as OutputError.
    """
    with _sentences(lock.parent):
        lock.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not (_try_lock(handle) and _same_file(handle, lock)):
            raise OutputError(busy)
        try:
            yield
        finally:
            if sys.platform != "win32":  # there an open file cannot be removed; done below
                lock.unlink(missing_ok=True)
    finally:
        os.close(handle)
    if sys.platform == "win32":
        with suppress(PermissionError):  # the next process has it open already
            lock.unlink(missing_ok=True)


def require_room(folder: Path, needed: int, what: str) -> None:
    """Raises OutputError if the disk of ``folder`` has no room for ``needed`` more bytes."""
    with _sentences(folder):
        free = shutil.disk_usage(folder).free
    if free < needed + _MARGIN:
        raise OutputError(
            f"There is not enough room for {what}: {_megabytes(needed + _MARGIN)} are needed and "
            f"{_megabytes(free)} are free on the disk of {folder}."
        )


@contextmanager
def placed(target: Path) -> Iterator[Path]:
    """A path beside ``target`` to write to; it becomes the target if the block ends well.

    Whatever else happens, nothing of it is left. Only one process may do so for one target at a
    time (``exclusive``): the leavings of one that was killed are taken away first.
    """
    part = target.with_name(target.name + ".part")
    with _sentences(target.parent):
        try:
            part.unlink(missing_ok=True)
            yield part
            with part.open("rb+") as stream:
                os.fsync(stream.fileno())
            os.replace(part, target)
        finally:
            part.unlink(missing_ok=True)


@contextmanager
def _sentences(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"The folder {folder} cannot be written ({error.strerror}): free some room there or "
            "choose another one."
        ) from error


def _try_lock(handle: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _same_file(handle: int, lock: Path) -> bool:
    """False if the holder before us removed the file between our opening and our locking it."""
    try:
        return os.path.samestat(os.fstat(handle), lock.stat())
    except FileNotFoundError:
        return False


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.0f} MB"
