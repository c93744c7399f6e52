# SPDX-License-Identifier: GPL-3.0-or-later
"""Export Head: into a file for an engine, read back and compared before it gets its name."""

from __future__ import annotations

import logging
from pathlib import Path

import bpy
from bpy.props import BoolProperty, EnumProperty, StringProperty
from bpy_extras.io_utils import ExportHelper

from ..export import last
from ..export.family import family
from ..export.presets import BY_IDENTIFIER, PRESETS, Options, Preset
from ..export.run import export_head
from ..properties import redraw
from ..scene.head import active_head

LOG = logging.getLogger("pixel3dmm")


class _Export(ExportHelper):
    """What all export operators share."""

    keep_failed: BoolProperty(
        name="Write Even If Wrong",
        description="Keep the file also where what was read back differs from the head",
        default=False,
        options={"SKIP_SAVE"},
    )

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
            name = active_head(context).name + self.chosen_preset().suffix
            self.filepath = str(folder / name)
        return super().invoke(context, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Says how it went, in red too; nothing of the artist's scene changes."""
        head = active_head(context)
        if not Path(self.filepath).name:
            return self._fail("The file has no name: give it one.")
        path = self.chosen_preset().named(Path(bpy.path.abspath(self.filepath)))
        last.forget(head)
        try:
            written = export_head(
                context,
                head,
                path,
                self.chosen_preset(),
                self.chosen_options(),
                keep_failed=self.keep_failed,
            )
        except OSError as error:
            reason = error.strerror or str(error)
            return self._fail(
                f"{path.name} cannot be written to {path.parent} ({reason}): choose another.",
            )
        except (RuntimeError, AttributeError) as error:
            LOG.exception("Blender's exporter failed")
            said = (str(error).strip().splitlines() or ["no reason given"])[-1]
            return self._fail(f"{path.name} could not be exported ({said}).")
        last.remember(head, written)
        redraw(context)
        for note in written.notes:
            self.report({"WARNING"}, note)
        if written.verdict is not None and not written.verdict.passed:
            return self._fail(written.sentence)
        LOG.info("%s", written.sentence)
        self.report({"INFO"}, written.sentence)
        return {"FINISHED"}

    def _fail(self, sentence: str) -> set[str]:
        LOG.error("%s", sentence)
        self.report({"ERROR"}, sentence)
        return {"CANCELLED"}

    def chosen_preset(self) -> Preset:
        """Which program the file is for."""
        raise NotImplementedError

    def chosen_options(self) -> Options:
        """As the preset has them."""
        return self.chosen_preset().options


#: Options that a preset has a mind of its own about.
_OPTIONS = ("animation", "lods", "embed_textures", "tangents", "morph_normals")


def _take_options(operator: bpy.types.Operator, context: bpy.types.Context) -> None:
    """Another program was chosen: the buttons show what suits it."""
    options = BY_IDENTIFIER[operator.preset].options
    for name in _OPTIONS:
        setattr(operator, name, getattr(options, name))


class PIXEL3DMM_OT_export_head(bpy.types.Operator, _Export):
    """Write the active head for an engine, read the file back and compare it with the head"""

    bl_idname = "pixel3dmm.export_head"
    bl_label = "Export Head"
    bl_options = {"PRESET"}  # noqa: RUF012
    # ExportHelper puts it behind a name that has no ending, and this class knows many.
    filename_ext = ""
    check_extension = None

    filter_glob: StringProperty(
        default="*.fbx;*.glb;*.usd;*.usdc;*.usda;*.blend", options={"HIDDEN"}
    )
    preset: EnumProperty(
        name="For",
        description="The program that the file is for",
        items=[(p.identifier, p.label, p.description) for p in PRESETS],
        default="UNREAL",
        update=_take_options,
    )
    animation: BoolProperty(
        name="Animation",
        description="Bake keys, bones and drivers over the scene's frames",
        default=True,
        options={"SKIP_SAVE"},
    )
    lods: BoolProperty(
        name="Levels of Detail",
        description="Two coarser meshes with 50 % and 25 % of the faces and all keys",
        default=False,
        options={"SKIP_SAVE"},
    )
    embed_textures: BoolProperty(
        name="Embed Textures",
        description="Put images into the file",
        default=True,
        options={"SKIP_SAVE"},
    )
    tangents: BoolProperty(
        name="Tangents",
        description="Write the tangents that normal maps are read by (FBX and glTF)",
        default=True,
        options={"SKIP_SAVE"},
    )
    morph_normals: BoolProperty(
        name="Morph Normals",
        description="Write each key's normals too (glTF); engines that compute them need a "
        "sixth of the file without",
        default=False,
        options={"SKIP_SAVE"},
    )
    verify: BoolProperty(
        name="Read Back and Compare",
        description="Read the file as another program would and compare it with the head",
        default=True,
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """The buttons start as the program likes them, but for those that a caller has set."""
        options = self.chosen_options()
        for name in _OPTIONS:
            setattr(self, name, getattr(options, name))
        return super().invoke(context, event)

    def check(self, context: bpy.types.Context) -> bool:
        """Keeps the file's ending that of the chosen program."""
        path = Path(self.filepath)
        wanted = self.chosen_preset().named(path) if path.name else path
        changed = wanted != path
        self.filepath = str(wanted)
        return changed

    def draw(self, context: bpy.types.Context) -> None:
        """The options beside the file browser."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(self, "preset")
        kind = self.chosen_preset().format
        for name in _OPTIONS:
            row = layout.row()
            row.enabled = name in _KNOWN[kind]
            row.prop(self, name)
        layout.prop(self, "verify")
        row = layout.row()
        row.enabled = self.verify
        row.prop(self, "keep_failed")

    def chosen_preset(self) -> Preset:
        """By the menu."""
        return BY_IDENTIFIER[self.preset]

    def chosen_options(self) -> Options:
        """By the buttons; of a script's call those that it names, else the preset's."""
        given = {
            name: getattr(self, name)
            if self.properties.is_property_set(name)
            else getattr(self.chosen_preset().options, name)
            for name in _OPTIONS
        }
        return Options(**given, check=self.verify)


#: Options that a format has a use for.
_KNOWN = {
    "FBX": {"animation", "lods", "embed_textures", "tangents"},
    "GLB": {"animation", "lods", "embed_textures", "tangents", "morph_normals"},
    "USD": {"animation", "lods", "embed_textures"},
    "BLEND": {"animation"},
}


class PIXEL3DMM_OT_export_fbx(bpy.types.Operator, _Export):
    """Write the active head with all sliders and bones as FBX"""

    bl_idname = "pixel3dmm.export_fbx"
    bl_label = "Export FBX"
    bl_options = {"PRESET"}  # noqa: RUF012
    filename_ext = ".fbx"
    filter_glob: StringProperty(default="*.fbx", options={"HIDDEN"})

    def chosen_preset(self) -> Preset:
        """Blender's own axes and units."""
        return BY_IDENTIFIER["FBX"]


class PIXEL3DMM_OT_export_gltf(bpy.types.Operator, _Export):
    """Write the active head with all sliders and bones as one binary glTF file"""

    bl_idname = "pixel3dmm.export_gltf"
    bl_label = "Export glTF"
    bl_options = {"PRESET"}  # noqa: RUF012
    filename_ext = ".glb"
    filter_glob: StringProperty(default="*.glb", options={"HIDDEN"})

    def chosen_preset(self) -> Preset:
        """As Godot and the web like it."""
        return BY_IDENTIFIER["GODOT"]


CLASSES = (PIXEL3DMM_OT_export_head, PIXEL3DMM_OT_export_fbx, PIXEL3DMM_OT_export_gltf)
