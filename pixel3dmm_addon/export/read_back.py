# SPDX-License-Identifier: GPL-3.0-or-later
"""A file into a stage of its own, by Blender's importers."""

from __future__ import annotations

from pathlib import Path

import bpy

from .presets import Preset


def read_file(path: Path, preset: Preset) -> tuple[list[bpy.types.Object], list[bpy.types.Object]]:
    """(meshes with their keys, armatures) as they lie in the file, in the window's scene."""
    before = set(bpy.data.objects)
    if preset.format == "FBX":
        # With the default of 1 the animation would come back a frame late.
        bpy.ops.import_scene.fbx(filepath=str(path), anim_offset=0.0, use_custom_props=True)
    elif preset.format == "GLB":
        bpy.ops.import_scene.gltf(filepath=str(path))
    elif preset.format == "USD":
        bpy.ops.wm.usd_import(filepath=str(path), set_frame_range=False, import_materials=False)
    else:
        _append(path)
    made = [obj for obj in bpy.data.objects if obj not in before]
    # The glTF importer brings a ball as the bones' look, which is no part of the file.
    meshes = [o for o in made if o.type == "MESH" and not _is_bone_look(o, made)]
    return meshes, [o for o in made if o.type == "ARMATURE"]


def _append(path: Path) -> None:
    with bpy.data.libraries.load(str(path), link=False) as (stored, wanted):
        wanted.collections = stored.collections
    for collection in wanted.collections:
        bpy.context.scene.collection.children.link(collection)
    bpy.context.view_layer.update()


def _is_bone_look(obj: bpy.types.Object, made: list[bpy.types.Object]) -> bool:
    rigs = (o for o in made if o.type == "ARMATURE")
    return any(bone.custom_shape == obj for rig in rigs for bone in rig.pose.bones)
