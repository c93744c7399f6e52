# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds a Python that Blender's module exists for.

This file is read by whatever Python 3 the person has, down to 3.6, so its syntax stays plain.
"""

import os
import shutil
import subprocess
import sys

SUPPORTED = ("3.11", "3.13")


def this_version() -> str:
    """The running interpreter's version as "3.11"."""
    return "{}.{}".format(*sys.version_info[:2])


def find_python(version: str, path: "str | None" = None) -> "str | None":
    """An interpreter of exactly this version: the running one, else one on PATH, else None.

    Candidates are started once, because a name on PATH may be a launcher with nothing behind it.
    ``path`` replaces the search path; the running interpreter then counts for nothing.
    """
    if path is None and version == this_version():
        return sys.executable
    candidates = [["python" + version], ["python3"]]
    if os.name == "nt":
        candidates.insert(0, ["py", "-" + version])
    for name, *options in candidates:
        program = shutil.which(name, path=path)
        if program:
            found = _ask([program, *options])
            if found and found[0] == version:
                return found[1]
    return None


def _ask(command: "list[str]") -> "list[str] | None":
    code = "import sys; print('%d.%d' % sys.version_info[:2]); print(sys.executable)"
    try:
        answer = subprocess.run(
            [*command, "-c", code],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            universal_newlines=True,  # noqa: UP021 - the name that 3.6 knows
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = answer.stdout.splitlines()
    return lines if answer.returncode == 0 and len(lines) == 2 else None


def advice(wanted: "tuple[str, ...]" = SUPPORTED) -> str:
    """The sentence for a person who has no suitable Python."""
    return (
        "Python {} is needed, this is {} and no other was found on PATH: install Python {} "
        "and run the same command again.".format(" or ".join(wanted), this_version(), wanted[0])
    )
