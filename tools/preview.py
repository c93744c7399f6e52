# SPDX-License-Identifier: GPL-3.0-or-later
"""preview.png: the photo beside the head, rendered by Blender itself. Runs inside Blender.

Above: the photo cropped to the face, the mesh drawn over it, and the head as the photo's camera
sees it. Below: the head from the front, from three quarters and from the side, in the studio.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bmesh
import bpy
import numpy as np
from mathutils import Matrix, Vector

from .pictures import Pixels, load_pixels, over, resample, save_pixels

TILE = (420, 500)
"""Width and height of one of the six pictures, pixels."""

SAMPLES = 8
"""Light paths a pixel; the denoiser smooths what is left of the noise."""

MARGIN = 1.25
"""Crop of the photo and of the views: this many times the height of the head without its neck."""

LINE_PIXELS = 0.9
LINE_COLOUR = (0.15, 0.95, 0.75)
LINE_OPACITY = 0.75
BACKDROP = 0.1
"""Grey behind the studio views and round the photo, linear."""

BACKDROP_DISPLAYED = 1.055 * BACKDROP ** (1 / 2.4) - 0.055


def render_preview(
    head: bpy.types.Object, camera: bpy.types.Object, photo: Path, out_png: Path
) -> None:
    """Renders the six pictures and writes them as one PNG.

    head and camera as the add-on made them; photo: the file, or anything Blender reads upright.
    The file's own scene is not changed.
    """
    picture = load_pixels(photo_image(camera, photo))
    with studio(head) as scene:
        window = crop_window(head, camera, picture.shape[1], picture.shape[0])
        matched = cropped_camera(camera, window, picture.shape[1], picture.shape[0])
        cropped = resample(picture, window, TILE, BACKDROP_DISPLAYED)
        tiles = [cropped, cropped, render(scene, matched)]
        tiles += [render(scene, studio_camera(head, degrees)) for degrees in (0, 38, 90)]
        tiles[1] = over(render_wires(scene, head, matched), cropped, LINE_OPACITY)
    above = np.concatenate([t[..., :3] for t in tiles[:3]], axis=1)
    below = np.concatenate([t[..., :3] for t in tiles[3:]], axis=1)
    save_pixels(np.concatenate([above, below]), out_png)


@contextmanager
def studio(head: bpy.types.Object) -> Iterator[bpy.types.Scene]:
    """A scene of its own with the head, its rig and soft light; gone afterwards with all in it."""
    kinds = ("scenes", "objects", "meshes", "cameras", "lights", "worlds", "materials", "images")
    before = {kind: set(getattr(bpy.data, kind)) for kind in kinds}
    scene = bpy.data.scenes.new("Preview")
    for obj in (head, head.parent):
        if obj is not None:
            scene.collection.objects.link(obj)
    add_lights(scene)
    render_settings(scene)
    try:
        yield scene
    finally:
        for kind in kinds:
            bpy.data.batch_remove(set(getattr(bpy.data, kind)) - before[kind])


def add_lights(scene: bpy.types.Scene) -> None:
    """Key, fill and rim as large soft areas, and a grey room."""
    world = bpy.data.worlds.new("Preview")
    if world.node_tree is None:  # from 5.0 on every world and material has nodes
        world.use_nodes = True
    ground = world.node_tree.nodes["Background"].inputs
    ground["Color"].default_value = (BACKDROP, BACKDROP, BACKDROP * 1.03, 1.0)
    ground["Strength"].default_value = 1.0
    scene.world = world
    lamps = (
        ((-0.9, -1.3, 0.9), 20.0, 0.8),
        ((1.4, -1.0, 0.1), 6.0, 1.2),
        ((0.7, 1.2, 1.0), 18.0, 0.8),
    )
    for place, watts, size in lamps:
        data = bpy.data.lights.new("Preview", "AREA")
        data.energy, data.size = watts, size
        lamp = bpy.data.objects.new("Preview", data)
        lamp.matrix_world = looking(Vector(place), Vector((0, 0, 0.02)))
        scene.collection.objects.link(lamp)


def render_settings(scene: bpy.types.Scene) -> None:
    """Cycles on the CPU: the one renderer that needs no graphics card and no display."""
    scene.render.engine = "CYCLES"
    scene.cycles.device = "CPU"
    scene.cycles.samples = SAMPLES
    scene.cycles.use_denoising = True
    scene.cycles.denoising_prefilter = scene.cycles.denoising_quality = "FAST"
    scene.cycles.max_bounces = 4
    scene.render.use_persistent_data = True
    scene.render.resolution_x, scene.render.resolution_y = TILE
    scene.render.resolution_percentage = 100
    scene.render.image_settings.file_format = "PNG"
    scene.render.image_settings.color_mode = "RGBA"
    # The skin's tint was read out of the photo: a film-like transform would bleach it.
    scene.view_settings.view_transform = "Standard"


def looking(eye: Vector, target: Vector) -> Matrix:
    """World matrix of a camera or lamp at ``eye`` that looks at ``target``, Z up."""
    turn = (target - eye).to_track_quat("-Z", "Y")
    return Matrix.LocRotScale(eye, turn, None)


def studio_camera(head: bpy.types.Object, degrees: float) -> bpy.types.Object:
    """A portrait lens, turned about the head by ``degrees`` towards the subject's left."""
    points = above_neck(head)
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    height = float(np.ptp(points[:, 2]))
    angle = math.radians(degrees)
    data = bpy.data.cameras.new("Preview")
    data.sensor_fit, data.sensor_height, data.lens = "VERTICAL", 24.0, 85.0
    distance = MARGIN * height * data.lens / data.sensor_height
    direction = Vector((math.sin(angle), -math.cos(angle), 0.05))
    camera = bpy.data.objects.new("Preview", data)
    camera.matrix_world = looking(Vector(middle) + distance * direction, Vector(middle))
    return camera


