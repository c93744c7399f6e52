# SPDX-License-Identifier: GPL-3.0-or-later
"""A head on another day and another machine: saved, appended, linked, and damaged on purpose."""

from __future__ import annotations

import json

import bpy
import numpy as np
import pytest
from looking import evaluated, reconstruct


@pytest.fixture
def continuation(ours):
    return ours("pixel3dmm_addon.scene.continuation")


@pytest.fixture(scope="session")
def pinned_file(ours, example_photo, tmp_path_factory):
    """A file with a pinned head, whose photo is gone; made once, for copies."""
    folder = tmp_path_factory.mktemp("pinned")
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    photo = folder / "person.jpg"
    photo.write_bytes(example_photo.read_bytes())
    reconstruct(photo)
    known = ours("pixel3dmm_addon.scene.continuation").read(bpy.context.object)
    goal = known.photos[0].landmarks_fit[61] + (-4.0, 2.0)
    bpy.ops.pixel3dmm.pin_landmark(landmark=61, x=goal[0], y=goal[1])
    path = folder / "head.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    photo.unlink()
    return path


@pytest.fixture
def saved(pinned_file, scene, tmp_path):
    """A copy of that file, opened."""
    path = tmp_path / "head.blend"
    path.write_bytes(pinned_file.read_bytes())
    bpy.ops.wm.open_mainfile(filepath=str(path))
    bpy.context.view_layer.objects.active = the_head()
    return path


def the_head():
    (head,) = [o for o in bpy.data.objects if "pixel3dmm_continuation" in o]
    return head


def pull(continuation, head):
    bpy.context.view_layer.objects.active = head
    goal = continuation.read(head).photos[0].landmarks_fit[4] + (2.0, 0.0)
    done = bpy.ops.pixel3dmm.pin_landmark(landmark=4, x=float(goal[0]), y=float(goal[1]))
    assert done == {"FINISHED"}
    assert np.linalg.norm(continuation.read(head).photos[0].landmarks_fit[4] - goal) < 1


def test_the_fit_goes_on_without_the_photo_in_a_new_worker(ours, saved, continuation):
    shown = evaluated(the_head())
    ours("pixel3dmm_addon.jobs.session").close()  # another machine knows nothing of it
    bpy.ops.wm.open_mainfile(filepath=str(saved))
    head = the_head()
    assert np.abs(evaluated(head) - shown).max() < 1e-6
    assert [p.landmark for p in continuation.read(head).pins] == [61]
    pull(continuation, head)
    assert sorted(p.landmark for p in continuation.read(head).pins) == [4, 61]


def test_a_head_made_again_from_its_numbers_moves_no_more_than_a_fit_would(
    ours, saved, continuation
):
    """The difference is added to what stands there: what a new worker makes again must be it."""
    bpy.ops.wm.open_mainfile(filepath=str(saved))
    here = evaluated(the_head())
    ours("pixel3dmm_addon.jobs.session").close()
    known = continuation.read(the_head())
    p = known.pins[0]
    bpy.context.view_layer.objects.active = the_head()
    bpy.ops.pixel3dmm.pin_landmark(landmark=p.landmark, x=p.x, y=p.y)  # the pin that is there
    assert np.median(np.linalg.norm(evaluated(the_head()) - here, axis=1)) < 3e-4


def test_renamed_and_appended(saved, continuation):
    head = the_head()
    head.name, head["pixel3dmm_camera"].name = "somebody", "her camera"
    name = head.name
    bpy.ops.wm.save_as_mainfile(filepath=str(saved))
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    with bpy.data.libraries.load(str(saved), link=False) as (source, target):
        target.objects = [o for o in source.objects if o == name]
    head = the_head()
    for obj in (head, head.find_armature(), head["pixel3dmm_camera"]):
        if not obj.users_collection:
            bpy.context.collection.objects.link(obj)
    assert continuation.why_not(head) == ""
    pull(continuation, head)


def test_two_heads_appended_from_one_file_do_not_share_a_camera(saved, continuation):
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    for _ in range(2):
        with bpy.data.libraries.load(str(saved), link=False) as (_, target):
            target.collections = ["person"]
        bpy.context.scene.collection.children.link(target.collections[0])
    # Nothing has been evaluated since: what is placed must not trust what is not known yet.
    one, two = [o for o in bpy.data.objects if "pixel3dmm_continuation" in o]
    assert one["pixel3dmm_camera"] != two["pixel3dmm_camera"]
    pull(continuation, two)
    assert len(continuation.read(one).pins) == 1
    bpy.context.view_layer.update()
    cameras = [np.array(h["pixel3dmm_camera"].matrix_world) for h in (one, two)]
    # The second moved a little with its pin, and from where it stood.
    assert 1e-6 < np.abs(cameras[0] - cameras[1]).max() < 0.1


