# SPDX-License-Identifier: GPL-3.0-or-later
"""A movie's frames as files that the worker can read, decoded by Blender's own sequencer.

Blender's Python has no reader of movies and an image's pixels are those of one frame alone. So a
scene of its own, with the movie as its only strip, is rendered frame by frame to BMP pictures; the
artist's scene is not touched, and the extra one is gone at the end.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import bpy

from ...core.errors import VideoError

#: Pixels on the longer side beyond which frames are made smaller: the face nets see 192.
LARGEST = 1280
#: More than anybody tracks in one go.
MAX_FRAMES = 216_000
#: Blender puts the frame's number in place of the last signs.
_PATTERN = "frame_######.bmp"


class ClipFrames:
    """Frames first to last (None: the end) of a movie, counted from 0. rate in frames a second,
    width and height of a picture, and count are known from the first step of ``write`` on.
    """

    def __init__(self, path: Path, first: int = 0, last: int | None = None) -> None:
        self.path, self.first, self.last = path, first, last
        self.rate, self.width, self.height, self.count = 25.0, 0, 0, 0

    def write(self, folder: Path) -> Generator[float, None, None]:
        """Numbered BMP pictures into a folder; yields the share that is done.

        Closed early it leaves the pictures that there are. Raises VideoError for what is no movie.
        """
        path, first = self.path, self.first
        if not path.is_file():
            raise VideoError(f"{path.name} does not exist: check the path.")
        scene = bpy.data.scenes.new("Pixel3DMM Clip")
        try:
            strip = _strip(scene, path)
            element = strip.elements[0]
            total = int(strip.frame_final_duration)
            if min(element.orig_width, element.orig_height) < 2 or total < 1:
                raise VideoError(
                    f"{path.name} has no picture that can be read: it holds sound alone or is "
                    "damaged."
                )
            self.rate = float(element.orig_fps) or self.rate
            end = min(total - 1 if self.last is None else self.last, total - 1, first + MAX_FRAMES)
            if first > end:
                raise VideoError(f"{path.name} has no frame {first}: it has {total}.")
            size = element.orig_width, element.orig_height
            self.width, self.height = _prepare(scene, strip, *size)
            for i in range(first, end + 1):
                # Of a scene that no window shows, Blender (seen in 4.5) renders one and the same
                # frame as a still, whatever frame is set: so each is an animation of one frame.
                scene.frame_start = scene.frame_end = i + 1
                scene.render.filepath = str(folder / _PATTERN)
                bpy.ops.render.render(animation=True, scene=scene.name)
                written = Path(scene.render.frame_path(frame=i + 1))
                written.replace(folder / f"{i - first:06d}.bmp")
                self.count += 1
                yield self.count / (end - first + 1)
        finally:
            bpy.data.scenes.remove(scene)


def _strip(scene: bpy.types.Scene, path: Path) -> Any:
    """The movie as a strip, whose type has another name in every second Blender."""
    editor = scene.sequence_editor_create()
    # Blender 5.0 has no other name than strips, 4.2 none but sequences.
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences
    try:
        return strips.new_movie("clip", str(path), 1, 1)
    except RuntimeError as error:
        raise VideoError(
            f"{path.name} is no movie that Blender can read: it holds sound alone, is damaged, or "
            "is no video at all."
        ) from error


def _prepare(scene: bpy.types.Scene, strip: Any, width: int, height: int) -> tuple[int, int]:
    """Sets the scene's output; the size of its pictures."""
    share = min(1.0, LARGEST / max(width, height))
    width, height = max(2, round(width * share)), max(2, round(height * share))
    strip.transform.scale_x = strip.transform.scale_y = share
    render = scene.render
    render.resolution_x, render.resolution_y = width, height
    render.resolution_percentage = 100
    render.use_sequencer, render.use_compositing = True, False
    settings = render.image_settings
    if hasattr(settings, "media_type"):
        settings.media_type = "IMAGE"
    settings.file_format = "BMP"
    settings.color_mode = "RGB"
    scene.view_settings.view_transform = "Standard"
    render.use_file_extension = True
    return width, height
