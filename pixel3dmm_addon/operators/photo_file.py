# SPDX-License-Identifier: GPL-3.0-or-later
"""A photo from the file browser, from File > Import, or dropped onto the viewport."""

from __future__ import annotations

import bpy
from bpy.props import StringProperty

from ..blender_types import OperatorReturn

EXTENSIONS = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".bmp")


class PIXEL3DMM_OT_reconstruct_from_file(bpy.types.Operator):
    """Choose a photo and make a rigged head from it"""

    bl_idname = "pixel3dmm.reconstruct_from_file"
    bl_label = "Reconstruct Face from Photo"
    bl_options = {"INTERNAL"}  # noqa: RUF012

    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: StringProperty(
        default=";".join(f"*{e}" for e in EXTENSIONS), options={"HIDDEN", "SKIP_SAVE"}
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorReturn:
        """A file that was dropped is known already."""
        if self.filepath:
            return self.execute(context)
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        """The photo becomes the scene's, and the button is pressed."""
        context.scene.pixel3dmm.photo = self.filepath
        how = "EXEC_DEFAULT" if bpy.app.background else "INVOKE_DEFAULT"
        try:
            return bpy.ops.pixel3dmm.reconstruct_face(how)
        except RuntimeError as error:
            self.report({"ERROR"}, str(error).removeprefix("Error: ").strip())
            return {"CANCELLED"}


class PIXEL3DMM_OT_choose_photo(bpy.types.Operator):
    """Choose a photo of one face; it is looked at, and nothing is made yet"""

    bl_idname = "pixel3dmm.choose_photo"
    bl_label = "Choose Photo"
    bl_options = {"INTERNAL", "UNDO"}  # noqa: RUF012

    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: StringProperty(
        default=";".join(f"*{e}" for e in EXTENSIONS), options={"HIDDEN", "SKIP_SAVE"}
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorReturn:
        """Asks for the file."""
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        """The photo becomes the scene's."""
        if not self.filepath:
            self.report({"ERROR"}, "No photo was chosen.")
            return {"CANCELLED"}
        context.scene.pixel3dmm.photo = self.filepath
        return {"FINISHED"}


class PIXEL3DMM_FH_photo(bpy.types.FileHandler):
    """An image file dropped onto a 3D viewport."""

    bl_idname = "PIXEL3DMM_FH_photo"
    bl_label = "Reconstruct Face from Photo"
    bl_import_operator = "pixel3dmm.reconstruct_from_file"
    bl_file_extensions = ";".join(EXTENSIONS)

    @classmethod
    def poll_drop(cls, context: bpy.types.Context) -> bool:
        """Elsewhere a dropped image means something else."""
        return context.area is not None and context.area.type == "VIEW_3D"


def draw_import_entry(menu: bpy.types.Menu, context: bpy.types.Context) -> None:
    """The line in File > Import."""
    menu.layout.operator(PIXEL3DMM_OT_reconstruct_from_file.bl_idname, text="Face from Photo")


CLASSES = (PIXEL3DMM_OT_reconstruct_from_file, PIXEL3DMM_OT_choose_photo, PIXEL3DMM_FH_photo)
