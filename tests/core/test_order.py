# SPDX-License-Identifier: GPL-3.0-or-later
"""An import goes down: the order of the rooms of core and of pixel3dmm_addon, from their sources.

Imports inside of functions and for types alone count too. Rooms on one line may import each other
as long as no circle comes of it.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tools.structure import circles, imports

#: From the bottom to the top; "" is the package's own __init__, which only holds its version.
CORE = (
    ("", "options", "errors", "progress", "one_thread"),
    ("arguments", "console"),
    ("geometry", "files"),
    ("photos", "reconstruction", "rigged_head"),
    ("heads",),
    ("cues",),
    ("nphm",),
    ("fitting", "rig", "motion", "models", "runtime"),
    ("appearance",),
    ("hair",),
    ("likeness",),
    ("reconstruct",),
    ("pipeline",),
    ("track",),
    ("conform",),
    ("jobs",),
    ("protocol", "worker"),
    ("batch",),
    ("__main__",),
)
#: "" is the package's own __init__, which registers all the others.
ADDON = (
    ("translations", "paths", "redraw", "blender_types", "wrapping"),
    ("installed", "neural_runtime"),
    ("photos",),
    ("jobs",),
    ("scene", "properties", "fit_properties", "setup"),
    ("export", "head_properties", "preferences"),
    ("operators",),
    ("panels", "head"),
    ("export_worker",),
    ("",),
)
ORDERS = {"core": CORE, "pixel3dmm_addon": ADDON}


def faults(root: Path, house: str) -> list[str]:
    """A sentence for each import upward, each room without a place, and each circle."""
    level = {room: i for i, rooms in enumerate(ORDERS[house]) for room in rooms}
    edges = imports(root, house)
    found = [f"{r} has no place" for e in edges for r in (e.room, e.imported) if r not in level]
    found += [
        f"{e.file}:{e.line}: {e.room} imports {e.imported}, which lies above it"
        for e in edges
        if level.get(e.imported, -1) > level.get(e.room, len(level))
    ]
    found += [f"{' '.join(circle)} import each other in a circle" for circle in circles(edges)]
    return sorted(set(found))


@pytest.fixture(scope="module")
def known(repository):
    """The faults that are there already, by house."""
    return {house: set(faults(repository, house)) for house in ORDERS}


@pytest.mark.parametrize("house", ORDERS)
def test_imports_go_down(known, house):
    assert known[house] == set()


def test_protocol_imports_errors_alone(repository):
    assert {e.imported for e in imports(repository, "core") if e.room == "protocol"} == {"errors"}


@pytest.mark.parametrize(
    ("house", "file", "line", "sentence"),
    [
        ("core", "geometry/camera.py", "from ..pipeline import reconstruct", "geometry imports p"),
        ("core", "errors.py", "from . import worker", "errors imports worker"),
        ("core", "cues/corners.py", "import core.fitting.fit", "cues imports fitting"),
        ("core", "room/module.py", "from ..errors import PersonError", "room has no place"),
        ("pixel3dmm_addon", "paths.py", "from .scene import head", "paths imports scene"),
        ("pixel3dmm_addon", "scene/eyes.py", "from ..operators import help", "scene imports oper"),
    ],
)
def test_an_import_upward_is_found_wherever_it_hides(
    repository, known, tmp_path, house, file, line, sentence
):
    shutil.copytree(repository / house, tmp_path / house, ignore=_all_but_sources)
    path = tmp_path / house / file
    path.parent.mkdir(exist_ok=True)
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    path.write_text(f"{before}\n\ndef _planted():\n    {line}\n", encoding="utf-8")
    new = set(faults(tmp_path, house)) - known[house]
    assert any(sentence in fault for fault in new), new


def test_two_rooms_of_one_line_that_import_each_other_are_found(repository, tmp_path):
    shutil.copytree(repository / "core", tmp_path / "core", ignore=_all_but_sources)
    for path, line in (
        ("rig/a.py", "from ..motion import b"),
        ("motion/b.py", "from ..rig import a"),
    ):
        (tmp_path / "core" / path).write_text(line, encoding="utf-8")
    assert "motion rig import each other in a circle" in faults(tmp_path, "core")


def _all_but_sources(folder: str, names: list[str]) -> list[str]:
    return [n for n in names if Path(folder, n).is_file() and not n.endswith(".py")]
