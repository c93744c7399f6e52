# SPDX-License-Identifier: GPL-3.0-or-later
"""Correct Fit without its window: the head follows a drag, the worker's fit follows that."""

from __future__ import annotations

import time
from types import SimpleNamespace

import bpy
import numpy as np
import pytest
from looking import datablocks, evaluated
from recording import draw


@pytest.fixture
def head(scene, example_blend):
    bpy.ops.wm.open_mainfile(filepath=str(example_blend))
    return bpy.context.object


@pytest.fixture
def continuation(ours):
    return ours("pixel3dmm_addon.scene.continuation")


@pytest.fixture
def work(ours, head, monkeypatch):
    """The tool's work, ready for a drag; what it pushes to undo is counted."""
    module, said = ours("pixel3dmm_addon.operators.fit_work"), []
    work = module.FitWork(bpy.context, head, 0, said.append)
    work.said, work.pushed = said, []
    ops = SimpleNamespace(
        ed=SimpleNamespace(undo_push=lambda message: work.pushed.append(message)),
        object=bpy.ops.object,
    )
    stand_in = SimpleNamespace(context=bpy.context, data=bpy.data, ops=ops, types=bpy.types)
    monkeypatch.setattr(module, "bpy", stand_in)
    settle(work)
    yield work
    work.close()
    assert not said


def settle(work):
    """Ticks until the worker has nothing more to do."""
    until = time.monotonic() + 60
    while work._steps is not None or work._live is not None or work._ready is not None:
        work.advance(bpy.context)
        assert time.monotonic() < until


def mark(work, name):
    everything = work.pins.marks(everything=True)
    return next(m for m in everything if m.name == name)


def residual(head):
    key = head.data.shape_keys.key_blocks["photoResidual"]
    flat = np.empty(3 * len(key.points), np.float32)
    key.points.foreach_get("co", flat)
    return flat


def seen(work, head, pin):
    """Where Blender's camera shows a pinned point of the head in the scene, photo pixels."""
    from bpy_extras.object_utils import world_to_camera_view
    from mathutils import Vector

    surface = work.pins.live.surface
    corners, weights = pin.corners, pin.weights
    if not corners:
        corners = surface.landmark_vertices[pin.landmark]
        weights = surface.landmark_barycentric[pin.landmark]
    point = np.asarray(weights) @ evaluated(head)[list(corners)]
    scene, known = bpy.context.scene, work.known.photos[0]
    scene.render.resolution_x, scene.render.resolution_y = known.width, known.height
    u, v, _ = world_to_camera_view(scene, head["pixel3dmm_camera"], Vector(point))
    return np.array([u * known.width, (1 - v) * known.height])


def pull(work, name, by, steps=3):
    """Takes a point and moves it, without letting go; where the mouse is now."""
    what = mark(work, name)
    start = work.pins.at(what)
    work.pins.take(what, start + 1.0)  # beside it: the point keeps its distance to the mouse
    for k in range(1, steps + 1):
        work.drag(start + 1.0 + np.array(by) * k / steps)
    return what, start + by


@pytest.mark.parametrize(
    ("name", "by"), [("Right mouth corner", (-4.0, 2.0)), ("Left ear, back", (3.0, 0.0))]
)
def test_the_head_in_the_scene_follows_the_mouse_and_then_the_fit(
    work, head, continuation, name, by
):
    blocks, before = datablocks(), residual(head)
    what, goal = pull(work, name, by)
    assert np.linalg.norm(seen(work, head, what.pin) - goal) < 1
    assert continuation.read(head).pins == ()
    work.solve(work.pins.drop())
    settle(work)
    (pin,) = continuation.read(head).pins
    assert pin.place == what.pin.place
    assert np.linalg.norm(goal - (pin.x, pin.y)) < 1e-3
    assert np.linalg.norm(seen(work, head, pin) - goal) < 1
    assert len(work.pushed) == 1
    assert datablocks() == blocks
    # What the drag had added for a while is gone: removed, the pin leaves the head as it was.
    work.remove(work.shown()[0][-1])
    settle(work)
    assert continuation.read(head).pins == ()
    assert np.abs(residual(head) - before).max() < 1e-3


