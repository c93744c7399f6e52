# SPDX-License-Identifier: GPL-3.0-or-later
"""A studio of its own for any head: key, fill and rim light, a portrait lens, Cycles on the CPU.

Lights and cameras stand by the head's own size, place and turn, so that a head that was moved,
scaled or put on a body is lit and framed as any other. The file's own scenes are not touched.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix, Vector

from ...core.errors import PersonError
from .camera import PHOTO_CAMERA
from .rig_data import find_bone

#: (H, W, 4) as displayed, rows from the top.
Pixels = np.ndarray

#: Grey behind the head, linear.
BACKDROP = 0.1
#: A picture is so many times as high as the head without its neck.
MARGIN = 1.25
#: Metres of a head without its neck for which the lights below are.
_USUAL = 0.26
#: Key, fill and rim: place from the head's middle (left, back, up), watts, side of the square. The
#: middle of a face is as bright as its albedo: pale skin is pale, and dark skin dark.
_LAMPS = (
    ((-0.9, -1.3, 0.88), 40.0, 0.8),
    ((1.4, -1.0, 0.08), 12.0, 1.2),
    ((0.7, 1.2, 0.98), 24.0, 0.8),
)
#: Where there is no denoiser, so many times the light paths.
_NOISY = 3
_NAME = "Studio"
_KINDS: tuple[str, ...] = (
    "scenes",
    "objects",
    "meshes",
    "curves",
    "cameras",
    "lights",
    "worlds",
    "materials",
)
_KINDS += ("images",)


@dataclass(frozen=True)
class Sitter:
    """middle: world place of what a portrait shows; height: metres of it along the head's up;
    turn: from the head's axes to the world's.
    """

    middle: Vector
    height: float
    turn: Matrix

    @classmethod
    def of(cls, head: bpy.types.Object) -> Sitter:
        """As the head stands now."""
        rig = head.find_armature()
        turn = (rig or head).matrix_world.to_3x3().normalized()
        local = above_neck(head) @ np.array(turn)
        low, high = local.min(axis=0), local.max(axis=0)
        middle = turn @ Vector(((low + high) / 2).tolist())
        return cls(middle, max(float(high[2] - low[2]), 1e-6), turn)

    def place(self, offset: tuple[float, float, float]) -> Vector:
        """World point of an offset from the middle in the head's axes."""
        return self.middle + self.turn @ Vector(offset)


@dataclass(frozen=True)
class Studio:
    """The scene, and who sits in it."""

    scene: bpy.types.Scene
    head: bpy.types.Object

    def portrait(self, degrees: float) -> bpy.types.Object:
        """A camera turned about the head by ``degrees`` towards the person's left; upright with
        the head.
        """
        sitter = Sitter.of(self.head)
        data = bpy.data.cameras.new(_NAME)
        data.sensor_fit, data.sensor_height, data.lens = "VERTICAL", 24.0, 85.0
        distance = MARGIN * sitter.height * data.lens / data.sensor_height
        data.clip_start, data.clip_end = distance / 100, distance * 10
        angle = math.radians(degrees)
        eye = sitter.place(
            (distance * math.sin(angle), -distance * math.cos(angle), 0.05 * distance)
        )
        camera = bpy.data.objects.new(_NAME, data)
        camera.matrix_world = looking(eye, sitter.middle, sitter.turn)
        return camera

    def shoot(self, camera: bpy.types.Object) -> Pixels:
        """What a camera sees. Raises PersonError where Blender cannot render it."""
        self.scene.collection.objects.link(camera)
        self.scene.camera = camera
        with tempfile.TemporaryDirectory(prefix="pixel3dmm-studio-") as folder:
            path = str(Path(folder, "view.png"))
            self.scene.render.filepath = path
            try:
                bpy.ops.render.render(write_still=True, scene=self.scene.name)
            except RuntimeError as error:
                reason = str(error).removeprefix("Error: ").strip().rstrip(".")
                raise PersonError(f"Blender could not take the picture: {reason}.") from error
            image = bpy.data.images.load(path)
            width, height = image.size
            flat = np.empty(width * height * 4, np.float32)
            image.pixels.foreach_get(flat)
            bpy.data.images.remove(image)
        self.scene.collection.objects.unlink(camera)
        return flat.reshape(height, width, 4)[::-1]


