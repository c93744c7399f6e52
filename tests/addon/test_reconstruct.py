# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator from photo to scene with the real worker, and everything that can spoil it."""

from __future__ import annotations

import os
import signal
from types import SimpleNamespace

import bpy
import numpy as np
import pytest
from driving import drive, tick
from looking import datablocks, evaluated, reconstruct


@pytest.fixture
def jobs(ours):
    """The add-on's own jobs; the resident worker stays from test to test as it does for artists."""
    return ours("pixel3dmm_addon.jobs.session").jobs()


def test_photo_to_scene(ours, example_photo, status):
    before = datablocks()
    assert reconstruct(example_photo) == {"FINISHED"}
    head, scene = bpy.context.object, bpy.context.scene
    assert "the head is ready" in status.message
    assert not status.failed
    after = datablocks()
    made = {kind: after[kind] - before[kind] for kind in after}
    assert made == {
        "collections": 1, "objects": 3, "meshes": 1, "armatures": 1, "cameras": 1,
        "materials": 10, "images": 8, "shape_keys": 1, "actions": 0, "texts": 0,
    }  # fmt: skip
    assert len(head.data.shape_keys.key_blocks) >= 54
    assert ours("pixel3dmm_addon.scene.head").is_head(head)
    # She smiles, and looks into the camera, which therefore stands before the face.
    smile = head.data.shape_keys.key_blocks
    assert smile["mouthSmileLeft"].value + smile["mouthSmileRight"].value > 0.3
    assert scene.camera.location.y < -0.3
    extent = np.ptp(evaluated(head), axis=0)
    assert (extent > 0.1).all()
    assert (extent < 0.45).all()


def test_modal_job_gives_the_same_head(usual, modal, example_photo, status):
    operator, context, reports = modal
    bpy.context.scene.pixel3dmm.photo = str(example_photo)
    assert operator.invoke(context, tick()) == {"RUNNING_MODAL"}
    assert context.window_manager.handlers == [operator]
    assert context.window_manager.timers
    assert status.running
    assert operator.modal(context, tick("MOUSEMOVE")) == {"PASS_THROUGH"}
    assert drive(operator, context) == {"FINISHED"}
    assert context.window_manager.timers == []
    assert not status.running
    assert "the head is ready" in reports[-1]
    assert np.abs(evaluated(bpy.context.object) - usual).max() < 1e-6


def test_redo_builds_the_scene_anew_and_runs_nothing(ours, modal, example_photo, monkeypatch):
    operator, context, _ = modal
    bpy.context.scene.pixel3dmm.photo = str(example_photo)
    operator.invoke(context, tick())
    drive(operator, context)
    key = "mouthSmileLeft"
    smile = bpy.context.object.data.shape_keys.key_blocks[key].value
    assert smile > 0.1
    # Blender has undone the operator, changed a property and calls execute().
    bpy.data.batch_remove(set(bpy.data.objects))
    operator.options.is_repeat, operator.expression = True, 0.25
    jobs = ours("pixel3dmm_addon.jobs.session").jobs()
    with monkeypatch.context() as patch:
        patch.setattr(jobs, "start", lambda *a: pytest.fail("a redo must not run the predictor"))
        assert operator.execute(context) == {"FINISHED"}
    again = bpy.context.object.data.shape_keys.key_blocks[key].value
    assert again == pytest.approx(0.25 * smile, abs=1e-6)
    # Another photo under the same path is another job.
    session = ours("pixel3dmm_addon.jobs.session")
    monkeypatch.setattr(session.last_run, "key", "of another photo")
    started = []
    start = jobs.start
    monkeypatch.setattr(jobs, "start", lambda *a: started.append(a) or start(*a))
    assert operator.execute(context) == {"FINISHED"}
    assert len(started) == 1


def test_several_photos_one_after_the_other(example_photo, tmp_path, status):
    import shutil

    for name in ("one.jpg", "two.jpg"):
        shutil.copy(example_photo, tmp_path / name)
    (tmp_path / "none.jpg").write_text("no photo")
    files = [{"name": name} for name in ("one.jpg", "none.jpg", "two.jpg")]
    done = bpy.ops.pixel3dmm.reconstruct_photos(directory=str(tmp_path), files=files)
    assert done == {"FINISHED"}
    heads = [o for o in bpy.data.objects if o.type == "MESH"]
    assert sorted(head.name for head in heads) == ["one", "two"]
    assert status.done == 2
    assert len(status.failures) == 1
    assert "none.jpg" in status.failures[0]
    assert status.waiting == []


def test_photos_that_wait_start_by_themselves_and_end_with_a_cancel(
    ours, modal, example_photo, status, monkeypatch
):
    operator, context, _ = modal
    module = ours("pixel3dmm_addon.operators.worker_operator")
    timers = SimpleNamespace(register=lambda call, **_: started.append(call))
    module.bpy.app.timers, started = timers, []
    bpy.context.scene.pixel3dmm.photo = str(example_photo)
    status.waiting.append(example_photo)
    operator.invoke(context, tick())
    drive(operator, context)
    assert started == [module.start_next]
    operator.photo = ""
    operator.invoke(context, tick())
    operator.modal(context, tick("ESC", "PRESS"))
    assert status.waiting == []
    assert len(started) == 1


