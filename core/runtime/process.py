# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a program that takes its time: everything it says goes into a log, and it can be stopped."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from typing import IO

_TICK = 0.1


def quiet_variables(**more: str) -> dict[str, str]:
    """Our environment without what would lead another Python astray."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    return {**kept, "PYTHONNOUSERSITE": "1", "PIP_USER": "0", **more}


def quiet_flags() -> int:
    """On Windows no console window appears."""
    if sys.platform == "win32":
        return subprocess.CREATE_NO_WINDOW
    return 0


def run_logged(
    command: Sequence[str], log: IO[str], tick: Callable[[str], None], env: dict[str, str]
) -> tuple[int, str]:
    """Exit code and output, both streams as one.

    tick: called with each line and, with "", ten times a second; whatever it raises stops the
    program with all that it started, and goes on.
    """
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        env=env,
        start_new_session=sys.platform != "win32",
        creationflags=quiet_flags(),
    ) as process:
        threading.Thread(target=_read, args=(process, lines), daemon=True).start()
        said: list[str] = []
        try:
            while (line := _next(lines)) is not None:
                if line:
                    said.append(line)
                    log.write(line)
                    log.flush()
                tick(line.rstrip())
        except BaseException:
            _stop(process)
            raise
    return process.returncode, "".join(said)


def _read(process: subprocess.Popen[str], lines: queue.SimpleQueue[str | None]) -> None:
    assert process.stdout is not None
    try:
        for line in process.stdout:
            lines.put(line)
    finally:
        lines.put(None)


def _next(lines: queue.SimpleQueue[str | None]) -> str | None:
    try:
        return lines.get(timeout=_TICK)
    except queue.Empty:
        return ""


def _stop(process: subprocess.Popen[str]) -> None:
    """The program and its children; on Windows the children end by themselves."""
    if sys.platform == "win32":
        process.kill()
    else:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
