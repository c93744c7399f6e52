# SPDX-License-Identifier: GPL-3.0-or-later
"""Parameters of a job as they came over the wire, read with care: one reader for all kinds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import WorkerError
from ..options import Options


class Parameters:
    """A job's ``params``. What is missing or of another kind raises WorkerError when it is read."""

    def __init__(self, params: object) -> None:
        self._values: Mapping[str, Any] | None = params if isinstance(params, Mapping) else None

    def value(self, name: str, default: object = None) -> Any:
        """Whatever stands there."""
        if self._values is None:
            raise incomplete()
        return self._values.get(name, default)

    def text(self, name: str) -> str:
        """A string, which may be empty."""
        value = self.value(name)
        if not isinstance(value, str):
            raise incomplete()
        return value

    def path(self, name: str) -> Path:
        """A path that says something."""
        text = self.text(name)
        if not text:
            raise incomplete()
        return Path(text)

    def paths(self, name: str) -> list[Path]:
        """A list of paths; empty where there is none."""
        found = self.paths_or_none(name)
        if None in found:
            raise incomplete()
        return [path for path in found if path is not None]

    def paths_or_none(self, name: str) -> list[Path | None]:
        """A list of paths, None for each that is missing; empty where there is no list."""
        values = self.value(name, [])
        if not isinstance(values, list) or not all(v is None or isinstance(v, str) for v in values):
            raise incomplete()
        return [None if v is None else Path(v) for v in values]

    def options(self) -> Options:
        """``options``, which may be missing. Raises PersonError for what makes no sense."""
        values = self.value("options", {})
        if not isinstance(values, Mapping):
            raise incomplete()
        return Options.from_json(values)


def incomplete() -> WorkerError:
    """For parameters that are missing or of another kind."""
    return WorkerError("The other process sent a job with incomplete parameters.")
