# SPDX-License-Identifier: GPL-3.0-or-later
"""How large a picture of the rarer kinds says it is, before anybody decodes it.

These are the kinds that Blender opens beside those of ``image_container``: OpenEXR, Radiance HDR,
Targa, JPEG 2000, DPX, Cineon, SGI, Photoshop and DDS. Where a file can say it in several places,
the largest counts: whichever of them a decoder believes, it is not more. Never raises.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator

from .container import Container

Sizes = Iterator[tuple[int, int]]

#: An attribute's name, type and size; its value follows (OpenEXR file layout, "Header").
_EXR_WINDOW = b"dataWindow\0box2i\0\x10\0\0\0"
#: The axes' order says whether a line is a row; the product is the same.
_HDR_RESOLUTION = re.compile(rb"[-+][XY] +(\d{1,9}) +[-+][XY] +(\d{1,9})")
#: Start of codestream, then the marker of the sizes (ITU-T T.800, annex A.5.1).
_J2K_SIZES = b"\xff\x4f\xff\x51"
_PLAIN = frozenset({"DPX", "Cineon"})
_TGA_DEPTHS = frozenset({8, 15, 16, 24, 32})
_TGA_KINDS = frozenset({1, 2, 3, 9, 10, 11})


def read_header(data: bytes) -> Container | None:
    """The kind and the size; None for what is none of these kinds."""
    for kind, start, sizes in _KINDS:
        if data.startswith(start):
            found = max(sizes(data), key=lambda size: size[0] * size[1], default=(0, 0))
            # Uncompressed kinds have a byte and more for each pixel.
            complete = kind not in _PLAIN or len(data) >= found[0] * found[1]
            return Container(kind, *found, complete=complete, file_bytes=len(data))
    if _is_targa(data):
        width, height = _numbers("<HH", data, 12)
        return Container("Targa", width, height, complete=True, file_bytes=len(data))
    return None


def _numbers(code: str, data: bytes, at: int) -> tuple[int, ...]:
    """Zeros where the data has ended."""
    if at < 0 or at + struct.calcsize(code) > len(data):
        return (0,) * (len(code) - 1)
    return struct.unpack_from(code, data, at)


def _everywhere(data: bytes, mark: bytes) -> Iterator[int]:
    """Where the mark ends, each time."""
    at = data.find(mark)
    while at >= 0:
        yield at + len(mark)
        at = data.find(mark, at + 1)


def _exr(data: bytes) -> Sizes:
    for at in _everywhere(data, _EXR_WINDOW):
        x0, y0, x1, y1 = _numbers("<iiii", data, at)
        if x1 >= x0 and y1 >= y0:
            yield x1 - x0 + 1, y1 - y0 + 1


def _hdr(data: bytes) -> Sizes:
    for found in _HDR_RESOLUTION.finditer(data):
        yield int(found[2]), int(found[1])


def _j2k(data: bytes) -> Sizes:
    for at in _everywhere(data, _J2K_SIZES):
        width, height = _numbers(">II", data, at + 4)
        yield width, height


def _at(code: str, offset: int, swapped: bool = False) -> Callable[[bytes], Sizes]:
    def sizes(data: bytes) -> Sizes:
        first, second = _numbers(code, data, offset)
        yield (second, first) if swapped else (first, second)

    return sizes


_KINDS: tuple[tuple[str, bytes, Callable[[bytes], Sizes]], ...] = (
    ("OpenEXR", b"v/1\x01", _exr),
    ("Radiance HDR", b"#?R", _hdr),
    ("JPEG 2000", b"\0\0\0\x0cjP  \r\n\x87\n", _j2k),
    ("JPEG 2000", _J2K_SIZES, _j2k),
    ("DPX", b"SDPX", _at(">II", 772)),
    ("DPX", b"XPDS", _at("<II", 772)),
    ("Cineon", b"\x80\x2a\x5f\xd7", _at(">II", 200)),
    ("Cineon", b"\xd7\x5f\x2a\x80", _at("<II", 200)),
    ("SGI", b"\x01\xda", _at(">HH", 6)),
    ("Photoshop", b"8BPS", _at(">II", 14, swapped=True)),
    ("DDS", b"DDS ", _at("<II", 12, swapped=True)),
)


def _is_targa(data: bytes) -> bool:
    """A format without a signature: all that its header can say has to make sense."""
    if len(data) < 18:
        return False
    palette, kind, depth, flags = data[1], data[2], data[16], data[17]
    fits = kind in _TGA_KINDS and depth in _TGA_DEPTHS and flags & 0xC0 == 0
    return fits and palette == (1 if kind in (1, 9) else palette) and palette < 2