@contextmanager
def studio(
    head: bpy.types.Object, size: tuple[int, int], *, samples: int, transparent: bool = False
) -> Iterator[Studio]:
    """A scene with the head, what belongs to it, and lights; gone afterwards with all in it.

    size: width and height in pixels; samples: light paths a pixel, of which a denoiser smooths the
    noise. Raises PersonError where Blender has no Cycles.
    """
    before = {kind: set(getattr(bpy.data, kind)) for kind in _KINDS}
    scene = bpy.data.scenes.new(_NAME)
    try:
        if not hasattr(scene, "cycles"):
            raise PersonError("Pictures need Cycles: enable the Cycles add-on in the preferences.")
        for obj in sitting(head):
            scene.collection.objects.link(obj)
        _set_render(scene, size, samples, transparent)
        _add_room(scene)
        _add_lamps(scene, Sitter.of(head))
        yield Studio(scene, head)
    finally:
        for kind in _KINDS:
            bpy.data.batch_remove(set(getattr(bpy.data, kind)) - before[kind])


def can_denoise() -> bool:
    """Whether this Blender was built with a denoiser."""
    import _cycles  # there once the Cycles add-on is

    return bool(_cycles.with_openimagedenoise)


def sitting(head: bpy.types.Object) -> list[bpy.types.Object]:
    """The head, its rig, and what hangs on them and can be seen."""
    rig = head.find_armature()
    family = [head, *([rig] if rig else [])]
    hanging = [child for obj in family for child in obj.children_recursive]
    seen = [o for o in hanging if o.type not in ("CAMERA", "LIGHT") and PHOTO_CAMERA not in o]
    return list(dict.fromkeys([*family, *(o for o in seen if not o.hide_render)]))


def looking(eye: Vector, target: Vector, turn: Matrix) -> Matrix:
    """World matrix of a camera or lamp at ``eye`` that looks at ``target``, upright in the axes of
    ``turn``.
    """
    aim = (turn.transposed() @ (target - eye)).to_track_quat("-Z", "Y").to_matrix()
    return Matrix.LocRotScale(eye, (turn @ aim).to_quaternion(), None)


def above_neck(head: bpy.types.Object) -> np.ndarray:
    """World points (N, 3) of what a portrait shows; the whole head if its neck is not known."""
    points, rig = world_points(head), head.find_armature()
    bone = None if rig is None else find_bone(rig, "neck")
    if rig is None or bone is None:
        return points
    up = np.array(rig.matrix_world.to_3x3().normalized().col[2])
    floor = np.array(rig.matrix_world @ bone.bone.head_local) @ up
    above = points[points @ up > floor]
    return above if len(above) else points


def world_points(head: bpy.types.Object) -> np.ndarray:
    """(V, 3) of the head as it is posed now."""
    shown = head.evaluated_get(bpy.context.evaluated_depsgraph_get())
    points = np.empty(len(shown.data.vertices) * 3, np.float32)
    shown.data.vertices.foreach_get("co", points)
    world = np.array(shown.matrix_world)
    return points.reshape(-1, 3) @ world[:3, :3].T + world[:3, 3]


def _set_render(
    scene: bpy.types.Scene, size: tuple[int, int], samples: int, transparent: bool
) -> None:
    """Cycles on the CPU: the one renderer that needs no graphics card and no display."""
    render, cycles = scene.render, scene.cycles
    render.engine = "CYCLES"
    cycles.device = "CPU"
    # Debian builds Blender without the denoiser, and a render that asks for it fails.
    cycles.use_denoising = can_denoise()
    cycles.samples = samples if cycles.use_denoising else _NOISY * samples
    if cycles.use_denoising:
        cycles.denoising_prefilter = cycles.denoising_quality = "FAST"
    cycles.max_bounces = 4
    render.hair_type = "STRIP"
    render.use_persistent_data = True
    render.film_transparent = transparent
    render.resolution_x, render.resolution_y = size
    render.resolution_percentage = 100
    render.image_settings.file_format = "PNG"
    render.image_settings.color_mode = "RGBA"
    # The skin's tint was read out of the photo: a film-like transform would bleach it.
    scene.view_settings.view_transform = "Standard"


def _add_room(scene: bpy.types.Scene) -> None:
    """Grey all around."""
    world = bpy.data.worlds.new(_NAME)
    if world.node_tree is None:  # from 5.0 on every world and material has nodes
        world.use_nodes = True
    ground = world.node_tree.nodes["Background"].inputs
    ground["Color"].default_value = (BACKDROP, BACKDROP, BACKDROP * 1.03, 1.0)
    ground["Strength"].default_value = 1.0
    scene.world = world


def _add_lamps(scene: bpy.types.Scene, sitter: Sitter) -> None:
    scale = sitter.height / _USUAL
    for (left, back, up), watts, side in _LAMPS:
        data = bpy.data.lights.new(_NAME, "AREA")
        # As bright on a larger head, from as much further away.
        data.energy, data.size = watts * scale**2, side * scale
        lamp = bpy.data.objects.new(_NAME, data)
        eye = sitter.place((scale * left, scale * back, scale * up))
        lamp.matrix_world = looking(eye, sitter.middle, sitter.turn)
        scene.collection.objects.link(lamp)
