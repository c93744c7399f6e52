# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m benchmarks [NAME...]``: runs every script of this folder, or those named."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main(names: list[str]) -> int:
    """Runs each in its own process, also after one has failed; returns the last bad code or 0."""
    scripts = sorted(p.stem for p in HERE.glob("*.py") if not p.stem.startswith("_"))
    unknown = sorted(set(names) - set(scripts))
    if unknown:
        print(f"There is no benchmark {', '.join(unknown)}: choose among {', '.join(scripts)}.")
        return 2
    code = 0
    for name in names or scripts:
        print(f"\n=== {name} ===", flush=True)
        command = [sys.executable, "-m", f"benchmarks.{name}"]
        code = subprocess.run(command, cwd=HERE.parent, check=False).returncode or code
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
