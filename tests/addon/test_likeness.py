# SPDX-License-Identifier: GPL-3.0-or-later
"""Show Likeness: painted on the head and over its photo, and all as it was afterwards."""

from __future__ import annotations

import json
from dataclasses import replace

import bpy
import numpy as np
import pytest
from looking import datablocks, evaluated, reconstruct
from recording import draw


@pytest.fixture
def likeness(ours):
    return ours("pixel3dmm_addon.scene.likeness")


@pytest.fixture
def head(ours, rigged, loaded):
    """The invented head, with a likeness invented as well: in stripes of its height."""
    height = rigged.basis[:, 1]
    source = np.digitize(height, np.quantile(height, [0.3, 0.6])).astype(np.int8)
    bound = (0.002 + 0.02 * np.abs(height)).astype(np.float32)
    known = replace(rigged, likeness_source=source, likeness_bound=bound)
    build = ours("pixel3dmm_addon.scene.build")
    return build.build_person(bpy.context, known, loaded, match_render_size=True).head


def show(what):
    assert bpy.ops.pixel3dmm.show_likeness(what=what) == {"FINISHED"}


def looks(head):
    """All that painting touches."""
    slots = []
    for slot in head.material_slots:
        link = slot.link
        both = []
        for side in ("OBJECT", "DATA"):
            slot.link = side
            both.append(slot.material)
        slot.link = link
        slots.append((link, *both))
    colors = head.data.color_attributes
    at = (colors.active_color_index, colors.render_color_index)
    return slots, [a.name for a in colors], at, list(head.data.materials), sorted(head.keys())


def painted(head):
    attribute = head.data.color_attributes["Likeness"]
    assert (attribute.domain, attribute.data_type) == ("POINT", "FLOAT_COLOR")
    rgba = np.empty(4 * len(head.data.vertices), np.float32)
    attribute.data.foreach_get("color", rgba)
    return rgba.reshape(-1, 4)


def shown_materials(head):
    return {slot.material.name for slot in head.material_slots}


def test_the_artists_materials_come_back_exactly(head):
    mine, another = (bpy.data.materials.new(name) for name in ("mine", "another"))
    slots = head.material_slots
    slots[1].link = "OBJECT"
    slots[1].material = mine
    slots[2].link = "OBJECT"  # with nothing in it
    slots[3].link = "OBJECT"
    slots[3].material = another
    slots[3].link = "DATA"  # kept below the mesh's own
    own = head.data.color_attributes.new("own", "BYTE_COLOR", "CORNER")
    head.data.color_attributes.active_color = own
    before, data = looks(head), datablocks()
    for what in ("SOURCE", "ERROR", "ERROR", "SOURCE"):
        show(what)
        (overlay,) = shown_materials(head)
        assert overlay.endswith("likeness")
        assert head.data.color_attributes.active_color.name == "Likeness"
    show("OFF")
    assert looks(head) == before
    assert datablocks() == data
    show("OFF")
    assert looks(head) == before


def test_what_was_changed_meanwhile_stays(head):
    mine = bpy.data.materials.new("mine")
    mine.use_fake_user = True
    first = head.material_slots[0].material
    show("SOURCE")
    head.material_slots[1].material = mine
    head.data.materials.append(mine)
    show("OFF")
    slots = head.material_slots
    assert (slots[0].link, slots[0].material) == ("DATA", first)
    assert (slots[1].link, slots[1].material) == ("OBJECT", mine)
    assert slots[len(slots) - 1].material == mine


def test_a_head_without_materials_is_painted_and_left_without(head):
    head.data.materials.clear()
    show("SOURCE")
    assert len(shown_materials(head)) == 1
    show("OFF")
    assert len(head.material_slots) == 0


def test_it_comes_back_after_saving(head, tmp_path):
    before, name = [s[0] for s in looks(head)[0]], head.name
    materials = [s.material.name for s in head.material_slots]
    show("ERROR")
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shown.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "shown.blend"))
    head = bpy.data.objects[name]
    assert len(shown_materials(head)) == 1
    show("OFF")
    assert [s.material.name for s in head.material_slots] == materials
    assert [s.link for s in head.material_slots] == before
    assert "Likeness" not in head.data.color_attributes


