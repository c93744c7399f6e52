# SPDX-License-Identifier: GPL-3.0-or-later
"""PNG files by the standard library, since Blender's Python has no OpenCV."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

_COLOUR_TYPE = {1: 0, 3: 2, 4: 6}
_SUB = 1
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
#: Pixels on a side that a picture of ours may have.
LARGEST = 8192


def encode_png(pixels: NDArray[np.uint8], *, effort: int = 6) -> bytes:
    """(h, w, 3) RGB, (h, w, 4) with alpha, or (h, w) grey, rows from the top. effort: zlib's, 1
    quick to 9 small.
    """
    height, width = pixels.shape[:2]
    rows = pixels.reshape(height, width, -1)
    channels = rows.shape[2]
    # Each byte as its difference from the pixel to the left, which compresses photos and flat
    # drawings alike.
    raw = np.empty((height, 1 + width * channels), np.uint8)
    raw[:, 0] = _SUB
    raw[:, 1 : 1 + channels] = rows[:, 0]
    raw[:, 1 + channels :] = (rows[:, 1:] - rows[:, :-1]).reshape(height, -1)
    head = struct.pack(">IIBBBBB", width, height, 8, _COLOUR_TYPE[channels], 0, 0, 0)
    body = _chunk(b"IDAT", zlib.compress(raw.tobytes(), effort)) + _chunk(b"IEND", b"")
    return _SIGNATURE + _chunk(b"IHDR", head) + body


def encode_grey16(values: NDArray[np.float32]) -> bytes:
    """(h, w) from 0 to 1 as a grey picture of 16 bits, rows from the top."""
    height, width = values.shape
    raw = np.zeros((height, 1 + 2 * width), np.uint8)
    grey = np.round(np.clip(values, 0.0, 1.0) * 65535).astype(">u2")
    raw[:, 1:] = grey.view(np.uint8).reshape(height, -1)
    head = struct.pack(">IIBBBBB", width, height, 16, 0, 0, 0, 0)
    body = _chunk(b"IDAT", zlib.compress(raw.tobytes())) + _chunk(b"IEND", b"")
    return _SIGNATURE + _chunk(b"IHDR", head) + body


def picture_sides(data: bytes) -> bool:
    """False for what is neither nothing nor a PNG of at most 8192 x 8192, 8 bits, RGB, with
    alpha or without, or grey.
    """
    if not data:
        return True
    if data[:8] != _SIGNATURE or data[12:16] != b"IHDR" or len(data) < 33:
        return False
    width, height, *kind = struct.unpack(">IIBBBBB", data[16:29])
    return (
        0 < width <= LARGEST
        and 0 < height <= LARGEST
        and kind in ([8, 2, 0, 0, 0], [8, 6, 0, 0, 0], [8, 0, 0, 0, 0])
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
