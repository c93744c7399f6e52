# SPDX-License-Identifier: GPL-3.0-or-later
"""All checkers in one go: ruff, mypy on core and the add-on, bandit, and the house's own gate."""

from __future__ import annotations

import subprocess
from pathlib import Path

from .blender_types import PACKAGE, extension_package, mend_stubs
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
    mend_stubs(python)
    addon = ("-m", "mypy", "--config-file", str(ROOT / "pyproject.toml"), "-p")
    ok &= _run(
        "mypy (add-on)", python, *addon, f"{PACKAGE}.pixel3dmm_addon", folder=extension_package()
    )
    for name, faults in (("bandit", bandit_faults(python)), ("house rules", check_tree(ROOT))):
        for fault in faults:
            say(fault)
        ok &= _tell(name, not faults)
    return 0 if ok else 1


def _run(name: str, *command: str, folder: Path = ROOT) -> bool:
    code = subprocess.run(command, cwd=folder, env=clean_variables(), check=False).returncode
    return _tell(name, code == 0)


def _tell(name: str, ok: bool) -> bool:
    say(f"{name}: {'clean' if ok else 'faults, see above'}")
    return ok
