#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one door: run, test, lint, package, assets, bench. Needs nothing but Python to start."""

import subprocess
import sys

from tools import pythons


def main() -> int:
    """Hands over to tools.verbs, under a Python that Blender's module exists for."""
    asks_for_help = len(sys.argv) < 2 or sys.argv[1] in ("-h", "--help")
    if pythons.this_version() in pythons.SUPPORTED:
        from tools import verbs

        return verbs.main(sys.argv[1:])
    for version in pythons.SUPPORTED:
        other = pythons.find_python(version)
        if other:
            if not asks_for_help:
                print(f"Using {other} (this is Python {pythons.this_version()}).", flush=True)
            return subprocess.call([other, *sys.argv])
    print("build.py: " + pythons.advice(), file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
