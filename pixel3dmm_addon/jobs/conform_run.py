# SPDX-License-Identifier: GPL-3.0-or-later
"""A person onto a mesh of the artist's, or such a mesh as a person, in steps that never block."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...core.conform.mesh import OwnMesh
from ...core.conform.person import Conformed
from ...core.conform.person_file import load_person
from ...core.conform.profile import HeadProfile
from ...core.errors import WorkerError
from ...core.rigged_head import RiggedHead
from .job import SEE_LOG, Progress
from .run import Run, read_head, result_path, warnings_of
from .scratch import PrivateFolder


@dataclass(frozen=True, eq=False)
class ConformOutcome:
    """profile_file: the bytes of the profile's file; skin: a PNG, or nothing."""

    person: Conformed
    profile: HeadProfile
    profile_file: bytes
    skin: bytes
    warnings: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class WrapOutcome:
    """The mesh as a person of ours."""

    rigged: RiggedHead
    median_mm: float
    warnings: tuple[str, ...]


class _OfMesh:
    """What both jobs hand over."""

    mesh: OwnMesh
    profile_file: bytes
    points: dict[str, list[float]]

    def _params(self, folder: Path) -> dict[str, Any]:
        (folder / "out").mkdir()
        mesh, profile = folder / "mesh.npz", folder / "profile.npz"
        self.mesh.save(mesh)
        if self.profile_file:
            profile.write_bytes(self.profile_file)
        return {
            "mesh": str(mesh),
            "profile": str(profile) if self.profile_file else "",
            "points": self.points,
            "out": str(folder / "out"),
        }


class ConformRun(_OfMesh, Run[ConformOutcome]):
    """Send to My Mesh."""

    def __init__(
        self,
        mesh: OwnMesh,
        person: dict[str, np.ndarray],
        skin: bytes,
        profile_file: bytes = b"",
        points: dict[str, list[float]] | None = None,
        strength: float = 1.0,
        texture: int = 2048,
    ) -> None:
        """person: neutral (n, 3), metres, head frame, and of one on another head its triangles and
        name; skin: its texture, or nothing; points on the mesh by name.
        """
        super().__init__(Path(mesh.name))
        self.mesh, self.profile_file, self.points = mesh, profile_file, points or {}
        self._person, self._skin = person, skin
        self._strength, self._texture = strength, texture

    def steps(self, wait: float = 0.0) -> Generator[Progress | None, None, ConformOutcome]:
        """As StepwiseWork.steps."""
        with PrivateFolder() as scratch:
            params, out = self._params(scratch.path), scratch.path / "out"
            source = scratch.path / "person.npz"
            arrays = {**self._person, "skin": np.frombuffer(self._skin, np.uint8)}
            np.savez(source, **arrays)  # type: ignore[arg-type]
            params |= {
                "head": str(source),
                "strength": self._strength,
                "texture": self._texture if self._skin else 0,
            }
            result = yield from self._ask("conform", params, scratch, wait)
            profile = result_path(result, "profile", out)
            person = load_person(result_path(result, "person", out), len(self.mesh.vertices))
            skin = result_path(result, "skin", out).read_bytes() if result.get("skin") else b""
            return ConformOutcome(
                person, HeadProfile.load(profile), profile.read_bytes(), skin, warnings_of(result)
            )


class WrapRun(_OfMesh, Run[WrapOutcome]):
    """Wrap."""

    def __init__(
        self,
        mesh: OwnMesh,
        profile_file: bytes = b"",
        points: dict[str, list[float]] | None = None,
    ) -> None:
        super().__init__(Path(mesh.name))
        self.mesh, self.profile_file, self.points = mesh, profile_file, points or {}

    def steps(self, wait: float = 0.0) -> Generator[Progress | None, None, WrapOutcome]:
        """As StepwiseWork.steps."""
        with PrivateFolder() as scratch:
            params, out = self._params(scratch.path), scratch.path / "out"
            result = yield from self._ask("wrap", params, scratch, wait)
            rigged = yield from read_head(result_path(result, "head", out), wait)
            median = result.get("median_mm")
            if not isinstance(median, int | float):
                raise WorkerError(f"The reconstruction process named no result: {SEE_LOG}")
            return WrapOutcome(rigged, float(median), warnings_of(result))


class RegisterRun(_OfMesh, Run[tuple[HeadProfile, bytes, tuple[str, ...]]]):
    """Register My Mesh: the profile, its file's bytes, and sentences."""

    def __init__(self, mesh: OwnMesh, points: dict[str, list[float]]) -> None:
        super().__init__(Path(mesh.name))
        self.mesh, self.profile_file, self.points = mesh, b"", points

    def steps(
        self, wait: float = 0.0
    ) -> Generator[Progress | None, None, tuple[HeadProfile, bytes, tuple[str, ...]]]:
        """As StepwiseWork.steps."""
        with PrivateFolder() as scratch:
            params, out = self._params(scratch.path), scratch.path / "out"
            result = yield from self._ask("register", params, scratch, wait)
            path = result_path(result, "profile", out)
            return HeadProfile.load(path), path.read_bytes(), warnings_of(result)
