# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the active head can be trusted, in words and as a legend of what is painted."""

from __future__ import annotations

import bpy

from ...core.errors import PersonError
from ...core.likeness.picture import BOUND_STOPS, SOURCE_COLORS
from ...core.rigged_head import SOURCES
from ..blender_types import Icon
from ..operators.add_photo import PIXEL3DMM_OT_add_photo
from ..operators.likeness import (
    PIXEL3DMM_OT_likeness_on_photo,
    PIXEL3DMM_OT_show_likeness,
    shown_photo,
)
from ..photos import thumbnails
from ..scene import continuation, likeness
from ..translations import tr
from .sidebar import Sidebar, draw_sentence, needed_head

#: Percent of the distance between the eyes up to which a part is said to lie so.
_OFF = ((3.0, "on the photo"), (6.0, "a little off"), (float("inf"), "off: correct it in Fit"))


class PIXEL3DMM_PT_likeness(Sidebar, bpy.types.Panel):
    """How far the active head is the person's."""

    bl_idname = "PIXEL3DMM_PT_likeness"
    bl_label = "Likeness"
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012

    def draw(self, context: bpy.types.Context) -> None:
        """Blender calls this at every redraw."""
        layout = self.layout
        head = needed_head(layout, context)
        if head is None:
            return
        reason = likeness.why_not(head)
        if reason:
            draw_sentence(layout, tr(reason), "INFO")
            return
        try:
            _, advice = likeness.described(head)
        except PersonError as error:
            draw_sentence(layout, str(error), "INFO")
            return
        figures = tr("Parts to trust lie within {:.1f} mm of the person").format(1e3 * advice.bound)
        said_of_it = advice.sentences(tr, figures=False)
        for i, sentence in enumerate(said_of_it, start=1):
            last = i == len(said_of_it) and bool(advice.measured)
            draw_sentence(layout, sentence, "INFO", more=figures if last else "")
        if advice.view:
            layout.operator(PIXEL3DMM_OT_add_photo.bl_idname, icon="ADD")
        _draw_paint(layout, head)
        _draw_photo(layout, context, head)


def _draw_paint(layout: bpy.types.UILayout, head: bpy.types.Object) -> None:
    now = likeness.shown(head)
    name = PIXEL3DMM_OT_show_likeness.bl_idname
    icon: Icon = "HIDE_OFF" if now else "HIDE_ON"
    layout.operator(name, icon=icon, depress=bool(now)).what = "OFF" if now else "SOURCE"
    if not now:
        return
    row = layout.row(align=True)
    row.operator(name, text="Source", depress=now == "SOURCE").what = "SOURCE"
    row.operator(name, text="Expected Error", depress=now == "ERROR").what = "ERROR"
    column = layout.column(align=True)
    if now == "SOURCE":
        for word, color in zip(SOURCES, SOURCE_COLORS, strict=True):
            column.label(text=tr(word.capitalize()), icon_value=thumbnails.swatch(tuple(color)))
    else:
        for millimetres, color in BOUND_STOPS:
            last = millimetres == BOUND_STOPS[-1][0]
            words = tr("{} mm and more") if last else tr("within {} mm")
            column.label(text=words.format(millimetres), icon_value=thumbnails.swatch(color))


def _draw_photo(
    layout: bpy.types.UILayout, context: bpy.types.Context, head: bpy.types.Object
) -> None:
    errors = (
        None if continuation.why_not(head) else likeness.on_photo(head, shown_photo(context, head))
    )
    icon: Icon = "HIDE_ON" if errors is None else "HIDE_OFF"
    name = PIXEL3DMM_OT_likeness_on_photo.bl_idname
    layout.operator(name, icon=icon, depress=errors is not None)
    column = layout.column(align=True)
    for part, (pixels, percent) in (errors or {}).items():
        word = next(word for most, word in _OFF if percent <= most)
        figures = tr("{}: {:.1f} pixels, {:.1f} %").format(tr(part), pixels, percent)
        draw_sentence(column, f"{tr(part)}: {tr(word)}", "BLANK1", more=figures)


CLASSES = (PIXEL3DMM_PT_likeness,)
