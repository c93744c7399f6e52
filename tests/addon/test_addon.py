# SPDX-License-Identifier: GPL-3.0-or-later
"""The extension's life: enable, panels, preferences, disable, remove."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import addon_utils
import bpy
import pytest
from recording import Layout, draw

PACKAGE = "bl_ext.user_default.pixel3dmm"


def test_tab_and_names(ours):
    panels = ours("pixel3dmm_addon.panels")
    for panel in panels.CLASSES:
        if issubclass(panel, bpy.types.Menu) or panel.bl_region_type == "HEADER":  # presets
            continue
        assert (panel.bl_space_type, panel.bl_region_type) == ("VIEW_3D", "UI")
        assert panel.bl_category == "Pixel3DMM"
    operator = bpy.types.PIXEL3DMM_OT_reconstruct_face
    assert operator.bl_label == "Reconstruct Face"


def test_panel_before_during_and_after(ours, scene, status, example_photo):
    empty = draw(ours, "PIXEL3DMM_PT_photo")
    assert ("prop", "photo") in empty
    assert ("operator", "pixel3dmm.first_steps") in empty
    assert "drop it onto the 3D view" in words(empty)
    button = draw(ours, "PIXEL3DMM_PT_reconstruct")
    assert ("operator", "pixel3dmm.reconstruct_face") in button
    assert ("operator", "pixel3dmm.reconstruct_photos") in button
    options = draw(ours, "PIXEL3DMM_PT_options")
    in_sight = ("head_choice", "texture", "hair", "subdivision_view", "subdivision_render")
    greyed = ("label", "Neural head (NPHM): weights not imported")
    assert [o for o in options if o != greyed] == [("prop", name) for name in in_sight]
    assert greyed in options
    assert draw(ours, "PIXEL3DMM_PT_options_again") is None
    assert ("prop", "predictor_choice") in draw(ours, "PIXEL3DMM_PT_more_options")
    assert not [d for d in empty if d[0] == "picture"]

    scene.pixel3dmm.photo = str(example_photo)
    # Blender makes icons in a window alone; the picture itself is checked in tests/gui.
    assert ("operator", "pixel3dmm.check_photo") in draw(ours, "PIXEL3DMM_PT_photo")
    scene.pixel3dmm.photo = "/nowhere.jpg"
    assert "There is no file at this path" in words(draw(ours, "PIXEL3DMM_PT_photo"))

    status.running, status.stage, status.fraction = True, "Fitting the head", 0.5
    during = draw(ours, "PIXEL3DMM_PT_reconstruct")
    header = SimpleNamespace(layout=Layout())
    ours("pixel3dmm_addon.panels.status_bar").draw(header, bpy.context)
    status.running = False
    assert header.layout.drawn == [d for d in during if d in header.layout.drawn] != []
    ours("pixel3dmm_addon.panels.status_bar").draw(header := SimpleNamespace(layout=Layout()), None)
    assert header.layout.drawn == []
    assert any(kind == "progress" and "Fitting the head 50%" in text for kind, text in during)
    assert ("operator", "pixel3dmm.cancel") in during

    scene.pixel3dmm.photo = ""
    status.message = "A sentence that is much longer than one line of a sidebar could ever hold."
    drawn = draw(ours, "PIXEL3DMM_PT_reconstruct")
    after = [text for kind, text in drawn if kind == "label"]
    assert " ".join(after).endswith(status.message)
    assert max(len(line) for line in after) <= 34


@pytest.mark.parametrize(
    ("code", "button"),
    [
        ("no_face", "reconstruct_from_file"),
        ("photo", "reconstruct_from_file"),
        ("runtime", "open_settings"),
        ("worker", "open_log"),
        ("", "copy_diagnostics"),
    ],
)
def test_an_error_offers_the_next_step_as_a_button(ours, status, code, button):
    status.message, status.failed, status.code = "It went wrong: do something.", True, code
    drawn = draw(ours, "PIXEL3DMM_PT_reconstruct")
    assert ("label", "It went wrong: do something.") in drawn
    assert ("operator", f"pixel3dmm.{button}") in drawn
    status.failed = False
    assert ("operator", f"pixel3dmm.{button}") not in draw(ours, "PIXEL3DMM_PT_reconstruct")


def test_the_error_of_a_run_tells_its_kind(scene, status, tmp_path):
    (tmp_path / "x.jpg").write_text("no picture")
    scene.pixel3dmm.photo = str(tmp_path / "x.jpg")
    with pytest.raises(RuntimeError, match="not a picture"):
        bpy.ops.pixel3dmm.reconstruct_face()
    assert (status.failed, status.code) == (True, "photo")


def words(drawn):
    """All labels, as they are read."""
    return " ".join(text for kind, text in drawn if kind == "label")


STEPS = ("pins", "likeness", "head", "expression", "rig", "export")


@pytest.mark.parametrize("step", STEPS)
def test_steps_are_there_without_a_head_and_say_what_to_do(ours, scene, step):
    name = f"PIXEL3DMM_PT_{step}"
    assert words(draw(ours, name)).startswith("Choose a photo above")
    scene.pixel3dmm.photo = "/a/photo.jpg"
    assert words(draw(ours, name)).startswith("Press Reconstruct Face above")


def test_a_head_that_is_not_chosen_is_pointed_at(ours, person):
    bpy.context.view_layer.objects.active = None
    assert words(draw(ours, "PIXEL3DMM_PT_export")).startswith("Click a head in the 3D view")


def test_the_panels_stand_in_the_order_of_work(ours):
    top = [
        panel.bl_label
        for panel in ours("pixel3dmm_addon.panels").CLASSES
        if issubclass(panel, bpy.types.Panel)
        and not getattr(panel, "bl_parent_id", "")
        and panel.bl_region_type == "UI"
    ]
    wanted = ["Photo", "Reconstruct", "Fit", "Likeness", "Look", "Expression", "Rig", "Export"]
    # The tool's own panel stands above them, and only while it runs.
    assert top[: 1 + len(wanted)] == ["Correct Fit", *wanted]
    assert draw(ours, "PIXEL3DMM_PT_correct_fit") is None
    closed = {
        panel.__name__.removeprefix("PIXEL3DMM_PT_")
        for panel in ours("pixel3dmm_addon.panels").CLASSES
        if "DEFAULT_CLOSED" in getattr(panel, "bl_options", ())
    }
    assert {"hair", "my_mesh", "folder", "capture", "more", "help", "options_again"} <= closed
    assert not closed & {"photo", "reconstruct", "options", "expression"}


def test_presets_of_the_options_are_blenders(ours, scene, profile):
    choices = scene.pixel3dmm
    choices.texture, choices.subdivision_view = "4k", 2
    assert bpy.ops.pixel3dmm.reconstruct_preset_add(name="Close up") == {"FINISHED"}
    (file,) = profile.rglob("presets/pixel3dmm/reconstruct/*.py")
    choices.texture, choices.subdivision_view = "off", 0
    menu = "PIXEL3DMM_MT_reconstruct_presets"
    bpy.ops.script.execute_preset(filepath=str(file), menu_idname=menu)
    assert (choices.texture, choices.subdivision_view) == ("4k", 2)
    assert choices.photo == ""
    bpy.ops.pixel3dmm.reconstruct_preset_add(remove_active=True)
    remembered = ours("pixel3dmm_addon.operators.presets").REMEMBERED
    assert set(remembered) <= set(choices.bl_rna.properties.keys())


def test_head_panel_and_sliders(ours, scene, person):
    assert ("label", "Open Head: CC0-1.0 AND MIT") in draw(ours, "PIXEL3DMM_PT_head")
    assert draw(ours, "PIXEL3DMM_PT_options") is None
    assert ("prop", "texture") in draw(ours, "PIXEL3DMM_PT_options_again")
    drawn = draw(ours, "PIXEL3DMM_PT_reconstruct")
    assert ("label", "someone") in drawn
    assert ("label", "The light comes from one side.") in drawn
    assert ("operator", "pixel3dmm.look_through") in drawn
    amounts = [text for kind, text in draw(ours, "PIXEL3DMM_PT_expression") if kind == "prop"]
    assert amounts == ["photo_expression", "photoResidual"]
    sliders = [text for kind, text in draw(ours, "PIXEL3DMM_PT_sliders") if kind == "prop"]
    assert {"search", "gaze_up"} <= set(sliders)
    arkit = ours("core.heads.arkit").ARKIT_NAMES
    assert sorted(s for s in sliders if s in arkit) == sorted(arkit)


@pytest.mark.parametrize("which", ["rig", "camera"])
def test_head_is_found_from_its_rig_and_camera(ours, person, which):
    bpy.context.view_layer.objects.active = getattr(person, which)
    assert ours("pixel3dmm_addon.scene.head").active_head(bpy.context) == person.head


def test_panels_without_a_head(ours, scene):
    assert draw(ours, "PIXEL3DMM_PT_sliders") is None
    bpy.ops.mesh.primitive_cube_add()
    assert draw(ours, "PIXEL3DMM_PT_sliders") is None


def test_non_commercial_heads_say_so(ours, person):
    person.head["pixel3dmm_commercial_use"] = "no"
    assert ("label", "Commercial use: no") in draw(ours, "PIXEL3DMM_PT_head")


def test_a_report_that_somebody_spoilt_does_not_break_the_panel(ours, person):
    for value in ("{", "[]", 3):
        person.head["pixel3dmm_report"] = value
        assert ("label", "someone") in draw(ours, "PIXEL3DMM_PT_reconstruct")


def test_preferences(ours):
    preferences = bpy.context.preferences.addons[PACKAGE].preferences
    layout = Layout()
    draw_preferences = ours("pixel3dmm_addon.preferences").PIXEL3DMM_AP_preferences.draw
    fake = SimpleNamespace(layout=layout, bl_rna=preferences.bl_rna)
    draw_preferences(fake, bpy.context)
    assert ("operator", "pixel3dmm.open_log") in layout.drawn
    preferences.idle_minutes = 3.0
    assert ours("pixel3dmm_addon.jobs.session").jobs().idle_minutes == pytest.approx(3.0)


def test_log_lies_in_the_users_files_and_opens(ours, profile):
    log = ours("pixel3dmm_addon.paths").log_file()
    assert log.is_relative_to(profile)
    log.write_text("what was logged")
    assert bpy.ops.pixel3dmm.open_log() == {"FINISHED"}
    assert bpy.data.texts[-1].as_string() == "what was logged"
    log.unlink()
    with pytest.raises(RuntimeError, match="Nothing has been logged yet"):
        bpy.ops.pixel3dmm.open_log()


def test_import_entry_and_drop(ours, scene):
    module = ours("pixel3dmm_addon.operators.photo_file")
    layout = Layout()
    module.draw_import_entry(SimpleNamespace(layout=layout), bpy.context)
    assert layout.drawn == [("operator", "pixel3dmm.reconstruct_from_file")]
    handler = module.PIXEL3DMM_FH_photo
    view = SimpleNamespace(area=SimpleNamespace(type="VIEW_3D"))
    assert handler.poll_drop(view)
    assert not handler.poll_drop(SimpleNamespace(area=None))
    assert ".jpg" in handler.bl_file_extensions.split(";")


def registered():
    """What a register leaves behind in Blender."""
    types = {name for name in dir(bpy.types) if name.startswith("PIXEL3DMM_")}
    menu = len(bpy.types.TOPBAR_MT_file_import._dyn_ui_initialize())
    return types, menu, hasattr(bpy.types.Scene, "pixel3dmm"), "pixel3dmm" in dir(bpy.ops)


def test_disable_and_enable_ten_times(ours):
    enabled = registered()
    assert enabled[2]
    for _ in range(10):
        addon_utils.disable(PACKAGE, default_set=True)
        types, menu, scene, _ = registered()
        assert types == set()
        assert menu == enabled[1] - 1
        assert not scene
        addon_utils.enable(PACKAGE, default_set=True)
        assert registered() == enabled


def test_disable_while_the_worker_runs_ends_it(ours):
    jobs = ours("pixel3dmm_addon.jobs.session").jobs()
    job = jobs.start("no such kind", {})
    pid = jobs.pid
    addon_utils.disable(PACKAGE, default_set=True)
    try:
        assert job.finished
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    finally:
        addon_utils.enable(PACKAGE, default_set=True)


def test_core_in_the_zip_does_not_see_blender(ours):
    """core is the same code as on the command line: no bpy, and no import at the top of it."""
    folder = Path(ours("core").__file__).parent
    for path in folder.rglob("*.py"):
        assert "import bpy" not in path.read_text(encoding="utf-8"), path
