# SPDX-License-Identifier: GPL-3.0-or-later
"""The tab "Pixel3DMM" in the 3D viewport's sidebar."""

from __future__ import annotations

import json
from pathlib import Path

import bpy

from . import session, thumbnails
from .operators.export import PIXEL3DMM_OT_export_fbx, PIXEL3DMM_OT_export_gltf
from .operators.look_through import PIXEL3DMM_OT_look_through
from .operators.reconstruct import PIXEL3DMM_OT_cancel, PIXEL3DMM_OT_reconstruct_face
from .scene.head import PREFIX, active_head

#: Letters to a line of a message; a sidebar of usual width shows about as many.
LINE = 34


class _Sidebar:
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Pixel3DMM"


class PIXEL3DMM_PT_photo(_Sidebar, bpy.types.Panel):
    """Photo in, head out."""

    bl_idname = "PIXEL3DMM_PT_photo"
    bl_label = "Face from Photo"

    def draw(self, context: bpy.types.Context) -> None:
        """Blender calls this at every redraw."""
        layout = self.layout
        choices, status = context.scene.pixel3dmm, session.status
        picked = layout.column()
        picked.enabled = not status.running
        picked.prop(choices, "photo", text="")
        if choices.photo:
            picture = thumbnails.icon(Path(bpy.path.abspath(choices.photo)))
            if picture is None:
                picked.label(text="There is no file at this path", icon="ERROR")
            elif picture:
                picked.template_icon(icon_value=picture, scale=8.0)
        picked.prop(choices, "match_render_size")
        button = layout.row()
        button.scale_y = 1.5
        button.operator(PIXEL3DMM_OT_reconstruct_face.bl_idname, icon="USER")
        if status.running:
            row = layout.row(align=True)
            row.progress(factor=status.fraction, text=f"{status.stage} {status.fraction:.0%}")
            row.operator(PIXEL3DMM_OT_cancel.bl_idname, text="", icon="X")
        elif status.message:
            draw_sentence(layout, status.message, "ERROR" if status.failed else "CHECKMARK")


class PIXEL3DMM_PT_head(_Sidebar, bpy.types.Panel):
    """What can be done with the active head."""

    bl_idname = "PIXEL3DMM_PT_head"
    bl_label = "Head"

    def draw(self, context: bpy.types.Context) -> None:
        """Blender calls this at every redraw."""
        layout = self.layout
        head = active_head(context)
        if head is None:
            layout.label(text="Select a head made from a photo", icon="INFO")
        else:
            layout.label(text=head.name, icon="OUTLINER_OB_MESH")
            licence = head.get(PREFIX + "licence", "unknown")
            commercial = head.get(PREFIX + "commercial_use", "unknown")
            layout.label(text=f"{head.get(PREFIX + 'head_model', '')}: {licence}")
            if commercial != "yes":
                layout.label(text=f"Commercial use: {commercial}", icon="ERROR")
            for warning in warnings_of(head):
                draw_sentence(layout, warning, "INFO")
        layout.operator(PIXEL3DMM_OT_look_through.bl_idname, icon="OUTLINER_OB_CAMERA")
        row = layout.row(align=True)
        row.operator(PIXEL3DMM_OT_export_fbx.bl_idname, icon="EXPORT")
        row.operator(PIXEL3DMM_OT_export_gltf.bl_idname, icon="EXPORT")


class PIXEL3DMM_PT_sliders(_Sidebar, bpy.types.Panel):
    """The active head's shape keys."""

    bl_idname = "PIXEL3DMM_PT_sliders"
    bl_label = "Sliders"
    bl_parent_id = PIXEL3DMM_PT_head.bl_idname
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Nothing to show without a head, or after its keys were removed."""
        head = active_head(context)
        return head is not None and head.data.shape_keys is not None

    def draw(self, context: bpy.types.Context) -> None:
        """Blender calls this at every redraw."""
        column = self.layout.column(align=True)
        for key in active_head(context).data.shape_keys.key_blocks[1:]:
            column.prop(key, "value", text=key.name, slider=True)


CLASSES = (PIXEL3DMM_PT_photo, PIXEL3DMM_PT_head, PIXEL3DMM_PT_sliders)


def warnings_of(head: bpy.types.Object) -> list[str]:
    """Sentences of the head's report; none where somebody edited it beyond recognition."""
    try:
        found = json.loads(head.get(PREFIX + "report", "{}")).get("warnings", [])
    except (TypeError, ValueError, AttributeError):
        return []
    return [str(warning) for warning in found]


def draw_sentence(layout: bpy.types.UILayout, sentence: str, icon: str) -> None:
    """A sentence over as many lines as it needs, since labels do not wrap."""
    column = layout.column(align=True)
    line = ""
    for word in [*sentence.split(), ""]:
        if line and (not word or len(line) + 1 + len(word) > LINE):
            column.label(text=line, icon=icon)
            line, icon = "", "BLANK1"
        line = f"{line} {word}".strip()
