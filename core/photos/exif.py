# SPDX-License-Identifier: GPL-3.0-or-later
"""What a camera wrote beside the pixels: orientation and focal length.

Reads the TIFF structure of EXIF 2.32 (CIPA DC-008, section 4.6). Every offset comes from the
file and is checked; nothing here raises on damaged or hostile data, it returns what it could
read. Where the structure lies inside a JPEG, PNG or WebP is core.photos.container's business.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..geometry.camera import focal_from_35mm

#: TIFF field types that hold numbers: (struct code, bytes, numbers in one value).
_NUMBERS = {
    1: ("B", 1, 1),
    3: ("H", 2, 1),
    4: ("I", 4, 1),
    5: ("II", 8, 2),
    6: ("b", 1, 1),
    8: ("h", 2, 1),
    9: ("i", 4, 1),
    10: ("ii", 8, 2),
}

_ORIENTATION = 0x0112
_EXIF_IFD = 0x8769
_FOCAL_LENGTH = 0x920A
_PIXEL_X, _PIXEL_Y = 0xA002, 0xA003
_FOCAL_PLANE_X_RESOLUTION = 0xA20E
_FOCAL_PLANE_UNIT = 0xA210
_FOCAL_LENGTH_35MM = 0xA405

#: Millimetres of FocalPlaneResolutionUnit; 4 and 5 are not in the standard but are written.
_UNIT_MM = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}

#: 35 mm equivalents outside of this are mistakes of the writer (a fisheye to a telescope).
_PLAUSIBLE_35MM = (8.0, 2000.0)

#: A photo whose sides are in another proportion than the camera's was cropped.
_ASPECT_TOLERANCE = 0.02


class TiffReader:
    """Numbers by tag out of a TIFF structure. A tag that cannot be read is absent."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4], "")

    def _unpack(self, code: str, offset: int) -> tuple[int, ...] | None:
        size = struct.calcsize("=" + code)
        if not self.order or offset < 0 or offset + size > len(self.data):
            return None
        return struct.unpack_from(self.order + code, self.data, offset)

    def first_ifd(self) -> int:
        """Offset of the first directory; 0 if there is none."""
        found = self._unpack("I", 4)
        return found[0] if found else 0

    def ifd(self, offset: int) -> tuple[dict[int, tuple[int, int, int]], int]:
        """The directory at ``offset``: tag -> (type, count, value's offset); next one's offset."""
        count = self._unpack("H", offset) if offset else None
        if count is None:
            return {}, 0
        entries: dict[int, tuple[int, int, int]] = {}
        for i in range(count[0]):
            at = offset + 2 + 12 * i
            entry = self._unpack("HHI", at)
            if entry is None:
                return entries, 0
            tag, kind, n = entry
            size = n * _NUMBERS[kind][1] if kind in _NUMBERS else n
            inline = self._unpack("I", at + 8)
            if inline is None:
                return entries, 0
            entries.setdefault(tag, (kind, n, at + 8 if size <= 4 else inline[0]))
        following = self._unpack("I", offset + 2 + 12 * count[0])
        return entries, following[0] if following else 0

    def number(self, entries: dict[int, tuple[int, int, int]], tag: int) -> float | None:
        """The first number of a tag; a rational as its quotient."""
        kind, count, at = entries.get(tag, (0, 0, 0))
        if kind not in _NUMBERS or count < 1:
            return None
        found = self._unpack(_NUMBERS[kind][0], at)
        if found is None:
            return None
        if len(found) == 2:
            return found[0] / found[1] if found[1] else None
        return float(found[0])

    def blob(self, entries: dict[int, tuple[int, int, int]], tag: int) -> bytes:
        """The bytes of a tag of single bytes; empty if they are not all there."""
        kind, count, at = entries.get(tag, (0, 0, 0))
        if kind not in (1, 7) or at + count > len(self.data):
            return b""
        return self.data[at : at + count]


@dataclass(frozen=True)
class Exif:
    """orientation 1..8; lengths in mm, None where the camera said nothing.

    focal_35mm: 35 mm equivalent. pixels_per_mm: of the sensor, at the camera's own image size
    pixel_x by pixel_y.
    """

    orientation: int = 1
    focal_35mm: float | None = None
    focal_mm: float | None = None
    pixels_per_mm: float | None = None
    pixel_x: int = 0
    pixel_y: int = 0

    def focal_px(self, width: int, height: int) -> tuple[float | None, str]:
        """Focal length in pixels of an image of this size, turned or not.

        Returns (focal, "") or (None, why a focal length that was written is not used).
        """
        resized = 1.0
        if self.pixel_x and self.pixel_y:
            was, now = sorted((self.pixel_x, self.pixel_y)), sorted((width, height))
            if abs(np.log(was[1] / was[0] * now[0] / now[1])) > _ASPECT_TOLERANCE:
                if self.focal_35mm or self.focal_mm:
                    return None, "The photo was cropped, so the camera's focal length is not used."
                return None, ""
            resized = now[1] / was[1]
        if self.focal_35mm:
            focal = focal_from_35mm(self.focal_35mm, width, height)
        elif self.focal_mm and self.pixels_per_mm:
            focal = self.focal_mm * self.pixels_per_mm * resized
        else:
            return None, ""
        low, high = (focal_from_35mm(mm, width, height) for mm in _PLAUSIBLE_35MM)
        if not low <= focal <= high:
            return None, "The focal length written in the photo is not plausible and is not used."
        return focal, ""


def read_exif(data: bytes) -> Exif:
    """EXIF from its TIFF structure, with or without the leading "Exif" and two zeros."""
    tiff = TiffReader(data.removeprefix(b"Exif\0\0"))
    main, _ = tiff.ifd(tiff.first_ifd())
    sub, _ = tiff.ifd(int(tiff.number(main, _EXIF_IFD) or 0))

    def positive(tag: int) -> float | None:
        value = tiff.number(sub, tag)
        return value if value is not None and value > 0 else None

    orientation = int(tiff.number(main, _ORIENTATION) or 1)
    resolution = positive(_FOCAL_PLANE_X_RESOLUTION)
    unit = _UNIT_MM.get(int(tiff.number(sub, _FOCAL_PLANE_UNIT) or 2))
    return Exif(
        orientation=orientation if 1 <= orientation <= 8 else 1,
        focal_35mm=positive(_FOCAL_LENGTH_35MM),
        focal_mm=positive(_FOCAL_LENGTH),
        pixels_per_mm=resolution / unit if resolution and unit else None,
        pixel_x=int(positive(_PIXEL_X) or 0),
        pixel_y=int(positive(_PIXEL_Y) or 0),
    )


def upright(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Stored pixels (H, W, ...) turned as EXIF's orientation says, a contiguous array."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)
