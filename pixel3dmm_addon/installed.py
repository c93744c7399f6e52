# SPDX-License-Identifier: GPL-3.0-or-later
"""Head models and predictors that are there to choose from, each with its licence."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.resources import OPEN_HEAD


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


def heads() -> tuple[Entry, ...]:
    """The first is what everybody has."""
    return (Entry(OPEN_HEAD, "Open Head", "CC0-1.0", True),)


def predictors() -> tuple[Entry, ...]:
    """The first is what everybody has."""
    return (Entry("mediapipe", "MediaPipe", "Apache-2.0", True),)


def chosen(entries: tuple[Entry, ...], name: str) -> Entry | None:
    """The entry of that name; None if it is not installed here."""
    return next((entry for entry in entries if entry.name == name), None)
