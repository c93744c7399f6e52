# SPDX-License-Identifier: GPL-3.0-or-later
"""The camera that took the photo, with the photo behind what it sees."""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Matrix

from ...core import axes
from ...core.camera import Camera
from ...core.rig.rigged_head import RiggedHead
from ..photo import LoadedPhoto

#: Marks the camera's kind, so that it is found again under any name.
PHOTO_CAMERA = "pixel3dmm_photo_camera"


def make_camera(
    scene: bpy.types.Scene, rigged: RiggedHead, name: str, background: bpy.types.Image | None
) -> bpy.types.Object:
    """The camera object, in no collection yet; it becomes nobody's active camera by itself.

    background: the upright photo, shown behind the head when looking through the camera.
    """
    width, height = (int(side) for side in rigged.image_size)
    photo = Camera(rigged.camera_K, rigged.camera_R, rigged.camera_t, width, height)
    view = axes.scene_camera(photo, frame_aspect(scene))
    data = bpy.data.cameras.new(name)
    data.sensor_fit = view.sensor_fit
    data.sensor_width = data.sensor_height = view.sensor_mm
    data.lens = view.lens_mm
    data.shift_x, data.shift_y = view.shift_x, view.shift_y
    distance = float(np.linalg.norm(view.matrix_world[:3, 3]))
    data.clip_start, data.clip_end = 0.01, max(100.0, 4 * distance)
    data.display_size = 0.1
    camera = bpy.data.objects.new(name, data)
    camera.matrix_world = Matrix(view.matrix_world.tolist())
    camera[PHOTO_CAMERA] = True
    if background is not None:
        show_background(data, background)
    return camera


def frame_aspect(scene: bpy.types.Scene) -> float:
    """Width / height of what the scene renders."""
    render = scene.render
    return (render.resolution_x * render.pixel_aspect_x) / (
        render.resolution_y * render.pixel_aspect_y
    )


def set_render_size(scene: bpy.types.Scene, rigged: RiggedHead) -> None:
    """Renders get the photo's size."""
    render = scene.render
    render.resolution_x, render.resolution_y = (int(side) for side in rigged.image_size)
    render.resolution_percentage = 100
    render.pixel_aspect_x = render.pixel_aspect_y = 1.0


def show_background(data: bpy.types.Camera, image: bpy.types.Image) -> None:
    """The image fills the camera's frame, behind everything."""
    background = data.background_images.new()
    background.image = image
    background.frame_method = "FIT"
    background.display_depth = "BACK"
    background.alpha = 1.0
    data.show_background_images = True


def background_image(loaded: LoadedPhoto) -> bpy.types.Image:
    """The photo as an upright image: the file itself, or where EXIF turns it, which Blender
    ignores, an upright copy packed into the .blend.
    """
    photo = loaded.photo
    if not loaded.turned:
        return bpy.data.images.load(str(photo.path), check_existing=True)
    image = bpy.data.images.new(photo.name, photo.width, photo.height)
    rgba = np.ones((photo.height, photo.width, 4), dtype=np.float32)
    rgba[..., :3] = photo.pixels[::-1] / np.float32(255)
    image.pixels.foreach_set(rgba.reshape(-1))
    image.pack()
    return image


def photo_camera(head: bpy.types.Object) -> bpy.types.Object | None:
    """The camera that was made with this head, if it still stands beside it."""
    for collection in head.users_collection:
        for obj in collection.objects:
            if obj.type == "CAMERA" and PHOTO_CAMERA in obj:
                return obj
    return None