def crop_window(
    head: bpy.types.Object, camera: bpy.types.Object, width: int, height: int
) -> tuple[float, float, float]:
    """Left, top and height of the crop in the photo's pixels, in the shape of a tile."""
    pixels = project(above_neck(head), camera, width, height)
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    tall = MARGIN * max(high[1] - low[1], (high[0] - low[0]) * TILE[1] / TILE[0])
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
    camera: bpy.types.Object, window: tuple[float, float, float], width: int, height: int
) -> bpy.types.Object:
    """The photo's camera, narrowed to the crop."""
    left, top, tall = window
    focal, cx, cy = camera_intrinsics(camera, width, height)
    data = bpy.data.cameras.new("Preview")
    data.sensor_fit, data.sensor_height = "VERTICAL", 24.0
    data.lens = focal * data.sensor_height / tall
    data.shift_x = (tall * TILE[0] / TILE[1] / 2 - (cx - left)) / tall
    data.shift_y = ((cy - top) - tall / 2) / tall
    data.clip_start = 0.01
    narrowed = bpy.data.objects.new("Preview", data)
    narrowed.matrix_world = camera.matrix_world
    return narrowed


def render(scene: bpy.types.Scene, camera: bpy.types.Object) -> Pixels:
    """(H, W, 4) display-referred, rows from the top."""
    scene.collection.objects.link(camera)
    scene.camera = camera
    with tempfile.TemporaryDirectory(prefix="pixel3dmm-preview-") as folder:
        scene.render.filepath = str(Path(folder, "view.png"))
        bpy.ops.render.render(write_still=True, scene=scene.name)
        picture = load_pixels(bpy.data.images.load(scene.render.filepath))
    scene.collection.objects.unlink(camera)
    return picture


def render_wires(
    scene: bpy.types.Scene, head: bpy.types.Object, camera: bpy.types.Object
) -> Pixels:
    """The quads' visible edges on nothing, (H, W, 4)."""
    distance = (camera.matrix_world.translation - head.matrix_world.translation).length
    pixel = distance * camera.data.sensor_height / camera.data.lens / TILE[1]
    mesh = bpy.data.meshes.new_from_object(head.evaluated_get(evaluated_graph(scene)))
    solid = bpy.data.objects.new("Preview", mesh)
    wires = bpy.data.objects.new("Preview", skin_alone(mesh))
    # The head itself hides the edges behind it, and is cut out of the picture.
    solid.is_holdout = True
    for obj in (solid, wires):
        obj.matrix_world = head.matrix_world
        scene.collection.objects.link(obj)
    modifier = wires.modifiers.new("Wireframe", "WIREFRAME")
    modifier.thickness = LINE_PIXELS * pixel
    modifier.use_even_offset = False
    wires.data.materials.clear()
    wires.data.materials.append(glowing_material())
    scene.collection.objects.unlink(head)
    scene.render.film_transparent = True
    scene.cycles.use_denoising = False  # it smears lines
    return render(scene, camera)


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


def evaluated_graph(scene: bpy.types.Scene) -> bpy.types.Depsgraph:
    """The dependency graph of a scene that no window shows."""
    return scene.view_layers[0].depsgraph


def world_points(head: bpy.types.Object) -> np.ndarray:
    """(V, 3) of the head as it is posed now."""
    shown = head.evaluated_get(bpy.context.evaluated_depsgraph_get())
    points = np.empty(len(shown.data.vertices) * 3, np.float32)
    shown.data.vertices.foreach_get("co", points)
    world = np.array(shown.matrix_world)
    return points.reshape(-1, 3) @ world[:3, :3].T + world[:3, 3]


def above_neck(head: bpy.types.Object) -> np.ndarray:
    """World points (N, 3) of what a portrait shows; the whole head if nobody knows the neck."""
    points = world_points(head)
    neck = head.parent.data.bones.get("neck") if head.parent else None
    if neck is None:
        return points
    return points[points[:, 2] > (head.parent.matrix_world @ neck.head_local).z]


def photo_image(camera: bpy.types.Object, photo: Path) -> bpy.types.Image:
    """What the camera has behind it, which is upright; the file where it has nothing."""
    for background in camera.data.background_images:
        if background.image is not None:
            return background.image
    return bpy.data.images.load(str(photo), check_existing=True)
