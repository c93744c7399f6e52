# SPDX-License-Identifier: GPL-3.0-or-later
"""What a chosen folder or zip is searched for, and zips that want to do harm."""

from __future__ import annotations

import stat
import struct
import zipfile
from pathlib import Path

import pytest

from core.errors import ModelFileError
from core.models.search import candidates


def found(source: Path, scratch: Path) -> dict[str, bytes]:
    scratch.mkdir(exist_ok=True)
    with candidates(source, scratch) as paths:
        return {path.name: path.read_bytes() for path in paths}


def test_a_folder_is_searched_to_its_depth(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    for name in ("a/uv.ckpt", "a/b/FLAME.pkl", "a/b/notes.txt", "head.NPZ"):
        (tmp_path / name).write_bytes(name.encode())
    assert set(found(tmp_path, tmp_path / "s")) == {"uv.ckpt", "FLAME.pkl", "head.NPZ"}


def test_a_zip_is_unpacked_beside_its_template_and_taken_away(tmp_path):
    archive = tmp_path / "flame.zip"
    with zipfile.ZipFile(archive, "w") as z:
        z.writestr("FLAME2023/generic.pkl", b"model")
        z.writestr("FLAME2023/head_template.obj", b"template")
        z.writestr("FLAME2023/readme.txt", b"read me")
    scratch = tmp_path / "s"
    scratch.mkdir()
    with candidates(archive, scratch) as paths:
        assert [p.read_bytes() for p in paths] == [b"model"]
        assert (paths[0].parent / "head_template.obj").read_bytes() == b"template"
        assert not list(scratch.rglob("readme.txt"))
    assert not scratch.exists()


def test_no_path_in_a_zip_leads_out_of_the_scratch_folder(tmp_path):
    archive = tmp_path / "slip.zip"
    names = ("../../out.pkl", "/tmp_out/abs.pkl", "a/../../b.ckpt", "c\\..\\..\\d.npz")
    link = zipfile.ZipInfo("link.pkl")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(archive, "w") as z:
        for name in names:
            z.writestr(name, b"x")
        z.writestr(link, b"/etc/passwd")
    before = set(tmp_path.parent.rglob("*.pkl"))
    scratch = tmp_path / "s"
    scratch.mkdir()
    with candidates(archive, scratch) as paths:
        assert len(paths) == len(names)
        assert all(path.resolve().is_relative_to(scratch.resolve()) for path in paths)
        assert not any("\\" in path.name for path in paths)
        assert "link.pkl" not in {path.name for path in paths}
    assert set(tmp_path.parent.rglob("*.pkl")) == before


def test_a_bomb_is_refused(tmp_path):
    """It says that it holds 100 bytes, and unpacks to ten million."""
    archive = tmp_path / "bomb.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("model.pkl", bytes(10_000_000))
    data = bytearray(archive.read_bytes())
    for mark, at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        start = data.find(mark)
        data[start + at : start + at + 4] = struct.pack("<I", 100)
    archive.write_bytes(data)
    with pytest.raises(ModelFileError, match=r"refused|damaged"):
        found(archive, tmp_path / "s")


def test_what_says_it_is_huge_is_refused_unread(tmp_path, monkeypatch):
    archive = tmp_path / "huge.zip"
    with zipfile.ZipFile(archive, "w") as z:
        z.writestr("model.pkl", bytes(1000))
    monkeypatch.setattr("core.models.search.LARGEST", 999)
    with pytest.raises(ModelFileError, match="more than any model"):
        found(archive, tmp_path / "s")


@pytest.mark.parametrize("kind", ["gone", "empty folder", "empty zip", "cut zip", "text"])
def test_nothing_to_import_is_one_sentence(tmp_path, kind):
    source = tmp_path / "models.zip"
    if kind == "empty folder":
        source = tmp_path / "empty"
        source.mkdir()
    elif kind == "empty zip":
        zipfile.ZipFile(source, "w").close()
    elif kind == "cut zip":
        with zipfile.ZipFile(source, "w") as z:
            z.writestr("model.pkl", bytes(1000))
        source.write_bytes(source.read_bytes()[:500])
    elif kind == "text":
        source.write_text("no zip")
    with pytest.raises(ModelFileError) as told:
        found(source, tmp_path / "s")
    assert "\n" not in str(told.value)
    assert str(told.value).endswith((".", "folder."))
