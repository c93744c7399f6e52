# SPDX-License-Identifier: GPL-3.0-or-later
"""The button that makes the head, what came of it, and the options that an artist expects."""

from __future__ import annotations

from pathlib import Path

import bpy
from bl_ui.utils import PresetPanel

from .. import installed
from ..jobs import looks, session
from ..operators.look_through import PIXEL3DMM_OT_look_through
from ..operators.presets import SUBDIR, PIXEL3DMM_OT_reconstruct_preset_add
from ..operators.reconstruct import PIXEL3DMM_OT_reconstruct_face, PIXEL3DMM_OT_reconstruct_photos
from ..properties import PIXEL3DMM_PG_scene
from ..scene import custom_properties
from ..scene.head import PREFIX, active_head
from ..translations import said, tr
from .sidebar import Sidebar, draw_progress, draw_sentence, draw_trouble

#: Warnings of a head that are shown in full; more stand in the tooltip.
_MOST_WARNINGS = 2


class PIXEL3DMM_PT_reconstruct(Sidebar, bpy.types.Panel):
    """Photo in, head out."""

    bl_idname = "PIXEL3DMM_PT_reconstruct"
    bl_label = "Reconstruct"

    def draw(self, context: bpy.types.Context) -> None:
        """Blender calls this at every redraw."""
        layout = self.layout
        choices, status = context.scene.pixel3dmm, session.status
        for entry, name in chosen(choices):
            if entry is None or not entry.commercial:
                _draw_badge(layout, entry, name)
        button = layout.row(align=True)
        button.scale_y = 1.5
        button.operator(PIXEL3DMM_OT_reconstruct_face.bl_idname, icon="USER")
        button.operator(PIXEL3DMM_OT_reconstruct_photos.bl_idname, text="", icon="DOCUMENTS")
        if status.running:
            draw_progress(layout, status)
            if status.waiting:
                text = tr("{} more photos wait").format(len(status.waiting))
                layout.label(text=text, icon="TIME")
        elif status.failed and status.message:
            # What the panel Photo says already is not said twice.
            if status.message != _look_error(choices):
                draw_trouble(layout, context, status.message, status.code)
        elif status.message:
            draw_sentence(layout, status.message, "CHECKMARK", more=said(status.details))
        head = active_head(context)
        if head is not None:
            _draw_head(layout, context, head)


class PIXEL3DMM_PT_reconstruct_presets(PresetPanel, bpy.types.Panel):
    """Options that were kept under a name."""

    bl_label = "Reconstruct Presets"
    preset_subdir = SUBDIR
    preset_operator = "script.execute_preset"
    preset_add_operator = PIXEL3DMM_OT_reconstruct_preset_add.bl_idname


class _Options(Sidebar):
    """What the head is made of: in sight, and each a click."""

    bl_label = "Options"
    bl_parent_id = PIXEL3DMM_PT_reconstruct.bl_idname

    def draw_header_preset(self, context: bpy.types.Context) -> None:
        """The presets."""
        PIXEL3DMM_PT_reconstruct_presets.draw_panel_header(self.layout)

    def draw(self, context: bpy.types.Context) -> None:
        """Blender calls this at every redraw."""
        layout, choices = self.layout, context.scene.pixel3dmm
        layout.enabled = not session.status.running
        layout.use_property_split = True
        layout.use_property_decorate = False
        column = layout.column()
        column.prop(choices, "head_choice")
        if installed.neural_head() is None:
            greyed = column.row()
            greyed.enabled = False
            greyed.label(text="Neural head (NPHM): weights not imported", icon="LOCKED")
        column.prop(choices, "texture")
        column.prop(choices, "hair")
        pair = layout.column(align=True)
        pair.prop(choices, "subdivision_view")
        pair.prop(choices, "subdivision_render", text="Render")


class PIXEL3DMM_PT_options(_Options, bpy.types.Panel):
    """Open until there is a head."""

    bl_idname = "PIXEL3DMM_PT_options"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """See the class."""
        return active_head(context) is None


class PIXEL3DMM_PT_options_again(_Options, bpy.types.Panel):
    """Beside a head they are closed, so that the steps after it stand on one screen."""

    bl_idname = "PIXEL3DMM_PT_options_again"
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """See the class."""
        return active_head(context) is not None


class PIXEL3DMM_PT_more_options(Sidebar, bpy.types.Panel):
    """What hardly anybody changes."""

    bl_idname = "PIXEL3DMM_PT_more_options"
    bl_label = "More Options"
    bl_parent_id = PIXEL3DMM_PT_reconstruct.bl_idname
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012

    def draw(self, context: bpy.types.Context) -> None:
        """Blender calls this at every redraw."""
        layout, choices = self.layout, context.scene.pixel3dmm
        layout.enabled = not session.status.running
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(choices, "predictor_choice")
        layout.prop(choices, "match_render_size")
        for entry, name in chosen(choices):
            _draw_badge(layout, entry, name)


def _draw_head(
    layout: bpy.types.UILayout, context: bpy.types.Context, head: bpy.types.Object
) -> None:
    """Which head all panels below work on, and what is known against it."""
    row = layout.row(align=True)
    row.label(text=head.name, icon="OUTLINER_OB_MESH", translate=False)
    row.operator(PIXEL3DMM_OT_look_through.bl_idname, icon="OUTLINER_OB_CAMERA")
    shown = _shown_above(context.scene.pixel3dmm)
    warnings = [w for w in warnings_of(head) if w not in shown]
    more = "\n".join(said(w) for w in warnings[_MOST_WARNINGS:])
    for i, warning in enumerate(warnings[:_MOST_WARNINGS], start=1):
        draw_sentence(layout, warning, "INFO", more=more if i == _MOST_WARNINGS else "")


def _look(choices: PIXEL3DMM_PG_scene) -> looks.Look | None:
    return looks.of(Path(bpy.path.abspath(choices.photo))) if choices.photo else None


def _look_error(choices: PIXEL3DMM_PG_scene) -> str:
    look = _look(choices)
    return "" if look is None else look.error


def _shown_above(choices: PIXEL3DMM_PG_scene) -> list[str]:
    """What the panel Photo says of the photo."""
    look = _look(choices)
    return [] if look is None else look.of_face(choices.face)


def warnings_of(head: bpy.types.Object) -> list[str]:
    """Sentences of the head's report; none where it was edited beyond recognition."""
    return custom_properties.sentences(
        custom_properties.json_object(head, PREFIX + "report").get("warnings")
    )


def chosen(
    choices: PIXEL3DMM_PG_scene,
) -> tuple[tuple[installed.Entry | None, str], tuple[installed.Entry | None, str]]:
    """Head and predictor, None for what is not installed here, each with its name."""
    head = installed.chosen(installed.heads(), choices.head)
    predictor = installed.chosen(installed.predictors(), choices.predictor)
    return (head, choices.head), (predictor, choices.predictor)


def _draw_badge(layout: bpy.types.UILayout, entry: installed.Entry | None, name: str) -> None:
    """The licence, or that it is not there."""
    if entry is None:
        draw_sentence(layout, tr("{} is not installed here").format(Path(name).name), "ERROR")
        return
    words = f"{entry.label}: {entry.badge}"
    draw_sentence(layout, words, "CHECKMARK" if entry.commercial else "ERROR")


CLASSES = (
    PIXEL3DMM_PT_reconstruct,
    PIXEL3DMM_PT_reconstruct_presets,
    PIXEL3DMM_PT_options,
    PIXEL3DMM_PT_options_again,
    PIXEL3DMM_PT_more_options,
)
