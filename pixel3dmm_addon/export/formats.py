# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender's exporters, each called just so that nothing of a head is lost.

Measured on 4.2 to 5.2: FBX drops all keys with any modifier applied, and baking by action loses an
action of keys alone; glTF by action makes two animations of bones and keys, of which a reader
plays one; USD drops keys of a mesh with any other modifier than its armature.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy

from .licence import Licence
from .presets import Options, Preset

#: Format: the group of operators and the names of its exporter and its importer.
_OPERATORS = {
    "FBX": (("export_scene", "fbx"), ("import_scene", "fbx")),
    "GLB": (("export_scene", "gltf"), ("import_scene", "gltf")),
    "USD": (("wm", "usd_export"), ("wm", "usd_import")),
    "BLEND": (),
}


def why_missing(kind: str) -> str:
    """Why this Blender cannot write and read a format, in English; empty if it can.

    Distributions build Blender without USD, and the add-ons of FBX and glTF can be switched off.
    """
    for group, name in _OPERATORS[kind]:
        if name not in dir(getattr(bpy.ops, group)):
            return _MISSING[kind]
    return ""


_MISSING = {
    "FBX": "The add-on FBX format is switched off: switch it on in Preferences, Add-ons",
    "GLB": "The add-on glTF 2.0 format is switched off: switch it on in Preferences, Add-ons",
    "USD": "This Blender was built without USD: use one from blender.org, or another format",
}


def write_file(
    path: Path,
    preset: Preset,
    options: Options,
    licence: Licence,
    *,
    animated: bool,
) -> None:
    """Writes what is selected on the stage. Raises RuntimeError with the exporter's words."""
    if preset.format == "FBX":
        _write_fbx(path, preset, options, animated)
    elif preset.format == "GLB":
        _write_glb(path, preset, options, licence, animated)
    elif preset.format == "USD":
        _write_usd(path, options)
    else:
        raise ValueError(preset.format)


def _write_fbx(path: Path, preset: Preset, options: Options, animated: bool) -> None:
    bpy.ops.export_scene.fbx(
        filepath=str(path),
        use_selection=True,
        object_types={"ARMATURE", "MESH"},
        axis_forward=preset.forward,
        axis_up=preset.up,
        use_mesh_modifiers=False,
        mesh_smooth_type="FACE",
        use_tspace=options.tangents,
        add_leaf_bones=False,
        use_custom_props=True,
        path_mode="COPY" if options.embed_textures else "AUTO",
        embed_textures=options.embed_textures,
        bake_anim=animated,
        bake_anim_use_all_actions=False,
        bake_anim_use_nla_strips=False,
        bake_anim_simplify_factor=0.0,
    )


def _write_glb(
    path: Path, preset: Preset, options: Options, licence: Licence, animated: bool
) -> None:
    bpy.ops.export_scene.gltf(
        filepath=str(path),
        export_format="GLB",
        export_copyright=licence.notice,
        use_selection=True,
        # Else every scene of the .blend file is written, the artist's too.
        use_active_scene=True,
        export_apply=False,
        export_extras=True,
        export_tangents=options.tangents,
        export_image_format="AUTO" if options.embed_textures else "NONE",
        export_skins=True,
        export_morph=True,
        export_morph_normal=options.morph_normals,
        export_morph_tangent=options.morph_normals and options.tangents,
        export_try_sparse_sk=preset.sparse,
        export_animations=animated,
        # One animation of bones and keys together; by object they would become two, of which a
        # reader plays one, and ACTIVE_ACTIONS of 4.2 loses the bones' motion.
        export_animation_mode="SCENE",
        export_anim_scene_split_object=False,
        # Without animation the photo's gaze can only live in the bones' own transforms.
        export_rest_position_armature=animated,
    )


def _write_usd(path: Path, options: Options) -> None:
    """Blender's USD keeps the sliders' values and the pose in its animation alone, so that a head
    at rest is an animation of one frame.
    """
    bpy.ops.wm.usd_export(
        filepath=str(path),
        selected_objects_only=True,
        export_animation=True,
        export_armatures=True,
        only_deform_bones=False,
        export_shapekeys=True,
        export_uvmaps=True,
        export_normals=True,
        export_materials=True,
        export_cameras=False,
        export_lights=False,
        convert_world_material=False,
        export_custom_properties=True,
        author_blender_name=True,
        **_usd_textures(options),
    )


def _usd_textures(options: Options) -> dict[str, Any]:
    """5.0 knows the newer of two names for one option only."""
    exporter: Any = bpy.ops.wm.usd_export
    if "export_textures_mode" in exporter.get_rna_type().properties:
        return {"export_textures_mode": "NEW" if options.embed_textures else "PRESERVE"}
    return {"export_textures": options.embed_textures}
