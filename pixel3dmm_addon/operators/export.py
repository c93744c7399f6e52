# SPDX-License-Identifier: GPL-3.0-or-later
"""Export FBX and Export glTF: head and rig with every key and bone, and nothing else.

Blender's own exporters lose shape keys without a word unless they are called just so: FBX with
modifiers applied drops all keys of a head that has a Subdivision modifier, and bakes per action
lose an action that animates keys alone (measured on 4.2, 4.3, 4.5, 5.0, 5.2).
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import bpy
from bpy_extras.io_utils import ExportHelper

from ..scene.head import active_head

LOG = logging.getLogger("pixel3dmm")


class _Export(ExportHelper):
    """What both formats share: which objects, and a file that appears when it is complete."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Greyed out with the reason."""
        head = active_head(context)
        if head is None:
            cls.poll_message_set("Select a head that was made from a photo")
            return False
        if any(obj.name not in context.view_layer.objects for obj in family(head)):
            cls.poll_message_set("The head or its rig is excluded from this view layer")
            return False
        return True

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """The head's name beside the .blend file is a good first guess."""
        if not self.filepath:
            folder = Path(bpy.data.filepath).parent if bpy.data.filepath else Path.home()
            self.filepath = str(folder / (active_head(context).name + self.filename_ext))
        return super().invoke(context, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Writes aside and renames, so that a failure leaves what was there before."""
        head = active_head(context)
        path = Path(bpy.path.abspath(self.filepath))
        if context.mode != "OBJECT":
            bpy.ops.object.mode_set(mode="OBJECT")
        try:
            with tempfile.TemporaryDirectory(prefix=".pixel3dmm-", dir=path.parent) as scratch:
                aside = Path(scratch, path.name)
                with only_selected(context, family(head)):
                    self.write(aside, animated=is_animated(head))
                os.replace(aside, path)
        except OSError as error:
            reason = error.strerror or str(error)
            sentence = f"{path.name} cannot be written to {path.parent} ({reason}): choose another."
            self.report({"ERROR"}, sentence)
            return {"CANCELLED"}
        except (RuntimeError, AttributeError) as error:
            LOG.exception("Blender's exporter failed")
            sentence = f"{path.name} could not be exported ({str(error).splitlines()[-1]})."
            self.report({"ERROR"}, sentence)
            return {"CANCELLED"}
        self.report({"INFO"}, f"{path.name}: {path.stat().st_size / 1e6:.1f} MB")
        return {"FINISHED"}

    def write(self, path: Path, *, animated: bool) -> None:
        """Calls Blender's exporter on what is selected."""
        raise NotImplementedError


class PIXEL3DMM_OT_export_fbx(bpy.types.Operator, _Export):
    """Write the active head with all sliders and bones as FBX"""

    bl_idname = "pixel3dmm.export_fbx"
    bl_label = "Export FBX"
    bl_options = {"PRESET"}  # noqa: RUF012
    filename_ext = ".fbx"
    filter_glob: bpy.props.StringProperty(default="*.fbx", options={"HIDDEN"})

    def write(self, path: Path, *, animated: bool) -> None:
        """Scene-wise baking takes animation of keys and drivers along."""
        bpy.ops.export_scene.fbx(
            filepath=str(path),
            use_selection=True,
            object_types={"ARMATURE", "MESH"},
            use_mesh_modifiers=False,
            mesh_smooth_type="FACE",
            add_leaf_bones=False,
            use_custom_props=True,
            bake_anim=animated,
            bake_anim_use_all_actions=False,
            bake_anim_use_nla_strips=False,
            bake_anim_simplify_factor=0.0,
        )


class PIXEL3DMM_OT_export_gltf(bpy.types.Operator, _Export):
    """Write the active head with all sliders and bones as one binary glTF file"""

    bl_idname = "pixel3dmm.export_gltf"
    bl_label = "Export glTF"
    bl_options = {"PRESET"}  # noqa: RUF012
    filename_ext = ".glb"
    filter_glob: bpy.props.StringProperty(default="*.glb", options={"HIDDEN"})

    def write(self, path: Path, *, animated: bool) -> None:
        """Morph normals would make the file six times as large; readers compute them."""
        bpy.ops.export_scene.gltf(
            filepath=str(path),
            export_format="GLB",
            use_selection=True,
            export_apply=False,
            export_extras=True,
            export_skins=True,
            export_morph=True,
            export_morph_normal=False,
            export_try_sparse_sk=True,
            export_animations=animated,
            # SCENE bakes drivers too; split by object, bones and keys would become two
            # animations, of which a reader plays one.
            export_animation_mode="SCENE",
            export_anim_scene_split_object=False,
            # Without animation the photo's gaze can only live in the bones' own transforms.
            export_rest_position_armature=animated,
        )


CLASSES = (PIXEL3DMM_OT_export_fbx, PIXEL3DMM_OT_export_gltf)


def family(head: bpy.types.Object) -> list[bpy.types.Object]:
    """The head and the rig that moves it."""
    rigs = [m.object for m in head.modifiers if m.type == "ARMATURE" and m.object is not None]
    return [head, *dict.fromkeys(rigs)]


def is_animated(head: bpy.types.Object) -> bool:
    """True if keys, bones or objects have an action, strips or drivers."""
    blocks = [*family(head), head.data.shape_keys]
    found = [b.animation_data for b in blocks if b is not None and b.animation_data is not None]
    return any(a.action or a.nla_tracks or a.drivers for a in found)


@contextmanager
def only_selected(
    context: bpy.types.Context, objects: Sequence[bpy.types.Object]
) -> Iterator[None]:
    """Selects and shows these objects alone, and afterwards all is as before."""
    layer = context.view_layer
    selected, active = list(context.selected_objects), layer.objects.active
    hidden = [(obj, obj.hide_get(), obj.hide_viewport) for obj in objects]
    try:
        for obj in selected:
            obj.select_set(False)
        for obj in objects:
            obj.hide_viewport = False
            obj.hide_set(False)
            obj.select_set(True)
        layer.objects.active = objects[0]
        yield
    finally:
        for obj, eye, screen in hidden:
            obj.select_set(False)
            obj.hide_set(eye)
            obj.hide_viewport = screen
        for obj in selected:
            obj.select_set(True)
        layer.objects.active = active
