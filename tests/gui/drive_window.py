# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs inside a windowed Blender: uses the extension as an artist does, and writes what it saw.

Everything lies in the folder of this file: extension.zip and photo.jpg come from the test;
result.json and screenshots go back.
"""

import importlib
import json
import os
import subprocess
import sys
import time
import traceback
from pathlib import Path

import addon_utils
import bpy

FOLDER = Path(__file__).resolve().parent
PACKAGE = "bl_ext.user_default.pixel3dmm"
seen = {"blender": bpy.app.version_string, "python": sys.version.split()[0]}
bpy.context.preferences.view.show_splash = False  # must come before the main loop


def window():
    return bpy.context.window_manager.windows[0]


def viewport():
    return next(a for a in window().screen.areas if a.type == "VIEW_3D")


def in_viewport():
    area = viewport()
    region = next(r for r in area.regions if r.type == "WINDOW")
    return bpy.context.temp_override(window=window(), area=area, region=region)


def screenshot(name):
    # Blender's own screenshot operator is black under X11 with software OpenGL.
    subprocess.run(["import", "-window", "root", str(FOLDER / f"{name}.png")], check=True)


def status():
    return importlib.import_module(f"{PACKAGE}.pixel3dmm_addon.session").status


def press_button():
    with in_viewport():
        return bpy.ops.pixel3dmm.reconstruct_face("INVOKE_DEFAULT")


def heads():
    return [o for o in bpy.data.objects if "pixel3dmm_recipe" in o]


def counts():
    kinds = ("objects", "meshes", "armatures", "cameras", "collections", "materials", "images")
    return {kind: len(getattr(bpy.data, kind)) for kind in kinds}


def follow(until):
    """Waits for the job, and remembers the longest time that nothing else could happen."""
    longest, last = 0.0, time.perf_counter()
    while not until():
        yield 0.001
        now = time.perf_counter()
        longest, last = max(longest, now - last), now
    return longest


def steps():
    bpy.ops.extensions.package_install_files(
        filepath=str(FOLDER / "extension.zip"), repo="user_default", enable_on_install=True
    )
    assert PACKAGE in bpy.context.preferences.addons
    area = viewport()
    area.spaces.active.show_region_ui = True
    for name in ("Cube", "Light"):
        bpy.data.objects.remove(bpy.data.objects[name])
    yield 1.0  # one redraw, so that the sidebar has its tabs
    next(r for r in area.regions if r.type == "UI").active_panel_category = "Pixel3DMM"
    bpy.context.scene.pixel3dmm.photo = str(FOLDER / "photo.jpg")
    area.tag_redraw()
    yield 2.0
    screenshot("before")
    bpy.ops.ed.undo_push(message="Start")
    seen["at_start"] = counts()

    # Cold: the worker starts with this job.
    started = time.perf_counter()
    seen["invoke"] = list(press_button())
    yield from follow(lambda: status().fraction > 0.4 or not status().running)
    yield 0.3  # a redraw
    screenshot("during")
    yield from follow(lambda: not status().running)
    seen["seconds_cold"] = time.perf_counter() - started
    seen["message"] = status().message
    seen["failed"] = status().failed
    seen["heads_after"] = len(heads())
    if heads():
        seen["keys"] = len(heads()[0].data.shape_keys.key_blocks)
    with in_viewport():
        bpy.ops.pixel3dmm.look_through()
    yield 1.5
    screenshot("after")

    with in_viewport():
        # Look Through was called by a script, which leaves no step of its own to undo.
        bpy.ops.ed.undo()
    yield 0.5
    seen["after_undo"] = counts()
    seen["heads_after_undo"] = len(heads())
    with in_viewport():
        bpy.ops.ed.redo()
    yield 0.5
    seen["heads_after_redo"] = len(heads())
    with in_viewport():
        bpy.ops.ed.undo()
    yield 0.5

    # Warm, and cancelled in the middle by a key press.
    press_button()
    yield from follow(lambda: status().fraction > 0.1)
    area = viewport()
    started = time.perf_counter()
    middle = (area.x + area.width // 2, area.y + area.height // 2)
    window().event_simulate(type="ESC", value="PRESS", x=middle[0], y=middle[1])
    window().event_simulate(type="ESC", value="RELEASE", x=middle[0], y=middle[1])
    yield from follow(lambda: not status().running)
    seen["seconds_to_cancel"] = time.perf_counter() - started
    seen["message_cancelled"] = status().message
    seen["heads_after_cancel"] = len(heads())

    # Warm, to the end.
    started = time.perf_counter()
    press_button()
    seen["longest_tick"] = yield from follow(lambda: not status().running)
    seen["seconds_warm"] = time.perf_counter() - started
    seen["heads_at_last"] = len(heads())
    with in_viewport():
        bpy.ops.pixel3dmm.look_through()
    bpy.ops.wm.save_as_mainfile(filepath=str(FOLDER / "head.blend"))
    # Another file while a job runs: the job ends, nothing crashes.
    press_button()
    yield from follow(lambda: status().fraction > 0.1)
    bpy.ops.wm.read_homefile(use_factory_startup=True)
    yield 1.0
    seen["running_after_new_file"] = status().running
    # The extension is switched off while a job runs, and on again.
    bpy.context.scene.pixel3dmm.photo = str(FOLDER / "photo.jpg")
    press_button()
    yield from follow(lambda: status().fraction > 0.1)
    addon_utils.disable(PACKAGE)
    yield 1.0
    addon_utils.enable(PACKAGE)
    yield 0.5
    seen["running_after_disable"] = status().running
    bpy.context.scene.pixel3dmm.photo = str(FOLDER / "photo.jpg")
    press_button()
    yield from follow(lambda: not status().running)
    seen["heads_after_enable"] = len(heads())
    seen["done"] = True


walk = steps()


def tick():
    try:
        return next(walk)
    except StopIteration:
        pass
    except Exception:
        seen["traceback"] = traceback.format_exc()
    (FOLDER / "result.json").write_text(json.dumps(seen, indent=1))
    sys.stdout.flush()
    os._exit(0)


# Persistent: the walk goes on in the file that it loads.
bpy.app.timers.register(tick, first_interval=1.0, persistent=True)
