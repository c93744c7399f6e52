# SPDX-License-Identifier: GPL-3.0-or-later
"""Hands and eyes inside a windowed Blender: keys, screenshots, what the panels really drew."""

import subprocess
import time
from pathlib import Path

import bpy
from bpy_extras.view3d_utils import location_3d_to_region_2d

FOLDER = Path(__file__).resolve().parent


def window():
    return bpy.context.window_manager.windows[0]


def viewport():
    return next(a for a in window().screen.areas if a.type == "VIEW_3D")


def region(kind="WINDOW"):
    return next(r for r in viewport().regions if r.type == kind)


def in_viewport():
    return bpy.context.temp_override(window=window(), area=viewport(), region=region())


def screenshot(name):
    # Blender's own screenshot operator is black under X11 with software OpenGL.
    subprocess.run(["import", "-window", "root", str(FOLDER / f"{name}.png")], check=True)


def press(kind, **modifiers):
    """A key over the middle of the viewport."""
    where = region()
    x, y = where.x + where.width // 2, where.y + where.height // 2
    window().event_simulate(type="MOUSEMOVE", value="NOTHING", x=x, y=y)
    for value in ("PRESS", "RELEASE"):
        window().event_simulate(type=kind, value=value, x=x, y=y, **modifiers)


def drag(x, y, by):
    """The left button pressed at a point of the screenshot and moved to the right; a generator."""
    at = window().height - y
    for k in range(2):  # the first move only brings the mouse into the region
        window().event_simulate(type="MOUSEMOVE", value="NOTHING", x=x + k, y=at)
        yield 0.05
    window().event_simulate(type="LEFTMOUSE", value="PRESS", x=x, y=at)
    for k in range(1, 6):
        yield 0.05
        window().event_simulate(type="MOUSEMOVE", value="NOTHING", x=x + by * k // 5, y=at)
    yield 0.05
    window().event_simulate(type="LEFTMOUSE", value="RELEASE", x=x + by, y=at)
    yield 0.3


def wait_for(until, seconds=120.0):
    """Waits, and returns the longest time in which nothing else could happen."""
    longest, started = 0.0, time.perf_counter()
    last = started
    while not until():
        if time.perf_counter() - started > seconds:
            raise TimeoutError(f"still waiting after {seconds} s")
        yield 0.001
        now = time.perf_counter()
        longest, last = max(longest, now - last), now
    return longest


class Watched:
    """A layout that draws as the real one does, and writes down what."""

    def __init__(self, layout, rows):
        object.__setattr__(self, "_layout", layout)
        object.__setattr__(self, "_rows", rows)

    def __setattr__(self, name, value):
        setattr(self._layout, name, value)

    def __getattr__(self, name):
        real, rows = getattr(self._layout, name), self._rows
        if name in ("row", "column", "box", "split", "grid_flow"):
            return lambda **options: Watched(real(**options), rows)
        if name == "panel":

            def panel(*arguments, **options):
                header, body = real(*arguments, **options)
                return Watched(header, rows), body and Watched(body, rows)

            return panel
        if name in (
            "label",
            "prop",
            "operator",
            "operator_menu_enum",
            "menu",
            "progress",
            "template_icon",
        ):

            def draw(*arguments, **options):
                out = real(*arguments, **options)
                said = arguments[-1] if arguments else options.get("text") or options
                rows.append(f"{name} {said if isinstance(said, str) else sorted(said)}")
                return out

            return draw
        return real


class Instead:
    """Stands for a panel while it draws."""

    def __init__(self, panel, rows):
        self._panel = panel
        self.layout = Watched(panel.layout, rows)

    def __getattr__(self, name):
        return getattr(self._panel, name)


def watch(panels):
    """Rows of each panel at its last redraw, by class name, from now on."""
    rows = {}
    for panel in panels:
        _watch(panel, rows)
    return rows


def _watch(panel, rows):
    draw = panel.draw

    def watched(self, context):
        drawn = []
        draw(Instead(self, drawn), context)
        rows[panel.__name__] = drawn

    panel.draw = watched


def frame_of_camera():
    """x0, y0, x1, y1 of the camera's frame in the screenshot, y downward."""
    scene, camera = bpy.context.scene, bpy.context.scene.camera
    where, view = region(), viewport().spaces.active
    corners = [camera.matrix_world @ c for c in camera.data.view_frame(scene=scene)]
    points = [location_3d_to_region_2d(where, view.region_3d, c) for c in corners]
    xs, ys = [p.x for p in points], [p.y for p in points]
    height = window().height
    return (
        where.x + min(xs),
        height - (where.y + max(ys)),
        where.x + max(xs),
        height - (where.y + min(ys)),
    )


def show_silhouette():
    """The head in one colour before another, and nothing else."""
    view = viewport().spaces.active
    shading = view.shading
    shading.type, shading.light, shading.color_type = "SOLID", "FLAT", "SINGLE"
    shading.single_color, shading.background_type = (1.0, 0.0, 1.0), "VIEWPORT"
    shading.background_color = (0.0, 0.0, 0.0)
    shading.show_object_outline = shading.show_cavity = shading.show_shadows = False
    view.overlay.show_overlays = view.show_gizmo = view.show_region_header = False
    view.show_region_toolbar = False
    data = bpy.context.scene.camera.data
    data.show_background_images = data.show_passepartout = False
