# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes and removes the runtime: aside, from a lock file with hashes, tried out, renamed.

In ``folder``: ``env`` (the runtime), ``env.making`` (one under way, or the leavings of one that
was killed, taken away by the next), ``install.log`` (what pip said last).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

from ..errors import OutputError, RuntimeSetupError
from ..files.atomic_write import exclusive, require_room
from ..progress import Progress
from .probe import Facts, complaint, read_facts
from .process import quiet_variables, run_logged
from .state import ENVIRONMENT, RECORD, RuntimeState, environment_python, runtime_state
from .variants import VARIANTS, Variant

PREPARING, INSTALLING, TRYING = "Preparing", "Installing packages", "Trying it out"
_BUSY = "The neural runtime is being changed by another Blender: wait until it is done there."


def create_runtime(
    folder: Path,
    *,
    python: Path,
    variant: str | Variant,
    find_links: Path | None = None,
    offline: bool,
    progress: Progress,
) -> RuntimeState:
    """Makes the runtime in ``folder``, in place of one that is there, and returns its state.

    python: the interpreter it is made with; variant: one of VARIANTS. find_links: a folder of
    wheels; with ``offline`` nothing but that folder is looked at, and no network. Without
    ``offline`` packages come from wherever this machine's pip is set up to get them.
    progress(stage, fraction) is called several times a second and may raise ``errors.Cancelled``.

    Raises RuntimeSetupError or OutputError with one sentence. After any error the folder holds
    what it held before.
    """
    kind = VARIANTS[variant] if isinstance(variant, str) else variant
    if offline and find_links is None:
        raise RuntimeSetupError(
            "Without the network the packages have to come from a folder of wheels: choose one."
        )
    if find_links is not None and not any(find_links.glob("*.whl")):
        raise RuntimeSetupError(
            f"There are no wheels (.whl files) in {find_links}: choose the folder that has them."
        )
    making = folder / f"{ENVIRONMENT}.making"
    with exclusive(folder / ".runtime.lock", _BUSY):
        try:
            progress(PREPARING, 0.0)
            _clear(making)
            require_room(folder, kind.disk_mb * 1_000_000, "the neural runtime")
            _make(making, python, kind, find_links, offline, progress)
            _put_into_place(making, folder / ENVIRONMENT)
        except OSError as error:
            raise OutputError(
                f"The neural runtime cannot be written to {folder} ({error.strerror or error}): "
                "free some room there or make the folder writable."
            ) from error
        finally:
            _clear(making)
    return runtime_state(folder)


def remove_runtime(folder: Path) -> None:
    """Takes the runtime away, whatever its state. Raises OutputError if it is in use."""
    with exclusive(folder / ".runtime.lock", _BUSY):
        environment, leaving = folder / ENVIRONMENT, folder / f"{ENVIRONMENT}.leaving"
        try:
            _clear(leaving)
            if environment.exists():
                # Under another name it is no runtime any more, should the rest be interrupted.
                os.rename(environment, leaving)
            _clear(leaving)
        except OSError as error:
            raise _in_use(environment, error) from error


def _make(
    making: Path,
    python: Path,
    kind: Variant,
    find_links: Path | None,
    offline: bool,
    progress: Progress,
) -> None:
    """An environment in ``making`` that has been tried out and says so in its record."""
    with (making.parent / "install.log").open("w", encoding="utf-8") as log:

        def run(command: list[str], tick: Callable[[str], None], **env: str) -> tuple[int, str]:
            log.write(f"> {' '.join(command[:6])}\n")
            return run_logged(command, log, tick, quiet_variables(**env))

        code, _ = run(
            [str(python), "-I", "-m", "venv", str(making)], lambda _: progress(PREPARING, 0.02)
        )
        inside = environment_python(making)
        if code != 0 or not inside.exists():
            raise RuntimeSetupError(
                f"{python} cannot make a virtual environment: install its venv module, or use an "
                f"existing Python with torch (details: {log.name})."
            )
        pip = [str(inside), "-I", "-m", "pip", "install", *_pip_options(kind, find_links, offline)]
        # Settings of this machine's pip could name an index, which offline must not be asked.
        settings = {"PIP_CONFIG_FILE": os.devnull} if offline else {}
        code, said = run(pip, _PipSteps(kind, progress), **settings)
        if code != 0:
            raise RuntimeSetupError(_pip_sentence(said, find_links if offline else None, log.name))
        code, said = run([str(inside), "-I", "-c", kind.probe], lambda _: progress(TRYING, 0.93))
        if code != 0:
            raise RuntimeSetupError(
                "The neural runtime was installed but does not work, so it was taken away again: "
                + complaint(inside, said, code)
            )
        facts = read_facts(said.strip().splitlines()[-1] if said.strip() else "", inside)
        progress(TRYING, 1.0)
        _record(making / RECORD, kind, facts)


