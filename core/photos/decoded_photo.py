# SPDX-License-Identifier: GPL-3.0-or-later
"""A photo out of the buffer that Blender's image loader decoded.

Blender keeps rows from the bottom up, ignores EXIF, holds 8-bit files as they are stored and
everything deeper as scene-linear numbers. The result follows the choices of ``core.photos.photo``.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import PhotoError
from .container import read_container
from .exif import read_exif, upright
from .headers import read_header
from .photo import Photo, Pixels, check_container, in_srgb, read_photo_file

#: What transparency is laid over, display-referred; as in core.photos.photo.
_BACKGROUND = np.float32(128 / 255)

#: Pixels that are converted at a time.
_PORTION = 1 << 15

_SUPPORTED = "use a JPEG, PNG, TIFF, WebP or BMP photo."


class PhotoFile:
    """The file itself, before anybody decodes it.

    path; data: its bytes; exif; notes: sentences. Raises PhotoError for a file that is missing,
    empty, cut off, too large or too small to hold a face.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.data = read_photo_file(path)
        self.notes: list[str] = []
        container = read_container(self.data) or read_header(self.data)
        # Blender has decoders for more, films among it: none gets to see what nobody measured.
        if container is None:
            raise self.refusal
        check_container(path.name, container)
        if container.format == "OpenEXR":
            # Scrambled ones end Blender 5.0 with a fault of memory, and 4.2 and 4.5 never return.
            raise PhotoError(
                f"{path.name} is an OpenEXR file, and a damaged one would end Blender: save the "
                "photo as PNG or TIFF with 16 bits."
            )
        if container.pictures > 1:
            self.notes.append(
                f"{path.name} holds {container.pictures} pictures: the first is used."
            )
        self.exif, self._icc = read_exif(container.exif), container.icc

    @property
    def refusal(self) -> PhotoError:
        """What to say if a decoder makes nothing of the file."""
        return PhotoError(f"{self.path.name} is not a picture that can be read: {_SUPPORTED}")

    def photo(
        self,
        buffer: NDArray[np.float32],
        width: int,
        height: int,
        channels: int,
        *,
        scene_linear: bool,
        stored: tuple[int, int] | None = None,
    ) -> Photo:
        """The upright photo.

        buffer: height * width * channels values, rows from the bottom up. 0..1
        display-referred, or linear Rec. 709 with ``scene_linear``. stored: the file's own
        width and height if the decoder made the picture smaller. Raises PhotoError.
        """
        notes = list(self.notes)
        pixels = buffer.reshape(height, width, channels)[::-1]
        rounded = np.empty((height, width, 3), dtype=np.uint8)
        transparent = False
        # Portions that stay in the processor's cache: several times as fast, and no copies.
        step = max(1, _PORTION // max(width, 1))
        for start in range(0, height, step):
            rows = pixels[start : start + step]
            if scene_linear:
                rows = np.nan_to_num(rows, nan=0.0)
            colour = _display_referred(rows, scene_linear)
            if channels in (2, 4):
                alpha = rows[..., -1:]
                if float(alpha.min()) < 1.0:
                    transparent = True
                    colour = colour * alpha + _BACKGROUND * (1 - alpha)
            # Adding a half and cutting rounds as np.rint does; one channel becomes three.
            rounded[start : start + step] = np.clip(colour, 0.0, 1.0) * np.float32(
                255
            ) + np.float32(0.5)
        if not scene_linear:
            rounded, said = in_srgb(self.path.name, rounded, self._icc)
            notes += said
        if scene_linear:
            notes.append(f"{self.path.name} has more than 8 bits a channel: rounded to 8.")
        if transparent:
            notes.append(f"{self.path.name} is transparent in places: laid over mid grey.")
        if stored is not None and stored != (width, height):
            notes.append(
                f"{self.path.name} has {stored[0]} x {stored[1]} pixels: "
                f"read at {width} x {height}."
            )
        return self._finish(upright(rounded, self.exif.orientation), notes)

    def _finish(self, pixels: Pixels, notes: list[str]) -> Photo:
        focal, why_not = self.exif.focal_px(pixels.shape[1], pixels.shape[0])
        notes += [why_not] if why_not else []
        digest = hashlib.sha256(self.data).hexdigest()
        return Photo(pixels, self.path.stem, self.path, digest, focal, tuple(notes))


def to_srgb(linear: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Linear Rec. 709 to display-referred sRGB (IEC 61966-2-1), values outside 0..1 cut."""
    x = np.clip(linear, 0.0, 1.0).astype(np.float32)
    curved = np.float32(1.055) * x ** np.float32(1 / 2.4) - np.float32(0.055)
    return np.where(x <= 0.0031308, x * np.float32(12.92), curved)


def _display_referred(pixels: NDArray[np.float32], scene_linear: bool) -> NDArray[np.float32]:
    """(H, W, C) -> (H, W, 3 or 1) in 0..1."""
    colour = pixels[..., :3] if pixels.shape[2] >= 3 else pixels[..., :1]
    return to_srgb(colour) if scene_linear else colour
