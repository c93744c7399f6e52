# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs inside a windowed Blender: corrects a fit with the mouse, and writes what it saw.

extension.zip and photo.jpg come from the test; pins.json and a screenshot go back.
"""

import importlib
import json
import os
import sys
import time
import traceback
from pathlib import Path

import bpy
import numpy as np

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER))
from window_hands import (  # noqa: E402
    in_viewport,
    press,
    region,
    screenshot,
    viewport,
    wait_for,
    window,
)

PACKAGE = "bl_ext.user_default.pixel3dmm"
LANDMARK, BY = 61, -16
seen = {}
bpy.context.preferences.view.show_splash = False
bpy.context.preferences.system.viewport_aa = "OFF"


def ours(name):
    return importlib.import_module(f"{PACKAGE}.pixel3dmm_addon.{name}")


def head():
    return next(o for o in bpy.data.objects if "pixel3dmm_continuation" in o)


def pins():
    return [[p.landmark, p.x, p.y] for p in ours("scene.continuation").read(head()).pins]


def fitted():
    return ours("scene.continuation").read(head()).photos[0].landmarks_fit[LANDMARK].tolist()


def on_screen(pixel):
    """A photo pixel in the window."""
    continuation = ours("scene.continuation")
    camera = continuation.photo_camera_of(continuation.read(head()), 0)
    view = ours("scene.photo_view").PhotoView.of(head()["pixel3dmm_camera"], camera)
    at = view.to_region(region(), viewport().spaces.active.region_3d, np.array([pixel]))[0]
    return round(float(at[0])) + region().x, round(float(at[1])) + region().y


def share_of_viewport():
    """What the landmarks take of the free width or height, whichever is more."""
    points = ours("scene.continuation").read(head()).photos[0].landmarks_fit
    at = np.array([on_screen(point) for point in points if np.isfinite(point).all()])
    free = np.array([region().width - region("UI").width, region().height])
    return float(((at.max(axis=0) - at.min(axis=0)) / free).max())


def tool():
    return ours("operators.correct_fit").running()


def marks():
    """The pins of the tool in hand."""
    return tool().work.pins


def ready():
    """The fit follows the mouse from here on."""
    yield from wait_for(lambda: marks().live is not None and tool().work._live is None)
    yield 0.3


def drag_to(start, end, picture=""):
    say = window().event_simulate
    for k in range(2):
        say(type="MOUSEMOVE", value="NOTHING", x=start[0] - 1 + k, y=start[1])
        yield 0.2
    say(type="LEFTMOUSE", value="PRESS", x=start[0], y=start[1])
    for k in range(1, 6):
        yield 0.1
        x, y = (a + (b - a) * k // 5 for a, b in zip(start, end, strict=True))
        say(type="MOUSEMOVE", value="NOTHING", x=x, y=y)
    yield 0.3
    if picture:
        screenshot(picture)
        held = marks()
        at = on_screen(held.live.place_of(held.held.pin, held.pose))
        seen[f"{picture}_off"] = [at[0] - end[0], at[1] - end[1]]
        seen[f"{picture}_moved"] = mesh_moved()
    say(type="LEFTMOUSE", value="RELEASE", x=end[0], y=end[1])


def dragged(start, end, picture=""):
    """A drag, and the wait for its fit."""
    before = json.dumps(pins())
    yield from drag_to(start, end, picture)
    yield from wait_for(lambda: json.dumps(pins()) != before)
    yield from ready()


def mesh_moved():
    """Metres by which the head in the scene is beside its last fit."""
    mesh = tool().work._mesh
    if mesh._points is None:
        return 0.0
    key = mesh._key()
    now = np.empty(3 * len(key.points), np.float32)
    key.points.foreach_get("co", now)
    return float(np.abs(now - mesh._points).max())


def handle(name):
    """Where a named point is, in the window."""
    live = marks().live
    (found,) = (h for h in live.surface.handles if h.name == name)
    return on_screen(live.place_of(live.surface.pin_of(found, marks().photo), marks().pose))


def key_at(where, kind, **modifiers):
    say = window().event_simulate
    for k in range(2):
        say(type="MOUSEMOVE", value="NOTHING", x=where[0] + 1 - k, y=where[1])
        yield 0.2
    for value in ("PRESS", "RELEASE"):
        say(type=kind, value=value, x=where[0], y=where[1], **modifiers)
    yield 0.2


def anywhere():
    """What has no name, both sides at once, keys, and the skull."""
    seen["handles"] = len(tool().work.shown()[0])
    bpy.context.scene.pixel3dmm.fit.all_handles = True
    yield 0.5
    screenshot("pins_all")
    seen["handles_all"] = len(tool().work.shown()[0])
    bpy.context.scene.pixel3dmm.fit.all_handles = False
    # A cheek, away from all handles.
    place = marks().live.place_of(ours_core("fitting.pins").Pin(0, 50, 0, 0), marks().pose)
    start = on_screen(place)
    yield from dragged(start, (start[0] - 10, start[1] + 6), "pins_surface")
    seen["surface"] = raw_pins()
    start = on_screen(pins()[-1][1:])
    for _ in range(3):
        yield from key_at(start, "LEFT_ARROW")
    yield from wait_for(lambda: raw_pins() != seen["surface"])
    yield from ready()
    seen["nudged"] = raw_pins()
    start = on_screen(pins()[-1][1:])
    yield from key_at(start, "LEFTMOUSE", ctrl=True)
    yield from wait_for(lambda: not pins())
    yield from ready()
    bpy.context.scene.pixel3dmm.fit.symmetric = True
    start = handle("Left jaw line")
    yield from dragged(start, (start[0] + 14, start[1]))
    seen["both"] = raw_pins()
    bpy.context.scene.pixel3dmm.fit.symmetric = False
    start = handle("Skull, top")
    yield from dragged(start, (start[0] + 4, start[1] + 30), "pins_skull")
    seen["skull"] = raw_pins()
    screenshot("pins_skull_after")


def other_photos():
    """Correct Fit in the second of three photos."""
    with in_viewport():
        bpy.ops.ed.redo()
    yield 1.0
    with in_viewport():
        bpy.ops.pixel3dmm.correct_fit("INVOKE_DEFAULT")
    yield from ready()
    with in_viewport():
        bpy.ops.pixel3dmm.correct_fit_photo(photo=1)
    yield from ready()
    seen["camera"] = bpy.context.scene.camera == head()["pixel3dmm_camera_1"]
    before = raw_pins()
    known = ours("scene.continuation")
    view = ours("scene.photo_view").PhotoView.of(
        head()["pixel3dmm_camera_1"], known.photo_camera_of(known.read(head()), 1)
    )
    place = known.read(head()).photos[1].landmarks_fit[152]
    at = view.to_region(region(), viewport().spaces.active.region_3d, np.array([place]))[0]
    start = round(float(at[0])) + region().x, round(float(at[1])) + region().y
    yield from dragged(start, (start[0], start[1] - 12))
    viewport().spaces.active.show_region_ui = True
    yield 1.0  # one redraw, so that the sidebar has its tabs
    region("UI").active_panel_category = "Pixel3DMM"
    tool()._look(bpy.context)
    viewport().tag_redraw()
    yield 2.0
    screenshot("pins_photos")
    viewport().spaces.active.show_region_ui = False
    yield 0.5
    seen["in_photo_1"] = [p for p in raw_pins() if p not in before]
    with in_viewport():
        bpy.ops.pixel3dmm.correct_fit_done()
    yield from wait_for(lambda: tool() is None)
    seen["tools_done"] = len(ours("operators.correct_fit")._running)


def ours_core(name):
    return importlib.import_module(f"{PACKAGE}.core.{name}")


def raw_pins():
    """All that a pin is."""
    return [[p.photo, p.landmark, p.x, p.y, list(p.corners)]
            for p in ours("scene.continuation").read(head()).pins]  # fmt: skip


def choose_all(folder):
    """What a person does in Blender's file browser to take every photo of a folder."""
    with in_viewport():
        bpy.ops.pixel3dmm.add_photo("INVOKE_DEFAULT")

    def browser():
        return next((a for a in window().screen.areas if a.type == "FILE_BROWSER"), None)

    yield from wait_for(lambda: browser() and browser().spaces.active.params)
    browser().spaces.active.params.directory = str(folder).encode()
    yield 2.0
    area = browser()
    inside = next(r for r in area.regions if r.type == "WINDOW")
    with bpy.context.temp_override(window=window(), area=area, region=inside):
        bpy.ops.file.select_all(action="SELECT")
        screenshot("pins_browser")
        bpy.ops.file.execute("INVOKE_DEFAULT")
    yield from wait_for(lambda: browser() is None)


