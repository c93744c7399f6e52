# SPDX-License-Identifier: GPL-3.0-or-later
"""The camera that took the photo, with the photo behind what it sees."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix

from ...core.geometry import axes
from ...core.geometry.camera import Camera
from ...core.rigged_head import RiggedHead
from ..photos.loading import HeadPhoto, LoadedPhoto

#: Marks the camera's kind, so that it is found again under any name.
PHOTO_CAMERA = "pixel3dmm_photo_camera"

#: Custom property of a head that points to the camera of its first photo; for the others the
#: photo's number follows after an underscore.
CAMERA = "pixel3dmm_camera"

#: Custom property of an upright copy: sha256 of the photo's file.
COPY_OF = "pixel3dmm_copy_of"


def make_camera(
    scene: bpy.types.Scene, rigged: RiggedHead, name: str, background: bpy.types.Image | None
) -> bpy.types.Object:
    """As new_camera, for a head's own photo."""
    return new_camera(scene, rigged.camera, name, background)


def new_camera(
    scene: bpy.types.Scene, photo: Camera, name: str, background: bpy.types.Image | None
) -> bpy.types.Object:
    """The camera object, in no collection yet; it does not become the scene's active camera.

    background: the upright photo, shown behind the head when looking through the camera.
    """
    data = bpy.data.cameras.new(name)
    data.display_size = 0.1
    camera = bpy.data.objects.new(name, data)
    place(scene, camera, photo)
    camera[PHOTO_CAMERA] = True
    if background is not None:
        show_background(data, background)
    return camera


def place(
    scene: bpy.types.Scene, camera: bpy.types.Object, photo: Camera, last: Camera | None = None
) -> None:
    """Lets the object see what ``photo`` sees. last: what it was placed as before; where a family
    was moved since, it goes from where it stands now.
    """
    view = axes.scene_camera(photo, frame_aspect(scene))
    data = camera.data
    data.sensor_fit = view.sensor_fit
    data.sensor_width = data.sensor_height = view.sensor_mm
    data.lens = view.lens_mm
    data.shift_x, data.shift_y = view.shift_x, view.shift_y
    distance = float(np.linalg.norm(view.matrix_world[:3, 3]))
    metre = 1 / scene.unit_settings.scale_length
    data.clip_start, data.clip_end = 0.01 * metre, max(100.0, 4 * distance) * metre
    camera.matrix_world = moved_by(camera, last) @ Matrix(view.matrix_world.tolist())


def moved_by(camera: bpy.types.Object, photo: Camera | None) -> Matrix:
    """How the object, placed as ``photo``, was moved since; nowhere where that is not known."""
    if photo is None:
        return Matrix()
    placed = Matrix(axes.scene_camera(photo).matrix_world.tolist())
    return camera.matrix_world @ placed.inverted()


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
    image[COPY_OF] = photo.sha256
    return image


def camera_of(head: bpy.types.Object, photo: int) -> bpy.types.Object | None:
    """The camera of one of the head's photos, under whatever name; None if it was deleted."""
    found = head.get(pointer(photo))
    there = isinstance(found, bpy.types.Object) and found.type == "CAMERA"
    # Deleted by hand it is in no collection any more, though the pointer holds it.
    if there and found.users_collection:
        return found
    return photo_camera(head) if photo == 0 and not there else None


def photos(head: bpy.types.Object) -> list[bpy.types.Image]:
    """The pictures behind what the head's cameras see."""
    found = []
    for name in head.keys():  # noqa: SIM118 - no mapping in the eyes of Python
        camera = head[name] if name.startswith(CAMERA) else None
        if isinstance(camera, bpy.types.Object) and camera.type == "CAMERA":
            found += [b.image for b in camera.data.background_images if b.image is not None]
    return found


def picture_of(camera: bpy.types.Object | None) -> bpy.types.Image | None:
    """The picture behind what a camera sees."""
    pictures = camera.data.background_images if camera is not None else ()
    return next((p.image for p in pictures if p.image is not None), None)


def head_photo(head: bpy.types.Object, photo: int) -> HeadPhoto | None:
    """One of the head's photos, as the file or the .blend has it; None if neither is known."""
    held = head.get(pointer(photo))
    # Of a camera that was deleted by hand, too.
    there = isinstance(held, bpy.types.Object) and held.type == "CAMERA"
    camera = held if there else camera_of(head, photo)
    image = picture_of(camera)
    if image is None:
        return None
    if image.packed_file is not None:
        copy_of = image.get(COPY_OF, "")
        return HeadPhoto(image.packed_file.data, copy_of if isinstance(copy_of, str) else "")
    path = bpy.path.abspath(image.filepath, library=image.library)
    return HeadPhoto(Path(path)) if path else None


def pointer(photo: int) -> str:
    """The custom property's name."""
    return f"{CAMERA}_{photo}" if photo else CAMERA


def photo_camera(head: bpy.types.Object) -> bpy.types.Object | None:
    """The camera that was made with this head, if it still stands in the file."""
    found = head.get(CAMERA)
    if isinstance(found, bpy.types.Object) and found.type == "CAMERA" and found.users_collection:
        return found
    # Heads of schema 1 have no pointer.
    for collection in head.users_collection:
        for obj in collection.objects:
            if obj.type == "CAMERA" and PHOTO_CAMERA in obj:
                return obj
    return None
