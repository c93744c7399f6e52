# SPDX-License-Identifier: GPL-3.0-or-later
"""House rules that a machine can check and the usual linters do not.

Python files are judged by their syntax tree, in ``gate_code``; paths and host names are looked for
in the text of every file, and pins and hashes in every list of packages.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from .gate_code import code_faults

SPDX = "# SPDX-License-Identifier: GPL-3.0-or-later"
SKIPPED_FOLDERS = frozenset({"__pycache__", "out", "dist"})
LICENCE_TEXTS = frozenset({"LICENSE", "LICENSE.txt", "COPYING"})
ABSOLUTE_PATH = re.compile(
    r"(?<![\w./~:$}-])/(?:root|home|Users|work|tmp)/[\w.]|(?<!\w)[A-Z]:\\+Users\\"
)
REGISTRY = re.compile(
    r"pypi\.org|python" r"hosted\.org|conda\.anaconda\.org|download\.pytorch\.org"
)

#: (file, how a fault of it begins) -> why it is none. One that excuses nothing is itself a fault.
EXCEPTIONS = {
    ("core/runtime/create.py", "pip is started"): "the one downloader, on a click",
    (
        "core/reconstruct/report.py",
        "an absolute path: /proc/self/status",
    ): "Linux on a process' own memory",
    ("core/batch/machine.py", "an absolute path: /proc/meminfo"): "Linux on the machine's memory",
}


def check_tree(root: Path) -> list[str]:
    """Faults of all files under the root as "path:line: what is wrong", sorted by path."""
    faults: list[str] = []
    for path in project_files(root):
        relative = PurePosixPath(path.relative_to(root).as_posix())
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        faults += [f"{relative}:{line}: {what}" for line, what in check_file(relative, text)]
    return faults


def project_files(root: Path) -> Iterator[Path]:
    """Files of the project: no build output, no folder whose name starts with a dot but .ci."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(
            f for f in folders if f == ".ci" or not (f.startswith(".") or f in SKIPPED_FOLDERS)
        )
        yield from (Path(folder, name) for name in sorted(names))


def check_file(path: PurePosixPath, text: str) -> list[tuple[int, str]]:
    """(line, fault) of one file. ``path`` is relative to the project's root."""
    faults = [] if path.name in LICENCE_TEXTS else list(_text_faults(text))
    locked = path.suffix == ".txt" and path.name.startswith("lock-")
    if locked or (path.suffix == ".txt" and "requirements" in "/".join(path.parts[-2:])):
        faults += _pin_faults(text, hashes=locked)
    if path.suffix == ".py":
        if SPDX not in "\n".join(text.splitlines()[:2]):
            faults.append((1, f'the file does not start with "{SPDX}"'))
        faults += code_faults(path, ast.parse(text, str(path)))
    excused = [start for file, start in EXCEPTIONS if file == str(path)]
    for start in excused:
        if not any(what.startswith(start) for _, what in faults):
            faults.append((1, f'the exception for "{start}" is not needed any more'))
    return sorted(f for f in faults if not any(f[1].startswith(start) for start in excused))


def _text_faults(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        if ABSOLUTE_PATH.search(line):
            yield number, "an absolute path of one machine"
        if REGISTRY.search(line):
            yield number, "the host name of a package registry"


def _pin_faults(text: str, hashes: bool) -> Iterator[tuple[int, str]]:
    """A package without one exact version, or in a lock file without its hash."""
    # A backslash goes on with the line; what is left stands on the first of them.
    number = 1
    for line in re.split(r"(?<!\\)\n", text):
        wanted = line.partition("#")[0].strip()
        if wanted and "==" not in wanted.partition(";")[0]:
            yield number, "a package without one exact version (==)"
        if wanted and hashes and "--hash=sha256:" not in wanted:
            yield number, "a locked package without its hash"
        number += line.count("\n") + 1
