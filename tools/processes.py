# SPDX-License-Identifier: GPL-3.0-or-later
"""What every verb needs: the root, the error that is a sentence, and starting other programs."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


class BuildError(Exception):
    """Something that the person can mend; ``str(error)`` is the whole sentence."""


def say(text: str) -> None:
    """Tells the person what is going on."""
    print(text, flush=True)


def clean_variables(**more: str) -> dict[str, str]:
    """The process environment without what would let other Pythons' packages in."""
    kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    return {**kept, "PYTHONNOUSERSITE": "1", "PYTHONUNBUFFERED": "1", "PIP_USER": "0", **more}


def stream(command: list[str], log: Path, step: Callable[[str], str | None] | None = None) -> int:
    """Runs a command and keeps all it prints in the log; returns its exit code.

    Lines for which ``step`` has words are told to the person, and that it still runs now and then.
    """
    done = threading.Event()

    def still_there() -> None:
        started = time.perf_counter()
        while not done.wait(15):
            say(f"  ... still at it, {time.perf_counter() - started:.0f} s")

    threading.Thread(target=still_there, daemon=True).start()
    try:
        with (
            log.open("a", encoding="utf-8") as out,
            subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                encoding="utf-8",
                errors="replace",
                env=clean_variables(),
                cwd=ROOT,
            ) as process,
        ):
            for line in process.stdout or ():
                out.write(line)
                words = step(line) if step else None
                if words:
                    say(words)
        return process.returncode
    finally:
        done.set()
