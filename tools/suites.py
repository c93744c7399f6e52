# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the tests: core in a plain environment, the add-on in one process per Blender version, and
the interface in a windowed Blender where one has been set up.

Blender's module allows one scene per process and is needed by the add-on's tests alone, so each
suite is a pytest of its own; the last line sums them up in pytest's own form.
"""

from __future__ import annotations

import subprocess
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
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


def run_tests(blenders: list[str], arguments: list[str]) -> int:
    """Runs the suites and prints one closing line; returns the exit code of the whole."""
    core, addon, gui, rest = split_arguments(arguments)
    started = time.perf_counter()
    outcomes = []
    if core:
        outcomes.append(_suite("core", lambda: (prepare(tests_recipe()), {}), [*core, *rest]))
    for version in blenders if addon else []:
        name = f"Blender {version}"
        outcomes.append(_suite(name, lambda v=version: _blender(v), [*addon, *rest]))
    if gui and (reason := window.missing(WINDOW)):
        # Never set up from here: that is a download of ten minutes on a slow line.
        say(f"\n--- tests: window ---\nSKIPPED, ALL OF {GUI}: {reason} is missing")
    elif gui:
        outcomes.append(_suite("window", lambda: _window(blenders[0]), [*gui, *rest]))
    return close(outcomes, time.perf_counter() - started)


def _blender(version: str) -> tuple[Environment, dict[str, str]]:
    environment = prepare(blender_recipe(version))
    return environment, {"PIXEL3DMM_ZIP": str(build_zip(ROOT / "dist", environment.python))}


def _window(blender: str) -> tuple[Environment, dict[str, str]]:
    """The tests' own environment: the Blender that they drive runs in another one."""
    archive = build_zip(ROOT / "dist", prepare(blender_recipe(blender)).python)
    variables = {"PIXEL3DMM_ZIP": str(archive), "PIXEL3DMM_WINDOW_SUITE": WINDOW}
    return prepare(tests_recipe()), variables


def _suite(
    name: str, ready: Callable[[], tuple[Environment, dict[str, str]]], arguments: list[str]
) -> Outcome:
    """One pytest process. What cannot even be prepared counts as one error."""
    REPORTS.mkdir(parents=True, exist_ok=True)
    report = REPORTS / f"{name.lower().replace(' ', '-')}.xml"
    report.unlink(missing_ok=True)
    say(f"\n--- tests: {name} ---")
    try:
        environment, variables = ready()
    except BuildError as error:
        say(str(error))
        return Outcome(name, 1, Counts(errors=1))
    command = [str(environment.python), "-m", "pytest", f"--junitxml={report}", *arguments]
    variables = clean_variables(**variables)
    code = subprocess.run(command, cwd=ROOT, env=variables, check=False).returncode
    return Outcome(name, code, read_report(report))


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
