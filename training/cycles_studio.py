# SPDX-License-Identifier: GPL-3.0-or-later
"""Synthetic people in path-traced photos: a Cycles scene that is reused. Needs bpy."""

from __future__ import annotations

import tempfile
from pathlib import Path

import bpy
import numpy as np
from numpy.typing import NDArray

from core.geometry.axes import scene_camera, to_scene
from core.heads import HeadModel
from core.heads.model import STRIP_PARTS

from .cycles_paint import TEXTURE, Painter
from .drawing import Sample


class Studio:
    """One scene, reused: the mesh's vertices, the paint, the lights and the camera change."""

    def __init__(self, head: HeadModel, size: int) -> None:
        self.size = size
        bpy.ops.wm.read_factory_settings(use_empty=True)
        self.head, self.scene, self.painter = head, bpy.context.scene, Painter(head)
        self.texture = _texture()
        self.colors: dict[str, bpy.types.Node] = {}
        self.mesh = self._mesh()
        self.camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
        self.lights = []
        for i in range(2):
            light = bpy.data.objects.new(f"light{i}", bpy.data.lights.new(f"light{i}", "AREA"))
            self.lights.append(light)
        for thing in (self.camera, *self.lights):
            self.scene.collection.objects.link(thing)
        self.scene.camera = self.camera
        self.scene.world = bpy.data.worlds.new("world")
        self.scene.world.use_nodes = True
        render = self.scene.render
        render.engine, render.resolution_x, render.resolution_y = "CYCLES", size, size
        render.image_settings.file_format = "PNG"
        self.scene.view_settings.view_transform = "Standard"
        cycles = self.scene.cycles
        cycles.samples, cycles.use_denoising, cycles.max_bounces = 6, True, 2
        render.use_persistent_data = True
        self.file = Path(tempfile.mkdtemp()) / "render.png"
        render.filepath = str(self.file)

    def _mesh(self) -> bpy.types.Mesh:
        head = self.head
        mesh = bpy.data.meshes.new("head")
        faces = [[int(i) for i in q if i >= 0] for q in head.quads]
        mesh.from_pydata(to_scene(head.template).tolist(), [], faces)
        corners = np.concatenate([c[c >= 0] for c in head.uv_quads])
        mesh.uv_layers.new().uv.foreach_set("vector", head.uv[corners].astype(np.float32).ravel())
        for name in head.part_names:
            mesh.materials.append(self._material(name))
        mesh.polygons.foreach_set("material_index", head.face_part.astype(np.int32))
        mesh.polygons.foreach_set("use_smooth", np.ones(len(faces), bool))
        thing = bpy.data.objects.new("head", mesh)
        thing.modifiers.new("smooth", "SUBSURF").levels = 1
        thing.modifiers["smooth"].render_levels = 1
        self.scene.collection.objects.link(thing)
        return mesh

    def _material(self, part: str) -> bpy.types.Material:
        material = bpy.data.materials.new(part)
        material.use_nodes = True
        shader = material.node_tree.nodes["Principled BSDF"]
        shader.inputs["Roughness"].default_value = 0.15 if "eye" in part or "iris" in part else 0.5
        fixed = {
            "eyeball": (0.75, 0.73, 0.7, 1), "teeth": (0.7, 0.66, 0.55, 1), "pupil": (0, 0, 0, 1),
            "tongue": (0.35, 0.1, 0.1, 1), "mouth": (0.2, 0.05, 0.05, 1),
        }  # fmt: skip
        for start, color in fixed.items():
            if part.startswith(start):
                shader.inputs["Base Color"].default_value = color
        if part in STRIP_PARTS:
            # Hair is painted on the skin here, and tears are too thin to be seen.
            shader.inputs["Alpha"].default_value = 0.0
        if part == "skin":
            node = material.node_tree.nodes.new("ShaderNodeTexImage")
            node.image, self.canvas = self.texture, node
            material.node_tree.links.new(node.outputs["Color"], shader.inputs["Base Color"])
        self.colors[part] = shader
        return material

    def shoot(self, sample: Sample, rng: np.random.Generator) -> NDArray[np.uint8]:
        """One photo (size, size, 3) uint8 sRGB."""
        self.mesh.vertices.foreach_set("co", to_scene(sample.vertices).astype(np.float32).ravel())
        self.mesh.update()
        self._paint(rng)
        iris = (*(rng.random() * np.array([0.15, 0.2, 0.3]) + [0.06, 0.03, 0.02]), 1.0)
        for side in "lr":
            self.colors[f"iris_{side}"].inputs["Base Color"].default_value = iris
        self._place(sample, rng)
        bpy.ops.render.render(write_still=True)
        image = bpy.data.images.load(str(self.file), check_existing=False)
        pixels = np.empty(self.size**2 * 4, dtype=np.float32)
        image.pixels.foreach_get(pixels)
        bpy.data.images.remove(image)
        out = np.round(255 * pixels.reshape(self.size, self.size, 4)[::-1, :, :3]).astype(np.uint8)
        return np.ascontiguousarray(out)

    def _paint(self, rng: np.random.Generator) -> None:
        """New paint, in a new image: with persistent data, which save about half a second a photo,
        Cycles (Blender 4.2 to 5.2) goes on showing the pixels that an image had when it was first
        rendered, also after update() and update_tag().
        """
        paint = np.ones((TEXTURE, TEXTURE, 4), dtype=np.float32)
        paint[..., :3] = self.painter.paint(rng)
        # The old one is removed last: Cycles takes an image at the same address for the same image.
        old, self.texture = self.texture, _texture()
        self.texture.pixels.foreach_set(paint.ravel())
        self.texture.update()
        self.canvas.image = self.texture
        bpy.data.images.remove(old)

    def _place(self, sample: Sample, rng: np.random.Generator) -> None:
        shot = scene_camera(sample.camera)
        self.camera.matrix_world = shot.matrix_world.T.tolist()
        data = self.camera.data
        data.lens, data.sensor_width, data.clip_start = shot.lens_mm, shot.sensor_mm, 0.01
        towards = np.array(self.camera.matrix_world.translation)
        towards /= np.linalg.norm(towards)
        for light, strength in zip(
            self.lights, (rng.uniform(2, 14), rng.uniform(0, 6)), strict=True
        ):
            direction = towards + rng.normal(0, 0.7, 3) + [0, 0, 0.3]
            at = direction / np.linalg.norm(direction) * rng.uniform(0.8, 1.8)
            light.location = at.tolist()
            light.rotation_euler = _aim(at)
            light.data.energy, light.data.size = strength, rng.uniform(0.1, 1.0)
            light.data.color = np.clip(rng.normal(1, 0.08, 3), 0.7, 1.2).tolist()
        sky = self.scene.world.node_tree.nodes["Background"]
        sky.inputs["Color"].default_value = (*rng.uniform(0.3, 1.0, 3), 1)
        sky.inputs["Strength"].default_value = rng.uniform(0.15, 0.7)


def _texture() -> bpy.types.Image:
    return bpy.data.images.new("skin", TEXTURE, TEXTURE, float_buffer=True)


def _aim(at: NDArray[np.float64]) -> tuple[float, float, float]:
    from mathutils import Vector

    return tuple(Vector((-at).tolist()).to_track_quat("-Z", "Y").to_euler())
