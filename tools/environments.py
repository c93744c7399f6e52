# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual environments under ``.build/envs``, made when needed and reused while unchanged.

An environment belongs to its requirement files and its interpreter: a hash of both lies in its
``ready.json``, which is written last, so that a half-made environment is never taken for a whole.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from . import pip, pythons
from .processes import ROOT, BuildError, clean_variables, say, stream

ENVS = ROOT / ".build" / "envs"
REQUIREMENTS = ROOT / "tools" / "requirements"
ORACLE = ROOT / "tests" / "requirements-oracle.txt"

BLENDER_PYTHON = {"4.2": "3.11", "4.5": "3.11", "5.0": "3.11", "5.2": "3.13"}
"""Blender versions that the registry has a module for, and the one Python each is built for."""

DEFAULT_BLENDER = {"3.11": "4.5", "3.13": "5.2"}


@dataclass(frozen=True)
class Recipe:
    """What an environment is made of.

    ``bare`` files are installed without their dependencies. ``probe`` is a module that is imported
    once at the end, because pip does not know which system libraries a module needs.
    """

    name: str
    python: str
    requirements: tuple[Path, ...]
    bare: tuple[Path, ...] = ()
    probe: str = ""
    disk_gb: float = 1.0


@dataclass(frozen=True)
class Environment:
    """A ready environment. ``seconds`` and ``downloaded_mb`` are what this call cost."""

    name: str
    python: Path
    seconds: float = 0.0
    downloaded_mb: float = 0.0


def default_blender() -> str:
    """The Blender version used when none is named."""
    return DEFAULT_BLENDER[pythons.this_version()]


def blender_recipe(version: str) -> Recipe:
    """The environment with Blender's own module, e.g. ``blender_recipe("4.5")``."""
    if version not in BLENDER_PYTHON:
        raise BuildError(
            f"There is no Blender {version} here: choose one of {', '.join(BLENDER_PYTHON)}."
        )
    return Recipe(
        f"blender-{version}",
        BLENDER_PYTHON[version],
        (REQUIREMENTS / f"blender-{version}.txt",),
        probe="bpy",
        disk_gb=2.0,
    )


def tests_recipe() -> Recipe:
    """The environment of the core tests and the benchmarks, for the running Python.

    The oracle (the original MediaPipe) exists up to Python 3.12 and is installed without its
    dependencies, which would pull in half a gigabyte that its face meshes never touch.
    """
    python = pythons.this_version()
    oracle = (ORACLE,) if python == "3.11" and ORACLE.is_file() else ()
    return Recipe(f"tests-{python}", python, (REQUIREMENTS / "tests.txt",), oracle, disk_gb=1.5)


def audit_recipe() -> Recipe:
    """The environment of the question about known vulnerabilities, for the running Python."""
    python = pythons.this_version()
    return Recipe(f"audit-{python}", python, (REQUIREMENTS / "audit.txt",), disk_gb=0.2)


def fuzz_recipe() -> Recipe:
    """The tests' environment and, where it exists for the system, a coverage-guided fuzzer."""
    python = pythons.this_version()
    files = (REQUIREMENTS / "tests.txt", REQUIREMENTS / "fuzz.txt")
    return Recipe(f"fuzz-{python}", python, files, disk_gb=0.6)


def readers_recipe() -> Recipe:
    """The environment of the readers that judge exported files, for the running Python."""
    python = pythons.this_version()
    return Recipe(f"readers-{python}", python, (REQUIREMENTS / "readers.txt",), disk_gb=0.2)


def assets_recipe() -> Recipe:
    """The environment of the builders of ``vendor/``, for the running Python."""
    python = pythons.this_version()
    return Recipe(f"assets-{python}", python, (REQUIREMENTS / "assets.txt",), disk_gb=0.5)


def lint_recipe() -> Recipe:
    """The environment of the checkers, for the running Python."""
    python = pythons.this_version()
    return Recipe(f"lint-{python}", python, (REQUIREMENTS / "lint.txt",), disk_gb=0.3)


