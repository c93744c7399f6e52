# SPDX-License-Identifier: GPL-3.0-or-later
"""What a panel would show, as a list: panels draw into a layout that records."""

from __future__ import annotations

from types import SimpleNamespace

import bpy


class Layout:
    """Records what a panel draws, as Blender's layout would show it."""

    def __init__(self, drawn=None):
        self.drawn = [] if drawn is None else drawn

    def row(self, **options):
        return Layout(self.drawn)

    column = box = split = grid_flow = row

    def panel(self, name, *, default_closed=False):
        return Layout(self.drawn), Layout(self.drawn)

    def label(self, *, text="", icon="NONE", icon_value=0, translate=True):
        self.drawn.append(("label", text))

    def prop(self, data, name, **options):
        assert name in data.bl_rna.properties, name
        self.drawn.append(("prop", name if data.bl_rna.identifier != "ShapeKey" else data.name))

    def operator(self, name, **options):
        group, verb = name.split(".")
        assert verb in dir(getattr(bpy.ops, group)), name
        self.drawn.append(("operator", name))
        return SimpleNamespace()

    def separator(self):
        pass

    def menu(self, name, **options):
        assert hasattr(bpy.types, name), name
        self.drawn.append(("menu", name))

    def operator_menu_enum(self, name, prop, **options):
        self.operator(name)
        group, verb = name.split(".")
        assert prop in getattr(getattr(bpy.ops, group), verb).get_rna_type().properties, prop

    def template_icon(self, *, icon_value, scale):
        assert icon_value > 0
        self.drawn.append(("picture", icon_value))

    def progress(self, *, factor, text):
        assert 0 <= factor <= 1
        self.drawn.append(("progress", text))


def draw(ours, name):
    """What the panel of this class shows now; None if its poll hides it."""
    panel = next(p for p in ours("pixel3dmm_addon.panels").CLASSES if p.__name__ == name)
    if hasattr(panel, "poll") and not panel.poll(bpy.context):
        return None
    layout = Layout()
    panel.draw(SimpleNamespace(layout=layout), bpy.context)
    return layout.drawn
