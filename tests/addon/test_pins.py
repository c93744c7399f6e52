# SPDX-License-Identifier: GPL-3.0-or-later
"""Pins and further photos on a head in the scene, with the real worker: what follows and stays."""

from __future__ import annotations

import json
import shutil

import bpy
import numpy as np
import pytest
from looking import datablocks, evaluated, reconstruct
from test_photos import save_image, turn_by_exif


def opened(path):
    bpy.ops.wm.open_mainfile(filepath=str(path))
    return bpy.context.object


@pytest.fixture
def head(scene, example_blend):
    return opened(example_blend)


@pytest.fixture
def of_photo(scene, example_blend):
    """of_photo(path): the head, with its photo, the same one, lying somewhere else."""

    def moved(path):
        head = opened(example_blend)
        image = head["pixel3dmm_camera"].data.background_images[0].image
        image.filepath = str(path)
        image.reload()
        return head

    return moved


@pytest.fixture
def continuation(ours):
    return ours("pixel3dmm_addon.scene.continuation")


def place(continuation, head, landmark, photo=0):
    """Where the last fit has a landmark, photo pixels."""
    return continuation.read(head).photos[photo].landmarks_fit[landmark].copy()


def pin(continuation, head, landmark, by):
    goal = place(continuation, head, landmark) + by
    done = bpy.ops.pixel3dmm.pin_landmark(landmark=landmark, x=float(goal[0]), y=float(goal[1]))
    assert done == {"FINISHED"}
    return goal


def seen_at(ours, continuation, head, landmark):
    """Where Blender's camera shows the mesh's own landmark, photo pixels."""
    from bpy_extras.object_utils import world_to_camera_view
    from mathutils import Vector

    vertices = np.array(head.data["pixel3dmm_landmark_vertices"]).reshape(-1, 3)[landmark]
    weights = np.array(head.data["pixel3dmm_landmark_weights"]).reshape(-1, 3)[landmark]
    point = weights @ evaluated(head)[vertices]
    scene, known = bpy.context.scene, continuation.read(head).photos[0]
    scene.render.resolution_x, scene.render.resolution_y = known.width, known.height
    u, v, _ = world_to_camera_view(scene, head["pixel3dmm_camera"], Vector(point))
    return np.array([u * known.width, (1 - v) * known.height])


def keys(head):
    """(K, V, 3) of all keys, scene."""
    out = []
    for key in head.data.shape_keys.key_blocks:
        flat = np.empty(3 * len(key.points), np.float32)
        key.points.foreach_get("co", flat)
        out.append(flat.reshape(-1, 3))
    return np.array(out)


@pytest.mark.parametrize(("landmark", "by"), [(4, (3.0, 0.0)), (61, (-4.0, 2.0))])
def test_a_pulled_landmark_is_seen_where_it_was_pulled_to(ours, continuation, head, landmark, by):
    goal = pin(continuation, head, landmark, by)
    assert np.linalg.norm(seen_at(ours, continuation, head, landmark) - goal) < 1
    assert np.linalg.norm(place(continuation, head, landmark) - goal) < 1
    (only,) = continuation.read(head).pins
    assert (only.photo, only.landmark) == (0, landmark)


def test_a_pin_makes_and_removes_no_data(continuation, head):
    before = datablocks()
    pin(continuation, head, 4, (3.0, 0.0))
    assert datablocks() == before
    assert bpy.context.object == head


def test_remove_pins_brings_the_landmark_back(continuation, head):
    pin(continuation, head, 4, (0.5, 0.0))
    bpy.ops.pixel3dmm.remove_pins()
    rest = place(continuation, head, 4)
    pin(continuation, head, 4, (5.0, 0.0))
    bpy.ops.pixel3dmm.remove_pins()
    assert np.linalg.norm(place(continuation, head, 4) - rest) < 0.5
    assert continuation.read(head).pins == ()


