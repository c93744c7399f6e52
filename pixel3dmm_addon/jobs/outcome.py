# SPDX-License-Identifier: GPL-3.0-or-later
"""What comes of a run: a new head, or a change to one that stands in the scene. Knows no bpy."""

from __future__ import annotations

from dataclasses import dataclass

from ...core.rigged_head import RiggedHead
from ..photos.loading import LoadedPhoto


@dataclass(frozen=True)
class Outcome:
    """What the scene is made from, and what to say about it: warnings are sentences, error_px is
    the mean distance of the photo's landmarks.
    """

    rigged: RiggedHead
    loaded: LoadedPhoto
    warnings: tuple[str, ...]
    error_px: float
    seconds: float

    @property
    def summary(self) -> str:
        """That it went well, in one sentence."""
        return f"{self.rigged.name}: the head is ready"

    @property
    def figures(self) -> str:
        """How well it went, in figures, on one line."""
        error = self.error_px
        return f"{error:.1f} px from the landmarks, {self.seconds:.1f} s"


@dataclass(frozen=True)
class Change:
    """How a head in the scene is to change: the head after and before, the further photos if there
    are any, and sentences.
    """

    after: RiggedHead
    before: RiggedHead
    loaded: tuple[LoadedPhoto, ...]
    warnings: tuple[str, ...]