def test_nothing_changes_in_the_scene_before_the_last_step(modal, example_photo):
    operator, context, _ = modal
    before = datablocks()
    bpy.context.scene.pixel3dmm.photo = str(example_photo)
    operator.invoke(context, tick())
    ended = {"PASS_THROUGH"}
    while ended == {"PASS_THROUGH"}:
        assert datablocks() == before
        ended = operator.modal(context, tick())
    assert datablocks() != before


@pytest.mark.parametrize("how", ["escape", "button", "before the job", "file load"])
def test_cancel_leaves_nothing(ours, modal, example_photo, jobs, how, status):
    operator, context, reports = modal
    before = datablocks()
    bpy.context.scene.pixel3dmm.photo = str(example_photo)
    operator.invoke(context, tick())
    if how != "before the job":
        drive(operator, context, until=lambda: status.fraction > 0.0)
    if how == "file load":
        operator.cancel(context)
    else:
        if how in ("button", "before the job"):
            assert bpy.ops.pixel3dmm.cancel() == {"FINISHED"}
        else:
            # Esc does not wait for a tick.
            assert operator.modal(context, tick("ESC", "PRESS")) == {"CANCELLED"}
        assert how == "escape" or drive(operator, context) == {"CANCELLED"}
        assert reports == ["Cancelled, nothing was changed"]
    assert datablocks() == before
    assert not status.running
    assert context.window_manager.timers == []
    assert reconstruct(example_photo) == {"FINISHED"}  # and the button works again


def test_worker_killed_in_the_middle(modal, example_photo, jobs, status):
    operator, context, reports = modal
    before = datablocks()
    bpy.context.scene.pixel3dmm.photo = str(example_photo)
    operator.invoke(context, tick())
    drive(operator, context, until=lambda: status.fraction > 0.0)
    os.kill(jobs.pid, signal.SIGKILL)
    assert drive(operator, context) == {"CANCELLED"}
    assert "ended unexpectedly" in reports[-1]
    assert status.failed
    assert datablocks() == before
    assert reconstruct(example_photo) == {"FINISHED"}


def test_worker_killed_while_idle(example_photo, jobs):
    reconstruct(example_photo)
    os.kill(jobs.pid, signal.SIGKILL)
    assert reconstruct(example_photo) == {"FINISHED"}


def test_second_run_uses_the_same_worker(example_photo, jobs):
    reconstruct(example_photo)
    pid = jobs.pid
    reconstruct(example_photo)
    assert jobs.pid == pid


def test_unwritable_temporary_folder_is_one_sentence(monkeypatch, example_photo):
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", "/proc/nowhere")
    before = datablocks()
    with pytest.raises(RuntimeError, match="cannot be handed on"):
        reconstruct(example_photo)
    assert datablocks() == before


def test_a_damaged_result_is_one_sentence(ours, monkeypatch, example_photo):
    module = ours("core.rigged_head")
    monkeypatch.setattr(
        module.RiggedHead, "check", lambda self: (_ for _ in ()).throw(ValueError("quads"))
    )
    before = datablocks()
    with pytest.raises(RuntimeError, match="missing or damaged"):
        reconstruct(example_photo)
    assert datablocks() == before


def test_a_scene_that_cannot_be_built_is_one_sentence(ours, monkeypatch, example_photo):
    def fail(*arguments):
        raise ValueError("no room")

    monkeypatch.setattr(ours("pixel3dmm_addon.scene.rig"), "pose", fail)
    before = datablocks()
    with pytest.raises(RuntimeError, match="could not be put into the scene") as caught:
        reconstruct(example_photo)
    assert "Traceback" not in str(caught.value)
    assert datablocks() == before


def test_the_button_says_why_it_is_grey(scene, status):
    with pytest.raises(RuntimeError, match="Pick a photo first"):
        bpy.ops.pixel3dmm.reconstruct_face()
    scene.pixel3dmm.photo = "/some.jpg"
    status.running = True
    try:
        with pytest.raises(RuntimeError, match="wait for it or cancel it"):
            bpy.ops.pixel3dmm.reconstruct_face()
    finally:
        status.running = False
    with pytest.raises(RuntimeError, match="Nothing is being reconstructed"):
        bpy.ops.pixel3dmm.cancel()


def test_a_file_that_is_dropped_or_chosen(example_photo):
    result = bpy.ops.pixel3dmm.reconstruct_from_file(filepath=str(example_photo))
    assert result == {"FINISHED"}
    assert bpy.context.scene.pixel3dmm.photo == str(example_photo)
    assert len(bpy.context.object.data.shape_keys.key_blocks) >= 54
    with pytest.raises(RuntimeError, match="does not exist"):
        bpy.ops.pixel3dmm.reconstruct_from_file(filepath="/nowhere.jpg")


def test_look_through(example_photo):
    reconstruct(example_photo)
    camera = bpy.context.scene.camera
    bpy.context.scene.camera = None
    assert bpy.ops.pixel3dmm.look_through() == {"FINISHED"}
    assert bpy.context.scene.camera == camera
    bpy.data.objects.remove(camera)
    with pytest.raises(RuntimeError, match="no longer in the head's collection"):
        bpy.ops.pixel3dmm.look_through()


def test_saved_head_opens_without_the_extension(ours, tmp_path, example_photo):
    reconstruct(example_photo)
    shown = evaluated(bpy.context.object)
    path = tmp_path / "head.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    bpy.ops.wm.open_mainfile(filepath=str(path))
    (head,) = [o for o in bpy.data.objects if o.type == "MESH"]
    assert np.abs(evaluated(head) - shown).max() < 1e-6
    assert ours("pixel3dmm_addon.scene.head").is_head(head)
