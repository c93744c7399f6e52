# SPDX-License-Identifier: GPL-3.0-or-later
"""Head models and predictors that are there to choose from, each with its licence.

Beside what everybody has these are the FLAME heads that were imported into the models folder.
Asked at every redraw: a file is opened again only when it changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ..core.errors import ModelFileError
from ..core.heads.flame import read_info
from ..core.resources import OPEN_HEAD
from . import paths

MEDIAPIPE = "mediapipe"


@dataclass(frozen=True)
class Entry:
    """name: what core.pipeline.Options takes; commercial: None where nobody knows."""

    name: str
    label: str
    licence: str
    commercial: bool | None

    @property
    def badge(self) -> str:
        """The licence in a few words."""
        use = {True: "commercial use", False: "non-commercial"}
        return f"{self.licence}, {use.get(self.commercial, 'ask about commercial use')}"


def models_folder() -> Path:
    """Where imported models lie; kept when the extension is updated."""
    return paths.user_folder("models")


def heads() -> tuple[Entry, ...]:
    """The first is what everybody has."""
    imported = (_flame(path, _changed(path)) for path in sorted(models_folder().glob("*.npz")))
    return (Entry(OPEN_HEAD, "Open Head", "CC0-1.0", True), *(e for e in imported if e))


def predictors() -> tuple[Entry, ...]:
    """The first is what everybody has."""
    return (Entry(MEDIAPIPE, "MediaPipe", "Apache-2.0", True),)


def chosen(entries: tuple[Entry, ...], name: str) -> Entry | None:
    """The entry of that name; None if it is not installed here."""
    return next((entry for entry in entries if entry.name == name), None)


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


@lru_cache(maxsize=64)
def _flame(path: Path, changed: int) -> Entry | None:
    """None for a file that is no FLAME head, whatever it is."""
    try:
        info = read_info(path)
    except ModelFileError:
        return None
    licence = info["licence"]
    return Entry(str(path), str(info["title"]), str(licence["spdx"]), licence["commercial"])
