# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a checkout of ICT FaceKit Light: the neutral mean and identity components of real scans.

The model (ICT-VGL/ICT-FaceKit on GitHub, MIT licence, (c) 2020 USC Institute for Creative
Technologies) is a folder of OBJ files that share their vertices: a neutral mean face, 100 faces
that lie one standard deviation along each of its independent components, and expressions, of
which only the opened jaw is read. Nothing of the files is copied: see ``people``.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from .source import SourceError

COMMIT = "da5f95a607f5e6b37755b38d3385d7f2853732e5"
NEUTRAL_SHA256 = "eedbc2576d8e5ea57f55255b8f98263213a1efb5431d8bfceed1d7aef10271f9"
COMPONENTS = 100
VERTICES = 26719
#: Vertex ranges, from the model's README: face, then head and neck; and the two eyeballs.
SKIN, EYE_LEFT, EYE_RIGHT = slice(0, 11248), slice(21451, 23021), slice(23021, 24591)
_METRES = 0.01


@dataclass(frozen=True)
class ScanModel:
    """Metres, the model's own origin; +x is the subject's left, +y up, +z out of the face."""

    mean: np.ndarray
    """(26719, 3) the neutral mean."""
    triangles: np.ndarray
    """(T, 3) of everything."""
    modes: np.ndarray
    """(100, 26719, 3) one standard deviation of each component."""
    jaw: np.ndarray
    """(26719,) how far each vertex goes with the jaw as it opens, 0 to 1."""

    def skin(self) -> np.ndarray:
        """(n, 3) triangles of face, head and neck."""
        return self.triangles[(self.triangles < SKIN.stop).all(axis=1)]

    def eyeball(self, part: slice) -> np.ndarray:
        """(n, 3) triangles of one eyeball."""
        inside = (self.triangles >= part.start) & (self.triangles < part.stop)
        return self.triangles[inside.all(axis=1)]


def read_scan_model(folder: Path) -> ScanModel:
    """Read the model below a checkout's root; raises SourceError for another one."""
    where = folder / "FaceXModel"
    neutral = where / "generic_neutral_mesh.obj"
    if not neutral.is_file():
        raise SourceError(f"{folder} is no checkout of ICT FaceKit: {neutral.name} is not in it.")
    digest = hashlib.sha256(neutral.read_bytes()).hexdigest()
    if digest != NEUTRAL_SHA256:
        raise SourceError(f"{neutral.name} has sha256 {digest}, expected {NEUTRAL_SHA256}.")
    mean = _vertices(neutral)
    modes = np.empty((COMPONENTS, *mean.shape))
    for number in range(COMPONENTS):
        modes[number] = _vertices(where / f"identity{number:03}.obj") - mean
    opened = np.linalg.norm(_vertices(where / "jawOpen.obj") - mean, axis=1)
    chin = np.quantile(opened[SKIN], 0.99)
    return ScanModel(mean, _triangles(neutral), modes, np.clip(opened / chin, 0, 1))


def _vertices(path: Path) -> np.ndarray:
    lines = [line[2:] for line in path.read_text().splitlines() if line.startswith("v ")]
    points = np.array([line.split()[:3] for line in lines], dtype=np.float64)
    if points.shape != (VERTICES, 3) or not np.isfinite(points).all():
        raise SourceError(f"{path.name} holds {len(points)} vertices, expected {VERTICES}.")
    return points * _METRES


def _triangles(path: Path) -> np.ndarray:
    out = []
    for line in path.read_text().splitlines():
        if line.startswith("f "):
            corners = [int(word.split("/")[0]) - 1 for word in line.split()[1:]]
            out += [(corners[0], b, c) for b, c in pairwise(corners[1:])]
    return np.array(out, dtype=np.int32)
