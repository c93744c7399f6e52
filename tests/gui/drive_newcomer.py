# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs inside a windowed Blender: five tasks of somebody who sees the extension for the first time.

Only clicks, drags and keys that a person needs are done and counted; file dialogs are filled in and
not counted. Seconds are those between a click and its effect. newcomer.json and pictures go back.
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
import button_finder as finder  # noqa: E402
import window_hands as hands  # noqa: E402

PACKAGE = "bl_ext.user_default.pixel3dmm"
NOSE = 4
seen = {"blender": bpy.app.version_string, "tasks": {}}
now = {}
bpy.context.preferences.view.show_splash = False
bpy.context.preferences.system.viewport_aa = "OFF"
bpy.context.preferences.view.filebrowser_display_type = "SCREEN"


def ours(name):
    return importlib.import_module(f"{PACKAGE}.pixel3dmm_addon.{name}")


def status():
    return ours("jobs.session").status


def head():
    return next(o for o in bpy.data.objects if "pixel3dmm_continuation" in o)


def known():
    return ours("scene.continuation").read(head())


def begin(task):
    now.clear()
    now.update(task=task, clicks=0, seconds=0.0, did=[])


def ended(**facts):
    found = {"clicks": now["clicks"], "seconds": round(now["seconds"], 1), "did": now["did"]}
    seen["tasks"][now["task"]] = {**found, **facts}
    hands.screenshot(f"newcomer_{len(seen['tasks'])}")


def count(what):
    now["clicks"] += 1
    now["did"].append(what)


def until(done):
    started = time.perf_counter()
    yield from hands.wait_for(done)
    now["seconds"] += time.perf_counter() - started


def press(what, name, share=0.5):
    """Finds a button and clicks it."""
    x, y = yield from finder.find(name, share)
    count(what)
    yield from finder.click(x, y)


def open_panel(what, panel):
    x, y = yield from finder.find_header(seen_rows, panel)
    count(what)
    yield from finder.click(x, y)
    yield 0.3


def browser():
    return next((a for a in hands.window().screen.areas if a.type == "FILE_BROWSER"), None)


def choose(path):
    """The file dialog: not counted."""
    yield from hands.wait_for(lambda: browser() and browser().spaces.active.params, 20)
    yield 1.0
    params = browser().spaces.active.params
    params.directory, params.filename = str(path.parent).encode(), path.name
    yield 1.0
    area = browser()
    inside = next(r for r in area.regions if r.type == "WINDOW")
    with bpy.context.temp_override(window=hands.window(), area=area, region=inside):
        bpy.ops.file.execute("INVOKE_DEFAULT")
    yield from until(lambda: browser() is None)


def photo_to_head():
    begin("photo to posed head in view")
    yield from press("Choose Photo", "pixel3dmm.choose_photo")
    yield from choose(FOLDER / "photo.jpg")
    yield 2.0
    hands.screenshot("newcomer_photo")
    yield from press("Reconstruct Face", "pixel3dmm.reconstruct_face")
    yield from until(lambda: status().running)
    yield from until(lambda: not status().running)
    yield 2.5  # the panels slide to their places
    view = hands.viewport().spaces.active
    ended(view=view.region_3d.view_perspective, alone=view.local_view is not None)


def on_screen(pixel):
    """A photo pixel in the window."""
    camera = ours("scene.continuation").photo_camera_of(known(), 0)
    view = ours("scene.photo_view").PhotoView.of(head()["pixel3dmm_camera"], camera)
    view3d = hands.viewport().spaces.active.region_3d
    at = view.to_region(hands.region(), view3d, np.array([pixel]))[0]
    return round(float(at[0])) + hands.region().x, round(float(at[1])) + hands.region().y


def correct_the_nose():
    begin("correct the nose")
    yield from open_panel("header Fit", "PIXEL3DMM_PT_pins")
    yield from press("Correct Fit", "pixel3dmm.correct_fit")
    yield 2.0
    tip = known().photos[0].landmarks_fit[NOSE].tolist()
    start = on_screen(tip)
    say = hands.window().event_simulate
    for k in range(2):
        finder.move(start[0] - 1 + k, start[1])
        yield 0.2
    count("drag the nose's tip")
    say(type="LEFTMOUSE", value="PRESS", x=start[0], y=start[1])
    for k in range(1, 6):
        yield 0.1
        finder.move(start[0] + 2 * k, start[1])
    yield 0.3
    say(type="LEFTMOUSE", value="RELEASE", x=start[0] + 10, y=start[1])
    yield from until(lambda: len(known().pins) > 0)
    yield 1.0
    hands.screenshot("newcomer_drag")
    tool = ours("operators.correct_fit")
    for _ in range(3):
        count("Enter")
        hands.press("RET")
        yield 1.5
        if not tool._running:
            break
    pinned = known().photos[0].landmarks_fit[NOSE]
    ended(pins=len(known().pins), moved=float(np.linalg.norm(pinned - tip)))


