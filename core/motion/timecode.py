# SPDX-License-Identifier: GPL-3.0-or-later
"""Timecodes ``HH:MM:SS:FF.mmm`` of a recording's lines as seconds.

A file does not name the rate in which its frames count; it shows in the numbers themselves. Where
the count passes from one second to the next, the number of the last frame and the usual step make
the rate. A drop-frame count (29.97 and 59.94 a second, SMPTE 12M) leaves out two or four numbers at
the beginning of every minute but each tenth, and keeps up with the clock so.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from . import Array

Whole = NDArray[np.int64]

#: Frames a second that cameras, phones and converters count in.
_USUAL = (10, 12, 15, 18, 20, 24, 25, 30, 48, 50, 60, 72, 90, 100, 120, 240)
#: Of a recording that does not show it.
_TAKEN = 60
_DAY = 86400
_CODE = re.compile(
    r"(\d{1,3}):(\d{1,2}):(\d{1,2})(?:([:;])(\d{1,3})(?:[.,](\d{1,4}))?|[.,](\d{1,6}))?"
)
#: Share of lines that must have a timecode for them to be believed.
_MOST = 0.9


def seconds_of(codes: list[str], rate: float = 0.0) -> tuple[Array, list[str]]:
    """(F,) seconds of F lines, never decreasing, and sentences on what had to be assumed.

    rate: frames a second in which the codes count, if somebody knows; 0: as they show.
    """
    found = [_CODE.fullmatch(code.strip()) for code in codes]
    known = np.array([match is not None for match in found])
    usual = rate or _TAKEN
    if known.sum() < _MOST * len(codes):
        numbers = _plain_seconds(codes)
        if numbers is not None:
            return numbers, []
        said = f"There are no timecodes: {usual:g} moments a second are taken for granted"
        return np.arange(len(codes)) / usual, [said]
    parts = [match.groups() for match in found if match is not None]
    whole = np.array([3600 * int(h) + 60 * int(m) + int(s) for h, m, s, *_ in parts], np.int64)
    whole += _DAY * np.cumsum(np.diff(whole, prepend=whole[0]) < -_DAY // 2)
    frames = np.array([int(p[4] or 0) for p in parts], np.int64)
    share = _shares([p[5] or "" for p in parts], frames)
    fraction = np.array([float(f"0.{p[6] or 0}") for p in parts])
    marked = sum(p[3] == ";" for p in parts) > len(parts) / 2
    times, notes = _times(whole, frames, share, marked, rate)
    times = times + fraction
    if (np.diff(times) <= 0).sum() > len(times) // 10:
        said = f"The timecodes do not move on: {usual:g} moments a second are taken for granted"
        return np.arange(len(codes)) / usual, [said]
    times = np.maximum.accumulate(times)
    # A line whose code is damaged lies between its neighbours.
    lines = np.arange(len(codes))
    return np.interp(lines, lines[known], times), notes


def _times(
    whole: Whole, frames: Whole, share: Array, marked: bool, rate: float
) -> tuple[Array, list[str]]:
    notes = []
    count, shown = _count(whole, frames)
    if not shown and not rate and frames.any():
        notes.append(f"The recording does not show its rate: {count} frames a second are taken")
    if rate and np.ceil(rate - 1e-6) > frames.max():
        count = int(np.ceil(rate - 1e-6))
    number = count * whole + frames
    true = rate or float(count)
    dropped = _dropped(whole, frames, count, marked)
    if dropped:
        minutes = whole // 60
        number -= dropped * (minutes - minutes // 10)
        true = rate or count / 1.001
    times = (number + share) / true
    return _spread(times, 1 / true, notes), notes


def _count(whole: Whole, frames: Whole) -> tuple[int, bool]:
    """Frames a second in which the codes count, and whether they show it."""
    top = int(frames.max())
    step, passed = np.diff(frames), np.diff(whole)
    within = step[(passed == 0) & (step > 0)]
    crossing = np.flatnonzero(passed == 1)
    if not len(within) or not len(crossing):
        return next((r for r in _USUAL if r > max(top, _TAKEN - 1)), top + 1), False
    if len(np.unique(frames)) == top + 1:  # each number is there
        return top + 1, True
    mean = float(within.mean())
    # What lies between two frames of different seconds is one such step, too.
    shown = float(np.median(mean + frames[crossing] - frames[crossing + 1]))
    least = max(shown - 0.25, top + 0.5)
    near = [r for r in _USUAL if least <= r <= shown + mean + 1]
    return (near[0] if near else int(np.ceil(least))), True


def _dropped(whole: Whole, frames: Whole, count: int, marked: bool) -> int:
    """How many numbers each minute leaves out: 0, or 2 or 4 of a drop-frame count."""
    if count not in (30, 60):
        return 0
    drop = count // 15
    second, minute = whole % 60, whole // 60
    opening = (second == 0) & (minute % 10 != 0)
    if (opening & (frames < drop)).any():
        return 0
    if marked:
        return drop
    step, passed = np.diff(frames), np.diff(whole)
    within = step[(passed == 0) & (step > 0)]
    at = np.flatnonzero((passed == 1) & opening[1:])
    if not len(within) or not len(at):
        return 0
    more = frames[at + 1] + count - frames[at] - float(np.median(within)) - drop
    return drop if float(np.median(np.abs(more))) < 0.75 else 0


def _shares(texts: list[str], frames: Whole) -> Array:
    """(F,) shares of a frame; zeros where the digits are a running number instead, as some
    converters have it.
    """
    out = np.array([float(f"0.{text or 0}") for text in texts])
    digits = [text for text in texts if text]
    if len(digits) == len(texts) > 2 and all(len(text) == 3 for text in texts):
        on = np.diff(np.array([int(text) for text in texts])) % 1000
        wraps = np.diff(out) < 0
        # A share that grows so by itself skips a frame where it begins again.
        goes_on = np.diff(frames)[wraps]
        if (on == 1).mean() > 0.9 and not (goes_on > 1).any():
            return np.zeros(len(texts))
    return out


def _spread(times: Array, frame: float, notes: list[str]) -> Array:
    """Lines that share a time, as where a count of 30 is too coarse for 60 lines a second, are put
    evenly into its frame.
    """
    starts = np.flatnonzero(np.diff(times, prepend=-np.inf) != 0)
    size = np.diff(starts, append=len(times))
    if (size - 1).sum() <= len(times) // 10 or len(starts) < 2:
        return times
    if (np.diff(times[starts]) <= 0).any():
        return times
    gap = np.minimum(np.diff(times[starts], append=times[-1] + frame), frame)
    group = np.repeat(np.arange(len(starts)), size)
    place = np.arange(len(times)) - starts[group]
    notes.append("Several lines share a timecode: they were spread evenly over its frame")
    out: Array = times + place / size[group] * gap[group]
    return out


def _plain_seconds(codes: list[str]) -> Array | None:
    """(F,) of codes that are decimal numbers of seconds and move on; None of any other."""
    try:
        numbers = np.array([float(code.strip().replace(",", ".")) for code in codes])
    except ValueError:
        return None
    moves = np.isfinite(numbers).all() and len(numbers) > 1 and (np.diff(numbers) > 0).all()
    if not moves or not (numbers % 1).any():
        return None
    return numbers
