# SPDX-License-Identifier: GPL-3.0-or-later
"""Head models and predictors that are there to choose from, each with its licence.

Beside what everybody has these are what was imported into the models folder: FLAME heads, a neural
head's weights, and Pixel3DMM's networks.
Asked at every redraw: a file is opened again only when it changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ..core.conform.profile import profile_name
from ..core.cues.pixel3dmm.convert_checkpoint import find_converted
from ..core.errors import MeshError, ModelFileError
from ..core.heads.flame import read_info
from ..core.nphm.weights import find_nphm, read_description
from ..core.options import NEURAL_HEAD
from ..core.options import OPEN_HEAD as OPEN_HEAD
from . import paths

NEURAL_LABEL = "Neural head (NPHM)"
MEDIAPIPE, LANDMARKS, PIXEL3DMM = "mediapipe", "landmarks", "pixel3dmm"


@dataclass(frozen=True)
class Entry:
    """name: what core.options.Options takes; commercial: None where it is not known."""

    name: str
    label: str
    licence: str
    commercial: bool | None

    @property
    def badge(self) -> str:
        """The licence in a few words."""
        use: dict[bool | None, str] = {True: "commercial use", False: "non-commercial"}
        return f"{self.licence}, {use.get(self.commercial, 'ask about commercial use')}"


def models_folder() -> Path:
    """Where imported models lie; kept when the extension is updated."""
    return paths.user_folder("models")


def profiles_folder() -> Path:
    """Where profiles of the artist's own meshes lie."""
    return paths.user_folder("profiles")


def heads() -> tuple[Entry, ...]:
    """The first is what everybody has, the last are meshes of the artist's own."""
    imported = (_flame(path, _changed(path)) for path in sorted(models_folder().glob("*.npz")))
    own = (_own_mesh(path, _changed(path)) for path in sorted(profiles_folder().glob("*-*.npz")))
    first = (Entry(OPEN_HEAD, "Open Head", "CC0-1.0 AND MIT", True), neural_head())
    return tuple(e for e in (*first, *imported, *own) if e)


def is_own_mesh(name: str) -> bool:
    """Whether a head's name is a profile of a mesh of the artist's own."""
    return name not in (OPEN_HEAD, NEURAL_HEAD) and Path(name).parent == profiles_folder()


def neural_head() -> Entry | None:
    """The neural head, if its weights were imported."""
    path = find_nphm(models_folder())
    return (
        None if path is None else _nphm(path, _changed(path), _changed(path.with_suffix(".json")))
    )


def predictors() -> tuple[Entry, ...]:
    """The first two are what everybody has."""
    files = sorted(models_folder().glob("pixel3dmm_*"))
    own = _networks(tuple((path, _changed(path)) for path in files))
    shape = Entry(MEDIAPIPE, "MediaPipe + shape", "Apache-2.0 AND MIT", True)
    landmarks = Entry(LANDMARKS, "MediaPipe, landmarks alone", "Apache-2.0", True)
    return (shape, landmarks, *((own,) if own else ()))


def networks() -> tuple[str, ...]:
    """Which maps Pixel3DMM's imported networks give: "normals", "uv"."""
    try:
        return tuple(sorted(find_converted(models_folder())))
    except ModelFileError:
        return ()


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


@lru_cache(maxsize=64)
def _own_mesh(path: Path, changed: int) -> Entry | None:
    """None for a file that is no profile; the person on it is the open head's, the mesh theirs."""
    try:
        name = profile_name(path)
    except MeshError:
        return None
    return Entry(str(path), f"{name} (my mesh)", "your mesh with CC0-1.0 AND MIT", True)


@lru_cache(maxsize=4)
def _nphm(path: Path, changed: int, described: int) -> Entry | None:
    """None for weights whose description is damaged."""
    try:
        licence = read_description(path)["licence"]
    except ModelFileError:
        return None
    spdx = f"CC0-1.0 AND MIT AND {licence['spdx']}"
    return Entry(NEURAL_HEAD, NEURAL_LABEL, spdx, licence["commercial"])


@lru_cache(maxsize=8)
def _networks(files: tuple[tuple[Path, int], ...]) -> Entry | None:
    """None without weights; a damaged file among them counts as none."""
    if not files or not networks():
        return None
    licence = next(iter(find_converted(models_folder()).values())).description["licence"]
    return Entry(PIXEL3DMM, "Pixel3DMM", str(licence["spdx"]), licence["commercial"])
