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
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from . import pythons

ROOT = Path(__file__).resolve().parents[1]
ENVS = ROOT / ".build" / "envs"
REQUIREMENTS = ROOT / "tools" / "requirements"
ORACLE = ROOT / "tests" / "requirements-oracle.txt"

BLENDER_PYTHON = {"4.2": "3.11", "4.5": "3.11", "5.0": "3.11", "5.2": "3.13"}
"""Blender versions that the registry has a module for, and the one Python each is built for."""

DEFAULT_BLENDER = {"3.11": "4.5", "3.13": "5.2"}


class BuildError(Exception):
    """Something that the person can mend; ``str(error)`` is the whole sentence."""


@dataclass(frozen=True)
class Recipe:
    """What an environment is made of. ``bare`` files are installed without their dependencies."""

    name: str
    python: str
    requirements: tuple[Path, ...]
    bare: tuple[Path, ...] = ()
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


def assets_recipe() -> Recipe:
    """The environment of the builders of ``vendor/``, for the running Python."""
    python = pythons.this_version()
    return Recipe(f"assets-{python}", python, (REQUIREMENTS / "assets.txt",), disk_gb=0.5)


def lint_recipe() -> Recipe:
    """The environment of the checkers, for the running Python."""
    python = pythons.this_version()
    return Recipe(f"lint-{python}", python, (REQUIREMENTS / "lint.txt",), disk_gb=0.3)


def say(text: str) -> None:
    """Tells the person what is going on."""
    print(text, flush=True)


def clean_variables(**more: str) -> dict[str, str]:
    """The process environment without what would let other Pythons' packages in."""
    kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    return {**kept, "PYTHONNOUSERSITE": "1", "PYTHONUNBUFFERED": "1", **more}


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
    if _is_ready(folder, key, python):
        return Environment(recipe.name, python)
    try:
        envs.mkdir(parents=True, exist_ok=True)
        with _locked(envs / f"{recipe.name}.lock"):
            if _is_ready(folder, key, python):  # another process made it while this one waited
                return Environment(recipe.name, python)
            return _make(recipe, interpreter, folder, key, python)
    except OSError as error:
        raise BuildError(
            f"The environment {recipe.name} cannot be written to {folder} ({error.strerror}): "
            "free some disk space or make the folder writable."
        ) from error


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
    if _stream([interpreter, "-m", "venv", str(folder)], log) != 0:
        raise BuildError(
            f"Python {recipe.python} could not make a virtual environment (see {log}): on Debian "
            f"and Ubuntu install python{recipe.python}-venv, elsewhere the full Python."
        )
    downloaded = 0.0
    for path in recipe.requirements:
        downloaded += _pip(recipe, python, ["-r", str(path)], log)
    for path in recipe.bare:
        downloaded += _pip(recipe, python, ["--no-deps", "-r", str(path)], log)
    seconds = time.perf_counter() - started
    ready = {"key": key, "seconds": round(seconds, 1), "downloaded_mb": round(downloaded, 1)}
    (folder / "ready.json").write_text(json.dumps(ready), encoding="utf-8")
    say(f"  {recipe.name} is ready: {seconds:.0f} s, {downloaded:.0f} MB downloaded.")
    return Environment(recipe.name, python, seconds, downloaded)


def _pip(recipe: Recipe, python: Path, what: list[str], log: Path) -> float:
    """Runs pip install; returns the megabytes it downloaded."""
    before = log.stat().st_size
    command = [str(python), "-m", "pip", "install", "--no-input", "--progress-bar", "off"]
    code = _stream([*command, "--disable-pip-version-check", *what], log)
    text = log.read_bytes()[before:].decode("utf-8", "replace")
    if code != 0:
        raise BuildError(_pip_sentence(recipe, text, log))
    return downloaded_megabytes(text)


def _stream(command: list[str], log: Path) -> int:
    """Runs a command, keeps all it prints in the log, and says the steps that matter."""
    done = threading.Event()

    def still_there() -> None:
        started = time.perf_counter()
        while not done.wait(15):
            say(f"  ... still at it, {time.perf_counter() - started:.0f} s")

    threading.Thread(target=still_there, daemon=True).start()
    try:
        with (
            log.open("a", encoding="utf-8") as out,
            subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                encoding="utf-8",
                errors="replace",
                env=clean_variables(),
                cwd=ROOT,
            ) as process,
        ):
            for line in process.stdout or ():
                out.write(line)
                step = _step(line)
                if step:
                    say(step)
        return process.returncode
    finally:
        done.set()


_DOWNLOAD = re.compile(r"^\s*Downloading (\S+) \((\d+(?:\.\d+)?) (bytes|kB|MB|GB)\)", re.MULTILINE)
_UNIT = {"bytes": 1e-6, "kB": 1e-3, "MB": 1.0, "GB": 1e3}


def downloaded_megabytes(text: str) -> float:
    """What pip says it downloaded, in MB; files out of its cache are not counted."""
    return sum(float(n) * _UNIT[unit] for _, n, unit in _DOWNLOAD.findall(text))


def _step(line: str) -> str | None:
    match = _DOWNLOAD.match(line)
    if match and match[3] in ("MB", "GB"):
        name = match[1].rsplit("/", 1)[-1].split("-")
        return f"  downloading {' '.join(name[:2])} ({match[2]} {match[3]})"
    if line.startswith("Installing collected packages:"):
        return f"  installing{line.split(':', 1)[1].rstrip()}"
    return None


_NO_NETWORK = re.compile(
    r"Failed to establish a new connection|[Nn]ame or service not known|name resolution"
    r"|getaddrinfo failed|[Nn]etwork is unreachable|TimeoutError|timed out|Connection refused"
    r"|ProxyError|Cannot connect to proxy|SSLError|NewConnectionError"
)


def _pip_sentence(recipe: Recipe, text: str, log: Path) -> str:
    """One sentence out of pip's complaint."""
    if "No space left on device" in text or "There is not enough space" in text:
        return (
            f"The disk is full: the environment {recipe.name} needs about {recipe.disk_gb:.1f} GB; "
            "free some space and run this again."
        )
    if _NO_NETWORK.search(text):
        return (
            f"The packages of {recipe.name} could not be downloaded, the network does not answer: "
            f"connect, or set your proxy for pip, and run this again (details: {log})."
        )
    missing = re.search(r"No matching distribution found for (\S+)", text)
    if missing:
        return (
            f"There is no {missing[1]} for Python {recipe.python} on {sys.platform}: use another "
            f"Blender version (--blender) or another computer (details: {log})."
        )
    errors = [x for x in text.splitlines() if x.startswith("ERROR:")]
    reason = errors[-1][7:].rstrip(".") if errors else "it gave no reason"
    return f"pip could not install {recipe.name}: {reason} (details: {log})."
