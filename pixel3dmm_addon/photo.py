# SPDX-License-Identifier: GPL-3.0-or-later
"""The photo as Blender's own loader decodes it, with nothing left behind in the file.

Blender sees a byte image as its file has it and a deeper one in scene-linear light; colour
profiles are ignored, as they are in Blender's own image editor. The rest is core's business, and
none of Blender's: it is done in a thread, so that the window stays alive meanwhile.
"""

from __future__ import annotations

import threading
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ..core.decoded_photo import PhotoFile
from ..core.errors import PhotoError
from ..core.images import Photo

#: Blender hands pixels out as four floats each: beyond this many a photo is halved and halved
#: again, or the copy alone would take more than half a gigabyte. A face has enough of the rest.
MOST_PIXELS = 36_000_000

Buffer = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True)
class LoadedPhoto:
    """photo: upright pixels. turned: True if the file's own pixels are not upright."""

    photo: Photo
    turned: bool


@dataclass
class HandOver:
    """A photo on its way through a thread into the file ``target``, if there is one.

    The thread touches nothing of Blender. ``abandon()`` waits at most for a file that is half
    written; after it nothing more is written.
    """

    file: PhotoFile
    buffer: Buffer | None
    shape: tuple[int, int, int]
    scene_linear: bool
    stored: tuple[int, int]
    target: Path | None = None
    loaded: LoadedPhoto | None = None
    error: BaseException | None = None
    _abandoned: bool = False
    _writing: threading.Lock = field(default_factory=threading.Lock)

    def work(self) -> None:
        """The thread's body; also called directly by who does not mind to wait."""
        try:
            width, height, channels = self.shape
            buffer, self.buffer = self.buffer, None
            assert buffer is not None
            photo = self.file.photo(
                buffer,
                width,
                height,
                channels,
                scene_linear=self.scene_linear,
                stored=self.stored,
            )
            with self._writing:
                if self.target is not None and not self._abandoned:
                    photo.save(self.target)
            self.loaded = LoadedPhoto(photo, turned=self.file.exif.orientation != 1)
        except MemoryError:
            self.error = _too_large(self.file.path)
        except Exception as error:  # whatever it is, it is raised where somebody waits for it
            self.error = error

    def abandon(self) -> None:
        """Nobody wants it any more."""
        with self._writing:
            self._abandoned = True

    def outcome(self) -> LoadedPhoto:
        """What came of it; raises what went wrong."""
        if self.error is not None:
            raise self.error
        assert self.loaded is not None
        return self.loaded


def load_photo(path: Path) -> LoadedPhoto:
    """Raises PhotoError in one sentence for whatever is wrong with the file."""
    hand_over = _decoded(PhotoFile(path))
    hand_over.work()
    return hand_over.outcome()


def loading(path: Path, target: Path) -> Generator[None, None, LoadedPhoto]:
    """As load_photo, in steps: between two of them the photo is converted and written to
    ``target`` as Photo.save does. Left early (closed), nothing more is written.
    """
    file = PhotoFile(path)
    yield
    hand_over = _decoded(file)
    hand_over.target = target
    thread = threading.Thread(target=hand_over.work, name="pixel3dmm-photo", daemon=True)
    thread.start()
    try:
        while thread.is_alive():
            yield
    finally:
        hand_over.abandon()
    return hand_over.outcome()


def _decoded(file: PhotoFile) -> HandOver:
    """All that needs Blender, in one go: an image of ours must not live from tick to tick, since
    an undo would pull it away, and a save would keep it.
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
        shrink = 1
        while stored[0] * stored[1] > MOST_PIXELS * shrink * shrink:
            shrink *= 2
        if shrink > 1:
            image.scale(max(stored[0] // shrink, 1), max(stored[1] // shrink, 1))
        width, height = image.size
        buffer = np.empty(width * height * image.channels, dtype=np.float32)
        image.pixels.foreach_get(buffer)
        return HandOver(file, buffer, (width, height, image.channels), image.is_float, stored)
    except MemoryError as error:
        raise _too_large(path) from error
    finally:
        bpy.data.images.remove(image)


def _too_large(path: Path) -> PhotoError:
    return PhotoError(
        f"{path.name} does not fit into memory: close other programs or make it smaller."
    )
