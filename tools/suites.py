# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the tests: core in a plain environment, the add-on in one process per Blender version, and
the interface in a windowed Blender where one has been set up.

Blender's module allows one scene per process and is needed by the add-on's tests alone, so each
suite is a pytest of its own. A whole suite is dealt by file into several pytests, of which as many
run side by side as there are cores (at most four); the last line sums them up in pytest's own form.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from . import window
from .environments import Environment, blender_recipe, prepare, tests_recipe
from .package import build_zip
from .processes import ROOT, BuildError, clean_variables, say

REPORTS = ROOT / ".build" / "reports"
NOTHING_COLLECTED = 5
CORE, FUZZ, ADDON, GUI = "tests/core", "tests/fuzz", "tests/addon", "tests/gui"
#: The windowed Blender that is used; `build.py gui` has others as well.
WINDOW = "trixie"
#: Pytests at once. Each starts its own fixtures, which more would only repeat.
_MOST_AT_ONCE = 4
#: Parts of a suite for each pytest that runs at once: who is done early takes another one.
_PARTS_EACH = 2
#: Seconds of files whose size says too little of how long they take; others take a second for
#: each so many bytes.
_SECONDS = {
    "tests/addon/test_pins.py": 120,
    "tests/addon/test_faults.py": 110,
    "tests/addon/test_export_presets.py": 110,
    "tests/addon/test_reconstruct.py": 100,
    "tests/addon/test_field_exports.py": 80,
    "tests/core/test_command_line.py": 70,
    "tests/core/test_worker.py": 60,
    "tests/core/test_combinations.py": 40,
}
_BYTES_A_SECOND = 700


@dataclass
class Counts:
    """What one pytest reported, or the sum over several."""

    passed: int = 0
    failed: int = 0
    errors: int = 0
    skipped: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(a + b for a, b in zip(self.fields(), other.fields(), strict=True)))

    def fields(self) -> tuple[int, int, int, int]:
        """The four numbers in the order in which they are told."""
        return self.passed, self.failed, self.errors, self.skipped

    def __str__(self) -> str:
        names = ("passed", "failed", "errors", "skipped")
        parts = [f"{n} {name}" for n, name in zip(self.fields(), names, strict=True) if n]
        return ", ".join(parts) or "no tests ran"


@dataclass(frozen=True)
class Outcome:
    """How one suite ended: pytest's exit code and what it counted."""

    name: str
    code: int
    counts: Counts


def split_arguments(arguments: list[str]) -> tuple[list[str], list[str], list[str], list[str]]:
    """(core paths, add-on paths, window paths, other arguments); without any path all suites are
    whole.
    """
    core, addon, gui, rest = [], [], [], []
    for argument in arguments:
        path = (ROOT / argument.split("::")[0]).resolve()
        if not path.exists() or not path.is_relative_to(ROOT / "tests"):
            rest.append(argument)
        elif path == ROOT / "tests":
            core += [CORE, FUZZ]
            addon.append(ADDON)
            gui.append(GUI)
        elif path.is_relative_to(ROOT / GUI):
            gui.append(argument)
        elif path.is_relative_to(ROOT / ADDON):
            addon.append(argument)
        else:
            core.append(argument)
    if not core and not addon and not gui:
        return [CORE, FUZZ], [ADDON], [GUI], rest
    return core, addon, gui, rest


@dataclass(frozen=True)
class Part:
    """One pytest process: which suite it belongs to, how it is called, and its arguments."""

    suite: str
    name: str
    environment: Environment
    variables: dict[str, str]
    arguments: list[str]


def run_tests(blenders: list[str], arguments: list[str]) -> int:
    """Runs the suites and prints one closing line; returns the exit code of the whole."""
    core, addon, gui, rest = split_arguments(arguments)
    started = time.perf_counter()
    suites: list[tuple[str, Callable[[], tuple[Environment, dict[str, str]]], list[str]]] = []
    # The longest first, so that no core waits for it at the end.
    for version in blenders if addon else []:
        suites.append((f"Blender {version}", lambda v=version: _blender(v), addon))  # type: ignore[misc]
    if core:
        suites.append(("core", lambda: (prepare(tests_recipe()), {}), core))
    if gui and (reason := window.missing(WINDOW)):
        # Never set up from here: that is a download of ten minutes on a slow line.
        say(f"\n--- tests: window ---\nSKIPPED, ALL OF {GUI}: {reason} is missing")
    elif gui:
        suites.append(("window", lambda: _window(blenders[0]), gui))
    REPORTS.mkdir(parents=True, exist_ok=True)
    parts, outcomes = [], []
    for name, ready, paths in suites:
        try:
            environment, variables = ready()
        except BuildError as error:
            say(f"\n--- tests: {name} ---\n{error}")
            outcomes.append(Outcome(name, 1, Counts(errors=1)))
            continue
        hands = dealt(paths, _PARTS_EACH * _at_once() if not rest else 1)
        for i, files in enumerate(hands):
            title = f"{name}, part {i + 1} of {len(hands)}" if len(hands) > 1 else name
            parts.append(Part(name, title, environment, variables, [*files, *rest]))
    outcomes += _run(parts)
    return close(together(outcomes), time.perf_counter() - started)


def _at_once() -> int:
    return min(os.cpu_count() or 1, _MOST_AT_ONCE)


def _expected_seconds(file: Path) -> float:
    known = _SECONDS.get(file.relative_to(ROOT).as_posix())
    return file.stat().st_size / _BYTES_A_SECOND if known is None else known


