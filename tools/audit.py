# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a known vulnerability lies in a package that the project pins, by pip-audit.

What is shipped needs numpy alone, which Blender brings; the pins are those of the neural runtime,
which one click installs, and of the developers' environments.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from .environments import ORACLE, REQUIREMENTS, audit_recipe, prepare
from .processes import ROOT, BuildError, clean_variables, say

#: Findings that do no harm here: the vulnerability's name -> why.
EXCUSED: dict[str, str] = {}


def audit() -> int:
    """0 if the database knows of none; 1 if it does. Raises BuildError if it cannot be asked.

    A package that it cannot be asked about counts as unasked, never as sound.
    """
    python = prepare(audit_recipe()).python
    locks = sorted((ROOT / "core" / "runtime").glob("lock-*.txt"))
    lists = [*locks, *sorted(REQUIREMENTS.glob("*.txt")), *sorted(ORACLE.parent.glob("req*.txt"))]
    bad = unasked = 0
    for path in lists:
        code, said = _ask(python, path)
        missing = "could not be audited" in said
        offline = re.search(
            r"NameResolutionError|ConnectionError|NewConnectionError|timed out", said
        )
        name = path.relative_to(ROOT).as_posix()
        if offline or missing:
            unasked += 1
            say(f"{name}: not asked")
        elif code:
            bad += 1
            say(f"{name}:\n{said.strip()}")
        else:
            say(f"{name}: none known")
    if unasked:
        raise BuildError(
            f"The database of vulnerabilities did not answer for {unasked} of {len(lists)} lists: "
            "run this where the network reaches it."
        )
    return 1 if bad else 0


def _ask(python: Path, path: Path) -> tuple[int, str]:
    command = [str(python), "-m", "pip_audit", "--strict", "--disable-pip", "--progress-spinner"]
    command += ["off", "--no-deps", "-r", str(path)]
    for known in EXCUSED:
        command += ["--ignore-vuln", known]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=clean_variables(),
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    return done.returncode, done.stdout + done.stderr
