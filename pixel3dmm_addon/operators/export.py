# SPDX-License-Identifier: GPL-3.0-or-later
"""Export Head: into a file for an engine, read back and compared before it gets its name."""

from __future__ import annotations

import logging
from pathlib import Path

import bpy
from bpy.props import BoolProperty, EnumProperty, StringProperty
from bpy_extras.io_utils import ExportHelper

from ...core.errors import OutputError
from ..blender_types import OperatorReturn
from ..export import last_export
from ..export.exported_file import export_head, why_not_exported
from ..export.formats import why_missing
from ..export.presets import BY_IDENTIFIER, PRESETS, Options, Preset
from ..redraw import redraw_status
from ..scene.head import active_head, polled_head
from ..translations import tr
from .poll_reason import NO_HEAD, PollReason

LOG = logging.getLogger("pixel3dmm")


class _Export(PollReason, ExportHelper):
    """What all export operators share."""

    keep_failed: BoolProperty(
        name="Write Even If Wrong",
        description="Keep the file also where what was read back differs from the head",
        default=False,
        options={"SKIP_SAVE"},
    )

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """See PollReason."""
        head = active_head(context)
        return NO_HEAD if head is None else why_not_exported(context, head)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorReturn:
        """The head's name beside the .blend file is a good first guess."""
        if not self.filepath:
            folder = Path(bpy.data.filepath).parent if bpy.data.filepath else Path.home()
            name = polled_head(context).name + self.chosen_preset().suffix
            self.filepath = str(folder / name)
        return super().invoke(context, event)

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        """Says how it went, in red too; nothing of the artist's scene changes."""
        head = polled_head(context)
        if not Path(self.filepath).name:
            return self._fail("The file has no name: give it one.")
        missing = why_missing(self.chosen_preset().format)
        if missing:
            return self._fail(tr(missing) + ".")
        path = self.chosen_preset().named(Path(bpy.path.abspath(self.filepath)))
        last_export.forget(head)
        try:
            written = export_head(
                context,
                head,
                path,
                self.chosen_preset(),
                self.chosen_options(),
                keep_failed=self.keep_failed,
            )
        except OutputError as error:
            return self._fail(str(error))
        last_export.remember(head, written)
        redraw_status(context)
        for note in written.notes:
            self.report({"WARNING"}, note)
        if written.verdict is not None and not written.verdict.passed:
            return self._fail(written.sentence)
        LOG.info("%s", written.sentence)
        self.report({"INFO"}, written.sentence)
        return {"FINISHED"}

    def _fail(self, sentence: str) -> OperatorReturn:
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


def _take_options(operator: PIXEL3DMM_OT_export_head, context: bpy.types.Context) -> None:
    """Another program was chosen: the buttons show what suits it."""
    options = BY_IDENTIFIER[operator.preset].options
    for name in _OPTIONS:
        setattr(operator, name, getattr(options, name))


class PIXEL3DMM_OT_export_head(_Export, bpy.types.Operator):
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

    @classmethod
    def description(
        cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties
    ) -> str:
        """What the program gets, or why it can get nothing here."""
        preset = BY_IDENTIFIER[properties.preset]
        return tr(why_missing(preset.format) or preset.description)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorReturn:
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
        line = layout.split(factor=0.4)
        line.alignment = "RIGHT"
        line.label(text="Unit")
        line.label(text=tr(self.chosen_preset().unit), translate=False)
        layout.prop(context.scene.render, "fps", text="Frames per Second")
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


class PIXEL3DMM_OT_export_fbx(_Export, bpy.types.Operator):
    """Write the active head with all sliders and bones as FBX"""

    bl_idname = "pixel3dmm.export_fbx"
    bl_label = "Export FBX"
    bl_options = {"PRESET"}  # noqa: RUF012
    filename_ext = ".fbx"
    filter_glob: StringProperty(default="*.fbx", options={"HIDDEN"})

    def chosen_preset(self) -> Preset:
        """Blender's own axes and units."""
        return BY_IDENTIFIER["FBX"]


class PIXEL3DMM_OT_export_gltf(_Export, bpy.types.Operator):
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
