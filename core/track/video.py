# SPDX-License-Identifier: GPL-3.0-or-later
"""A clip as frames with times, from a movie file, numbered pictures, or a folder of them.

Movies and most pictures need OpenCV, which the command line has and Blender's Python lacks; there
the add-on hands every frame over as an uncompressed BMP, which is read here without any library.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import PhotoError, VideoError
from ..photos.photo import load_photo
from .bitmap import read_bitmap

Image = NDArray[np.uint8]

PICTURES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"})
#: Frames a second of pictures that do not say.
USUAL_RATE = 25.0
#: More frames than anybody tracks in one go: an hour at 60 a second.
MAX_FRAMES = 216_000
#: Frames in a row that cannot be decoded before a movie is given up as damaged there.
MOST_DAMAGED = 30
#: Rates beyond these are a container's fault.
_RATES = (0.1, 1000.0)
_NUMBER = re.compile(r"^(.*?)(\d+)$")


@dataclass(frozen=True, eq=False)
class Frame:
    """index from 0; seconds from the clip's first frame; pixels (H, W, 3) RGB, upright, or None
    where the clip has a gap or the frame is damaged.
    """

    index: int
    seconds: float
    pixels: Image | None


@dataclass(frozen=True, eq=False)
class Clip:
    """name; width and height in pixels of a frame as it is shown; rate in frames a second; count
    of frames as the file announces it, which may be wrong; notes: sentences on what was odd.
    """

    path: Path
    name: str
    width: int
    height: int
    rate: float
    count: int
    notes: tuple[str, ...] = ()
    #: Of numbered pictures: by index, None for a gap.
    pictures: tuple[Path | None, ...] = ()

    def frames(self, first: int = 0, last: int | None = None) -> Iterator[Frame]:
        """Frames first to last (inclusive; None: the end). Raises VideoError if none is left."""
        source = self._pictures() if self.pictures else self._movie(first)
        for frame in source:
            if frame.index < first:
                continue
            if last is not None and frame.index > last:
                return
            yield frame

    def _pictures(self) -> Iterator[Frame]:
        for i, path in enumerate(self.pictures):
            pixels: Image | None = None
            if path is not None:
                try:
                    pixels = _picture(path)
                except PhotoError:
                    pixels = None
            if pixels is not None and pixels.shape[:2] != (self.height, self.width):
                raise VideoError(
                    f"{path.name if path else self.name} has another size than the first picture: "
                    "a sequence needs pictures of one size."
                )
            yield Frame(i, i / self.rate, pixels)

    def _movie(self, first: int) -> Iterator[Frame]:
        """Decoded in order: seeking is not exact in every kind of file."""
        capture = _capture(self.path)
        try:
            start, before, damaged = None, -1.0, 0
            for i in range(MAX_FRAMES):
                good = capture.grab()
                if not good:
                    # A damaged frame, or the end: only the count tells them apart.
                    if i >= self.count - 1 or damaged >= MOST_DAMAGED:
                        return
                    damaged += 1
                    before += 1 / self.rate
                    yield Frame(i, before, None)
                    continue
                damaged = 0
                seconds = capture.get(_POSITION) / 1000
                start = seconds if start is None else start
                seconds -= start
                # Some containers say no times, or the same one twice.
                if not seconds > before:
                    seconds = max(before, 0.0) + (1 / self.rate if i else 0.0)
                before = seconds
                if i < first:
                    continue
                fine, pixels = capture.retrieve()
                yield Frame(i, seconds, np.ascontiguousarray(pixels[..., 2::-1]) if fine else None)
        finally:
            capture.release()


def open_clip(path: Path, rate: float | None = None) -> Clip:
    """A movie file, a folder of numbered pictures, or one picture of such a sequence.

    rate: frames a second of pictures. Raises VideoError with one sentence for what is no clip.
    """
    path = Path(path)
    if not path.exists():
        raise VideoError(f"{path.name} does not exist: check the path.")
    if path.is_dir() or path.suffix.lower() in PICTURES:
        return _sequence(path, USUAL_RATE if rate is None else rate)
    if not path.stat().st_size:
        raise VideoError(f"{path.name} is empty (0 bytes): copy or export it again.")
    capture = _capture(path)
    try:
        width, height = int(capture.get(_WIDTH)), int(capture.get(_HEIGHT))
        count, stated = int(capture.get(_COUNT)), float(capture.get(_RATE))
        good, pixels = capture.read()
    finally:
        capture.release()
    if not good or pixels is None:
        raise VideoError(
            f"{path.name} has no picture that can be read: it holds sound alone or is damaged."
        )
    height, width = pixels.shape[:2]  # after the rotation that the file asks for
    notes = []
    if rate is None and not _RATES[0] <= stated <= _RATES[1]:
        stated = USUAL_RATE
        notes.append(f"{path.name} does not say its frame rate: {USUAL_RATE:g} is taken.")
    return Clip(path, path.stem, width, height, rate or stated, count, tuple(notes))


def _sequence(path: Path, rate: float) -> Clip:
    folder = path if path.is_dir() else path.parent
    files = [p for p in sorted(folder.iterdir()) if p.suffix.lower() in PICTURES]
    found = [(m, p) for p in files if (m := _NUMBER.match(p.stem))]
    if not path.is_dir():
        own = _NUMBER.match(path.stem)
        if own is None:
            raise VideoError(
                f"{path.name} is a single picture: choose a movie, or pictures with numbers."
            )
        found = [(m, p) for m, p in found if m[1] == own[1] and p.suffix == path.suffix]
    if not found:
        raise VideoError(f"{folder.name} holds no numbered pictures: choose a movie file.")
    if len({(m[1], p.suffix.lower()) for m, p in found}) > 1:
        raise VideoError(
            f"{folder.name} holds pictures of several sequences: choose the first one of yours."
        )
    numbers = {int(m[2]): p for m, p in found}
    low, high = min(numbers), max(numbers)
    if high - low >= MAX_FRAMES:
        raise VideoError(f"The pictures of {folder.name} have numbers too far apart: renumber.")
    pictures = tuple(numbers.get(i) for i in range(low, high + 1))
    gaps = sum(p is None for p in pictures)
    notes = (f"{gaps} pictures of the sequence are missing: they are bridged.",) if gaps else ()
    for p in numbers.values():
        try:
            pixels = _picture(p)
        except PhotoError:
            continue
        height, width = pixels.shape[:2]
        name = folder.name if path.is_dir() else path.stem
        return Clip(p, name, width, height, rate, len(pictures), notes, pictures)
    raise VideoError(f"None of the pictures in {folder.name} can be read: export them again.")


def _picture(path: Path) -> Image:
    """Raises PhotoError."""
    found = read_bitmap(path) if path.suffix.lower() == ".bmp" else None
    return load_photo(path).pixels if found is None else found


#: OpenCV's numbers of what a capture can be asked (cv2.CAP_PROP_...).
_POSITION, _WIDTH, _HEIGHT, _RATE, _COUNT = 0, 3, 4, 5, 7


def _capture(path: Path) -> Any:
    try:
        import cv2
    except ImportError:
        raise VideoError(
            "Reading movies on the command line needs OpenCV: run "
            "python -m pip install opencv-python-headless, or give a folder of BMP pictures."
        ) from None
    # Damaged files have ffmpeg fill the terminal.
    cv2.setLogLevel(0)
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    if not capture.isOpened():
        raise VideoError(
            f"{path.name} is no movie that can be read: it holds sound alone, is damaged, or is "
            "no video at all."
        )
    return capture
