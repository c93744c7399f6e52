# SPDX-License-Identifier: GPL-3.0-or-later
"""Rebuild from Recipe: the head that was made, again, whatever hands have done to it since."""

from __future__ import annotations

import json

import bpy
import numpy as np
import pytest
from looking import datablocks, evaluated, reconstruct


@pytest.fixture
def photo(example_photo, tmp_path):
    path = tmp_path / "person.jpg"
    path.write_bytes(example_photo.read_bytes())
    return path


def made_of(head):
    """Every key's points and value."""
    keys = head.data.shape_keys.key_blocks
    points = np.empty((len(keys), 3 * len(head.data.vertices)), np.float32)
    for row, key in zip(points, keys, strict=True):
        key.points.foreach_get("co", row)
    return points, [key.value for key in keys], list(keys.keys())


def check_same(one, other, tolerance=1e-6):
    assert np.abs(one[0] - other[0]).max() < tolerance
    assert np.abs(np.subtract(one[1], other[1])).max() < 1e-5
    assert one[2] == other[2]


def photos():
    """Pictures from files; those of skin and eyes are made."""
    return [image for image in bpy.data.images if image.filepath.endswith(".jpg")]


def spoil(head):
    """What a bad day does to a head."""
    points = np.zeros(3 * len(head.data.vertices), np.float32)
    head.data.shape_keys.reference_key.points.foreach_set("co", points)
    head.shape_key_remove(head.data.shape_keys.key_blocks["jawOpen"])
    head.name = "ruin"


def test_the_head_is_the_one_that_was_made(ours, photo, tmp_path):
    """In another file, by a new worker, with the options of then: the face that was chosen."""
    bpy.context.scene.pixel3dmm.photo = str(photo)
    bpy.context.scene.pixel3dmm.face = 0
    bpy.ops.pixel3dmm.reconstruct_face()
    was, shape = made_of(bpy.context.object), evaluated(bpy.context.object)
    spoil(bpy.context.object)
    path = tmp_path / "head.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    ours("pixel3dmm_addon.jobs.session").close()
    bpy.ops.wm.open_mainfile(filepath=str(path))
    old = bpy.data.objects["ruin"]
    bpy.context.view_layer.objects.active = old
    assert bpy.ops.pixel3dmm.rebuild_from_recipe() == {"FINISHED"}
    new = bpy.context.object
    assert new != old
    check_same(made_of(new), was)
    assert np.abs(evaluated(new) - shape).max() < 1e-6
    recipes = [json.loads(head["pixel3dmm_recipe"]) for head in (old, new)]
    assert recipes[0] == recipes[1]
    assert recipes[0]["options"]["face"] == 0
    assert len(photos()) == 1


def test_a_head_whose_fit_went_on_keeps_pins_and_first_options(ours, photo):
    bpy.context.scene.pixel3dmm.photo = str(photo)
    bpy.context.scene.pixel3dmm.face = 0
    bpy.ops.pixel3dmm.reconstruct_face()
    continuation = ours("pixel3dmm_addon.scene.continuation")
    old = bpy.context.object
    x, y = continuation.read(old).photos[0].landmarks_fit[61] + (-4.0, 2.0)
    assert bpy.ops.pixel3dmm.pin_landmark(landmark=61, x=x, y=y) == {"FINISHED"}
    assert json.loads(old["pixel3dmm_recipe"])["options"]["face"] == 0
    shape = evaluated(old)
    ours("pixel3dmm_addon.jobs.session").close()
    assert bpy.ops.pixel3dmm.rebuild_from_recipe() == {"FINISHED"}
    new = bpy.context.object
    assert np.median(np.linalg.norm(evaluated(new) - shape, axis=1)) < 1e-5
    assert [p.landmark for p in continuation.read(new).pins] == [61]


def test_a_photo_that_is_elsewhere_inside_or_another_one(photo, tmp_path):
    reconstruct(photo)
    head = bpy.context.object
    moved = tmp_path / "elsewhere.jpg"
    moved.write_bytes(photo.read_bytes())
    (image,) = photos()
    image.pack()
    photo.unlink()
    # From inside the file; and no second picture comes of it.
    assert bpy.ops.pixel3dmm.rebuild_from_recipe() == {"FINISHED"}
    assert photos() == [image]
    name = bpy.context.object.name
    assert name.startswith("person")
    image.unpack(method="REMOVE")
    bpy.context.view_layer.objects.active = head
    before = datablocks()
    with pytest.raises(RuntimeError, match="person is not where it was"):
        bpy.ops.pixel3dmm.rebuild_from_recipe()
    other = tmp_path / "other.jpg"
    other.write_bytes(moved.read_bytes() + b"\0")
    with pytest.raises(RuntimeError, match="is not the photo that this head"):
        bpy.ops.pixel3dmm.rebuild_from_recipe(filepath=str(other))
    assert datablocks() == before
    assert bpy.ops.pixel3dmm.rebuild_from_recipe(filepath=str(moved)) == {"FINISHED"}


NO_RECIPES = ["", "{", "[]", 3, '{"photos": []}', "[" * 100_000]
NO_RECIPES += ['{"photos": [{"name": 1}], "options": {}}']


def test_a_recipe_that_is_none_or_was_edited_is_one_sentence(photo):
    """No path of a .blend leads out of the models folder."""
    reconstruct(photo)
    head, before = bpy.context.object, datablocks()
    recipe = json.loads(head["pixel3dmm_recipe"])
    for text in NO_RECIPES:
        head["pixel3dmm_recipe"] = text
        with pytest.raises(RuntimeError, match="recipe is missing or damaged") as caught:
            bpy.ops.pixel3dmm.rebuild_from_recipe()
        assert "Traceback" not in str(caught.value)
    for change in ({"head": "../../etc/passwd.npz"}, {"predictor": "torch"}, {"box": "wide"},
                   {"face": 99}):  # fmt: skip
        options = recipe["options"] | change
        head["pixel3dmm_recipe"] = json.dumps({**recipe, "options": options})
        with pytest.raises(RuntimeError) as caught:
            bpy.ops.pixel3dmm.rebuild_from_recipe()
        assert "Traceback" not in str(caught.value)
        assert "etc" not in str(caught.value)
        assert len(str(caught.value).strip().splitlines()) == 1
    assert datablocks() == before