def second_photo():
    begin("add a second photo")
    yield from press("Add Photos", "pixel3dmm.add_photo")
    yield from choose(FOLDER / "second.jpg")
    yield from until(lambda: status().running)
    yield from until(lambda: not status().running)
    yield 0.5
    ended(photos=len(known().photos), said=status().message)


def smile_and_key():
    begin("smile and key it")
    yield from press("Smile", "apply_pose(pose='Smile'", 0.38)
    yield 0.5
    yield from press("Key All", "pixel3dmm.key_all", 0.62)
    yield 0.5
    keys = head().data.shape_keys
    ended(smile=keys.key_blocks["mouthSmileLeft"].value, keyed=bool(keys.animation_data.action))


def export_to_unreal():
    begin("export to Unreal")
    yield from open_panel("header Export", "PIXEL3DMM_PT_export")
    x, y = yield from menu_place()
    count("Export For")
    yield from finder.click(x, y)
    yield 0.5
    hands.screenshot("newcomer_menu")
    count("Unreal Engine")
    yield from choose_entry("U", x, y)
    hands.screenshot("newcomer_dialog")
    yield from choose(FOLDER / "head.fbx")
    yield from until(lambda: ours("export.last_export").of(head()) is not None)
    yield 1.0
    written = ours("export.last_export").of(head())
    ended(
        file=Path(FOLDER, "head.fbx").is_file(),
        preset=written.preset.identifier,
        passed=written.verdict.passed,
    )


def an_error():
    """No task: what a file that is no photo looks like, in the panel and at the mouse."""
    (FOLDER / "bad.jpg").write_text("no picture")
    bpy.context.scene.pixel3dmm.photo = str(FOLDER / "bad.jpg")
    yield 1.0
    hands.region("UI").tag_redraw()
    middle = hands.region()
    finder.move(middle.x + middle.width // 3, middle.y + middle.height // 2)
    yield 0.3
    with hands.in_viewport():
        bpy.ops.pixel3dmm.reconstruct_face("INVOKE_DEFAULT")
    yield from hands.wait_for(lambda: not status().running)
    yield 1.5
    seen["error"] = [status().message, status().code]
    hands.screenshot("newcomer_error")


def menu_place():
    """A menu is no operator: it lies right above the frame rate."""
    x, y = yield from finder.find("render.fps")
    for higher in range(y, y + 60, finder.STEP):
        name = yield from finder.ask(x, higher)
        if "render.fps" not in name and higher > y + 12:
            return x, higher + 8
    raise LookupError("no menu above the frame rate")


def choose_entry(letter, x, y):
    """An entry of an open menu by its underlined letter; entries are no buttons of the sidebar."""
    for value in ("PRESS", "RELEASE"):
        hands.window().event_simulate(type=letter, value=value, x=int(x), y=int(y))
    yield 0.5


def steps():
    global seen_rows
    bpy.ops.extensions.package_install_files(
        filepath=str(FOLDER / "extension.zip"), repo="user_default", enable_on_install=True
    )
    seen_rows = hands.watch(ours("panels").CLASSES)
    finder.register()
    hands.viewport().spaces.active.show_region_ui = True
    yield 1.0
    hands.region("UI").active_panel_category = "Pixel3DMM"
    hands.viewport().tag_redraw()
    yield 1.5
    hands.screenshot("newcomer_0")
    for task in (photo_to_head, correct_the_nose, second_photo, smile_and_key, export_to_unreal):
        yield from task()
    yield from an_error()
    seen["done"] = True


seen_rows = {}
walk = steps()


def tick():
    try:
        return next(walk)
    except StopIteration:
        pass
    except Exception:
        seen["traceback"] = traceback.format_exc()
        seen["now"] = {**now}
        hands.screenshot("newcomer_failed")
    (FOLDER / "newcomer.json").write_text(json.dumps(seen, indent=1))
    sys.stdout.flush()
    os._exit(0)


bpy.app.timers.register(tick, first_interval=1.0, persistent=True)