def test_hand_edits_stay(continuation, head):
    assert bpy.ops.pixel3dmm.sculpt_layer() == {"FINISHED"}
    blocks = head.data.shape_keys.key_blocks
    layer = blocks[-1]
    assert layer == head.active_shape_key
    at, bump = 1234, np.array([0.01, 0.0, 0.02])
    layer.points[at].co = np.array(layer.points[at].co) + bump
    blocks["jawOpen"].points[7].co = np.array(blocks["jawOpen"].points[7].co) + bump
    blocks["browInnerUp"].value = 0.87  # a slider that was moved by hand
    before = keys(head)
    pin(continuation, head, 152, (0.0, 6.0))
    after = keys(head)
    assert np.abs(after - before).max() > 1e-3
    assert np.abs((after[-1] - after[0])[at] - bump).max() < 1e-6
    others = np.delete(after[-1] - after[0], at, axis=0)
    assert np.abs(others).max() < 1e-6
    jaw = blocks.find("jawOpen")
    moved = (after[jaw] - after[0])[7] - (before[jaw] - before[0])[7]
    assert np.abs(moved).max() < 2e-3  # the bump of 22 mm is still there
    assert blocks["browInnerUp"].value == pytest.approx(0.87)


def test_a_head_that_was_moved_stays_where_it_is(ours, continuation, head):
    family = [head.find_armature(), head["pixel3dmm_camera"]]
    from mathutils import Matrix

    shift = Matrix.Translation((1.0, 2.0, 0.5))
    for obj in family:
        obj.matrix_world = shift @ obj.matrix_world
    bpy.context.view_layer.update()
    goal = pin(continuation, head, 61, (-4.0, 2.0))
    bpy.context.view_layer.update()
    assert np.linalg.norm(seen_at(ours, continuation, head, 61) - goal) < 1


def test_one_pin_on_a_renamed_copy_leaves_the_original_alone(continuation, head):
    head.name = "somebody"
    copy = head.copy()
    copy.data = head.data.copy()
    bpy.context.collection.objects.link(copy)
    before = evaluated(head)
    bpy.context.view_layer.objects.active = copy
    pin(continuation, copy, 61, (-4.0, 2.0))
    assert len(continuation.read(copy).pins) == 1
    assert continuation.read(head).pins == ()
    assert np.abs(keys(copy)[0] - keys(head)[0]).max() > 1e-4
    # They share the bones, which follow; the face is the original's own.
    assert np.abs(evaluated(head) - before).max() < 2e-3


def test_another_photo_of_the_person(ours, continuation, head, example_photo, tmp_path):
    again = tmp_path / "another.jpg"
    shutil.copy(example_photo, again)
    goal = pin(continuation, head, 4, (3.0, 0.0))
    bpy.ops.pixel3dmm.sculpt_layer()
    layer = head.data.shape_keys.key_blocks[-1]
    layer.points[99].co.x += 0.01
    assert bpy.ops.pixel3dmm.add_photo(filepath=str(again)) == {"FINISHED"}
    known = continuation.read(head)
    assert [p.name for p in known.photos] == [example_photo.stem, "another"]
    assert np.linalg.norm(known.photos[0].landmarks_fit[4] - goal) < 1
    camera = head["pixel3dmm_camera_1"]
    assert camera.type == "CAMERA"
    assert camera.data.background_images[0].image.filepath == str(again)
    assert continuation.photo_index(head, camera) == 1
    edit = np.array(layer.points[99].co) - head.data.shape_keys.key_blocks[0].points[99].co
    assert np.abs(edit - [0.01, 0, 0]).max() < 1e-6
    # And pins go on, on the second photo too.
    goal = place(continuation, head, 61, photo=1) + np.array([-3.0, 0.0])
    bpy.ops.pixel3dmm.pin_landmark(photo=1, landmark=61, x=goal[0], y=goal[1])
    assert np.linalg.norm(place(continuation, head, 61, photo=1) - goal) < 1
    assert len(json.loads(head["pixel3dmm_report"])["photos"]) == 2


