# SPDX-License-Identifier: GPL-3.0-or-later
"""The two published packages that the data comes from, checked by sha256.

* the Python package ``mediapipe`` 0.10.21 (Linux x64, CPython 3.11): nets and graph constants;
* the JavaScript package ``@mediapipe/face_mesh`` 0.4.1657299874: the canonical face mesh, which
  the Python package lacks.
"""

from __future__ import annotations

import hashlib
import importlib
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from types import ModuleType

WHEEL = "mediapipe-0.10.21-cp311-cp311-manylinux_2_28_x86_64.whl"
WHEEL_SHA256 = "05dc4a9e593655a79558d05d6227d31018c2537a4bd3362b51e230cf22aecfe3"
FACE_MESH = "mediapipe-face_mesh-0.4.1657299874.tgz"
FACE_MESH_SHA256 = "c08a7e0742a326285da666cf81d77c8b6f3a181a2ee948cadaf166008e0d3bc7"


class PackageError(Exception):
    """A package is missing or is not the published one."""


def download_wheel(folder: Path) -> Path:
    """Fetch the Python package with pip."""
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"),
        *("--only-binary=:all:", "--python-version", "3.11", "--implementation", "cp"),
        *("--platform", "manylinux_2_28_x86_64", "--dest", str(folder), "mediapipe==0.10.21"),
    ]
    _run(command, "pass --wheel")
    return folder / WHEEL


def download_face_mesh(folder: Path) -> Path:
    """Fetch the JavaScript package with npm."""
    npm = shutil.which("npm")
    if npm is None:
        raise PackageError("npm is not installed; install it or pass --face-mesh.")
    command = [
        *(npm, "pack", "--silent", "--pack-destination", str(folder)),
        "@mediapipe/face_mesh@0.4.1657299874",
    ]
    _run(command, "pass --face-mesh")
    return folder / FACE_MESH


def _run(command: list[str], otherwise: str) -> None:
    if subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode:
        raise PackageError(f"{' '.join(command)} failed; check the network or {otherwise}.")


def check(path: Path, sha256: str) -> None:
    """Raise `PackageError` unless the file has this sha256."""
    if not path.is_file():
        raise PackageError(f"{path} does not exist.")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != sha256:
        raise PackageError(f"{path.name} has sha256 {digest}, expected {sha256}.")


class Wheel:
    """The Python package, opened for reading; nothing of it is installed."""

    def __init__(self, path: Path) -> None:
        check(path, WHEEL_SHA256)
        self._zip = zipfile.ZipFile(path)

    def read(self, name: str) -> bytes:
        """A file's bytes."""
        return self._zip.read(name)

    def message_module(self, name: str, folder: Path) -> ModuleType:
        """The package's generated protobuf module ``name``, e.g. ``mediapipe.a.b_pb2``.

        Only ``*_pb2.py`` files are unpacked into ``folder``: the package's own ``__init__``
        would load its native library.
        """
        for member in self._zip.namelist():
            if member.endswith("_pb2.py"):
                self._zip.extract(member, folder)
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
        return importlib.import_module(name)


def face_mesh_asset(path: Path, begin: int, end: int) -> bytes:
    """Bytes of the JavaScript package's bundle of assets."""
    check(path, FACE_MESH_SHA256)
    with tarfile.open(path) as archive:
        stream = archive.extractfile("package/face_mesh_solution_packed_assets.data")
        if stream is None:
            raise PackageError(f"{path.name} has no bundle of assets.")
        return stream.read()[begin:end]
