# SPDX-License-Identifier: GPL-3.0-or-later
"""What Correct Fit draws over its viewport."""

from __future__ import annotations

import bpy
import numpy as np

from ..scene import fit_view
from .fit_work import FitWork


def draw(work: FitWork, region: bpy.types.Region, data: bpy.types.RegionView3D) -> None:
    """Photo, wire, handles, pins and the name of what is under the mouse."""
    camera, view, pins = work.camera(), work.view(), work.pins
    if view is None or camera is None:
        return
    taken, look = work.known.photos[work.photo], bpy.context.scene.pixel3dmm.fit
    size = (taken.width, taken.height)
    fit_view.draw_photo_of(camera, view, region, data, size, look.photo_opacity)
    if pins.live is None or pins.pose is None:
        return
    mesh = view.to_region(region, data, pins.pose.pixels)
    fit_view.draw_wire(mesh, pins.live.wire(pins.pose), look.wire_opacity)
    rows, places = work.shown()
    hot = pins.held or pins.hover
    kinds = ["pin" if pins.is_pin(m) else "handle" if m.name else "point" for m in rows]
    if hot is not None:
        place = pins.at(hot)
        rows, places, kinds = [*rows, hot], np.vstack([places, place]), [*kinds, "held"]
    at = view.to_region(region, data, places)
    scale = bpy.context.preferences.system.ui_scale
    fit_view.draw_dots(at, kinds, scale)
    if hot is not None:
        fit_view.draw_name(at[-1], work.name(hot), scale)
