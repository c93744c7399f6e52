# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks the rig of a head file and writes what was found beside it."""

from __future__ import annotations

import json
from pathlib import Path

from ..files.atomic_write import placed
from ..rigged_head import RiggedHead
from .rig_arrays import RigArrays
from .rig_check import LIMITS, RigCheck, check_rig
from .rig_check_picture import rig_check_png


def check_file(path: Path, out: Path) -> RigCheck:
    """Writes ``<stem>.rig.json`` and ``<stem>.rig.png`` into the folder ``out``.

    Raises ModelFileError for a file that is no head.
    """
    rig = RigArrays.of(RiggedHead.load(path))
    check = check_rig(rig)
    write_rig_check(rig, check, out, path.stem)
    return check


def write_rig_check(rig: RigArrays, check: RigCheck, out: Path, stem: str) -> None:
    """``<stem>.rig.json`` and ``<stem>.rig.png`` in the folder ``out``; OutputError where that
    cannot be written to.
    """
    report = json.dumps(check.report(), indent=2) + "\n"
    with placed(out / f"{stem}.rig.json") as path:
        path.write_text(report, encoding="utf-8")
    with placed(out / f"{stem}.rig.png") as path:
        path.write_bytes(rig_check_png(rig, check))


def summary(check: RigCheck) -> list[str]:
    """A line a check: its worst figure and its limit; the checks that failed first."""
    lines = []
    for failed in (True, False):
        for name, limit in LIMITS.items():
            worst = check.worst(name)
            if worst is None or worst.passed == failed:
                continue
            number = sum(f.check == name for f in check.failures)
            ends = [f"at least {limit.least:g}"] if limit.least > -1e9 else []
            ends += [f"at most {limit.most:g}"] if limit.most < 1e9 else []
            start = f"FAILED ({number})" if failed else "passed"
            lines.append(
                f"{start}: {name}: {worst.value:.3g} {limit.unit} ({worst.subject}), "
                + " and ".join(ends)
            )
    return lines
