# SPDX-License-Identifier: GPL-3.0-or-later
"""Small files that claim to be enormous pictures are refused before any decoder sees them."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import pytest
from support.bombs import COMMON, HIGH, RARE, UNMEASURED, WIDE, exr, png, vp8x, webp

from core.errors import PhotoError
from core.photos.container import read_container
from core.photos.decoded_photo import PhotoFile
from core.photos.headers import read_header
from core.photos.photo import load_photo


def refused(name: str, data: bytes, folder: Path, reader) -> str:
    path = folder / "photo.png"
    path.write_bytes(data)
    with pytest.raises(PhotoError) as caught:
        reader(path)
    sentence = str(caught.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    return sentence


@pytest.fixture
def no_decoder(monkeypatch):
    def decode(*_):
        raise AssertionError("the bomb was decoded")

    monkeypatch.setattr(cv2, "imdecode", decode)


@pytest.mark.parametrize("name", COMMON)
@pytest.mark.parametrize("reader", [load_photo, PhotoFile])
def test_a_bomb_is_refused_unopened(name, reader, tmp_path, no_decoder):
    assert "60000 x 50000 pixels" in refused(name, COMMON[name], tmp_path, reader)


@pytest.mark.parametrize("name", RARE)
def test_a_bomb_of_the_kinds_that_only_blender_reads(name, tmp_path, no_decoder):
    assert read_container(RARE[name]) is None
    assert read_header(RARE[name]) is not None
    assert "60000 x 50000 pixels" in refused(name, RARE[name], tmp_path, PhotoFile)
    assert "use a JPEG" in refused(name, RARE[name], tmp_path, load_photo)


@pytest.mark.parametrize("name", UNMEASURED)
@pytest.mark.parametrize("reader", [load_photo, PhotoFile])
def test_what_does_not_say_its_size_is_not_decoded(name, reader, tmp_path, no_decoder):
    assert "JPEG, PNG, TIFF, WebP or BMP" in refused(name, UNMEASURED[name], tmp_path, reader)


@pytest.mark.parametrize("name", RARE)
def test_headers_cut_anywhere_are_no_surprise(name):
    data = RARE[name]
    for end in range(0, len(data), max(1, len(data) // 60)):
        found = read_header(data[:end])
        assert found is None or found.width * found.height <= WIDE * HIGH


def test_a_chunk_longer_than_its_file_gets_no_decoder(tmp_path, no_decoder):
    whole = png((40, 40))
    lying = whole[:-12] + struct.pack(">I", 4_000_000_000) + whole[-8:]
    for reader in (load_photo, PhotoFile):
        assert "cut off" in refused("png", lying, tmp_path, reader)


@pytest.mark.parametrize("reader", [load_photo, PhotoFile])
def test_no_photo_has_its_pixels_for_nothing(reader, tmp_path, no_decoder):
    """Below the limit of pixels, and seconds of work for a decoder all the same."""
    lying = webp(vp8x(16_000, 12_000), bytes(300))
    assert "16000 x 12000 pixels in 330 bytes" in refused("webp", lying, tmp_path, reader)
    (tmp_path / "a.webp").write_bytes(webp(vp8x(2000, 2000), bytes(300)))
    PhotoFile(tmp_path / "a.webp")


@pytest.mark.parametrize("name", ["dpx", "cineon"])
def test_plain_pixels_are_in_the_file(name, tmp_path, no_decoder):
    wide = struct.pack(">II", WIDE, HIGH)
    lying = RARE[name].replace(wide, struct.pack(">II", 1000, 1000))
    assert "cut off" in refused(name, lying, tmp_path, PhotoFile)
    whole = tmp_path / "whole.dpx"
    whole.write_bytes(lying + bytes(1_000_000))
    assert PhotoFile(whole).exif.orientation == 1


def test_an_openexr_file_gets_no_decoder(tmp_path, no_decoder):
    assert "PNG or TIFF" in refused("exr", exr((40, 40)), tmp_path, PhotoFile)
