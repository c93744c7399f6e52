# SPDX-License-Identifier: GPL-3.0-or-later
"""How Correct Fit looks and works: part of the scene's choices."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, FloatProperty

from .redraw import redraw_viewports


def _look(choices: PIXEL3DMM_PG_fit, context: bpy.types.Context) -> None:
    redraw_viewports(context)


class PIXEL3DMM_PG_fit(bpy.types.PropertyGroup):
    """On the scene: what is drawn while a fit is corrected."""

    photo_opacity: FloatProperty(
        name="Photo Opacity",
        description="How much of the photo is seen above the head",
        default=0.75,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
        update=_look,
    )
    wire_opacity: FloatProperty(
        name="Wire Opacity",
        description="How much of the head's mesh is seen above the photo",
        default=0.4,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
        update=_look,
    )
    symmetric: BoolProperty(
        name="Symmetric Pins",
        description="A point that is dragged takes the one across the face along",
        default=False,
        update=_look,
    )
    all_handles: BoolProperty(
        name="All Points",
        description="Also shows the points of the face that matter less",
        default=False,
        update=_look,
    )


CLASSES = (PIXEL3DMM_PG_fit,)
