# SPDX-License-Identifier: GPL-3.0-or-later
"""Rebuilds the data under ``vendor/`` from its published sources and says what changed.

Each builder writes into a scratch folder; only files whose content differs are then copied into
``vendor/``. Two .npz files are the same if their arrays are: bytes of the container may differ.
Runs in the assets environment: ``python -m tools.assets``.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from .processes import ROOT, clean_variables, say

BUILDERS = {"open_head": "tools.open_head", "mediapipe": "tools.mediapipe"}


def rebuild(vendor: Path = ROOT / "vendor") -> int:
    """Runs every builder; returns 0 if all ended well, whether or not anything changed."""
    code = 0
    for name, module in BUILDERS.items():
        say(f"Building vendor/{name} ...")
        with tempfile.TemporaryDirectory() as scratch:
            out = Path(scratch, name)
            command = [sys.executable, "-m", module, "--out", str(out)]
            ended = subprocess.run(command, cwd=ROOT, env=clean_variables(), check=False).returncode
            if ended:
                say(f"vendor/{name}: the builder ended with code {ended}; nothing was changed.")
                code = 1
                continue
            changes = differences(vendor / name, out)
            for path in changes:
                (vendor / name / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(out / path, vendor / name / path)
        for path, change in changes.items():
            say(f"  {path}: {change}")
        say(f"vendor/{name}: {'changed' if changes else 'unchanged'}")
    return code


def differences(old: Path, new: Path) -> dict[str, str]:
    """{file: what changed} over the files in ``new``; empty if ``old`` holds the same."""
    changes: dict[str, str] = {}
    for path in sorted(p for p in new.rglob("*") if p.is_file()):
        name = path.relative_to(new).as_posix()
        before = old / name
        if not before.is_file():
            changes[name] = "new"
        elif path.suffix == ".npz":
            arrays = changed_arrays(before, path)
            if arrays:
                changes[name] = f"arrays changed: {', '.join(arrays)}"
        elif before.read_bytes() != path.read_bytes():
            changes[name] = "changed"
    return changes


def changed_arrays(old: Path, new: Path) -> list[str]:
    """Names of arrays that are missing in one, or differ in type, shape or any bit."""
    with np.load(old, allow_pickle=False) as a, np.load(new, allow_pickle=False) as b:
        names = set(a.files) | set(b.files)
        both = set(a.files) & set(b.files)
        same = {n for n in both if _identical(a[n], b[n])}
    return sorted(names - same)


def _identical(a: np.ndarray, b: np.ndarray) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


if __name__ == "__main__":
    sys.exit(rebuild())
