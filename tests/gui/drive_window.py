# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs inside a windowed Blender: uses the extension as an artist does, and writes what it saw.

Everything lies in the folder of this file: extension.zip and photos come from the test;
result.json and screenshots go back. What Blender's file drop calls is called here, since nobody
can drag a file from outside into a virtual screen.
"""

import importlib
import json
import os
import sys
import time
import traceback
from pathlib import Path

import addon_utils
import bpy

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER))
import window_hands as hands  # noqa: E402

PACKAGE = "bl_ext.user_default.pixel3dmm"
seen = {"blender": bpy.app.version_string, "python": sys.version.split()[0]}
bpy.context.preferences.view.show_splash = False  # must come before the main loop


def ours(name):
    return importlib.import_module(f"{PACKAGE}.pixel3dmm_addon.{name}")


def status():
    return ours("jobs.session").status


def press_button():
    with hands.in_viewport():
        return bpy.ops.pixel3dmm.reconstruct_face("INVOKE_DEFAULT")


def heads():
    return [o for o in bpy.data.objects if "pixel3dmm_recipe" in o]


def counts():
    kinds = ("objects", "meshes", "armatures", "cameras", "collections", "materials", "images")
    return {kind: len(getattr(bpy.data, kind)) for kind in kinds}


def select(obj):
    bpy.context.view_layer.objects.active = obj
    obj.select_set(True)


def open_tab():
    hands.viewport().spaces.active.show_region_ui = True
    yield 1.0  # one redraw, so that the sidebar has its tabs
    hands.region("UI").active_panel_category = "Pixel3DMM"
    hands.viewport().tag_redraw()
    yield 1.0


def rows_of(*panels):
    """What these panels drew last, from top to bottom."""
    return [row for panel in panels for row in seen["rows"].get(f"PIXEL3DMM_PT_{panel}", ())]


def look_ready():
    look = ours("jobs.looks").of(Path(bpy.context.scene.pixel3dmm.photo))
    return look is not None and look.done


def begin():
    bpy.ops.extensions.package_install_files(
        filepath=str(FOLDER / "extension.zip"), repo="user_default", enable_on_install=True
    )
    assert PACKAGE in bpy.context.preferences.addons
    seen["rows"] = hands.watch(ours("panels").CLASSES)
    for name in ("Cube", "Light", "Camera"):
        bpy.data.objects.remove(bpy.data.objects[name])
    # Room for the tab: the timeline is not needed.
    yield from open_tab()


def two_faces():
    """A photo of two people: numbered boxes, and one of them chosen."""
    bpy.context.scene.pixel3dmm.photo = str(FOLDER / "two.png")
    yield from hands.wait_for(look_ready)
    yield 1.0
    bpy.ops.pixel3dmm.choose_face(number=2)
    yield 1.0
    hands.screenshot("faces")
    seen["rows_faces"] = list(seen["rows"]["PIXEL3DMM_PT_photo"])


def first_head():
    bpy.context.scene.pixel3dmm.photo = str(FOLDER / "photo.jpg")
    bpy.context.scene.pixel3dmm.match_render_size = True
    yield from hands.wait_for(look_ready)
    yield 1.5
    hands.screenshot("before")
    seen["rows_before"] = rows_of("photo", "reconstruct")
    bpy.ops.ed.undo_push(message="Start")
    seen["at_start"] = counts()
    seen["views"] = [view_now()]
    seen["images"] = [image.name for image in bpy.data.images]
    # The worker starts with this job, not with the look at the photo.
    ours("jobs.session").jobs().stop()
    started = time.perf_counter()
    seen["invoke"] = list(press_button())
    yield from hands.wait_for(lambda: status().fraction > 0.4 or not status().running)
    ours("redraw").redraw_all(bpy.context)  # a slow window is drawn once a second only
    yield 0.3
    hands.screenshot("during")
    seen["rows_during"] = rows_of("photo", "reconstruct")
    yield from hands.wait_for(lambda: not status().running)
    seen["seconds_cold"] = time.perf_counter() - started
    seen["message"], seen["failed"] = status().message, status().failed
    seen["heads_after"] = len(heads())
    seen["views"].append(view_now())
    yield 1.5
    hands.screenshot("first_look")
    seen["keys"] = [k.name for k in heads()[0].data.shape_keys.key_blocks] if heads() else []


def view_now():
    """(perspective, distance, place) of the viewport."""
    view = hands.viewport().spaces.active.region_3d
    return [view.view_perspective, view.view_distance, list(view.view_location)]


def undo_and_redo():
    """By the keys, twenty times: with the head and without it."""
    seen["undone"], seen["redone"] = [], []
    for _ in range(20):
        hands.press("Z", ctrl=True)
        yield 0.15
        seen["undone"].append(len(heads()))
        seen.setdefault("after_undo", counts())
        if len(seen["views"]) == 2:
            seen["views"].append(view_now())
        hands.press("Z", ctrl=True, shift=True)
        yield 0.15
        seen["redone"].append(len(heads()))
        if len(seen["views"]) == 3:
            seen["views"].append(view_now())


def overlay():
    """Through the matched camera: with the photo, and as a silhouette to measure."""
    for obj in heads()[1].users_collection[0].objects:
        obj.hide_set(True)
    select(heads()[0])
    heads()[0].pixel3dmm.photo_expression = 1.0
    with hands.in_viewport():
        bpy.ops.pixel3dmm.look_through()
        bpy.ops.view3d.view_center_camera()
    yield 1.5
    hands.screenshot("after")
    seen["rows_after"] = rows_of("reconstruct")
    view = hands.viewport().spaces.active
    view.show_region_ui = False
    for name in ("floor", "axis_x", "axis_y", "cursor", "extras", "text", "object_origins"):
        setattr(view.overlay, f"show_{name}", False)
    view.overlay.show_bones = view.overlay.show_outline_selected = False
    yield 0.5
    with hands.in_viewport():
        bpy.ops.view3d.view_center_camera()
    yield 1.0
    hands.screenshot("look_through")
    heads()[0].hide_set(True)
    yield 0.7
    hands.screenshot("photo_alone")
    heads()[0].hide_set(False)
    hands.show_silhouette()
    heads()[0].find_armature().hide_set(True)
    yield 1.0
    hands.screenshot("silhouette")
    seen["frame"] = hands.frame_of_camera()
    seen["image_size"] = list(bpy.context.scene.camera.data.background_images[0].image.size)


def faces_and_traits():
    """The expression and the identity panel, with the longest time that a trait takes."""
    bpy.ops.wm.open_mainfile(filepath=str(FOLDER / "head.blend"))
    yield 1.0
    head, other = heads()
    for obj in [o for o in other.users_collection[0].objects if o != other]:
        bpy.data.objects.remove(obj)
    bpy.data.objects.remove(other)
    for obj in bpy.context.selected_objects:
        obj.select_set(False)
    select(head)
    head.find_armature().hide_set(True)
    for obj in [o for o in bpy.data.objects if o.type == "CAMERA"]:
        obj.hide_set(True)
    with hands.in_viewport():
        bpy.ops.view3d.view_axis(type="FRONT")
        bpy.ops.view3d.view_selected()
    head.select_set(False)
    yield from open_tab()
    for panel in ("motion", "photo", "reconstruct", "likeness", "head", "export", "rig", "more"):
        _hide(f"PIXEL3DMM_PT_{panel}")
    _open("PIXEL3DMM_PT_sliders")
    yield 0.5
    with hands.in_viewport():
        bpy.ops.pixel3dmm.apply_pose(pose="Surprised")
    yield 1.0
    hands.screenshot("expression")
    seen["rows_expression"] = rows_of("expression", "sliders")
    bpy.ops.pixel3dmm.reset_expression(region="All")
    head.pixel3dmm.photo_expression = 1.0
    head.find_armature().hide_set(False)
    bone = head.find_armature().data.bones["eye.L"]
    seen["eye_before"] = bone.head_local[0]
    ticks = []
    for k in range(20):
        started = time.perf_counter()
        head.pixel3dmm.trait_nose_width = 0.04 * (k + 1)
        ticks.append(time.perf_counter() - started)
        yield 0.02
    seen["trait_first"], seen["trait_longest"] = ticks[0], max(ticks[1:])
    head.pixel3dmm.trait_eye_distance = 0.7
    head.pixel3dmm.trait_jaw_width = 0.8
    bpy.ops.ed.undo_push(message="Traits")
    seen["eye_after"] = head.find_armature().data.bones["eye.L"].head_local[0]
    _hide("PIXEL3DMM_PT_expression")
    _open("PIXEL3DMM_PT_pins")
    _open("PIXEL3DMM_PT_identity")
    yield 1.0
    yield from drag_a_trait()
    heads()[0].find_armature().hide_set(True)
    yield 0.5
    hands.screenshot("identity")
    seen["rows_identity"] = list(seen["rows"].get("PIXEL3DMM_PT_identity", ()))


def drag_a_trait():
    """With the mouse, on whichever slider of the nose is met first; one undo takes it back."""
    name = heads()[0].name
    before = heads()[0].data["pixel3dmm_traits"]
    panel = hands.region("UI")
    seen["dragged"] = seen["drag_undone"] = False
    for y in range(600, 400, -8):
        yield from hands.drag(panel.x + panel.width // 2, y, 40)
        if bpy.data.objects[name].data["pixel3dmm_traits"] != before:
            seen["dragged"] = bpy.data.objects[name].data["pixel3dmm_traits"]
            break
    bones = bpy.data.objects[name].find_armature().data.bones
    seen["mode_after_drag"], seen["bones_after_drag"] = bpy.context.mode, len(bones)
    hands.press("Z", ctrl=True)
    yield 0.5
    seen["drag_undone"] = heads()[0].data["pixel3dmm_traits"] == before


def _class(name):
    return next(c for c in ours("panels").CLASSES if c.__name__ == name)


def _children(panel):
    name = panel.bl_idname
    return [c for c in ours("panels").CLASSES if getattr(c, "bl_parent_id", "") == name]


def _hide(name):
    """Takes a panel out of the tab, so that others are seen on a small screen."""
    panel = _class(name)
    if panel.is_registered:
        for child in _children(panel):
            _hide(child.__name__)
        bpy.utils.unregister_class(panel)
        hidden.append(panel)


def _open(name):
    """A panel that is closed at first is opened by registering it so: no event hits its header."""
    panel = _class(name)
    children = [child for child in _children(panel) if child.is_registered]
    for child in children:
        bpy.utils.unregister_class(child)
    bpy.utils.unregister_class(panel)
    # Blender remembers a panel by its name as closed.
    panel.bl_options, panel.bl_idname = set(), f"{name}_open"
    bpy.utils.register_class(panel)
    for child in children:
        child.bl_parent_id = panel.bl_idname
        bpy.utils.register_class(child)


def in_japanese():
    """The tab in another language."""
    seen["japanese"] = None
    if "ja_JP" not in bpy.app.translations.locales:
        return
    view = bpy.context.preferences.view
    view.language, view.use_translate_interface = "ja_JP", True
    yield 1.0
    hands.screenshot("japanese")
    seen["japanese"] = bpy.app.translations.pgettext("Reconstruct Face", "Operator")
    view.language = "en_US"
    yield 0.5


hidden = []


def cancel_and_again():
    """Warm, cancelled in the middle by a key press, and then to the end."""
    press_button()
    yield from hands.wait_for(lambda: status().fraction > 0.1)
    started = time.perf_counter()
    hands.press("ESC")
    yield from hands.wait_for(lambda: not status().running)
    seen["seconds_to_cancel"] = time.perf_counter() - started
    seen["message_cancelled"] = status().message
    seen["heads_after_cancel"] = len(heads())
    started = time.perf_counter()
    with hands.in_viewport():
        # What a file dropped onto the viewport calls.
        drop = bpy.ops.pixel3dmm.reconstruct_from_file
        drop("INVOKE_DEFAULT", filepath=str(FOLDER / "photo.jpg"))
    seen["longest_tick"] = yield from hands.wait_for(lambda: not status().running)
    seen["seconds_warm"] = time.perf_counter() - started
    seen["heads_at_last"] = len(heads())


def save_and_reopen():
    head = heads()[0]
    before = [v.co[:] for v in head.data.vertices[:5]]
    bpy.ops.wm.save_as_mainfile(filepath=str(FOLDER / "head.blend"))
    bpy.ops.wm.read_homefile(use_factory_startup=True)
    yield 0.5
    bpy.ops.wm.open_mainfile(filepath=str(FOLDER / "head.blend"))
    yield 1.0
    head = heads()[0]
    seen["reopened_same"] = [v.co[:] for v in head.data.vertices[:5]] == before
    head.pixel3dmm.photo_expression = 0.0
    seen["reopened_neutral"] = head.data.shape_keys.key_blocks["mouthSmileLeft"].value
    seen["reopened_photo"] = bpy.context.scene.pixel3dmm.photo.endswith("photo.jpg")


def several_photos():
    """Two in a row, each with its own head; the X stops neither the first nor what it made."""
    before = len(heads())
    files = [{"name": "photo.jpg"}, {"name": "photo.jpg"}]
    with hands.in_viewport():
        bpy.ops.pixel3dmm.reconstruct_photos(directory=str(FOLDER), files=files)
    yield from hands.wait_for(lambda: status().running)
    seen["waiting"] = len(status().waiting)
    yield from hands.wait_for(lambda: not status().running and not status().waiting)
    seen["heads_of_several"] = len(heads()) - before


def undo_and_save_meanwhile():
    """An undo and a save while a job runs: the job goes on, and the file knows nothing of it."""
    bpy.context.scene.pixel3dmm.photo = str(FOLDER / "photo.jpg")
    bpy.ops.mesh.primitive_cube_add()
    bpy.ops.ed.undo_push(message="Cube")
    before, cube = len(heads()), bpy.context.object.name
    press_button()
    yield from hands.wait_for(lambda: status().fraction > 0.1)
    hands.press("Z", ctrl=True)
    yield 0.2
    seen["cube_undone"] = cube not in bpy.data.objects
    bpy.ops.wm.save_as_mainfile(filepath=str(FOLDER / "meanwhile.blend"))
    seen["running_after_undo_and_save"] = status().running
    yield from hands.wait_for(lambda: not status().running)
    seen["heads_after_undo_and_save"] = len(heads()) - before
    bpy.ops.wm.open_mainfile(filepath=str(FOLDER / "meanwhile.blend"))
    yield 0.5
    seen["reopened_meanwhile"] = [len(heads()) - before, status().running]


def options_and_preferences():
    """The options, and the extension's preferences in a window of their own."""
    bpy.ops.wm.read_homefile(use_factory_startup=True)
    yield 0.5
    yield from open_tab()
    _open("PIXEL3DMM_PT_more_options")
    yield 1.0
    hands.screenshot("options")
    seen["rows_options"] = rows_of("options", "more_options")
    _preferences_open()
    yield 1.0
    # All three parts of the setup in a window whose size Blender chooses.
    bpy.context.preferences.view.ui_scale = 0.75
    yield 2.0
    hands.screenshot("preferences")
    bpy.context.preferences.view.ui_scale = 1.0
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[-1]):
        bpy.ops.wm.window_close()
    yield 0.5


