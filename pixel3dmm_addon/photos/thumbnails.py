# SPDX-License-Identifier: GPL-3.0-or-later
"""Small pictures of photos for the panel, made by Blender's own preview jobs."""

from __future__ import annotations

from pathlib import Path

import bpy
import bpy.utils.previews
import numpy as np

from ...core.errors import PhotoError
from ...core.photos.decoded_photo import PhotoFile

#: Side of a colour in a legend, pixels.
_SWATCH = 32

_previews: bpy.utils.previews.ImagePreviewCollection | None = None
#: Files that are not decoded, so that they are read once and not at every redraw.
_refused: set[str] = set()


def icon(path: Path) -> int | None:
    """Icon number of the photo's thumbnail, 0 without a window or for what is no photo; None if
    there is no such file.
    """
    try:
        changed = path.stat().st_mtime_ns
    except OSError:
        return None
    previews = _collection()
    key = f"{path}|{changed}"
    if key in _refused:
        return 0
    if key not in previews:
        # A path in a .blend gets here by being looked at: Blender's job decodes what it is given.
        try:
            PhotoFile(path)
        except PhotoError:
            _refused.add(key)
            return 0
        previews.load(key, str(path), "IMAGE")
    return previews[key].icon_id


def picture(key: str, pixels: np.ndarray) -> int:
    """Icon number of pixels (H, W, 3) uint8 under a key of ours, 0 without a window."""
    previews = _collection()
    if key not in previews:
        height, width = pixels.shape[:2]
        rgba = np.ones((height, width, 4), np.float32)
        rgba[..., :3] = pixels[::-1] / np.float32(255)
        preview = previews.new(key)
        preview.image_size = (width, height)
        preview.image_pixels_float.foreach_set(rgba.ravel())
    return previews[key].icon_id


def of_image(image: bpy.types.Image) -> int:
    """Icon number of an image of the file, 0 without a window or while there is no picture yet: of
    its file, or of a small copy where it is packed.
    """
    if bpy.app.background:
        return 0
    if image.packed_file is None:
        return icon(Path(bpy.path.abspath(image.filepath, library=image.library))) or 0
    image.preview_ensure()
    return 0 if image.preview is None else image.preview.icon_id


def swatch(srgb: tuple[float, float, float]) -> int:
    """Icon number of a colour, 0 without a window."""
    previews = _collection()
    key = f"swatch {srgb}"
    if key not in previews:
        preview = previews.new(key)
        # Labels draw the icon, which is apart from the image that template_icon draws.
        preview.icon_size = (_SWATCH, _SWATCH)
        square = np.ones((_SWATCH, _SWATCH, 4), np.float32)
        square[..., :3] = srgb
        preview.icon_pixels_float.foreach_set(square.ravel())
    return previews[key].icon_id


def close() -> None:
    """Forgets all pictures; Blender warns of a collection that is not removed."""
    global _previews
    if _previews is not None:
        bpy.utils.previews.remove(_previews)
        _previews = None
    _refused.clear()


def _collection() -> bpy.utils.previews.ImagePreviewCollection:
    global _previews
    if _previews is None:
        _previews = bpy.utils.previews.new()
    return _previews