def seen_otherwise(ours, photo):
    """(H, W, 3) of a photo in 0..1, as from a little aside, darker: its plane turned by a few
    degrees and drawn in bilinearly.
    """
    pixels = ours("pixel3dmm_addon.photos.loading").load_photo(photo).photo.pixels / np.float32(255)
    height, width = pixels.shape[:2]
    x, y = np.meshgrid((np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height)
    depth = 1 + 0.06 * (x - 0.5)
    u = np.clip(((x - 0.5) * 0.97 / depth + 0.5) * width - 0.5, 0, width - 1.001)
    v = np.clip(((y - 0.5) / depth + 0.5) * height - 0.5, 0, height - 1.001)
    column, row = u.astype(int), v.astype(int)
    a, b = (u - column)[..., None], (v - row)[..., None]
    upper = (1 - a) * pixels[row, column] + a * pixels[row, column + 1]
    lower = (1 - a) * pixels[row + 1, column] + a * pixels[row + 1, column + 1]
    return 0.85 * ((1 - b) * upper + b * lower)


@pytest.fixture
def of_their_own(tmp_path, ours, example_photo):
    """(first, second): two photos of one person that a test may remove."""
    first, second = tmp_path / "first.jpg", tmp_path / "second.png"
    shutil.copy(example_photo, first)
    save_image(second, seen_otherwise(ours, example_photo))
    return first, second


@pytest.fixture
def warnings(ours, monkeypatch):
    """Sentences that the next changes of a head come with."""
    run, found = ours("pixel3dmm_addon.jobs.refit"), []

    class Listening(run.RefitRun):
        def steps(self, wait=0.0):
            change = yield from super().steps(wait)
            found.extend(change.warnings)
            return change

    monkeypatch.setattr(ours("pixel3dmm_addon.operators.add_photo"), "RefitRun", Listening)
    return found


@pytest.mark.parametrize("how", ["where it was", "packed", "turned", "camera deleted"])
def test_a_further_photo_is_compared_with_the_first(
    ours, continuation, of_their_own, of_photo, warnings, how
):
    first, second = of_their_own
    if how == "turned":
        # Lying on its side; the .blend holds an upright copy from the start.
        first = first.with_name("lying.png")
        upright = ours("pixel3dmm_addon.photos.loading").load_photo(of_their_own[0]).photo.pixels
        save_image(first, (upright / np.float32(255))[:, ::-1].swapaxes(0, 1))
        turn_by_exif(first)
        reconstruct(first)
        head = bpy.context.object
    else:
        head = of_photo(first)
    if how == "packed":
        assert bpy.ops.pixel3dmm.pack_photos() == {"FINISHED"}
    if how == "camera deleted":
        camera = head["pixel3dmm_camera"]
        with bpy.context.temp_override(selected_objects=[camera]):
            bpy.ops.object.delete()
        assert not camera.users_collection
    elif how != "where it was":
        first.unlink()
    assert bpy.ops.pixel3dmm.add_photo(filepath=str(second)) == {"FINISHED"}
    known = continuation.read(head)
    assert [(m.first, m.second) for m in known.matches] == [(0, 1)]
    assert known.matches[0].count >= 50
    assert not any("where it was" in w for w in warnings)
    # A pin moves the head under the same matches.
    pin(continuation, head, 4, (3.0, 0.0))
    assert [m.count for m in continuation.read(head).matches] == [known.matches[0].count]


def test_several_photos_at_once(continuation, head, of_their_own, warnings):
    first, second = of_their_own
    files = [{"name": first.name}, {"name": second.name}]
    assert bpy.ops.pixel3dmm.add_photo(directory=str(first.parent), files=files) == {"FINISHED"}
    known = continuation.read(head)
    assert [p.name for p in known.photos][1:] == ["first", "second"]
    assert {(m.first, m.second) for m in known.matches} == {(0, 1), (0, 2), (1, 2)}
    for i, path in enumerate(of_their_own, start=1):
        camera = head[f"pixel3dmm_camera_{i}"]
        assert camera.data.background_images[0].image.filepath == str(path)
        assert continuation.photo_index(head, camera) == i
    assert [w for w in warnings if not w.startswith("The face is small")] == []


def test_the_same_photo_twice_is_compared_too(continuation, head, example_photo, warnings):
    assert bpy.ops.pixel3dmm.add_photo(filepath=str(example_photo)) == {"FINISHED"}
    (only,) = continuation.read(head).matches
    assert np.median(np.linalg.norm(only.at_first - only.at_second, axis=1)) < 0.5
    assert not any("where it was" in w for w in warnings)


@pytest.mark.parametrize("how", ["gone", "another one", "no photo", "background removed"])
def test_a_first_photo_that_is_not_at_hand_is_said(
    continuation, of_their_own, of_photo, warnings, how
):
    first, second = of_their_own
    head = of_photo(first)
    if how == "gone":
        first.unlink()
    elif how == "another one":
        shutil.copy(second, first)
    elif how == "no photo":
        first.write_text("no photo")
    else:
        head["pixel3dmm_camera"].data.background_images.clear()
    assert bpy.ops.pixel3dmm.add_photo(filepath=str(second)) == {"FINISHED"}
    known = continuation.read(head)
    assert known.matches == ()
    assert sum("where it was" in w for w in warnings) == 1
    assert len(known.photos) == 2
    errors = np.linalg.norm(known.photos[1].landmarks_fit - known.photos[1].landmarks, axis=1)
    assert np.nanmedian(errors) < 2


def test_a_third_photo_is_compared_with_those_at_hand(
    continuation, of_their_own, of_photo, warnings, example_photo
):
    first, second = of_their_own
    head = of_photo(first)
    assert bpy.ops.pixel3dmm.add_photo(filepath=str(second)) == {"FINISHED"}
    assert [w for w in warnings if not w.startswith("The face is small")] == []
    first.unlink()
    assert bpy.ops.pixel3dmm.add_photo(filepath=str(example_photo)) == {"FINISHED"}
    # The first two were compared before, and what was found then stays.
    pairs = {(m.first, m.second) for m in continuation.read(head).matches}
    assert pairs == {(0, 1), (1, 2)}
    assert sum("where it was" in w for w in warnings) == 1


@pytest.mark.parametrize("packed", [False, True])
def test_cancelled_while_an_earlier_photo_is_read(ours, continuation, head, example_photo, packed):
    module = ours("pixel3dmm_addon.photos.loading")
    source = example_photo.read_bytes() if packed else example_photo
    module.close()  # as if Blender had been opened anew
    run = ours("pixel3dmm_addon.jobs.refit").RefitRun(
        continuation.text(head), [], [example_photo], earlier=[module.HeadPhoto(source)]
    )
    steps = run.steps()
    for _ in range(2):
        next(steps)
    run.cancel()
    with pytest.raises(ours("core.errors").Cancelled):
        next(steps)
    assert module._last is None


@pytest.mark.parametrize("others", [[], ["good.jpg"]])
def test_a_further_photo_that_cannot_be_read_changes_nothing(
    head, tmp_path, status, example_photo, others
):
    (tmp_path / "bad.jpg").write_text("no photo")
    for name in others:
        shutil.copy(example_photo, tmp_path / name)
    before, text = datablocks(), head["pixel3dmm_continuation"]
    files = [{"name": name} for name in (*others, "bad.jpg")]
    with pytest.raises(RuntimeError, match=r"bad\.jpg"):
        bpy.ops.pixel3dmm.add_photo(directory=str(tmp_path), files=files)
    assert datablocks() == before
    assert head["pixel3dmm_continuation"] == text
    assert not status.running


def test_a_mesh_that_is_no_longer_ours_is_one_sentence(continuation, head):
    head.shape_key_clear()
    with pytest.raises(RuntimeError, match="shape keys were removed"):
        bpy.ops.pixel3dmm.pin_landmark(landmark=4, x=1.0, y=1.0)


def test_from_pixels_to_the_scene_and_back(ours, continuation, head):
    module = ours("pixel3dmm_addon.scene.photo_view")
    camera = head["pixel3dmm_camera"]
    view = module.PhotoView.of(camera, continuation.photo_camera_of(continuation.read(head), 0))
    pixels = np.array([[10.0, 20.0], [256.0, 256.0], [500.0, 40.0]])
    assert np.abs(view.pixels(view.points(pixels)) - pixels).max() < 1e-6


def test_a_drag_after_a_drag_starts_from_the_head_that_it_left(ours, continuation, head):
    session, run = ours("pixel3dmm_addon.jobs.session"), ours("pixel3dmm_addon.jobs.refit")
    pin(continuation, head, 61, (-3.0, 1.0))
    told, pins = continuation.text(head), continuation.read(head).pins
    remembered = run.RefitRun(told, pins).outcome()
    session.last_refit = None
    sent = run.RefitRun(told, pins).outcome()
    for one, other in ((remembered.before, sent.before), (remembered.after, sent.after)):
        assert one.continuation_json == other.continuation_json
        # To rounding: sums depend on where in memory their arrays lie.
        assert np.abs(one.key_deltas - other.key_deltas).max() < 1e-12
        assert np.abs(one.basis - other.basis).max() < 1e-12