def _preferences_open():
    bpy.ops.screen.userpref_show()
    bpy.context.preferences.active_section = "ADDONS"
    bpy.context.window_manager.addon_search = "Pixel3DMM"
    addon_utils.modules_refresh()
    bpy.ops.preferences.addon_expand(module=PACKAGE)


def quit_meanwhile():
    """The last of all: Blender is told to quit while the worker is at work."""
    for panel in reversed(hidden):  # or the extension could not take them away
        bpy.utils.register_class(panel)
    bpy.context.scene.pixel3dmm.photo = str(FOLDER / "photo.jpg")
    press_button()
    yield from hands.wait_for(lambda: status().fraction > 0.1)
    seen["worker_at_quit"] = ours("jobs.session").jobs().pid


def what_must_not_break():
    # Another file while a job runs: the job ends, nothing crashes.
    bpy.context.scene.pixel3dmm.photo = str(FOLDER / "photo.jpg")
    press_button()
    yield from hands.wait_for(lambda: status().fraction > 0.1)
    bpy.ops.wm.read_homefile(use_factory_startup=True)
    yield 1.0
    seen["running_after_new_file"] = status().running
    # The extension is switched off while a job runs, and on again.
    bpy.context.scene.pixel3dmm.photo = str(FOLDER / "photo.jpg")
    press_button()
    yield from hands.wait_for(lambda: status().fraction > 0.1)
    addon_utils.disable(PACKAGE)
    yield 1.0
    addon_utils.enable(PACKAGE)
    yield 0.5
    seen["running_after_disable"] = status().running
    bpy.context.scene.pixel3dmm.photo = str(FOLDER / "photo.jpg")
    press_button()
    yield from hands.wait_for(lambda: not status().running)
    seen["heads_after_enable"] = len(heads())


def steps():
    for part in (
        begin,
        two_faces,
        in_japanese,
        first_head,
        undo_and_redo,
        cancel_and_again,
        save_and_reopen,
        overlay,
        what_must_not_break,
        several_photos,
        undo_and_save_meanwhile,
        options_and_preferences,
        faces_and_traits,
        quit_meanwhile,
    ):
        seen["part"] = part.__name__
        yield from part()
    seen["done"] = True


walk = steps()


def tick():
    try:
        return next(walk)
    except StopIteration:
        pass
    except Exception:
        seen["traceback"] = traceback.format_exc()
        hands.screenshot("failure")
    (FOLDER / "result.json").write_text(json.dumps(seen, indent=1))
    sys.stdout.flush()
    if "traceback" in seen:
        os._exit(0)
    bpy.ops.wm.quit_blender()
    return None


# Persistent: the walk goes on in the file that it loads.
bpy.app.timers.register(tick, first_interval=1.0, persistent=True)
