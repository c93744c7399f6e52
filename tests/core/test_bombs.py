# SPDX-License-Identifier: GPL-3.0-or-later
"""Small files that claim to be enormous pictures are refused before any decoder sees them."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import pytest

from core.decoded_photo import PhotoFile
from core.errors import PhotoError
from core.image_container import read_container
from core.image_headers import read_header
from core.images import load_photo

WIDE, HIGH = 60_000, 50_000


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(*sizes: tuple[int, int]) -> bytes:
    heads = [chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, 8, 2, 0, 0, 0)) for w, h in sizes]
    return b"\x89PNG\r\n\x1a\n" + b"".join(heads) + chunk(b"IEND", b"")


def tiff(*entries: tuple[int, int]) -> bytes:
    body = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + body + bytes(4)


def webp(*chunks: bytes) -> bytes:
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def vp8x(width: int, height: int) -> bytes:
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"VP8X" + struct.pack("<I", 10) + bytes(4) + size


def jpeg(*sizes: tuple[int, int]) -> bytes:
    frames = [b"\xff\xc0" + struct.pack(">HBHHB", 11, 8, h, w, 1) + b"\x01\x11\0" for w, h in sizes]
    return b"\xff\xd8" + b"".join(frames) + b"\xff\xd9"


def exr(*windows: tuple[int, int]) -> bytes:
    boxes = [b"dataWindow\0box2i\0\x10\0\0\0" + struct.pack("<iiii", 0, 0, w - 1, h - 1)
             for w, h in windows]  # fmt: skip
    return b"v/1\x01\x02\x10\0\0" + b"\0".join(boxes)


#: What the command line reads too.
COMMON = {
    "png": png((WIDE, HIGH)),
    "png with a second header": png((WIDE, HIGH), (40, 40)),
    "tiff": tiff((0x100, WIDE), (0x101, HIGH)),
    "tiff with tags twice": tiff((0x100, WIDE), (0x100, 40), (0x101, HIGH), (0x101, 40)),
    "webp": webp(vp8x(WIDE, HIGH)),
    "webp with a second header": webp(vp8x(WIDE, HIGH), vp8x(40, 40)),
    "jpeg": jpeg((WIDE, HIGH)),
    "jpeg with a second frame": jpeg((WIDE, HIGH), (40, 40)),
    "bmp": b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + struct.pack("<IiiHH", 40, WIDE, HIGH, 1, 24)
    + bytes(24),
    "bmp from the top": b"BM" + struct.pack("<IHHI", 54, 0, 0, 54)
    + struct.pack("<IiiHH", 40, WIDE, -HIGH, 1, 24) + bytes(24),
}  # fmt: skip
#: What Blender reads besides.
RARE = {
    "exr": exr((WIDE, HIGH)),
    "exr with a second part": exr((40, 40), (WIDE, HIGH)),
    "hdr": b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 50000 +X 60000\n",
    "hdr with two lines": b"#?RADIANCE\n-Y 40 +X 40\n\n-Y 50000 +X 60000\n",
    "targa": struct.pack("<BBBHHBHHHHBB", 0, 0, 2, 0, 0, 0, 0, 0, WIDE, HIGH, 24, 0),
    "sgi": struct.pack(">HBBHHHH", 474, 0, 1, 3, WIDE, HIGH, 3).ljust(512, b"\0"),
    "jp2": b"\0\0\0\x0cjP  \r\n\x87\n\xff\x4f\xff\x51\0\x2f\0\0" + struct.pack(">II", WIDE, HIGH),
    "j2k": b"\xff\x4f\xff\x51\0\x2f\0\0" + struct.pack(">II", WIDE, HIGH),
    "dpx": b"SDPX".ljust(772, b"\0") + struct.pack(">II", WIDE, HIGH),
    "dpx, other end": b"XPDS".ljust(772, b"\0") + struct.pack("<II", WIDE, HIGH),
    "cineon": b"\x80\x2a\x5f\xd7".ljust(200, b"\0") + struct.pack(">II", WIDE, HIGH),
    "psd": b"8BPS\0\x01".ljust(14, b"\0") + struct.pack(">II", HIGH, WIDE),
    "dds": b"DDS ".ljust(12, b"\0") + struct.pack("<II", HIGH, WIDE),
}
#: What no decoder is let near, since nothing says how large it is.
UNMEASURED = {
    "bigtiff": b"II+\0\x08\0\0\0" + bytes(100),
    "film": b"\0\0\0\x18ftypmp42" + bytes(100),
    "gif": b"GIF89a" + struct.pack("<HH", WIDE, HIGH),
    "avif": b"\0\0\0\x1cftypavif" + bytes(100),
    "words": b"no picture at all, and no Targa either",
}


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
