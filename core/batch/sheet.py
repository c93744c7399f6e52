# SPDX-License-Identifier: GPL-3.0-or-later
"""results.csv, and contact-sheet.html: one file with all pictures in it, sortable, that asks no
network for anything.
"""

from __future__ import annotations

import base64
import csv
import html
import os
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..errors import OutputError
from .ledger import DONE, Record

COLUMNS = (
    "person", "photo", "status", "folder", "percent", "focal_mm", "uncertainty_mm", "seconds",
    "tries", "exports", "code", "message", "warnings", "sha256", "version", "key",
)  # fmt: skip
CSV, SHEET = "results.csv", "contact-sheet.html"

_HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
<title>Pixel3DMM contact sheet</title>
<style>
body { font: 14px system-ui, sans-serif; margin: 1rem; background: #fff; color: #222; }
table { border-collapse: collapse; }
th { position: sticky; top: 0; background: #eee; text-align: left; white-space: nowrap; }
th button { all: unset; cursor: pointer; padding: .4rem .6rem; font-weight: 600; }
th button:focus-visible { outline: 2px solid #06c; }
th[aria-sort=ascending] button::after { content: " \\25b2"; }
th[aria-sort=descending] button::after { content: " \\25bc"; }
td { padding: .3rem .6rem; border-bottom: 1px solid #ddd; vertical-align: top; }
td img { display: block; width: 560px; height: 140px; object-fit: contain; }
td:last-child { min-width: 14rem; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
tr.failed td { background: #fdeaea; }
ul { margin: 0; padding-left: 1.1rem; max-width: 32rem; }
</style></head><body>
<h1>Contact sheet</h1>
"""
_COLUMNS = (
    "Person", "Photo, overlay, front, profile", "Landmarks off, %", "Face unsure, mm",
    "Focal length, mm", "Seconds", "Warnings",
)  # fmt: skip
_SCRIPT = """<script>
"use strict";
const body = document.querySelector("tbody");
for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => {
    const cell = button.parentElement, column = cell.cellIndex;
    const down = cell.getAttribute("aria-sort") === "ascending";
    for (const other of cell.parentElement.cells) other.removeAttribute("aria-sort");
    cell.setAttribute("aria-sort", down ? "descending" : "ascending");
    const value = row => row.cells[column].dataset.value;
    const rows = Array.from(body.rows);
    rows.sort((a, b) => {
      const x = value(a), y = value(b);
      if (x === "" || y === "") return (x === "") - (y === "");  // nothing known comes last
      const order = isNaN(x) || isNaN(y) ? x.localeCompare(y, undefined, {numeric: true}) : x - y;
      return down ? -order : order;
    });
    body.append(...rows);
  });
}
</script>
</body></html>
"""


def write_sheets(out: Path, records: Sequence[Record]) -> None:
    """Both files, one record a photo, each whole or as it was. Raises OutputError."""
    _write(out / CSV, _csv_lines(records))
    _write(out / SHEET, _html_lines(out, records))


def _csv_lines(records: Sequence[Record]) -> Iterator[str]:
    class Line:
        text = ""

        def write(self, text: str) -> None:
            self.text = text

    line = Line()
    writer = csv.writer(line)
    writer.writerow(COLUMNS)
    yield line.text
    for record in records:
        writer.writerow([_cell(record.get(name)) for name in COLUMNS])
        yield line.text


def _cell(value: object) -> str:
    text = "; ".join(map(str, value)) if isinstance(value, list) else str(value or "")
    if isinstance(value, int | float):
        return str(value)
    # A spreadsheet must not take a file's name for a formula.
    return f"'{text}" if text[:1] in "=+-@\t\r" and text else text


def _html_lines(out: Path, records: Sequence[Record]) -> Iterator[str]:
    failed = sum(record["status"] != DONE for record in records)
    yield _HEAD
    yield f"<p>{len(records)} photos, {failed} failed.</p>\n<table><thead><tr>"
    for name in _COLUMNS:
        yield f'<th scope="col"><button type="button">{html.escape(name)}</button></th>'
    yield "</tr></thead><tbody>\n"
    for record in records:
        yield _row(out, record)
    yield "</tbody></table>\n" + _SCRIPT


def _row(out: Path, record: Record) -> str:
    done = record["status"] == DONE
    sentences = list(record.get("warnings", ())) if done else [record.get("message", "")]
    notes = "".join(f"<li>{html.escape(str(s))}</li>" for s in sentences)
    photo = html.escape(Path(record["photo"]).name)
    name = html.escape(record["person"])
    cells = [
        f'<td data-value="{name}">{name}</td>',
        f'<td data-value="{photo}">{_picture(out, record) if done else ""}{photo}</td>',
        *(_figure(record.get(k), n) for k, n in _FIGURES),
        f'<td data-value="{len(sentences)}"><ul>{notes}</ul></td>',
    ]
    kind = "done" if done else "failed"
    return f'<tr class="{kind}">{"".join(cells)}</tr>\n'


_FIGURES = (("percent", 2), ("uncertainty_mm", 2), ("focal_mm", 0), ("seconds", 2))


def _figure(value: object, digits: int) -> str:
    if not isinstance(value, int | float):
        return '<td class="number" data-value=""></td>'
    return f'<td class="number" data-value="{value}">{value:.{digits}f}</td>'


def _picture(out: Path, record: Record) -> str:
    try:
        data = (out / record["folder"] / "contact.jpg").read_bytes()
    except OSError:
        return ""
    text = base64.b64encode(data).decode("ascii")
    alt = html.escape(f"{record['person']}: photo, overlay, front, profile")
    return f'<img alt="{alt}" src="data:image/jpeg;base64,{text}">'


def _write(path: Path, lines: Iterator[str]) -> None:
    """Line by line, so that a thousand people's pictures need no memory."""
    aside = path.with_name(f".{path.stem}-{secrets.token_hex(4)}{path.suffix}")
    try:
        with aside.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            file.writelines(lines)
        os.replace(aside, path)
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written ({error.strerror}): make room there or close it where it "
            "is open."
        ) from error
    finally:
        aside.unlink(missing_ok=True)