def test_colours_say_the_source_and_the_millimetres(ours, head):
    module = ours("core.likeness.picture")
    height = np.array([v.co.z for v in head.data.vertices])
    top, bottom = height.argmax(), height.argmin()
    show("SOURCE")
    rgba = painted(head)
    np.testing.assert_allclose(rgba[bottom, :3], module.linear(module.SOURCE_COLORS[0]), atol=1e-5)
    np.testing.assert_allclose(rgba[top, :3], module.linear(module.SOURCE_COLORS[2]), atol=1e-5)
    assert (rgba[:, 3] == 1).all()
    show("ERROR")
    middle = np.abs(height).argmin()
    np.testing.assert_allclose(
        painted(head)[middle, :3], module.linear(np.array(module.BOUND_STOPS[0][1])), atol=1e-5
    )
    assert len(np.unique(painted(head)[:, :3], axis=0)) > 100


def test_a_render_shows_the_paint(head, scene, tmp_path):
    def mean_color(name):
        render = scene.render
        render.engine, render.resolution_x, render.resolution_y = "CYCLES", 48, 48
        scene.cycles.samples, scene.cycles.device = 2, "CPU"
        scene.view_settings.view_transform = "Standard"
        render.film_transparent, render.filepath = True, str(tmp_path / name)
        bpy.ops.render.render(write_still=True)
        image = bpy.data.images.load(render.filepath)
        pixels = np.array(image.pixels[:]).reshape(-1, 4)
        bpy.data.images.remove(image)
        on_head = pixels[pixels[:, 3] > 0.9]
        assert len(on_head) > 100
        return on_head[:, :3].mean(axis=0)

    scene.world = bpy.data.worlds.new("World")
    if scene.world.node_tree is None:
        scene.world.use_nodes = True
    scene.world.node_tree.nodes["Background"].inputs["Color"].default_value = (1, 1, 1, 1)
    before = mean_color("before.png")
    show("SOURCE")
    after = mean_color("after.png")
    assert after[1] > after[0]  # green and blue where it was a grey skin
    assert np.abs(after - before).max() > 0.05
    show("OFF")
    np.testing.assert_allclose(mean_color("again.png"), before, atol=0.02)


def test_an_export_has_the_heads_own_materials(ours, head, scene):
    own = [s.material.name for s in head.material_slots]
    show("SOURCE")
    copies = ours("pixel3dmm_addon.export.copies").make_copies(scene, head, for_file=True)
    assert [s.material.name for s in copies.head.material_slots] == own
    assert "Likeness" not in copies.head.data.color_attributes
    assert "Likeness" in head.data.color_attributes
    assert len(shown_materials(head)) == 1


def test_the_panel_says_it_and_shows_a_legend(ours, head):
    def texts():
        drawn = draw(ours, "PIXEL3DMM_PT_likeness")
        return " ".join(text for kind, text in drawn if kind == "label")

    assert "are guesses" in texts()
    assert "Trust" in texts()
    assert "Measured" not in texts()
    show("SOURCE")
    assert "Measured Mirrored Inferred" in texts()
    show("ERROR")
    assert "within 3 mm" in texts()


def test_a_head_that_does_not_know_says_so(ours, person):
    with pytest.raises(RuntimeError, match="does not know how sure it is"):
        bpy.ops.pixel3dmm.show_likeness(what="SOURCE")
    drawn = draw(ours, "PIXEL3DMM_PT_likeness")
    assert [kind for kind, _ in drawn] == ["label"] * len(drawn)