def test_linked_says_why(saved):
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    with bpy.data.libraries.load(str(saved), link=True) as (_, target):
        target.collections = ["person"]
    bpy.context.scene.collection.children.link(target.collections[0])
    bpy.context.view_layer.objects.active = the_head()
    for verb in ("pin_landmark", "remove_pins", "add_photo", "sculpt_layer"):
        with pytest.raises(RuntimeError, match="linked from another file"):
            getattr(bpy.ops.pixel3dmm, verb)()


def test_a_head_of_the_first_schema_works_and_says_what_it_cannot(saved, continuation):
    head = the_head()
    for name in ("continuation", "camera"):
        del head["pixel3dmm_" + name]
    head["pixel3dmm_schema"] = 1
    bpy.context.view_layer.objects.active = head
    assert bpy.ops.pixel3dmm.look_through() == {"FINISHED"}
    with pytest.raises(RuntimeError, match="made by an earlier version"):
        bpy.ops.pixel3dmm.pin_landmark(landmark=4, x=1.0, y=1.0)


def test_a_head_of_a_later_schema_is_left_alone(saved):
    head = the_head()
    head["pixel3dmm_schema"] = 99
    before = head["pixel3dmm_continuation"]
    bpy.context.view_layer.objects.active = head
    with pytest.raises(RuntimeError, match="newer version"):
        bpy.ops.pixel3dmm.pin_landmark(landmark=4, x=1.0, y=1.0)
    assert head["pixel3dmm_continuation"] == before


@pytest.mark.parametrize(
    "value",
    [
        "{}",
        "[]",
        "no JSON",
        "x" * 5_000_000,
        3,
        [1.0, 2.0],
        {"a": 1},
        '{"schema": 1, "photos": [{}]}',
        "../../etc/passwd",
    ],
    ids=lambda v: str(v)[:20],
)
def test_hostile_properties_are_one_sentence(ours, saved, value):
    head = the_head()
    head["pixel3dmm_continuation"] = value
    head["pixel3dmm_report"] = 7
    head["pixel3dmm_camera"] = "no camera"
    bpy.context.view_layer.objects.active = head
    shape = evaluated(head)
    with pytest.raises(RuntimeError) as caught:
        bpy.ops.pixel3dmm.pin_landmark(landmark=4, x=1.0, y=1.0)
    assert "Traceback" not in str(caught.value)
    assert len(str(caught.value).strip().splitlines()) == 1
    assert np.abs(evaluated(head) - shape).max() == 0
    # And the panel draws it.
    from types import SimpleNamespace

    class Layout:
        def __getattr__(self, name):
            return lambda *a, **k: Layout()

    panel = ours("pixel3dmm_addon.panels.pins").PIXEL3DMM_PT_pins
    panel.draw(SimpleNamespace(layout=Layout()), bpy.context)


def test_a_fit_that_is_damaged_deep_inside(saved, continuation):
    head = the_head()
    data = json.loads(head["pixel3dmm_continuation"])
    data["photos"][0]["state"]["t"] = [0, 0, -1]
    head["pixel3dmm_continuation"] = json.dumps(data)
    bpy.context.view_layer.objects.active = head
    with pytest.raises(RuntimeError, match="is damaged"):
        bpy.ops.pixel3dmm.remove_pins()


def test_pack_photos(example_photo, tmp_path):
    photo = tmp_path / "person.jpg"
    photo.write_bytes(example_photo.read_bytes())
    reconstruct(photo)
    assert bpy.ops.pixel3dmm.pack_photos() == {"FINISHED"}
    with pytest.raises(RuntimeError, match="in this file already"):
        bpy.ops.pixel3dmm.pack_photos()
    path = tmp_path / "head.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    photo.unlink()
    bpy.ops.wm.open_mainfile(filepath=str(path))
    image = the_head()["pixel3dmm_camera"].data.background_images[0].image
    assert tuple(image.size) == (512, 512)
    assert image.has_data


def test_a_photo_that_is_gone_cannot_be_packed_and_is_named(saved):
    bpy.ops.wm.open_mainfile(filepath=str(saved))
    bpy.context.view_layer.objects.active = the_head()
    with pytest.raises(RuntimeError, match="any more"):
        bpy.ops.pixel3dmm.pack_photos()
