# SPDX-License-Identifier: GPL-3.0-or-later
"""Recordings of Epic's app Live Link Face: one line of ARKit coefficients for each moment.

The header is ``Timecode,BlendShapeCount``, the 52 names with a capital, then yaw, pitch and roll
of HeadYaw, LeftEyeYaw, RightEyeYaw in radians. A timecode is ``HH:MM:SS:FF.mmm`` with frames and
thousandths of a frame. While no face is seen a line has the count 0 and no values.

The file does not say which way its angles count, and the app mirrors them when the phone lies on
its side. But ARKit's eyeLook sliders tell the same gaze in words, so the signs are read from them.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

import numpy as np

from ..errors import MotionError
from ..geometry.rotation import matrix_from_vector
from . import Array, FaceMotion
from .key_names import arkit_name

MAX_SECONDS = 7200
#: As many at 60 a second.
MAX_ROWS = 432_000
#: Characters. A recording's lines have about 600.
MAX_LINE = 20_000
#: Frames a second that cameras and phones count timecodes in.
_RATES = (24, 25, 30, 48, 50, 60, 120, 240)
_USUAL_RATE = 60
_PARTS = ("Head", "LeftEye", "RightEye")
_KINDS = ("Yaw", "Pitch", "Roll")
_TRACKS = {"Head": "head", "LeftEye": "eye_l", "RightEye": "eye_r"}
#: Less movement than this, in radians, says nothing of the signs.
_TELLING = 0.02
_CLOCK = re.compile(r"(\d{1,3}):(\d{1,2}):(\d{1,2})(?:[:;](\d{1,3})(?:\.(\d{1,4}))?|\.(\d{1,6}))?")


def read_arkit_csv(path: Path, *, flip_yaw: bool = False, flip_pitch: bool = False) -> FaceMotion:
    """Reads a recording. Raises MotionError with one sentence if it is none, or is damaged.

    flip_yaw, flip_pitch: head and eyes turn (and tilt), or nod, the other way than is found out.
    """
    path = Path(path)
    flips = (-1.0 if flip_yaw else 1.0, -1.0 if flip_pitch else 1.0)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _motion(path.name, csv.reader(_lines(file, path.name)), flips)
    except UnicodeDecodeError as error:
        raise _not_one(path.name, "it is not text") from error
    except csv.Error as error:
        raise _not_one(path.name, str(error)) from error
    # ValueError: a path with a null character.
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise MotionError(f"{path.name} cannot be read ({reason}): choose another file.") from error


def _lines(file: TextIO, name: str) -> Iterator[str]:
    """Line by line, none longer than a recording's: a file without ends must not fill memory."""
    while line := file.readline(MAX_LINE + 1):
        if len(line) > MAX_LINE:
            raise _not_one(name, "its lines are too long")
        yield line


@dataclass
class _Rows:
    """What the lines hold: timecodes, numbers, and how many lines were no good."""

    codes: list[str] = field(default_factory=list)
    numbers: list[Array] = field(default_factory=list)
    total: int = 0
    lost: int = 0
    broken: int = 0


def _read_rows(
    name: str, lines: Iterator[list[str]], wanted: list[int], clock: int | None
) -> _Rows:
    out = _Rows()
    for row in lines:
        if not any(cell.strip() for cell in row):
            continue
        out.total += 1
        if out.total > MAX_ROWS:
            raise _too_long(name)
        cells = [row[i].strip() if i < len(row) else "" for i in wanted]
        if not any(cells):
            out.lost += 1
            continue
        try:
            numbers = np.array([float(cell) for cell in cells])
        except ValueError:  # a cut file ends within a line
            out.broken += 1
            continue
        if not np.isfinite(numbers).all():
            out.broken += 1
            continue
        out.codes.append(row[clock] if clock is not None and clock < len(row) else "")
        out.numbers.append(numbers)
    return out


def _columns(name: str, header: list[str]) -> dict[str, int]:
    """Column by ARKit's name, or by its own in small letters."""
    out: dict[str, int] = {}
    for i, cell in enumerate(header):
        key = arkit_name(cell) or cell.strip().lower()
        if key in out and key:
            raise _not_one(name, f"the column {cell.strip()[:40]} is there twice")
        out[key] = i
    return out


