# SPDX-License-Identifier: GPL-3.0-or-later
"""Recordings of Epic's app Live Link Face: one line of ARKit coefficients for each moment.

The header is ``Timecode,BlendShapeCount``, the 52 names with a capital, then yaw, pitch and roll
of HeadYaw, LeftEyeYaw, RightEyeYaw in radians. A timecode is ``HH:MM:SS:FF.mmm`` with frames and
thousandths of a frame. While no face is seen a line has the count 0 and no values. Converters of
other programs write the same columns in ways of their own, which :mod:`.table`, :mod:`.timecode`
and :mod:`.angles` understand.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import MotionError
from . import Array, FaceMotion, table
from .angles import KINDS, PARTS, Choices, turns_of
from .key_names import arkit_name
from .timecode import seconds_of

MAX_SECONDS = 7200
#: As many at 60 a second.
MAX_ROWS = 432_000
_CLOCKS = ("timecode", "time", "timestamp", "time code")
_COUNT = "blendshapecount"
#: A line of zeros alone among lines with so many other numbers is a face that was lost.
_FULL = 25
#: No unit of angles counts so far: sums of squares of more would overflow.
_FAR = 1e6


def read_arkit_csv(path: Path, choices: Choices | None = None) -> FaceMotion:
    """Reads a recording. Raises MotionError with one sentence if it is none, or is damaged.

    choices: what a person knows better than the file; None: all is found out.
    """
    path = Path(path)
    try:
        with table.opened(path, _count_names) as (header, rows):
            return _motion(path.name, header, rows, choices or Choices())
    except table.NoTableError as error:
        raise _not_one(path.name, str(error)) from error
    # ValueError: a path with a null character.
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise MotionError(f"{path.name} cannot be read ({reason}): choose another file.") from error


def _count_names(cells: list[str]) -> int:
    return sum(arkit_name(cell) is not None for cell in cells)


@dataclass
class _Rows:
    """What the lines hold: the timecode of each, its numbers (nan where there are none), whether
    a face was seen in it; how many lines were no good, and a word where a number should be.
    """

    codes: list[str] = field(default_factory=list)
    numbers: list[Array] = field(default_factory=list)
    seen: list[bool] = field(default_factory=list)
    total: int = 0
    broken: int = 0
    word: str = ""
    long: int = 0


def _read_rows(
    name: str, lines: Iterator[list[str]], wanted: list[int], columns: dict[str, int], width: int
) -> _Rows:
    out = _Rows()
    clock = next((columns[key] for key in _CLOCKS if key in columns), None)
    counter = columns.get(_COUNT)
    short = False
    for row in lines:
        if not any(cell.strip() for cell in row):
            continue
        out.total += 1
        if out.total > MAX_ROWS:
            raise _too_long(name)
        out.long += len(row) > width + 1 and any(cell.strip() for cell in row[width + 1 :])
        short = len(row) <= max(wanted)
        cells = [row[i] if i < len(row) else "" for i in wanted]
        numbers, words = _numbers(cells)
        if words:
            out.word = out.word or words[0].strip()
        if 2 * len(words) > len(cells) - sum(not cell.strip() for cell in cells):
            out.broken += 1
            continue
        counted = row[counter].strip() if counter is not None and counter < len(row) else ""
        out.seen.append(bool(np.isfinite(numbers).any()) and counted != "0")
        out.codes.append(row[clock] if clock is not None and clock < len(row) else "")
        out.numbers.append(numbers)
    if short and out.seen and out.seen[-1]:  # the end of a file that was cut
        out.broken += 1
        del out.codes[-1], out.numbers[-1], out.seen[-1]
    return out


def _numbers(cells: list[str]) -> tuple[Array, list[str]]:
    """(n,) with nan where there is none, and the cells that hold something else."""
    try:
        out = np.array([float(cell) for cell in cells])
        if np.isfinite(out).all():
            return out, []
    except ValueError:
        pass
    found = [table.number(cell) for cell in cells]
    wrong = [f is None or f in (float("inf"), -float("inf")) for f in found]
    words = [cell for cell, bad in zip(cells, wrong, strict=True) if bad]
    values = [np.nan if bad else f for f, bad in zip(found, wrong, strict=True)]
    return np.array(values, dtype=float), words


def _columns(name: str, header: list[str]) -> dict[str, int]:
    """Column by ARKit's name, or by its own in small letters."""
    out: dict[str, int] = {}
    for i, cell in enumerate(header):
        key = arkit_name(cell) or cell.strip().lower()
        if key in out and key:
            raise _not_one(name, f"the column {cell.strip()[:40]} is there twice")
        out[key] = i
    return out


