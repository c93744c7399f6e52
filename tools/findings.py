# SPDX-License-Identifier: GPL-3.0-or-later
"""What bandit finds in the project that is no fault, each with its reason; the rest is one."""

from __future__ import annotations

import json
import subprocess
from pathlib import PurePath

from .processes import ROOT, clean_variables, say

SCANNED = ("core", "pixel3dmm_addon", "tools", "benchmarks", "training", "build.py", "__init__.py")

#: Whole kinds: bandit's number -> why it says nothing here.
NO_FAULTS = {
    "B101": "asserts tell type checkers what is so; no input is checked by one",
    "B404": "subprocess is how the worker is started",
    "B603": "programs are started from lists of arguments, never through a shell",
}
#: Kinds that say nothing of what is never shipped: chance keeps no secret there, and a developer's
#: own machine finds its own programs.
OF_DEVELOPERS = ("benchmarks/", "training/", "tools/")
NOT_SHIPPED = frozenset({"B311", "B607"})
#: Single findings: (file, number) -> why it is none.
EXCUSED = {
    ("core/rig/expression.py", "B311"): "a random expression keeps no secret",
    ("core/files/pickle_machine.py", "B403"): "pickletools decodes opcodes and runs none",
    ("core/files/restricted_pickle.py", "B403"): "our own module that has pickle in its name",
    ("tools/suites.py", "B314"): "reads the report that pytest has just written",
    ("tools/suites.py", "B405"): "reads the report that pytest has just written",
    ("tools/window.py", "B108"): "a folder inside the chroot of the window tests",
}


def bandit_faults(python: str) -> list[str]:
    """Findings that nobody has excused, and excuses that nothing needs, as "path:line: words"."""
    command = [python, "-m", "bandit", "-q", "-f", "json", "-s", ",".join(NO_FAULTS), "-r"]
    done = subprocess.run(
        [*command, *SCANNED],
        cwd=ROOT,
        env=clean_variables(),
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    try:
        report = json.loads(done.stdout)
    except ValueError:
        say(done.stderr.strip())
        return [f"bandit ended with code {done.returncode} and without a report"]
    return unexcused(report)


def unexcused(report: dict) -> list[str]:
    """The same, out of bandit's report as JSON."""
    faults = [f"{entry['filename']}: bandit could not read it" for entry in report["errors"]]
    needed = set()
    for found in report["results"]:
        file = PurePath(found["filename"]).as_posix().removeprefix("./")
        key = (file, found["test_id"])
        needed.add(key)
        among_us = file.startswith(OF_DEVELOPERS) and found["test_id"] in NOT_SHIPPED
        if key not in EXCUSED and not among_us:
            words = f"{found['test_id']} {found['issue_text']}"
            faults.append(f"{file}:{found['line_number']}: {words}")
    return faults + [f"{f}:1: the excuse for {n} is not needed any more" for f, n in EXCUSED
                     if (f, n) not in needed]  # fmt: skip