def _pip_options(kind: Variant, find_links: Path | None, offline: bool) -> list[str]:
    options = ["--no-input", "--progress-bar", "off", "--disable-pip-version-check"]
    options += ["--require-hashes", "--only-binary", ":all:", "-r", str(kind.lock)]
    if find_links is not None:
        options += ["--find-links", str(find_links)]
    if offline:
        # No cache: what is installed is what lies in the folder.
        options += ["--isolated", "--no-index", "--no-cache-dir"]
    return options


class _PipSteps:
    """Turns what pip says into a stage and a share: one step a package, then the unpacking."""

    def __init__(self, kind: Variant, progress: Progress) -> None:
        self._packages = max(1, len(set(kind.packages)))
        self._progress = progress
        self._seen = 0
        self._stage, self._share = INSTALLING, 0.0

    def __call__(self, line: str) -> None:
        # What lies in a folder is not collected but processed.
        if package := re.match(
            r"Collecting ([^=<>(; ]+)|Processing .*?([^/\\-]+)-[^/\\]*\.whl", line
        ):
            self._seen += 1
            self._share = 0.6 * min(1.0, self._seen / self._packages)
            self._stage = f"Fetching {package[1] or package[2]}"
        elif line.startswith("Installing collected packages"):
            self._stage, self._share = INSTALLING, 0.7
        self._progress(self._stage, 0.1 + 0.8 * self._share)


def _pip_sentence(said: str, folder: Path | None, log: str) -> str:
    """One sentence out of pip's complaint."""
    if "No space left on device" in said or "not enough space" in said:
        return "The disk is full: free some room and install the neural runtime again."
    wrong = re.search(r"^\s+(\S+)(?: .*)?:\n\s+Expected sha256", said, re.MULTILINE)
    if "DO NOT MATCH THE HASHES" in said:
        which = wrong[1].partition("==")[0] if wrong else "a package"
        where = f"in {folder}" if folder else "that was offered"
        return f"The wheel of {which} {where} is not the one we know: fetch it again."
    missing = re.search(r"No matching distribution found for (\S+)", said)
    if missing:
        name = missing[1]
        if folder is not None:
            return f"{folder} holds no wheel of {name} for this system and this Python: add it."
        return (
            f"There is no {name} for this system and this Python where this machine's pip looks "
            "for packages: install from a folder of wheels, or use an existing Python."
        )
    if re.search(r"NewConnectionError|timed out|Name or service|getaddrinfo|SSLError", said):
        return "The packages could not be downloaded: connect to the network and try again."
    return f"pip could not install the packages: see {log}, or use an existing Python."


def _record(path: Path, kind: Variant, facts: Facts) -> None:
    record = {
        "variant": kind.name,
        "lock_sha256": kind.lock_sha256,
        "facts": {
            "python": facts.python,
            "torch": facts.torch,
            "numpy": facts.numpy,
            "devices": list(facts.devices),
        },
    }
    path.write_text(json.dumps(record, indent=1) + "\n", "utf-8")


def _put_into_place(making: Path, environment: Path) -> None:
    """The new one under the name; should that fail, the old one keeps it."""
    leaving = environment.with_name(f"{ENVIRONMENT}.leaving")
    _clear(leaving)
    had_one = environment.exists()
    try:
        if had_one:
            os.rename(environment, leaving)
        try:
            os.rename(making, environment)
        except OSError:
            if had_one:
                os.rename(leaving, environment)
            raise
    except OSError as error:
        raise _in_use(environment, error) from error
    _clear(leaving)


def _in_use(environment: Path, error: OSError) -> OutputError:
    return OutputError(
        f"{environment} cannot be replaced or removed ({error.strerror or error}): close other "
        "Blenders that use it and try again."
    )


def _clear(path: Path) -> None:
    """Removes a folder. On Windows a program that was just stopped may hold a file a moment."""
    attempts = 20 if sys.platform == "win32" else 1
    for left in range(attempts - 1, -1, -1):
        try:
            shutil.rmtree(path)
        except FileNotFoundError:
            return
        except OSError:
            if not left:
                raise
            time.sleep(0.5)
