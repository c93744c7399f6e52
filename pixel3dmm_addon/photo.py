# SPDX-License-Identifier: GPL-3.0-or-later
"""The photo as Blender's own loader decodes it, with nothing left behind in the file.

Blender sees a byte image as its file has it and a deeper one in scene-linear light; colour
profiles are ignored, as they are in Blender's own image editor. The rest is core's business.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np

from ..core.decoded_photo import PhotoFile
from ..core.errors import PhotoError
from ..core.images import Photo

#: Blender hands pixels out as four floats each: beyond this many a photo is halved and halved
#: again, or the copy alone would take more than half a gigabyte. A face has enough of the rest.
MOST_PIXELS = 36_000_000


@dataclass(frozen=True)
class LoadedPhoto:
    """photo: upright pixels. turned: True if the file's own pixels are not upright."""

    photo: Photo
    turned: bool


def load_photo(path: Path) -> LoadedPhoto:
    """Raises PhotoError in one sentence for whatever is wrong with the file."""
    file = PhotoFile(path)
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
        photo = file.photo(
            buffer,
            width,
            height,
            image.channels,
            scene_linear=image.is_float,
            stored=stored,
        )
    except MemoryError as error:
        raise PhotoError(
            f"{path.name} does not fit into memory: close other programs or make it smaller."
        ) from error
    finally:
        bpy.data.images.remove(image)
    return LoadedPhoto(photo, turned=file.exif.orientation != 1)
