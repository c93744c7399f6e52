# SPDX-License-Identifier: GPL-3.0-or-later
"""preview.png: the photo beside the head, rendered by Blender itself. Runs inside Blender.

Above: the photo cropped to the face, the mesh drawn over it, and the head as the photo's camera
sees it. Below: the head from the front, from three quarters and from the side, in the studio.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bmesh
import bpy
import numpy as np

from .installed_extension import module
from .pictures import Pixels, load_pixels, over, resample, save_pixels

TILE = (420, 500)
"""Width and height of one of the six pictures, pixels."""

SAMPLES = 8
"""Light paths a pixel; the denoiser smooths what is left of the noise."""

LINE_PIXELS = 0.9
LINE_COLOUR = (0.15, 0.95, 0.75)
LINE_OPACITY = 0.75


def render_preview(
    head: bpy.types.Object, camera: bpy.types.Object, photo: Path, out_png: Path
) -> None:
    """Renders the six pictures and writes them as one PNG.

    head and camera as the add-on made them; photo: the file, or anything Blender reads upright.
    The file's own scene is not changed.
    """
    rooms = module("pixel3dmm_addon.scene.studio")
    points = rooms.above_neck(head)
    picture = load_pixels(photo_image(camera, photo))
    grey = 1.055 * rooms.BACKDROP ** (1 / 2.4) - 0.055
    with rooms.studio(head, TILE, samples=SAMPLES) as studio:
        window = crop_window(points, rooms.MARGIN, camera, picture)
        matched = cropped_camera(camera, window, picture)
        cropped = resample(picture, window, TILE, grey)
        tiles = [cropped, cropped, studio.shoot(matched)]
        tiles += [studio.shoot(studio.portrait(degrees)) for degrees in (0, 38, 90)]
        tiles[1] = over(render_wires(studio, head, matched), cropped, LINE_OPACITY)
    above = np.concatenate([t[..., :3] for t in tiles[:3]], axis=1)
    below = np.concatenate([t[..., :3] for t in tiles[3:]], axis=1)
    save_pixels(np.concatenate([above, below]), out_png)


def crop_window(
    points: np.ndarray, margin: float, camera: bpy.types.Object, picture: Pixels
) -> tuple[float, float, float]:
    """Left, top and height of the crop in the photo's pixels, in the shape of a tile: ``margin``
    times what world points (N, 3) fill.
    """
    height, width = picture.shape[:2]
    pixels = project(points, camera, width, height)
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    tall = margin * max(high[1] - low[1], (high[0] - low[0]) * TILE[1] / TILE[0])
    middle = (low + high) / 2
    return float(middle[0] - tall * TILE[0] / TILE[1] / 2), float(middle[1] - tall / 2), float(tall)


def camera_intrinsics(
    camera: bpy.types.Object, width: int, height: int
) -> tuple[float, float, float]:
    """Focal length and principal point in pixels of a photo that fills the camera's frame."""
    data = camera.data
    side = height if data.sensor_fit == "VERTICAL" else width
    sensor = data.sensor_height if data.sensor_fit == "VERTICAL" else data.sensor_width
    return (
        data.lens / sensor * side,
        width / 2 - data.shift_x * side,
        height / 2 + data.shift_y * side,
    )


def project(points: np.ndarray, camera: bpy.types.Object, width: int, height: int) -> np.ndarray:
    """World points (N, 3) -> the photo's pixels (N, 2)."""
    focal, cx, cy = camera_intrinsics(camera, width, height)
    local = np.c_[points, np.ones(len(points))] @ np.array(camera.matrix_world.inverted()).T
    depth = -local[:, 2]
    return np.stack([cx + focal * local[:, 0] / depth, cy - focal * local[:, 1] / depth], axis=1)


def cropped_camera(
    camera: bpy.types.Object, window: tuple[float, float, float], picture: Pixels
) -> bpy.types.Object:
    """The photo's camera, narrowed to the crop."""
    left, top, tall = window
    focal, cx, cy = camera_intrinsics(camera, picture.shape[1], picture.shape[0])
    data = bpy.data.cameras.new("Preview")
    data.sensor_fit, data.sensor_height = "VERTICAL", 24.0
    data.lens = focal * data.sensor_height / tall
    data.shift_x = (tall * TILE[0] / TILE[1] / 2 - (cx - left)) / tall
    data.shift_y = ((cy - top) - tall / 2) / tall
    data.clip_start = 0.01
    narrowed = bpy.data.objects.new("Preview", data)
    narrowed.matrix_world = camera.matrix_world
    return narrowed


def render_wires(studio: Any, head: bpy.types.Object, camera: bpy.types.Object) -> Pixels:
    """The quads' visible edges on nothing, (H, W, 4). The studio is good for nothing else then."""
    scene = studio.scene
    distance = (camera.matrix_world.translation - head.matrix_world.translation).length
    pixel = distance * camera.data.sensor_height / camera.data.lens / TILE[1]
    mesh = bpy.data.meshes.new_from_object(head.evaluated_get(scene.view_layers[0].depsgraph))
    solid = bpy.data.objects.new("Preview", mesh)
    wires = bpy.data.objects.new("Preview", skin_alone(mesh))
    # The head itself hides the edges behind it, and is cut out of the picture.
    solid.is_holdout = True
    for obj in list(scene.collection.objects):
        if obj.type not in ("LIGHT", "ARMATURE"):
            scene.collection.objects.unlink(obj)
    for obj in (solid, wires):
        obj.matrix_world = head.matrix_world
        scene.collection.objects.link(obj)
    modifier = wires.modifiers.new("Wireframe", "WIREFRAME")
    modifier.thickness = LINE_PIXELS * pixel
    modifier.use_even_offset = False
    wires.data.materials.clear()
    wires.data.materials.append(glowing_material())
    scene.render.film_transparent = True
    scene.cycles.use_denoising = False  # it smears lines
    return studio.shoot(camera)


def skin_alone(mesh: bpy.types.Mesh) -> bpy.types.Mesh:
    """A copy without eyes and mouth, whose many small faces would hide the photo."""
    copy = mesh.copy()
    work = bmesh.new()
    work.from_mesh(copy)
    inner = [face for face in work.faces if face.material_index != 0]
    bmesh.ops.delete(work, geom=inner, context="FACES")
    work.to_mesh(copy)
    work.free()
    return copy


def glowing_material() -> bpy.types.Material:
    """Flat colour, whatever the light."""
    material = bpy.data.materials.new("Preview")
    if material.node_tree is None:
        material.use_nodes = True
    tree = material.node_tree
    tree.nodes.clear()
    glow = tree.nodes.new("ShaderNodeEmission")
    glow.inputs["Color"].default_value = (*LINE_COLOUR, 1.0)
    out = tree.nodes.new("ShaderNodeOutputMaterial")
    tree.links.new(glow.outputs["Emission"], out.inputs["Surface"])
    return material


def photo_image(camera: bpy.types.Object, photo: Path) -> bpy.types.Image:
    """What the camera has behind it, which is upright; the file where it has nothing."""
    for background in camera.data.background_images:
        if background.image is not None:
            return background.image
    return bpy.data.images.load(str(photo), check_existing=True)