def test_a_drag_that_is_given_up_changes_nothing(work, head, continuation):
    before, text = residual(head), continuation.text(head)
    pull(work, "Chin", (0.0, 8.0))
    assert np.abs(residual(head) - before).max() > 1e-3
    work.give_up()
    settle(work)
    assert (residual(head) == before).all()
    assert continuation.text(head) == text
    assert not work.pushed


def test_while_the_mouse_rests_the_worker_fits_already(work, head):
    pull(work, "Nose tip", (2.0, 0.0))
    work.prepare(list(work.pins.dragged))
    until = time.monotonic() + 30
    while work._ready is None:
        work.advance(bpy.context)
        assert time.monotonic() < until
    # Nothing is shown of it before the mouse lets go; then it needs no second fit.
    assert work.known.pins == ()
    work.solve(work.pins.drop())
    assert work._steps is None
    assert work.advance(bpy.context)
    assert len(work.known.pins) == 1
    settle(work)


def test_both_sides_at_once(work, head, scene):
    bpy.context.scene.pixel3dmm.fit.symmetric = True
    pull(work, "Left jaw line", (5.0, 0.0))
    work.solve(work.pins.drop())
    settle(work)
    left, right = work.known.pins
    assert (left.landmark, right.landmark) == (379, 150)
    assert len(work.pushed) == 1
    # A second drag of either one moves both again.
    pull(work, "Right jaw line", (1.0, 0.0))
    assert len(work.pins.drop()) == 2


def test_a_place_without_a_name_is_pinned_nudged_and_kept(work, head, continuation, tmp_path):
    pose = work.pins.pose
    at = pose.pixels[work.pins.live.surface.skin].mean(axis=0)
    what = work.pins.under([], np.zeros((0, 2)), np.zeros(2), at, 4.0)
    assert what.name == ""
    work.pins.take(what, at)
    work.solve(work.pins.drop())  # a press without a move holds the place where it is
    settle(work)
    work.nudge(what, np.array([0.5, 0.0]))
    work.solve(work.pins.pins())
    settle(work)
    (pin,) = continuation.read(head).pins
    assert pin.x - what.pin.x == pytest.approx(0.5, abs=0.02)
    assert np.linalg.norm(seen(work, head, pin) - (pin.x, pin.y)) < 1
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "kept.blend"), copy=True)
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "kept.blend"))
    assert continuation.read(bpy.context.object).pins == (pin,)


def test_sliders_stay_within_their_range(work, head):
    rng = np.random.default_rng(1)
    for name in ("Upper lip", "Left brow, top", "Right mouth corner", "Chin"):
        pull(work, name, rng.normal(0, 30.0, 2))
        work.solve(work.pins.drop())
    settle(work)
    assert len(work.known.pins) == 4
    values = [k.value for k in head.data.shape_keys.key_blocks]
    assert min(values) >= 0
    assert max(values) <= 1


def test_what_was_fitted_before_an_undo_is_not_laid_upon_it(work, head, continuation):
    pull(work, "Chin", (0.0, 4.0))
    work.solve(work.pins.drop())
    # An undo gives the head another text while the worker is at it.
    other = continuation.read(head).with_pins(
        [work.pins.live.surface.pin_of(h, 0) for h in work.pins.live.surface.handles[:1]]
    )
    work.show_scene()
    continuation.store(head, other.to_json())
    before = residual(head)
    settle(work)
    work.advance(bpy.context)
    settle(work)
    assert (residual(head) == before).all()
    assert len(work.known.pins) == 1
    assert work.known.pins[0].place == other.pins[0].place


def test_a_photo_whose_camera_is_gone_is_said(ours, work):
    with pytest.raises(ours("core.errors").PersonError, match="photo 2"):
        work.show_photo(1)


def test_the_panel_shows_the_tool_and_its_end(ours, work, monkeypatch):
    panel = ours("pixel3dmm_addon.panels.correct_fit")
    assert not panel.PIXEL3DMM_PT_correct_fit.poll(bpy.context)
    with pytest.raises(RuntimeError, match="Press Correct Fit first"):
        bpy.ops.pixel3dmm.correct_fit_done()
    monkeypatch.setattr(panel, "running", lambda: SimpleNamespace(work=work, area=None))
    drawn = draw(ours, "PIXEL3DMM_PT_correct_fit")
    assert ("operator", "pixel3dmm.correct_fit_done") in drawn
    names = {text for kind, text in drawn if kind == "prop"}
    assert names == {"photo_opacity", "wire_opacity", "symmetric", "all_handles"}