def test_from_a_photo_to_the_words_and_over_the_photo(ours, likeness, example_photo, tmp_path):
    reconstruct(example_photo)
    head = bpy.context.object
    continuation = ours("pixel3dmm_addon.scene.continuation")
    _, advice = likeness.described(head)
    assert {"nose", "mouth"} <= set(advice.measured)
    assert "ears" in advice.guessed or "left ear" in advice.guessed
    assert 1e-3 < advice.bound < 8e-3

    camera, data = head["pixel3dmm_camera"], datablocks()
    fine = head.modifiers.new("Fine", "SUBSURF")  # and whatever else changes vertices
    assert bpy.ops.pixel3dmm.likeness_on_photo() == {"FINISHED"}
    photo, overlay = camera.data.background_images
    assert (photo.display_depth, overlay.display_depth) == ("BACK", "FRONT")
    assert fine.show_viewport
    head.modifiers.remove(fine)
    one = continuation.read(head).photos[0]
    told = likeness.on_photo(head, 0)
    report = json.loads(head["pixel3dmm_report"])["photos"][0]
    whole = np.mean([pixels for pixels, _ in told.values()])
    # The detector's habits are no error of the fit, and photoResidual has taken some of the rest.
    assert whole < 1.2 * report["reprojection_px"]["mean"]
    assert whole < 0.6 * np.linalg.norm(one.landmarks - one.landmarks_fit, axis=1).mean()
    width = np.linalg.norm(one.landmarks[33] - one.landmarks[263])
    assert told["mouth"][1] == pytest.approx(100 * told["mouth"][0] / width)

    pixels = np.array(overlay.image.pixels[:]).reshape(overlay.image.size[1], -1, 4)[::-1]
    rows, columns = np.nonzero(pixels[..., 3])
    at = projected(head, one.width, one.height)
    low, high = np.clip(at.min(axis=0), 0, None), at.max(axis=0)
    scale = overlay.image.size[0] / one.width
    assert np.abs([columns.min() / scale - low[0], rows.min() / scale - low[1]]).max() < 3
    assert columns.max() / scale - min(high[0], one.width) < 3
    drawn = draw(ours, "PIXEL3DMM_PT_likeness")
    assert any(text.startswith("mouth: ") for kind, text in drawn if kind == "label")

    show("SOURCE")
    asset = tmp_path / "asset.blend"
    assert bpy.ops.pixel3dmm.export_head(filepath=str(asset), preset="BLENDER") == {"FINISHED"}
    with bpy.data.libraries.load(str(asset)) as (there, here):
        here.cameras, here.meshes = there.cameras, there.meshes
        assert not [name for name in there.materials if "likeness" in name]
    assert [len(c.background_images) for c in here.cameras] == [1]
    assert "Likeness" not in here.meshes[0].color_attributes
    bpy.data.batch_remove([*here.cameras, *here.meshes])
    show("OFF")
    bpy.data.orphans_purge(do_recursive=True)

    assert bpy.ops.pixel3dmm.likeness_on_photo() == {"FINISHED"}
    assert [b.display_depth for b in camera.data.background_images] == ["BACK"]
    assert datablocks() == data


def projected(head, width, height):
    """Pixels of the head's vertices by Blender's own camera."""
    from bpy_extras.object_utils import world_to_camera_view
    from mathutils import Vector

    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = width, height
    camera = head["pixel3dmm_camera"]
    views = [world_to_camera_view(scene, camera, Vector(p)) for p in evaluated(head)]
    return np.array([[v.x * width, (1 - v.y) * height] for v in views])


def test_another_photo_makes_it_surer_and_the_paint_follows(likeness, example_photo):
    reconstruct(example_photo)
    head = bpy.context.object
    show("ERROR")
    before, colors = likeness.described(head)[1], painted(head)
    bpy.ops.pixel3dmm.pin_landmark(landmark=4, x=200.0, y=150.0)  # a pin knows nothing new
    np.testing.assert_array_equal(painted(head), colors)
    assert bpy.ops.pixel3dmm.add_photo(filepath=str(example_photo)) == {"FINISHED"}
    assert likeness.described(head)[1].bound < before.bound
    assert np.abs(painted(head) - colors).max() > 0.01
