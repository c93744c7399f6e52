# SPDX-License-Identifier: GPL-3.0-or-later
"""What an image file says of itself before anything is decoded.

Size (so that a bomb is refused unopened), whether the file is all there, how many pictures it
holds, its EXIF structure and its colour profile, for JPEG, PNG, TIFF, WebP and BMP. Never raises
on damaged or hostile data: a field that cannot be read keeps its default.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from .exif import TiffReader

#: Bytes to which a compressed colour profile may grow; real ones have at most a few megabytes.
_MAX_PROFILE = 8 << 20

# A marker may be preceded by any number of 0xff; matching only the last keeps the search linear.
_JPEG_MARKER = re.compile(rb"\xff([^\x00\xff])")


@dataclass
class Container:
    """width, height: as stored, before orientation; 0 if not readable. complete: the file ends
    where it says it does. pictures: frames or pages. exif: TIFF structure. icc: profile.
    raw: a camera's raw data in TIFF's clothes. file_bytes: of the whole file.
    """

    format: str
    width: int = 0
    height: int = 0
    complete: bool = False
    pictures: int = 1
    exif: bytes = b""
    icc: bytes = b""
    raw: bool = False
    file_bytes: int = 0


def read_container(data: bytes) -> Container | None:
    """None if ``data`` does not begin like one of the formats."""
    found = _read(data)
    if found is not None:
        found.file_bytes = len(data)
    return found


def _read(data: bytes) -> Container | None:
    if data.startswith(b"\xff\xd8\xff"):
        return _jpeg(data)
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return _png(data)
    if data[:4] in (b"II*\0", b"MM\0*"):
        return _tiff(data)
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return _webp(data)
    if data.startswith(b"BM"):
        return _bmp(data)
    return None


def profile_name(icc: bytes) -> str:
    """The description of an ICC profile (ICC.1:2010, 9.2.41); empty if it has none."""
    for i in range(min(_number(">I", icc, 128), 100)):
        if icc[132 + 12 * i : 136 + 12 * i] == b"desc":
            at, size = _number(">I", icc, 136 + 12 * i), _number(">I", icc, 140 + 12 * i)
            tag = icc[at : at + min(size, 4096)]
            if tag[:4] == b"mluc":
                length, start = _number(">I", tag, 20), _number(">I", tag, 24)
                text = tag[start : start + length].decode("utf-16-be", "ignore")
            else:
                text = tag[12 : 12 + _number(">I", tag, 8)].decode("latin-1")
            return "".join(c for c in text if c.isprintable()).strip()
    return ""


def _number(code: str, data: bytes, offset: int) -> int:
    """One integer; 0 where the data has ended."""
    if offset < 0 or offset + struct.calcsize(code) > len(data):
        return 0
    return int(struct.unpack_from(code, data, offset)[0])


def _jpeg(data: bytes) -> Container:
    """ITU-T T.81, annex B: segments, and scans of entropy-coded data between them."""
    out = Container("JPEG")
    profile: dict[int, bytes] = {}
    at = 2
    # Entropy-coded data is walked by the same search: in it, 0xff is followed by 0 or a restart.
    while found := _JPEG_MARKER.search(data, at):
        marker, at = found[1][0], found.end()
        if marker == 0xD9:
            out.complete = True
            break
        if 0xD0 <= marker <= 0xD8 or marker == 0x01:
            continue
        length = _number(">H", data, at)
        body = data[at + 2 : at + length]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC) and not out.width:
            out.height, out.width = _number(">H", body, 1), _number(">H", body, 3)
        elif marker == 0xE1 and body.startswith(b"Exif\0\0") and not out.exif:
            out.exif = body[6:]
        elif marker == 0xE2 and body.startswith(b"ICC_PROFILE\0") and len(body) > 14:
            profile.setdefault(body[12], body[14:])
        at += max(length, 2)
    out.icc = b"".join(profile[i] for i in sorted(profile))
    return out


def _png(data: bytes) -> Container:
    """PNG specification, third edition, sections 5 and 11."""
    out = Container("PNG")
    at = 8
    while at + 12 <= len(data):
        length, name = _number(">I", data, at), data[at + 4 : at + 8]
        # OpenCV 4.11 makes room for a chunk of gigabytes before it sees that the file has ended.
        if at + 12 + length > len(data):
            break
        body = data[at + 8 : at + 8 + length]
        # A second one is for no decoder, and must not hide what the first says.
        if name == b"IHDR" and not out.width:
            out.width, out.height = _number(">I", body, 0), _number(">I", body, 4)
        elif name == b"acTL":
            out.pictures = _number(">I", body, 0)
        elif name == b"eXIf":
            out.exif = body.removeprefix(b"Exif\0\0")
        elif name == b"iCCP" and not out.icc:
            out.icc = _inflate(body[body.find(b"\0") + 2 :])
        elif name == b"IEND":
            out.complete = True
            break
        at += 12 + length
    return out


def _inflate(data: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(data, _MAX_PROFILE)
    except zlib.error:
        return b""


def _tiff(data: bytes) -> Container:
    """TIFF 6.0: size and profile of the first page. The decoder finds missing strips itself."""
    out = Container("TIFF", complete=True, exif=data)
    tiff = TiffReader(data)
    page, following = tiff.ifd(tiff.first_ifd())
    out.width, out.height = (int(tiff.number(page, tag) or 0) for tag in (0x0100, 0x0101))
    out.icc = tiff.blob(page, 0x8773)
    dng_version = 0xC612
    out.raw = dng_version in page or data[8:10] == b"CR"
    seen: set[int] = set()
    while following and following not in seen:
        seen.add(following)
        page, following = tiff.ifd(following)
        out.pictures += bool(page)
    return out


def _webp(data: bytes) -> Container:
    """WebP container specification (RFC 9649, section 2)."""
    out = Container("WebP", complete=len(data) >= _number("<I", data, 4) + 8, pictures=0)
    for name, body in _riff_chunks(data):
        if name == b"VP8X" and not out.width:
            out.width = 1 + int.from_bytes(body[4:7], "little")
            out.height = 1 + int.from_bytes(body[7:10], "little")
        elif name == b"VP8 " and not out.width and body[3:6] == b"\x9d\x01\x2a":
            out.width = _number("<H", body, 6) & 0x3FFF
            out.height = _number("<H", body, 8) & 0x3FFF
        elif name == b"VP8L" and not out.width and body[:1] == b"\x2f":
            bits = _number("<I", body, 1)
            out.width, out.height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
        elif name == b"ANMF":
            out.pictures += 1
        elif name == b"EXIF":
            out.exif = body.removeprefix(b"Exif\0\0")
        elif name == b"ICCP":
            out.icc = body
    out.pictures = max(out.pictures, 1)
    return out


def _riff_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 12
    while at + 8 <= len(data):
        length = _number("<I", data, at + 4)
        yield data[at : at + 4], data[at + 8 : at + 8 + length]
        at += 8 + length + (length & 1)


def _bmp(data: bytes) -> Container:
    """BITMAPFILEHEADER and BITMAPINFOHEADER. A negative height means top row first."""
    out = Container("BMP")
    if _number("<I", data, 14) == 12:
        out.width, out.height = _number("<H", data, 18), _number("<H", data, 20)
        bits, stored = _number("<H", data, 24), 0
    else:
        out.width, out.height = _number("<i", data, 18), abs(_number("<i", data, 22))
        bits, stored = _number("<H", data, 28), _number("<I", data, 34)
    row = (out.width * bits + 31) // 32 * 4
    compressed = _number("<I", data, 30) in (1, 2)
    needed = stored if compressed else row * out.height
    out.complete = len(data) >= _number("<I", data, 10) + needed
    return out
