# SPDX-License-Identifier: GPL-3.0-or-later
"""The extension zip: made and validated by Blender's own packager, and nothing strange in it."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest

from tools.package import SHIPPED, build_zip, check_zip, find_packager, shipped_files
from tools.processes import ROOT, BuildError

pytestmark = pytest.mark.blender


def test_the_zip_holds_what_ships_and_nothing_else(tmp_path):
    archive = build_zip(tmp_path)
    assert archive.stat().st_size < 20e6
    with zipfile.ZipFile(archive) as z:
        names = z.namelist()
        assert z.testzip() is None
    assert len(names) == len(set(names))
    assert {Path(name).parts[0] for name in names} <= set(SHIPPED)
    assert not [n for n in names if n.endswith((".whl", ".pyc", ".so", ".dll"))]
    shipped = {path.as_posix() for path in shipped_files()}
    assert shipped - set(names) == set(), "Blender's packager left something out"
    for needed in ("blender_manifest.toml", "__init__.py", "LICENSE", "NOTICE", "core/worker.py"):
        assert needed in names


def test_a_second_zip_is_made_only_when_something_changed(tmp_path):
    root, out = tmp_path / "root", tmp_path / "out"
    small_extension(root)
    first = build_zip(out, root=root)
    made = first.stat().st_mtime_ns
    assert build_zip(out, root=root).stat().st_mtime_ns == made
    (root / "core" / "new.py").write_text("X = 1\n")
    (root / "tests").mkdir()
    (root / "tests" / "test_x.py").touch()
    again = build_zip(out, root=root)
    with zipfile.ZipFile(again) as z:
        assert "core/new.py" in z.namelist()
        assert not [name for name in z.namelist() if name.startswith("tests")]


def small_extension(root: Path) -> None:
    (root / "core").mkdir(parents=True)
    for name in ("blender_manifest.toml", "__init__.py"):
        shutil.copyfile(ROOT / name, root / name)
    (root / "core" / "__init__.py").touch()


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('tags = ["Animation"', 'tags = ["Wizardry"', "Wizardry"),
        ('version = "0.1.0"', 'version = "one"', "version"),
        ('license = ["SPDX', 'licence = ["SPDX', "license"),
    ],
)
def test_a_manifest_that_blender_refuses_is_refused_here(old, new, complaint, tmp_path):
    root = tmp_path / "root"
    small_extension(root)
    manifest = root / "blender_manifest.toml"
    text = manifest.read_text()
    assert old in text
    manifest.write_text(text.replace(old, new))
    with pytest.raises(BuildError, match="refuses the extension") as caught:
        build_zip(tmp_path / "out", root=root)
    assert complaint in str(caught.value)
    assert not list((tmp_path / "out").glob("*.zip"))


@pytest.mark.parametrize("stranger", ["tests/test_x.py", "wheels/a.whl", "core/b.whl", "build.py"])
def test_what_must_not_ship_is_found(stranger, tmp_path):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as z:
        z.writestr("core/__init__.py", "")
        z.writestr(stranger, "")
    with pytest.raises(BuildError, match="must not ship"):
        check_zip(path)


def test_a_zip_that_is_too_big_is_refused(tmp_path):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as z:
        z.writestr("vendor/big.npz", bytes(20_000_001))
    with pytest.raises(BuildError, match=r"20\.0 MB and must stay under 20 MB"):
        check_zip(path)


def test_without_blenders_packager_there_is_a_sentence(tmp_path):
    with pytest.raises(BuildError, match=r"build\.py package"):
        find_packager(tmp_path / "bin" / "python")
