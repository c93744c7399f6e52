# SPDX-License-Identifier: GPL-3.0-or-later
"""Command line of the calibration; see the package's docstring."""

from __future__ import annotations

import argparse
from pathlib import Path

SOURCE = Path("vendor/open_head/mediapipe_embedding_source.npz")


def main() -> None:
    """Run one of the steps."""
    parser = argparse.ArgumentParser(prog="python -m tools.calibration")
    steps = parser.add_subparsers(dest="step", required=True)
    first = steps.add_parser("render")
    first.add_argument("--count", type=int, default=1500)
    first.add_argument("--seed", type=int, default=1)
    first.add_argument("--out", type=Path, required=True)
    middle = steps.add_parser("embed")
    middle.add_argument("folder", type=Path)
    middle.add_argument("--source", type=Path, default=SOURCE)
    second = steps.add_parser("solve")
    second.add_argument("folder", type=Path)
    second.add_argument("--out", type=Path, required=True)
    third = steps.add_parser("strangers")
    third.add_argument("--count", type=int, default=70)
    third.add_argument("--seed", type=int, default=5)
    third.add_argument("--out", type=Path, required=True)
    takes = steps.add_parser("response")
    takes.add_argument("--count", type=int, default=240)
    takes.add_argument("--seed", type=int, default=1)
    takes.add_argument("--out", type=Path, required=True)
    answer = steps.add_parser("solve-response")
    answer.add_argument("folder", type=Path)
    answer.add_argument("--out", type=Path, required=True)
    last = steps.add_parser("bound")
    last.add_argument("folder", type=Path)
    options = parser.parse_args()
    if options.step == "render":
        from .render import render

        render(options.count, options.seed, options.out)
    elif options.step == "embed":
        from .embed import embed

        embed(options.folder, options.source)
    elif options.step == "strangers":
        from .strangers import render_strangers

        render_strangers(options.count, options.seed, options.out)
    elif options.step == "response":
        from .response import render as render_response

        render_response(options.count, options.seed, options.out)
    elif options.step == "solve-response":
        from .response import solve as solve_response

        solve_response(options.folder, options.out)
    elif options.step == "bound":
        from .bound import bound

        bound(options.folder)
    else:
        from .solve import solve

        solve(options.folder, options.out)


if __name__ == "__main__":
    main()