def dealt(paths: list[str], hands: int) -> list[list[str]]:
    """The files of whole suites dealt by the seconds that each is expected to take into that many
    lists, the longest first; paths within a suite stay together.
    """
    whole = [ROOT / path for path in paths if path in (CORE, FUZZ, ADDON)]
    if hands < 2 or len(whole) < len(paths):
        return [paths]
    files = sorted(
        (file for path in whole for file in path.glob("test_*.py")),
        key=lambda file: (-_expected_seconds(file), file.name),
    )
    out: list[list[str]] = [[] for _ in range(hands)]
    sizes = [0.0] * hands
    for file in files:
        least = sizes.index(min(sizes))
        sizes[least] += _expected_seconds(file)
        out[least].append(file.relative_to(ROOT).as_posix())
    return [sorted(hand) for hand in out if hand]


def _run(parts: list[Part]) -> list[Outcome]:
    """All parts, as many at once as there are cores; the window by itself, after all others."""
    alone = [part for part in parts if part.suite == "window"]
    others = [part for part in parts if part.suite != "window"]
    outcomes = []
    if len(others) == 1:
        outcomes.append(_streamed(others[0]))
    elif others:
        done = threading.Event()
        threading.Thread(target=_still_there, args=(done,), daemon=True).start()
        try:
            with ThreadPoolExecutor(_at_once()) as pool:
                outcomes += pool.map(_captured, others)
        finally:
            done.set()
    return outcomes + [_streamed(part) for part in alone]


def _still_there(done: threading.Event) -> None:
    started = time.perf_counter()
    while not done.wait(60):
        say(f"  ... tests are still at it, {(time.perf_counter() - started) / 60:.0f} min")


def together(outcomes: list[Outcome]) -> list[Outcome]:
    """One outcome a suite out of those of its parts: the worst code, the sum of the counts."""
    out: dict[str, Outcome] = {}
    for outcome in outcomes:
        first = out.get(outcome.name)
        if first is not None:
            codes = {first.code, outcome.code} - {NOTHING_COLLECTED}
            code = max(codes) if codes else NOTHING_COLLECTED
            outcome = Outcome(outcome.name, code, first.counts + outcome.counts)
        out[outcome.name] = outcome
    return list(out.values())


def _blender(version: str) -> tuple[Environment, dict[str, str]]:
    environment = prepare(blender_recipe(version))
    return environment, {"PIXEL3DMM_ZIP": str(build_zip(ROOT / "dist", environment.python))}


def _window(blender: str) -> tuple[Environment, dict[str, str]]:
    """The tests' own environment: the Blender that they drive runs in another one."""
    archive = build_zip(ROOT / "dist", prepare(blender_recipe(blender)).python)
    variables = {"PIXEL3DMM_ZIP": str(archive), "PIXEL3DMM_WINDOW_SUITE": WINDOW}
    return prepare(tests_recipe()), variables


def _streamed(part: Part) -> Outcome:
    """One pytest process whose lines the person sees as they come."""
    say(f"\n--- tests: {part.name} ---")
    command, report, variables = _command(part)
    code = subprocess.run(command, cwd=ROOT, env=variables, check=False).returncode
    return Outcome(part.suite, code, read_report(report))


def _captured(part: Part) -> Outcome:
    """One of several at once: its lines are told together when it ends."""
    command, report, variables = _command(part)
    # One thread each: several pytests whose matrix products all want every core take longer.
    variables = {"OPENBLAS_NUM_THREADS": "1", **variables}
    ended = subprocess.run(
        command,
        cwd=ROOT,
        env=variables,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    say(f"\n--- tests: {part.name} ---\n{ended.stdout}")
    return Outcome(part.suite, ended.returncode, read_report(report))


def _command(part: Part) -> tuple[list[str], Path, dict[str, str]]:
    """(command, report, variables) of one pytest process; an old report is removed."""
    stem = part.name.lower().replace(",", "").replace(" ", "-")
    report = REPORTS / f"{stem}.xml"
    report.unlink(missing_ok=True)
    python = str(part.environment.python)
    command = [python, "-m", "pytest", f"--junitxml={report}", *part.arguments]
    variables = clean_variables(**part.variables)
    # Tests start hundreds of processes: each would compile every module anew.
    variables.pop("PYTHONDONTWRITEBYTECODE", None)
    return command, report, variables


def read_report(path: Path) -> Counts:
    """Counts out of pytest's JUnit report; a missing report counts as one error."""
    try:
        suites = ElementTree.parse(path).getroot().iter("testsuite")  # noqa: S314 - our own file
    except (OSError, ElementTree.ParseError):
        return Counts(errors=1)
    total = Counts()
    for suite in suites:
        every, failed, errors, skipped = (
            int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped")
        )
        total += Counts(every - failed - errors - skipped, failed, errors, skipped)
    return total


def close(outcomes: list[Outcome], seconds: float) -> int:
    """Says how each suite ended and the sum in pytest's form; returns the exit code."""
    say("")
    for outcome in outcomes:
        odd = outcome.code not in (0, 1, NOTHING_COLLECTED)
        ended = f"; pytest ended with code {outcome.code}" if odd else ""
        say(f"{outcome.name}: {outcome.counts}{ended}")
    total = sum((outcome.counts for outcome in outcomes), Counts())
    say(f" {total} in {seconds:.2f}s ".center(80, "="))
    codes = {outcome.code for outcome in outcomes}
    if codes == {NOTHING_COLLECTED}:
        return NOTHING_COLLECTED
    return 0 if codes <= {0, NOTHING_COLLECTED} else 1