def _motion(name: str, lines: Iterator[list[str]], flips: tuple[float, float]) -> FaceMotion:
    columns = _columns(name, next(lines, []))
    sliders = [key for key in columns if arkit_name(key) == key]
    if not sliders:
        raise _not_one(name, "its first line names no ARKit slider")
    angles = [f"{part}{kind}".lower() for part in _PARTS for kind in _KINDS]
    angles = [angle for angle in angles if angle in columns]
    wanted = [columns[key] for key in (*sliders, *angles)]
    rows = _read_rows(name, lines, wanted, columns.get("timecode"))
    if not rows.numbers:
        raise _not_one(name, "no line of it holds a face")
    if rows.broken > max(1, rows.total // 10):
        raise _not_one(name, f"{rows.broken} of {rows.total} lines are damaged")
    notes = []
    if rows.lost:
        notes.append(f"The face was lost in {rows.lost} of {rows.total} moments: they are bridged")
    if rows.broken:
        notes.append(f"{rows.broken} damaged lines were left out")
    times, said = _times(rows.codes)
    notes += said
    # A single wrong timecode would ask the scene for millions of frames.
    if times[-1] - times[0] > MAX_SECONDS:
        raise _too_long(name)
    onward = np.flatnonzero(np.diff(times, prepend=-np.inf) > 0)
    data = np.array(rows.numbers)[onward]
    values, said = _unit(data[:, : len(sliders)])
    notes += said
    turns, said = _turns(angles, data[:, len(sliders) :], sliders, values, flips)
    notes += said
    times = times[onward] - times[onward[0]]
    return FaceMotion(times, tuple(sliders), values, turns, tuple(notes))


def _times(codes: list[str]) -> tuple[Array, list[str]]:
    """(F,) seconds; moments that do not move on are for the caller to drop."""
    found = [_CLOCK.fullmatch(code.strip()) for code in codes]
    if any(match is None for match in found):
        return np.arange(len(codes)) / _USUAL_RATE, [
            f"There are no timecodes: {_USUAL_RATE} moments a second are taken for granted"
        ]
    parts = [match.groups() for match in found if match is not None]
    whole = np.array([3600 * int(h) + 60 * int(m) + int(s) for h, m, s, *_ in parts], float)
    frames = np.array([int(f or 0) + float(f"0.{t or 0}") for _, _, _, f, t, _ in parts])
    fraction = np.array([float(f"0.{d or 0}") for *_, d in parts])
    # The file does not say its rate: the least usual one that all of its frames fit into. Of a
    # recording shorter than a second not all frames are seen.
    usual = [rate for rate in _RATES if rate > frames.max()] or [int(frames.max()) + 1]
    rate = usual[0] if np.ptp(whole) > 1 else max(usual[0], _USUAL_RATE)
    times = whole + frames / rate + fraction
    # Over midnight a clock begins again.
    times += 86400 * np.cumsum(np.diff(times, prepend=times[0]) < -43200)
    still = int((np.diff(times) <= 0).sum())
    if still > len(times) // 10:
        return np.arange(len(codes)) / _USUAL_RATE, [
            f"The timecodes do not move on: {_USUAL_RATE} moments a second are taken for granted"
        ]
    return np.maximum.accumulate(times), []


def _unit(values: Array) -> tuple[Array, list[str]]:
    notes = []
    top = float(values.max())
    if 2.0 < top <= 100.0:
        values = values / 100
        notes.append("The sliders were read as percent")
    outside = int(((values < 0) | (values > 1)).any(axis=1).sum())
    if outside:
        notes.append(f"{outside} moments had sliders beyond 0 and 1, which were held there")
    return np.clip(values, 0.0, 1.0), notes


def _turns(
    names: list[str],
    angles: Array,
    sliders: list[str],
    values: Array,
    flips: tuple[float, float],
) -> tuple[dict[str, Array], list[str]]:
    """Rotations by track, with the signs that the eyeLook sliders bear out."""
    if not names:
        return {}, ["Head and eyes do not turn in this recording: it holds sliders alone"]
    notes = []
    if np.abs(angles).max() > 2 * np.pi:
        angles = np.radians(angles)
        notes.append("Angles were read as degrees")
    at = {name: angles[:, i] for i, name in enumerate(names)}
    slider = {name: values[:, i] for i, name in enumerate(sliders)}
    zero = np.zeros(len(values))

    def look(*words: tuple[str, float]) -> Array:
        total: Array = sum((sign * slider.get(name, zero) for name, sign in words), zero)
        return total

    left = look(("eyeLookOutLeft", 1), ("eyeLookInLeft", -1))
    left_too = look(("eyeLookInRight", 1), ("eyeLookOutRight", -1))
    up = look(("eyeLookUpLeft", 1), ("eyeLookDownLeft", -1))
    up_too = look(("eyeLookUpRight", 1), ("eyeLookDownRight", -1))
    yaws = (at.get("lefteyeyaw", zero), left), (at.get("righteyeyaw", zero), left_too)
    pitches = (at.get("lefteyepitch", zero), up), (at.get("righteyepitch", zero), up_too)
    # Unreal's angles: to the right and up are positive, and so is a tilt to the right.
    to_left, sure = _sign(yaws, otherwise=-1.0)
    to_up, sure_too = _sign(pitches, otherwise=1.0)
    if not (sure and sure_too):
        notes.append("The eyes hardly move: if head or eyes turn the wrong way, flip them")
    to_left, to_up = flips[0] * to_left, flips[1] * to_up
    out = {}
    for part in _PARTS:
        yaw, pitch, roll = (at.get(f"{part}{kind}".lower(), zero) for kind in _KINDS)
        if any(f"{part}{kind}".lower() in at for kind in _KINDS):
            out[_TRACKS[part]] = rotations(to_left * yaw, to_up * pitch, to_left * roll)
    return out, notes


def _sign(pairs: tuple[tuple[Array, Array], ...], otherwise: float) -> tuple[float, bool]:
    """1 if angles and sliders move together, -1 if against each other; and whether they move."""
    agreement = 0.0
    for angle, said in pairs:
        moved = np.ptp(angle) > _TELLING and np.ptp(said) > _TELLING
        if moved:
            agreement += float(np.corrcoef(angle, said)[0, 1])
    if abs(agreement) < 0.3:
        return otherwise, False
    return float(np.sign(agreement)), True


def rotations(left: Array, up: Array, tilt: Array) -> Array:
    """(F, 3, 3) in the head frame: tilted about the line of sight, then up, then to the left.

    left, up, tilt (F,) in radians: positive to the subject's left, upward, and with the crown to
    the subject's left.
    """
    zero = np.zeros_like(left)
    turn = matrix_from_vector(np.stack([zero, left, zero], axis=1))
    nod = matrix_from_vector(np.stack([-up, zero, zero], axis=1))
    roll = matrix_from_vector(np.stack([zero, zero, -tilt], axis=1))
    out: Array = turn @ nod @ roll
    return out


def _too_long(name: str) -> MotionError:
    return MotionError(f"{name} is longer than two hours: cut it into shorter recordings.")


def _not_one(name: str, reason: str) -> MotionError:
    return MotionError(
        f"{name} is no recording of Live Link Face ({reason}): choose its file MySlate_...csv."
    )
