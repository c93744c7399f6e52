# SPDX-License-Identifier: GPL-3.0-or-later
"""All checkers in one go: ruff, mypy on core, bandit, and the house's own gate."""

from __future__ import annotations

import subprocess

from .environments import lint_recipe, prepare
from .findings import bandit_faults
from .gate import check_tree
from .processes import ROOT, clean_variables, say


def lint() -> int:
    """Runs every checker, also after one has failed; returns 0 if all are content."""
    python = str(prepare(lint_recipe()).python)
    ok = _run(
        "ruff check", python, "-m", "ruff", "check", "--quiet", "--output-format=concise", "."
    )
    ok &= _run("ruff format", python, "-m", "ruff", "format", "--check", "--quiet", ".")
    # -p, since the extension's own __init__.py makes the root look like a package to mypy
    ok &= _run("mypy (core)", python, "-m", "mypy", "-p", "core")
    for name, faults in (("bandit", bandit_faults(python)), ("house rules", check_tree(ROOT))):
        for fault in faults:
            say(fault)
        ok &= _tell(name, not faults)
    return 0 if ok else 1


def _run(name: str, *command: str) -> bool:
    code = subprocess.run(command, cwd=ROOT, env=clean_variables(), check=False).returncode
    return _tell(name, code == 0)


def _tell(name: str, ok: bool) -> bool:
    say(f"{name}: {'clean' if ok else 'faults, see above'}")
    return ok
