# SPDX-License-Identifier: GPL-3.0-or-later
"""How work says how far it is: a callback of a stage's name and a fraction in [0, 1] of all, which
may raise Cancelled.
"""

from __future__ import annotations

from collections.abc import Callable

#: Names of stages, as they are shown and as the report's seconds are called.
LOADING, OPENING = "Loading the networks", "Opening the photo"
FINDING, READING = "Finding the face", "Reading landmarks"
FITTING, MAPPING = "Fitting the head", "Reading the surface"
SHAPING = "Reading the face's shape"
PAINTING, RIGGING, WRITING = "Painting the skin", "Building the rig", "Writing files"

Progress = Callable[[str, float], None]


def silent(stage: str, fraction: float) -> None:
    """A progress callback that says nothing."""


def part(progress: Progress, start: float, end: float) -> Progress:
    """A callback whose 0..1 is [start, end] of ``progress``."""
    return lambda stage, fraction: progress(stage, start + (end - start) * fraction)
