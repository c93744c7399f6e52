# SPDX-License-Identifier: GPL-3.0-or-later
"""Uncompressed BMP pictures of 24 or 32 bits, as Blender writes them: frames on their way here."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import PhotoError
from ..photos.photo import MAX_PIXELS

#: Bytes of the file's and the picture's headers.
_HEADER = 54


def read_bitmap(path: Path) -> NDArray[np.uint8] | None:
    """(H, W, 3) RGB, or None for another kind of BMP. Raises PhotoError for a damaged file."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise PhotoError(f"{path.name} cannot be read ({error.strerror}).") from error
    if len(data) < _HEADER or data[:2] != b"BM":
        raise PhotoError(f"{path.name} is a damaged BMP file: export it again.")
    start, _, width, height, _, bits, packing = struct.unpack_from("<IIiiHHI", data, 10)
    if bits not in (24, 32) or packing not in (0, 3):
        return None
    rows, channels = abs(height), bits // 8
    stride = (width * channels + 3) // 4 * 4
    if width < 1 or rows < 1 or width * rows > MAX_PIXELS or len(data) < start + stride * rows:
        raise PhotoError(f"{path.name} is a damaged BMP file: export it again.")
    flat = np.frombuffer(data, np.uint8, stride * rows, start).reshape(rows, stride)
    pixels = flat[:, : width * channels].reshape(rows, width, channels)
    # Rows are stored from the bottom up unless the height is negative.
    upright = pixels[::-1] if height > 0 else pixels
    return np.ascontiguousarray(upright[..., 2::-1])
