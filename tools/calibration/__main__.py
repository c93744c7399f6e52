# SPDX-License-Identifier: GPL-3.0-or-later
"""Command line of the calibration; see the package's docstring."""

from __future__ import annotations

import argparse
from pathlib import Path


def main() -> None:
    """Run one of the two steps."""
    parser = argparse.ArgumentParser(prog="python -m tools.calibration")
    steps = parser.add_subparsers(dest="step", required=True)
    first = steps.add_parser("render")
    first.add_argument("--count", type=int, default=1500)
    first.add_argument("--seed", type=int, default=1)
    first.add_argument("--out", type=Path, required=True)
    second = steps.add_parser("solve")
    second.add_argument("folder", type=Path)
    second.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    if options.step == "render":
        from .render import render

        render(options.count, options.seed, options.out)
    else:
        from .solve import solve

        solve(options.folder, options.out)


if __name__ == "__main__":
    main()