def added():
    """The head's photos, and its cameras' pictures."""
    names = [p.name for p in ours("scene.continuation").read(head()).photos]
    cameras = [v for k, v in sorted(head().items()) if k.startswith("pixel3dmm_camera_")]
    return names, [Path(c.data.background_images[0].image.filepath).name for c in cameras]


def add_photos(status):
    bpy.context.preferences.view.filebrowser_display_type = "SCREEN"
    yield from choose_all(FOLDER / "more")
    yield from wait_for(lambda: status.running)
    press("ESC")
    yield from wait_for(lambda: not status.running)
    seen["cancelled"] = added()
    yield from choose_all(FOLDER / "more")
    yield from wait_for(lambda: status.running)
    yield from wait_for(lambda: not status.running)
    seen["added"], seen["said"] = added(), status.message
    with in_viewport():
        bpy.ops.ed.undo()
    yield 1.0
    seen["undone"] = added()


def steps():
    bpy.ops.extensions.package_install_files(
        filepath=str(FOLDER / "extension.zip"), repo="user_default", enable_on_install=True
    )
    for name in ("Cube", "Light"):
        bpy.data.objects.remove(bpy.data.objects[name])
    bpy.context.scene.pixel3dmm.photo = str(FOLDER / "photo.jpg")
    status = ours("jobs.session").status
    with in_viewport():
        bpy.ops.pixel3dmm.reconstruct_face("INVOKE_DEFAULT")
    yield from wait_for(lambda: not status.running)
    yield 1.0
    with in_viewport():
        seen["invoke"] = list(bpy.ops.pixel3dmm.correct_fit("INVOKE_DEFAULT"))
    yield from ready()
    yield 1.0
    screenshot("pins_before")
    seen["before"], seen["share"] = fitted(), share_of_viewport()
    start = on_screen(seen["before"])
    for turn in range(2):
        end = (start[0] + BY // (2 - turn), start[1])
        yield from drag_to(start, end, f"pins_drag_{turn}")
        began = time.perf_counter()
        count = json.dumps(pins())
        yield from wait_for(lambda count=count: json.dumps(pins()) != count)
        seen[f"seconds_{turn}"] = time.perf_counter() - began
        yield 1.0
        seen[f"pins_{turn}"], seen[f"fitted_{turn}"] = pins(), fitted()
        start = on_screen(pins()[0][1:])
        seen[f"off_{turn}"] = [start[0] - end[0], start[1] - end[1]]
    for k in range(2):  # away from the pin, which then has its own colour
        where = (region().x + 300 + k, region().y + 20)
        window().event_simulate(type="MOUSEMOVE", value="NOTHING", x=where[0], y=where[1])
        yield 0.3
    screenshot("pins_after")
    for k in range(2):
        with in_viewport():
            bpy.ops.ed.undo()
        yield 1.0
        seen[f"undo_{k}"] = pins()
    with in_viewport():
        bpy.ops.ed.redo()
    yield 1.0
    seen["redo"], seen["tools"] = pins(), len(ours("operators.correct_fit")._running)
    # Another drag after an undo, from the state that was brought back.
    start = on_screen(pins()[0][1:])
    yield from dragged(start, (start[0], start[1] + 8))
    seen["after_undo"] = pins()
    # X over the pin takes it away, Esc ends the tool.
    start = on_screen(pins()[0][1:])
    window().event_simulate(type="MOUSEMOVE", value="NOTHING", x=start[0] + 1, y=start[1])
    yield 0.3
    for value in ("PRESS", "RELEASE"):
        window().event_simulate(type="X", value=value, x=start[0] + 1, y=start[1])
    yield from wait_for(lambda: not pins())
    yield from ready()
    yield from anywhere()
    press("ESC")
    yield 0.5
    seen["tools_at_last"] = len(ours("operators.correct_fit")._running)
    yield from add_photos(status)
    yield from other_photos()
    # The tool in hand while another file comes.
    with in_viewport():
        bpy.ops.pixel3dmm.correct_fit("INVOKE_DEFAULT")
    yield 0.5
    bpy.ops.wm.read_homefile(use_factory_startup=True)
    yield 1.0
    seen["tools_in_new_file"] = len(ours("operators.correct_fit")._running)
    seen["done"] = True


walk = steps()


def tick():
    try:
        return next(walk)
    except StopIteration:
        pass
    except Exception:
        seen["traceback"] = traceback.format_exc()
        screenshot("pins_failed")
    (FOLDER / "pins.json").write_text(json.dumps(seen, indent=1))
    sys.stdout.flush()
    os._exit(0)


bpy.app.timers.register(tick, first_interval=1.0, persistent=True)