def _motion(
    name: str, header: list[str], lines: Iterator[list[str]], choices: Choices
) -> FaceMotion:
    columns = _columns(name, header)
    sliders = [key for key in columns if arkit_name(key) == key]
    if not sliders:
        raise _not_one(name, "its first line names no ARKit slider")
    angles = [f"{part}{kind}".lower() for part in PARTS for kind in KINDS]
    names = [*sliders, *(angle for angle in angles if angle in columns)]
    rows = _read_rows(name, lines, [columns[key] for key in names], columns, len(header))
    _refuse(name, rows)
    times, notes = seconds_of(rows.codes, choices.rate)
    times = times - times[0]
    _refuse_jumps(name, rows.codes, times)
    data = np.array(rows.numbers)
    seen = _seen(np.array(rows.seen), data)
    notes += _lost(seen, times)
    if rows.broken:
        notes.append(f"{rows.broken} damaged lines were left out")
    end = times[-1]
    times, data = times[seen], data[seen]
    onward = np.diff(times, prepend=-np.inf) > 0
    times, data = times[onward], data[onward]
    data, names, said = _filled(data, names, header, columns)
    notes += said
    if not any(key in sliders for key in names):
        raise _not_one(name, "its columns of sliders are empty")
    # The take's own first and last moment, though the face was not seen yet or no longer.
    if times[0] > 0:
        times, data = np.append(0.0, times), np.concatenate([data[:1], data])
    if times[-1] < end:
        times, data = np.append(times, end), np.concatenate([data, data[-1:]])
    kept = [key for key in names if key in sliders]
    values, said = _unit(data[:, : len(kept)], choices.sliders)
    notes += said
    turns, said = turns_of(
        {key: data[:, i].clip(-_FAR, _FAR) for i, key in enumerate(names) if key not in sliders},
        {key: values[:, i] for i, key in enumerate(kept)},
        choices,
    )
    return FaceMotion(times, tuple(kept), values, turns, tuple(notes + said))


def _refuse(name: str, rows: _Rows) -> None:
    """Raises MotionError with the reason where the lines hold too little of a face."""
    if not rows.total:
        raise _not_one(name, "nothing follows its first line")
    if rows.long > rows.total // 10:
        raise _not_one(
            name,
            "its lines have more columns than names, as where commas part both columns and "
            "decimals: write it with semicolons or tabs",
        )
    if rows.broken > max(1, rows.total // 10) or not rows.codes:
        said = f", {rows.word[:20]!r} is no number" if rows.word else ""
        raise _not_one(name, f"{rows.broken} of {rows.total} lines are damaged{said}")
    if not any(rows.seen):
        raise _not_one(name, f"no face was seen in any of its {rows.total} lines")


def _refuse_jumps(name: str, codes: list[str], times: Array) -> None:
    """A single wrong timecode would ask the scene for millions of frames."""
    if times[-1] <= MAX_SECONDS:
        return
    jump = int(np.argmax(np.diff(times)))
    if times[-1] - (times[jump + 1] - times[jump]) <= MAX_SECONDS:
        raise MotionError(
            f"{name} jumps in time from {codes[jump].strip()} to {codes[jump + 1].strip()}: delete "
            "the lines on the shorter side of it."
        )
    raise _too_long(name)


def _seen(seen: NDArray[np.bool_], data: Array) -> NDArray[np.bool_]:
    """Without lines that hold zeros alone where others are full: some recorders write a lost face
    so.
    """
    used = (np.nan_to_num(data) != 0).sum(axis=1)
    if np.median(used[seen]) < _FULL:
        return seen
    return seen & (used > 0)


def _lost(seen: NDArray[np.bool_], times: Array) -> list[str]:
    """Sentences on where the face was not seen."""
    at = np.flatnonzero(seen)
    notes = []
    if times[at[0]] > 0:
        notes.append(
            f"The face is seen from {times[at[0]]:.2f} s on: its first pose is held until then"
        )
    if times[at[-1]] < times[-1]:
        notes.append(
            f"The face is lost after {times[at[-1]]:.2f} s: its last pose is held to the end"
        )
    within = at[-1] - at[0] + 1 - len(at)
    if within:
        notes.append(f"The face was lost in {within} of {len(seen)} moments: they are bridged")
    return notes


def _filled(
    data: Array, names: list[str], header: list[str], columns: dict[str, int]
) -> tuple[Array, list[str], list[str]]:
    """Without columns that hold no number; gaps in others bridged."""
    there = np.isfinite(data)
    used = there.sum(axis=0) > 0
    empty = [header[columns[names[i]]].strip() for i in np.flatnonzero(~used)]
    notes = []
    if empty:
        more = f" and {len(empty) - 3} more" if len(empty) > 3 else ""
        notes.append(f"Columns without a number were left out: {', '.join(empty[:3])}{more}")
    keep = np.flatnonzero(used)
    gaps = 0
    for i in keep[~there[:, keep].all(axis=0)]:
        known = np.flatnonzero(there[:, i])
        gaps += len(data) - len(known)
        data[:, i] = np.interp(np.arange(len(data)), known, data[known, i])
    if gaps:
        notes.append(f"{gaps} cells without a number were bridged")
    return data[:, keep], [names[i] for i in keep], notes


def _unit(values: Array, unit: str) -> tuple[Array, list[str]]:
    notes = []
    # Not by a single spike.
    top = float(np.quantile(values.max(axis=1), 0.99))
    if unit == "PERCENT" or (unit == "AUTO" and 2.0 < top <= 200.0):
        values = values / 100
        notes.append("The sliders were read as percent")
    outside = int(((values < 0) | (values > 1)).any(axis=1).sum())
    if outside:
        notes.append(f"{outside} moments had sliders beyond 0 and 1, which were held there")
    return np.clip(values, 0.0, 1.0), notes


def _too_long(name: str) -> MotionError:
    return MotionError(f"{name} is longer than two hours: cut it into shorter recordings.")


def _not_one(name: str, reason: str) -> MotionError:
    return MotionError(
        f"{name} is no recording of Live Link Face ({reason}): choose its file MySlate_...csv."
    )
