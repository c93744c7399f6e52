# SPDX-License-Identifier: GPL-3.0-or-later
"""What is written: copies of the head on the stage, made into what a preset asks for."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import bpy
import numpy as np

from ...core.rig.round_trip import SceneFacts
from ..scene import likeness, skin, wrinkles
from ..scene.camera import CAMERA, photo_camera
from ..scene.head import PREFIX
from ..scene.rig import JOINT
from . import baking, facts, formats
from .applied_axes import apply_axes
from .blend_asset import write_blend
from .copies import Copies, make_copies
from .family import is_animated
from .file_keys import give_identifiers, make_keys_independent, rename
from .licence import Licence, stamp
from .lods import RATIOS, add_lods
from .own_transforms import apply_transforms
from .presets import Options, Preset, identifier_name, short_name, unique_names

#: What the names of the head's levels of detail end in.
LEVELS = tuple(f"_LOD{i}" for i in range(len(RATIOS) + 1))


@dataclass(frozen=True)
class File:
    """One file, the facts that were written into it, and the frames (the current one first).

    prefix: what to call it where there are several. axes (3, 3): of objects without a rotation
    and a scale, as an importer of Blender's has them.
    """

    name: str
    facts: SceneFacts
    frames: tuple[float, ...]
    prefix: str
    axes: np.ndarray = field(default_factory=lambda: np.eye(3))


@dataclass(frozen=True)
class Draft:
    """The head on a stage. names: what the artist's datablocks are called; unit: how many of the
    stage's units one of the artist's is.
    """

    scene: bpy.types.Scene
    head: bpy.types.Object
    names: dict[bpy.types.ID, str]
    preset: Preset
    options: Options
    licence: Licence
    unit: float = 1.0

    def write(self, path: Path) -> tuple[list[File], list[str]]:
        """Writes the file, and its coarser levels beside it; sentences on what is not in it."""
        asset = self.preset.format == "BLEND"
        copies = make_copies(self.scene, self.head, for_file=not asset)
        self._give_names(copies)
        stamp([*copies.objects, self.scene], self.licence)
        if asset:
            return self._write_asset(path, copies), []
        wrinkles.drop(copies.head)
        _drop_lists(copies)
        notes = []
        if copies.left_out:
            left = ", ".join(copies.left_out)
            notes.append(f"Left out, since no file holds keys and modifiers together: {left}")
        skin.make_exportable(copies.head.data, self.names)
        frames, animated, axes, said = self._prepare(copies)
        notes += said
        files = []
        for meshes, suffix in self._split(copies):
            target = path.with_name(path.stem + suffix + path.suffix)
            for mesh in copies.meshes:
                mesh.select_set(mesh in meshes)
            self.scene.view_layers[0].objects.active = meshes[0]
            found = facts.gather(
                self.scene, meshes, copies.rigs, frames, animated=animated, axes=axes
            )
            formats.write_file(target, self.preset, self.options, self.licence, animated=animated)
            files.append(File(target.name, found, frames, suffix[1:], axes))
        return files, notes

    def _prepare(self, copies: Copies) -> tuple[tuple[float, ...], bool, np.ndarray, list[str]]:
        """Bakes, coarsens, turns and renames; (frames, the current one first; any motion?; axes of
        clean objects (3, 3); sentences).
        """
        played = self.options.animation and is_animated(self.head)
        motion = baking.watch(self.scene, copies, animated=played)
        motion = replace(motion, objects=np.diag([*[self.unit] * 3, 1.0]) @ motion.objects)
        motion, notes = apply_transforms(copies, motion)
        baking.freeze(copies, motion)
        make_keys_independent(copies.head)
        if self.preset.format == "USD":
            give_identifiers(copies.head)
            names = tuple(key.name for key in facts.keys_of(copies.head))
            motion = replace(motion, key_names=names)
        if self.options.lods:
            add_lods(copies, self.scene)
            self._give_level_names(copies)
        length, back = 1.0, np.eye(4)
        if self.preset.applied:
            length, lost = apply_axes(copies, self.scene, self.preset)
            back = np.array(lost)
            motion = replace(motion, objects=motion.objects @ back)
        for rig in copies.rigs:
            bones = list(rig.data.bones)
            called = [self.preset.bone_name(b.name, str(b.get(JOINT, ""))) for b in bones]
            rename(bones, unique_names(called))
        # USD of 4.2 writes the pose of an armature that is animated, and of no other.
        pose_too = self.preset.format == "USD"
        animated = baking.write(copies, motion, length, pose_too=pose_too)
        now = motion.frames[motion.current]
        if not animated:
            self.scene.frame_start = self.scene.frame_end = self.scene.frame_current
        return tuple(float(f) for f in (now, *motion.frames[1:])), animated, back[:3, :3], notes

    def _write_asset(self, path: Path, copies: Copies) -> list[File]:
        camera = photo_camera(self.head)
        if camera is not None:
            double = camera.copy()
            double.data = camera.data.copy()
            likeness.hide_on_photo(double)
            double.name, double.data.name = self.names[camera], self.names[camera.data]
            self.scene.collection.objects.link(double)
            copies.others.append(double)
            copies.head[CAMERA] = double
        frames: tuple[float, ...] = (self.scene.frame_current_final,)
        animated = self.options.animation and is_animated(self.head)
        if animated:
            first, last = self.scene.frame_start, self.scene.frame_end
            frames += tuple(float(f) for f in range(first, last + 1))
        elif not self.options.animation:
            for block in (copies.head.data.shape_keys, *copies.objects):
                data = block.animation_data if block is not None else None
                if data is not None:
                    data.action = None
        found = facts.gather(self.scene, copies.meshes, copies.rigs, frames, animated=animated)
        write_blend(path, copies, self.names[self.head], self.licence)
        return [File(path.name, found, frames, "")]

    def _split(self, copies: Copies) -> list[tuple[list[bpy.types.Object], str]]:
        """(meshes, what the file's name ends in) of each file."""
        if self.preset.lods_in_one_file or not copies.lods:
            return [(copies.meshes, "")]
        coarse = [([lod], level) for lod, level in zip(copies.lods, LEVELS[1:], strict=True)]
        return [([copies.head], ""), *coarse]

    def _give_names(self, copies: Copies) -> None:
        head, rigs = self.head, [m.object for m in self.head.modifiers if m.type == "ARMATURE"]
        called = self._called
        copies.head.name, copies.head.data.name = called(head), called(head.data)
        if head.data.shape_keys is not None:
            copies.head.data.shape_keys.name = called(head.data.shape_keys)
        for rig, double in zip(dict.fromkeys(r for r in rigs if r), copies.rigs, strict=True):
            double.name, double.data.name = called(rig), called(rig.data)
            # In USD both lie below the rig: of one name, the skeleton would be lost.
            if identifier_name(double.data.name, "") == identifier_name(copies.head.name, ""):
                double.data.name = f"{double.data.name} skeleton"
        if self.preset.rig_name and copies.rigs:
            copies.rigs[0].name = copies.rigs[0].data.name = self.preset.rig_name

    def _called(self, block: bpy.types.ID) -> str:
        """The artist's name, short enough for what exporters put behind it; a .blend keeps it."""
        name = self.names[block]
        return name if self.preset.format == "BLEND" else short_name(name)

    def _give_level_names(self, copies: Copies) -> None:
        base = self._called(self.head)
        for mesh, level in zip(copies.meshes, LEVELS, strict=True):
            if level != LEVELS[0] or self.preset.lods_in_one_file:
                mesh.name = mesh.data.name = base + level


def _drop_lists(copies: Copies) -> None:
    """Of custom properties only words and numbers: FBX's exporter fails on lists (4.2 to 5.0), and
    the add-on's own on the mesh are thousands of numbers long.
    """
    for block in [block for obj in copies.objects for block in (obj, obj.data)]:
        for name, value in list(block.items()):
            own = isinstance(block, bpy.types.Mesh) and name.startswith(PREFIX)
            if own or not isinstance(value, str | int | float):
                del block[name]