def environment_key(recipe: Recipe, interpreter: str) -> str:
    """Hash of everything that an environment depends on."""
    digest = hashlib.sha256(f"{recipe.python}\n{os.path.realpath(interpreter)}\n".encode())
    for path in (*recipe.requirements, *recipe.bare):
        digest.update(f"{path.name} {path in recipe.bare}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def prepare(recipe: Recipe, envs: Path = ENVS) -> Environment:
    """Makes the environment, or returns at once if it is there and unchanged.

    Raises BuildError with a sentence: no such Python, no disk, no network, pip failed.
    """
    interpreter = pythons.find_python(recipe.python)
    if interpreter is None:
        raise BuildError(f"{recipe.name}: {pythons.advice((recipe.python,))}")
    folder = envs / recipe.name
    key = environment_key(recipe, interpreter)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    made = None
    if not _is_ready(folder, key, python):
        try:
            envs.mkdir(parents=True, exist_ok=True)
            with _locked(envs / f"{recipe.name}.lock"):
                if not _is_ready(folder, key, python):  # another process may have made it meanwhile
                    made = _make(recipe, interpreter, folder, key, python)
        except OSError as error:
            raise BuildError(
                f"The environment {recipe.name} cannot be written to {folder} ({error.strerror}): "
                "free some disk space or make the folder writable."
            ) from error
    if recipe.probe:
        _probe(recipe, python, folder / "probed")
    return made or Environment(recipe.name, python)


def _probe(recipe: Recipe, python: Path, passed: Path) -> None:
    """Imports the recipe's module once; raises BuildError if this system lacks something."""
    if passed.exists():
        return
    command = [str(python), "-c", f"import {recipe.probe}"]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        env=clean_variables(),
        check=False,
    )
    if done.returncode == 0:
        passed.touch()
        return
    reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    library = re.search(r"(\S+): cannot open shared object file", reason)
    if library:
        raise BuildError(
            f"Blender's module needs the system library {library[1]}: install it and run this "
            "again (Debian, Ubuntu: apt install libegl1 libgl1 libsm6 libxfixes3 libxi6 "
            "libxkbcommon0 libxrender1 libxxf86vm1)."
        )
    raise BuildError(f"{recipe.probe} is installed but does not start on this system: {reason}.")


def _is_ready(folder: Path, key: str, python: Path) -> bool:
    try:
        ready = json.loads((folder / "ready.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return ready.get("key") == key and python.exists()


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Holds an exclusive lock on a file, so that two commands never make one environment."""
    with path.open("w", encoding="utf-8") as handle:
        if os.name == "nt":
            import msvcrt

            while True:
                try:
                    msvcrt.locking(handle.fileno(), msvcrt.LK_LOCK, 1)
                    break
                except OSError:  # LK_LOCK gives up after ten seconds
                    continue
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _make(recipe: Recipe, interpreter: str, folder: Path, key: str, python: Path) -> Environment:
    started = time.perf_counter()
    free = shutil.disk_usage(folder.parent).free / 1e9
    if free < recipe.disk_gb:
        raise BuildError(
            f"The environment {recipe.name} needs about {recipe.disk_gb:.1f} GB and {free:.1f} GB "
            f"are free on the disk of {folder.parent}: free some space and run this again."
        )
    say(f"Preparing the environment {recipe.name} (once; Python {recipe.python}) ...")
    if folder.exists():
        shutil.rmtree(folder)
    log = folder.parent / f"{recipe.name}.log"
    log.write_text("", encoding="utf-8")
    if stream([interpreter, "-m", "venv", str(folder)], log) != 0:
        raise BuildError(
            f"Python {recipe.python} could not make a virtual environment (see {log}): on Debian "
            f"and Ubuntu install python{recipe.python}-venv, elsewhere the full Python."
        )
    downloaded = 0.0
    for path in recipe.requirements:
        downloaded += pip.install(recipe.name, python, ["-r", str(path)], log)
    for path in recipe.bare:
        downloaded += pip.install(recipe.name, python, ["--no-deps", "-r", str(path)], log)
    seconds = time.perf_counter() - started
    ready = {"key": key, "seconds": round(seconds, 1), "downloaded_mb": round(downloaded, 1)}
    (folder / "ready.json").write_text(json.dumps(ready), encoding="utf-8")
    say(f"  {recipe.name} is ready: {seconds:.0f} s, {downloaded:.0f} MB downloaded.")
    return Environment(recipe.name, python, seconds, downloaded)
