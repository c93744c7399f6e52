# SPDX-License-Identifier: GPL-3.0-or-later
"""A recording's text as a table, whichever program wrote it.

Spreadsheets write what their country writes: semicolons or tabs between columns, decimal commas, a
first line ``sep=;``, a byte order mark, UTF-16. All of it is plain from the first bytes and from
the header, of whose names the right separator finds most.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

#: Characters. A recording's lines have about 600.
MAX_LINE = 20_000
_SEPARATORS = (",", ";", "\t", "|")
_SNIFFED = 4096
_SEP_LINE = re.compile(r'"?sep=(.)"?', re.IGNORECASE)
_DECIMAL_COMMA = re.compile(r"[-+]?\d*,\d+(?:[eE][-+]?\d+)?")
#: What programs write where they know no number.
_NOTHING = frozenset(("", "-", "nan", "none", "null", "n/a", "#n/a", "na"))
_SPREADSHEETS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")


class NoTableError(Exception):
    """Why a file is no table of numbers, as a part of a sentence."""


@contextmanager
def opened(
    path: Path, count_names: Callable[[list[str]], int]
) -> Iterator[tuple[list[str], Iterator[list[str]]]]:
    """The header's cells and the lines' below it.

    count_names: how many of a header's cells are known names; the separator that makes it largest
    is taken. Raises NoTableError for what is no text or has lines without end, OSError.
    """
    with path.open(encoding=_encoding(path), errors="replace", newline="") as file:
        lines = _lines(file)
        first = next((line for line in lines if line.strip("\ufeff \t\r\n")), "")
        given = _SEP_LINE.fullmatch(first.strip())
        if given:
            first = next((line for line in lines if line.strip()), "")
        found = given[1] if given else _separator(first, count_names)
        rows = csv.reader(_behind(first, lines), delimiter=found)
        try:
            yield next(rows, []), rows
        except csv.Error as error:
            raise NoTableError(str(error)) from error


def number(cell: str) -> float | None:
    """nan where nothing is written, None where a word is; decimal commas are understood."""
    text = cell.strip()
    try:
        return float(text)
    except ValueError:
        pass
    if text.lower() in _NOTHING:
        return float("nan")
    return float(text.replace(",", ".")) if _DECIMAL_COMMA.fullmatch(text) else None


def _encoding(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(_SNIFFED)
    if head.startswith(_SPREADSHEETS):
        raise NoTableError("it is a spreadsheet's own file: save it there as CSV")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    # UTF-16 without its mark: every other byte of a recording's header is zero.
    for start, name in ((1, "utf-16-le"), (0, "utf-16-be")):
        half = head[start::2]
        if len(half) > 8 and half.count(0) > 0.9 * len(half) and head[1 - start :: 2].count(0) == 0:
            return name
    if any(byte < 32 and byte not in (9, 10, 12, 13) for byte in head):
        raise NoTableError("it is not text")
    return "utf-8-sig"


def _lines(file: TextIO) -> Iterator[str]:
    """Line by line, none longer than a recording's: a file without ends must not fill memory."""
    while line := file.readline(MAX_LINE + 1):
        if len(line) > MAX_LINE:
            raise NoTableError("its lines are too long")
        yield line


def _behind(first: str, lines: Iterator[str]) -> Iterator[str]:
    yield first
    yield from lines


def _separator(header: str, count_names: Callable[[list[str]], int]) -> str:
    counts = {}
    for separator in _SEPARATORS:
        try:
            cells = next(csv.reader([header], delimiter=separator), [])
        except csv.Error:
            cells = []
        counts[separator] = count_names(cells)
    return max(_SEPARATORS, key=lambda s: counts[s])
