# SPDX-License-Identifier: GPL-3.0-or-later
"""python -m core batch over real photos: the same heads as one by one, a sheet, a resume."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.__main__ import main
from core.batch.blender import exports_of
from core.batch.sheet import write_sheets
from core.errors import PersonError

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
#: No formula for a spreadsheet, no tag for a browser; a folder of results is called OUR_NAME.
NAME, OUR_NAME = "=b<i>", "=b-i-"
ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "core", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)


@pytest.fixture(scope="module")
def photos(example_photo, tmp_path_factory) -> Path:
    """Somebody of a strange name, and a file that is no photo."""
    folder = tmp_path_factory.mktemp("photos")
    picture = Image.open(example_photo).crop((130, 0, 330, 200))
    (folder / NAME).mkdir()
    picture.save(folder / NAME / "1.png")
    (folder / "bad.jpg").write_text("no photo")
    return folder


@pytest.fixture(scope="module")
def done(photos) -> tuple[subprocess.CompletedProcess, Path]:
    out = photos / "heads"
    return run("batch", photos, "--out", out, "--workers", 1, "--json", "--texture", "1k"), out


def test_the_heads_are_those_of_the_single_command_to_the_byte(done, photos, tmp_path):
    batched, out = done
    assert batched.returncode == 2, batched.stderr
    photo = photos / NAME / "1.png"
    single = run("reconstruct", photo, "--out", tmp_path, "--texture", "1k")
    assert single.returncode == 0, single.stderr
    first, second = tmp_path / "1", out / OUR_NAME
    a, b = (np.load(folder / "head.npz", allow_pickle=False) for folder in (first, second))
    assert a.files == b.files
    for name in a.files:
        if name != "report_json":
            assert a[name].dtype == b[name].dtype
            assert a[name].tobytes() == b[name].tobytes(), name
    reports = [json.loads(str(z["report_json"])) for z in (a, b)]
    for report in reports:
        del report["seconds"], report["memory_peak_mb"]
    assert reports[0] == reports[1]
    for name in ("mesh.ply", "neutral.ply", "camera.json", "overlay.png", "albedo.png"):
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


def test_programs_can_follow_it(done):
    events = [json.loads(line) for line in done[0].stdout.splitlines()]
    assert events[0] == {"event": "plan", "people": 2, "photos": 2, "workers": 1}
    assert {e["status"] for e in events if e["event"] == "photo"} == {"done", "failed"}
    assert events[-1]["event"] == "finished"
    assert (events[-1]["done"], events[-1]["failed"]) == (1, 1)
    assert done[0].stderr == ""


class Sheet(HTMLParser):
    """Rows, pictures, and whatever would ask the network for something."""

    def __init__(self) -> None:
        super().__init__()
        self.rows, self.pictures, self.outside = 0, [], []

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.rows += tag == "tr"
        if tag == "img":
            self.pictures.append(values["src"])
        if tag in ("link", "iframe", "object", "i"):
            self.outside.append(tag)
        self.outside += [
            f"{tag} {k}" for k, v in values.items()
            if k in ("src", "href", "srcset") and not v.startswith("data:")
        ]  # fmt: skip


def test_the_contact_sheet_is_one_file_that_needs_no_network(done):
    text = (done[1] / "contact-sheet.html").read_text(encoding="utf-8")
    sheet = Sheet()
    sheet.feed(text)
    assert sheet.rows == 1 + 2
    assert len(sheet.pictures) == 1
    assert all(p.startswith("data:image/jpeg;base64,") for p in sheet.pictures)
    assert sheet.outside == []
    assert "default-src 'none'" in text
    assert "bad.jpg is not a picture" in text
    assert not re.search(r"https?://", text)
    with Image.open(done[1] / OUR_NAME / "contact.jpg") as strip:
        assert strip.size == (800, 200)
        tiles = np.asarray(strip).reshape(200, 4, 200, 3)
    assert all(tiles[:, k].std() > 15 for k in range(4))


def test_a_browser_sorts_the_contact_sheet(tmp_path):
    """The sheet's own script, pressed in a browser without a window."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip(f"no browser: one of {', '.join(BROWSERS)} opens the sheet")
    one = {"status": "done", "folder": "none", "photo": "p", "warnings": [], "seconds": 1.0}
    figures = {"c": 2.0, "a": 10.0, "b": 9.0}
    found = [{**one, "person": n, "percent": v, "focal_mm": 50.0} for n, v in figures.items()]
    failed = {"person": "d", "photo": "p", "status": "failed", "message": "No face."}
    write_sheets(tmp_path, [*found, failed])
    text = (tmp_path / "contact-sheet.html").read_text(encoding="utf-8")
    orders = []
    for column, presses in ((0, 1), (2, 1), (2, 2)):
        press = f'document.querySelectorAll("th button")[{column}].click();' * presses
        page = tmp_path / "pressed.html"
        page.write_text(text.replace("</body>", f"<script>{press}</script></body>"))
        shown = subprocess.run(
            [browser, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", page.as_uri()],
            capture_output=True, text=True, timeout=120,
        ).stdout  # fmt: skip
        orders.append(re.findall(r'<tr class="\w+"><td data-value="(\w)"', shown))
    # Who has no figure comes last either way.
    assert orders == [list("abcd"), list("cbad"), list("abcd")]


def test_a_table_for_spreadsheets(done):
    with (done[1] / "results.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert sorted(row["status"] for row in rows) == ["done", "failed"]
    done_rows = [row for row in rows if row["status"] == "done"]
    assert all(row["person"].startswith("'=") for row in done_rows)
    assert all(0 < float(row["percent"]) < 5 for row in done_rows)


def test_a_second_run_finds_everything_done(done, photos, capsys):
    stamps = {p: p.stat().st_mtime_ns for p in done[1].rglob("head.npz")}
    (photos / "bad.jpg").rename(photos / "bad.txt")
    try:
        assert main(["batch", str(photos), "--out", str(done[1]), "--texture", "1k"]) == 0
    finally:
        (photos / "bad.txt").rename(photos / "bad.jpg")
    assert "1 heads" in capsys.readouterr().err
    assert {p: p.stat().st_mtime_ns for p in done[1].rglob("head.npz")} == stamps


def test_exports_that_are_not_known_are_refused(photos, tmp_path, capsys):
    assert [e.file for e in exports_of("fbx, glb,unreal")] == [
        "head.fbx", "head.glb", "head-unreal.fbx",
    ]  # fmt: skip
    with pytest.raises(PersonError, match="'obj'"):
        exports_of("obj")
    arguments = ["batch", str(photos), "--out", str(tmp_path / "o"), "--export", "fbx"]
    assert main(arguments) == 2
    assert "--blender" in capsys.readouterr().err
    assert main([*arguments, "--blender", str(tmp_path / "no")]) == 2
    assert "There is no program" in capsys.readouterr().err
