# SPDX-License-Identifier: GPL-3.0-or-later
"""The photo as Blender's own loader decodes it, with nothing left behind in the file.

Blender sees a byte image as its file has it and a deeper one in scene-linear light; colour
profiles are ignored, as they are in Blender's own image editor. The rest is core's business, and
none of Blender's: it is done in threads, so that the window stays alive meanwhile. The last photo
is remembered: who looks at one before the button is pressed has it decoded once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

import bpy
import numpy as np

from ...core.errors import PhotoError
from ...core.photos.container import read_container
from ...core.photos.decoded_photo import PhotoFile
from ...core.photos.photo import Photo

#: Blender hands pixels out as four floats each: beyond this many a photo is halved and halved
#: again, or the copy alone would take more than half a gigabyte. A face has enough of the rest.
MOST_PIXELS = 36_000_000

Buffer = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True)
class LoadedPhoto:
    """photo: upright pixels. turned: True if the file's own pixels are not upright."""

    photo: Photo
    turned: bool


@dataclass(frozen=True)
class HeadPhoto:
    """A photo that a head was made from. source: its file, or what the .blend has of it; sha256: of
    the photo's file, where this is an upright copy of it and no longer says that by itself.
    """

    source: Path | bytes
    sha256: str = ""


@dataclass(frozen=True)
class Decoded:
    """What Blender made of the file: buffer of shape (width, height, channels), rows from the
    bottom up; stored: the file's own width and height.
    """

    file: PhotoFile
    buffer: Buffer
    shape: tuple[int, int, int]
    scene_linear: bool
    stored: tuple[int, int]

    def convert(self) -> LoadedPhoto:
        """Needs nothing of Blender any more. Raises PhotoError."""
        photo = self.file.photo(
            self.buffer, *self.shape, scene_linear=self.scene_linear, stored=self.stored
        )
        return LoadedPhoto(photo, turned=self.file.exif.orientation != 1)


@dataclass
class HandOver:
    """The file ``target``, if there is one, into which a thread writes a photo.

    ``abandon()`` waits at most for a file that is half written; after it nothing more is written.
    """

    target: Path | None
    _abandoned: bool = False
    _writing: threading.Lock = field(default_factory=threading.Lock)

    def write(self, loaded: LoadedPhoto) -> LoadedPhoto:
        """The photo, also in the file."""
        with self._writing:
            if self.target is not None and not self._abandoned:
                loaded.photo.save(self.target)
        return loaded

    def abandon(self) -> None:
        """The photo is no longer wanted."""
        with self._writing:
            self._abandoned = True


Made = TypeVar("Made")


class Aside(Generic[Made]):
    """A piece of work in a thread of its own, which touches nothing of Blender."""

    def __init__(self, path: Path, work: Callable[[], Made]) -> None:
        """path: of the photo, for the sentence where memory does not suffice."""
        self._path, self._work = path, work
        self._made: Made | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="pixel3dmm-photo", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._made = self._work()
        except MemoryError:
            self._error = _too_large(self._path)
        except Exception as error:  # whatever it is, it is raised where somebody waits for it
            self._error = error

    def steps(self) -> Generator[None, None, Made]:
        """Until it is done; raises what went wrong."""
        while self._thread.is_alive():
            yield
        if self._error is not None:
            raise self._error
        assert self._made is not None
        return self._made


#: The last photo, by its path, time of change and size on disk.
_last: tuple[object, LoadedPhoto] | None = None


def load_photo(path: Path) -> LoadedPhoto:
    """Raises PhotoError in one sentence for whatever is wrong with the file."""
    return _decoded(PhotoFile(path), None).convert()


def loading(path: Path, target: Path, sha256: str = "") -> Generator[None, None, LoadedPhoto]:
    """As load_photo, in steps: between two of them the photo is read, converted, and written to
    ``target`` as Photo.save does. Left early (closed), nothing more is written.

    sha256: of the photo's file, where ``path`` is an upright copy of it.
    """
    global _last
    stamp, hand_over = _stamp(path), HandOver(target)
    try:
        if stamp is not None and _last is not None and _last[0] == stamp:
            known = _last[1]
            return (yield from Aside(path, lambda: hand_over.write(known)).steps())
        file, space = yield from Aside(path, lambda: _read(path)).steps()
        decoded = _decoded(file, space)
        loaded = yield from Aside(
            path, lambda: hand_over.write(_known_as(sha256, decoded.convert()))
        ).steps()
    finally:
        hand_over.abandon()
    _last = (stamp, loaded)
    return loaded


def close() -> None:
    """Forgets the last photo."""
    global _last
    _last = None


def _known_as(sha256: str, loaded: LoadedPhoto) -> LoadedPhoto:
    return replace(loaded, photo=replace(loaded.photo, sha256=sha256)) if sha256 else loaded


def _stamp(path: Path) -> object:
    """What changes with the file; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return path, found.st_mtime_ns, found.st_size, MOST_PIXELS


def _read(path: Path) -> tuple[PhotoFile, Buffer]:
    """The file, and room for what Blender makes of it. Room that was never written to is slow to
    be filled, several times as slow as decoding: the system gives it page by page.
    """
    file = PhotoFile(path)
    container = read_container(file.data)
    width, height = _reduced(container.width, container.height) if container else (0, 0)
    space = np.empty(width * height * 4, np.float32)
    space.fill(0)
    return file, space


def _reduced(width: int, height: int) -> tuple[int, int]:
    """The size at which a photo is read."""
    shrink = 1
    while width * height > MOST_PIXELS * shrink * shrink:
        shrink *= 2
    return (width, height) if shrink == 1 else (max(width // shrink, 1), max(height // shrink, 1))


def _decoded(file: PhotoFile, space: Buffer | None) -> Decoded:
    """All that needs Blender, in one go: an image of ours must not live from tick to tick, since
    an undo would pull it away, and a save would keep it. It is put into ``space`` if it fits.
    """
    path = file.path
    try:
        image = bpy.data.images.load(str(path), check_existing=False)
    except RuntimeError as error:
        raise file.refusal from error
    try:
        # Loading what is no picture does not raise: it gives an image without size and data.
        # Asking for the size is what makes Blender decode, so it comes first.
        stored = (image.size[0], image.size[1])
        if 0 in stored or not image.has_data:
            raise file.refusal
        if _reduced(*stored) != stored:
            image.scale(*_reduced(*stored))
        width, height = image.size
        count = width * height * image.channels
        buffer = space if space is not None and space.size == count else np.empty(count, np.float32)
        image.pixels.foreach_get(buffer)
        return Decoded(file, buffer, (width, height, image.channels), image.is_float, stored)
    except MemoryError as error:
        raise _too_large(path) from error
    finally:
        bpy.data.images.remove(image)


def _too_large(path: Path) -> PhotoError:
    return PhotoError(
        f"{path.name} does not fit into memory: close other programs or make it smaller."
    )
