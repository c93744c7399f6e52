# SPDX-License-Identifier: GPL-3.0-or-later
"""What the command line says: lines for people, or with --json an object a line for programs.

For people progress and remarks go to stderr, one summary line a photo to stdout. For programs all
goes to stdout, and every object has an ``event``: docs/batch.md lists them.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from .progress import Progress


class Console:
    """One command's voice."""

    def __init__(self, as_json: bool = False) -> None:
        self.as_json = as_json
        self._open_line = False

    @property
    def lively(self) -> bool:
        """Whether somebody follows it line by line: a log needs few."""
        return self.as_json or sys.stderr.isatty()

    def progress(self) -> Progress:
        """A new count from 0 to 1."""
        return self._json_progress if self.as_json else _Terminal()

    def say(self, sentence: str) -> None:
        """A remark."""
        self._remark("note", sentence)

    def explain(self, sentence: str) -> None:
        """What went wrong."""
        self._remark("error", sentence)

    def summary(self, line: str, /, **fields: Any) -> None:
        """One result; fields: the same for programs."""
        if self.as_json:
            self.event("photo", **fields)
        else:
            self._end_line()
            print(line, flush=True)

    def event(self, name: str, /, **fields: Any) -> None:
        """For programs alone."""
        if self.as_json:
            print(json.dumps({"event": name, **fields}), flush=True)

    def status(self, line: str) -> None:
        """For people alone: how far it is, in a line that changes where stderr is a terminal."""
        if self.as_json:
            return
        if sys.stderr.isatty():
            print(f"\r{line:<78}", end="", file=sys.stderr, flush=True)
            self._open_line = True
        else:
            print(line, file=sys.stderr, flush=True)

    def _remark(self, event: str, sentence: str) -> None:
        if self.as_json:
            self.event(event, message=sentence)
        else:
            self._end_line()
            print(sentence, file=sys.stderr, flush=True)

    def _end_line(self) -> None:
        if self._open_line:
            print(file=sys.stderr, flush=True)
            self._open_line = False

    def _json_progress(self, stage: str, fraction: float) -> None:
        self.event("progress", stage=stage, fraction=round(fraction, 4))


class _Terminal:
    """Progress on stderr: one line that changes, or a line a stage where it is not a terminal."""

    def __init__(self) -> None:
        self._stage = ""

    def __call__(self, stage: str, fraction: float) -> None:
        if sys.stderr.isatty():
            end = "\n" if fraction >= 1.0 else ""
            print(f"\r{fraction:4.0%}  {stage:<24}", end=end, file=sys.stderr, flush=True)
        elif stage != self._stage:
            print(f"{fraction:4.0%}  {stage}", file=sys.stderr, flush=True)
        self._stage = stage
