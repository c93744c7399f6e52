# SPDX-License-Identifier: GPL-3.0-or-later
"""Small files that claim to be enormous pictures. Imports nothing that a Blender's Python lacks."""

from __future__ import annotations

import struct
import zlib

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
