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
        if issubclass(panel, bpy.types.Menu):
            continue
        assert (panel.bl_space_type, panel.bl_region_type) == ("VIEW_3D", "UI")
        assert panel.bl_category == "Pixel3DMM"
    operator = bpy.types.PIXEL3DMM_OT_reconstruct_face
    assert operator.bl_label == "Reconstruct Face"


def test_panel_before_during_and_after(ours, scene, status, example_photo):
    empty = draw(ours, "PIXEL3DMM_PT_photo")
    assert ("prop", "photo") in empty
    assert ("operator", "pixel3dmm.reconstruct_face") in empty
    assert ("operator", "pixel3dmm.reconstruct_photos") in empty
    assert any(kind == "label" and "drop a photo" in text for kind, text in empty)
    options = draw(ours, "PIXEL3DMM_PT_options")
    assert {("prop", "head_choice"), ("prop", "predictor_choice")} <= set(options)
    assert not [d for d in empty if d[0] == "picture"]

    scene.pixel3dmm.photo = str(example_photo)
    # Blender makes icons in a window alone; the picture itself is checked in tests/gui.
    assert ("operator", "pixel3dmm.check_photo") in draw(ours, "PIXEL3DMM_PT_photo")
    scene.pixel3dmm.photo = "/nowhere.jpg"
    assert ("label", "There is no file at this path") in draw(ours, "PIXEL3DMM_PT_photo")

    status.running, status.stage, status.fraction = True, "Fitting the head", 0.5
    during = draw(ours, "PIXEL3DMM_PT_photo")
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
    after = [text for kind, text in draw(ours, "PIXEL3DMM_PT_photo") if kind == "label"]
    assert " ".join(after).endswith(status.message)
    assert max(len(line) for line in after) <= 34


def test_head_panel_and_sliders(ours, scene, person):
    drawn = draw(ours, "PIXEL3DMM_PT_head")
    assert ("label", "someone") in drawn
    assert ("label", "Open Head: CC0-1.0 AND MIT") in drawn
    assert ("label", "The light comes from one side.") in drawn
    assert ("operator", "pixel3dmm.look_through") in drawn
    sliders = [text for kind, text in draw(ours, "PIXEL3DMM_PT_sliders") if kind == "prop"]
    assert {"photo_expression", "photoResidual", "search", "gaze_up"} <= set(sliders)
    arkit = ours("core.heads.arkit").ARKIT_NAMES
    assert sorted(s for s in sliders if s in arkit) == sorted(arkit)


@pytest.mark.parametrize("which", ["rig", "camera"])
def test_head_is_found_from_its_rig_and_camera(ours, person, which):
    bpy.context.view_layer.objects.active = getattr(person, which)
    assert ours("pixel3dmm_addon.scene.head").active_head(bpy.context) == person.head


def test_panels_without_a_head(ours, scene):
    assert ("label", "Select a head made from a photo") in draw(ours, "PIXEL3DMM_PT_head")
    assert draw(ours, "PIXEL3DMM_PT_sliders") is None
    bpy.ops.mesh.primitive_cube_add()
    assert draw(ours, "PIXEL3DMM_PT_sliders") is None


def test_non_commercial_heads_say_so(ours, person):
    person.head["pixel3dmm_commercial_use"] = "no"
    assert ("label", "Commercial use: no") in draw(ours, "PIXEL3DMM_PT_head")


def test_a_report_that_somebody_spoilt_does_not_break_the_panel(ours, person):
    for value in ("{", "[]", 3):
        person.head["pixel3dmm_report"] = value
        assert ("label", "someone") in draw(ours, "PIXEL3DMM_PT_head")


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
