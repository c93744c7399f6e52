# SPDX-License-Identifier: GPL-3.0-or-later
"""A .blend from anybody: whatever stands in its custom properties, panels draw, values read, and
operators end in one sentence. Nothing in it starts a program or chooses what is read or written.
"""

from __future__ import annotations

import contextlib
import json
import sys

import bpy
import numpy as np
import pytest
from bl_ui.utils import PresetPanel
from recording import draw

#: Numbers, texts, JSON and groups that nobody expects.
HOSTILE = (
    0, -7, 3.5, float("nan"), "", "x", "null", "[]", "[1]", "{", "NaN", "1e999", "[" * 100_000,
    '{"warnings": 5, "licences": 3, "photos": {}, "jawOpen": "x", "nose_width": []}',
    '{"warnings": {"a": 1}, "licences": [1], "photos": [null], "jawOpen": 1e999}',
    '{"licences": {"predictor": 5, "commercial_use": [1]}, "warnings": [[1], null, {}]}',
    '{"licences": {"predictor": {"name": [], "spdx": {}}, "commercial_use": {}}}',
    json.dumps({"jawOpen": 9e99, "nose_width": -9e99}), '{"jawOpen": ' + "9" * 400 + "}",
    [1, 2, 3], [0.5], {"a": 1}, "../../etc/passwd", "\\\\server\\share", "__import__('os')",
    "skin\n" * 3, "é" * 70_000,
)  # fmt: skip

ON_HEAD = ("schema", "uuid", "photo", "head_model", "licence", "commercial_use", "recipe",
           "report", "continuation", "camera", "camera_1", "camera_x", "last_check")  # fmt: skip
ON_MESH = ("region_names", "part_names", "vertex_count", "landmark_vertices", "landmark_weights",
           "photo_expression", "traits", "traits_of_bones")  # fmt: skip

#: What may be pressed over such a head and is quick.
VERBS = (
    ("look_through", {}), ("apply_pose", {}), ("mirror_expression", {}), ("random_expression", {}),
    ("reset_expression", {}), ("reset_turns", {}), ("key_all", {}), ("reset_traits", {}),
    ("eyes_follow", {}), ("name_bones", {}), ("remove_pins", {}), ("pack_photos", {}),
    ("pin_landmark", {}), ("sculpt_layer", {}), ("copy_diagnostics", {}),
    ("rebuild_from_recipe", {}),
)  # fmt: skip


@pytest.fixture(autouse=True)
def no_traceback(capfd):
    """What fails inside a panel or a property's getter is not raised: Blender prints it."""
    yield
    assert "Traceback" not in (said := capfd.readouterr()).err, said.err[-3000:]


@pytest.fixture
def head(person):
    bpy.context.view_layer.objects.active = person.head
    return person.head


def press(verb, **options):
    """One sentence, whatever comes."""
    operator = getattr(bpy.ops.pixel3dmm, verb)
    if not operator.poll():
        return
    try:
        assert operator(**options) <= {"FINISHED", "CANCELLED"}
    except RuntimeError as error:
        words = str(error).removeprefix("Error: ").strip()
        assert "Traceback" not in words, words
        assert "\n" not in words, words


def see_all(ours, head):
    """All that is drawn, and every value that a panel shows."""
    for panel in ours("pixel3dmm_addon.panels").CLASSES:
        if not issubclass(panel, PresetPanel):  # Blender draws those itself, and nothing of a head
            draw(ours, panel.__name__)
    for prop in head.pixel3dmm.bl_rna.properties:
        name = prop.identifier
        value = getattr(head.pixel3dmm, name)
        assert not isinstance(value, float) or np.isfinite(value), name
    ours("pixel3dmm_addon.export.licence").licence_of(head).notice.encode()
    ours("pixel3dmm_addon.export.last_export").of(head)
    cameras = ours("pixel3dmm_addon.scene.camera")
    cameras.photos(head)
    for photo in (0, 1):
        cameras.head_photo(head, photo)


def put(block, name, value):
    """False where Blender itself does not take it."""
    try:
        block["pixel3dmm_" + name] = value
    except (TypeError, OverflowError, UnicodeEncodeError):
        return False
    return True


def test_whatever_stands_on_head_and_mesh(ours, head):
    """Every property holds every value once, each another one than its neighbours."""
    for turn in range(len(HOSTILE)):
        for i, name in enumerate(ON_HEAD):
            put(head, name, HOSTILE[(turn + i) % len(HOSTILE)])
        for i, name in enumerate(ON_MESH):
            put(head.data, name, HOSTILE[(turn + 3 * i) % len(HOSTILE)])
        see_all(ours, head)
        for verb in ("look_through", "remove_pins", "pack_photos", "pin_landmark", "apply_pose"):
            press(verb)
        press("rebuild_from_recipe")


@pytest.mark.parametrize("name", ["traits", "photo_expression"])
def test_values_that_no_slider_has(ours, head, name):
    before = bpy.data.meshes[0].shape_keys.key_blocks["jawOpen"].value
    for value in HOSTILE:
        if put(head.data, name, value):
            see_all(ours, head)
            press("reset_traits")
    assert bpy.data.meshes[0].shape_keys.key_blocks["jawOpen"].value == before


@pytest.mark.parametrize(
    "name",
    ["region_names", "part_names", "vertex_count", "landmark_vertices", "landmark_weights"],
)
def test_whatever_a_mesh_remembers_is_checked_before_it_is_measured(ours, head, name):
    from_scene = ours("pixel3dmm_addon.scene.rig_data").rig_arrays
    sentence = ours("core.errors").ModelFileError
    for value in HOSTILE:
        if put(head.data, name, value):
            with contextlib.suppress(sentence):
                arrays = from_scene(head, head.find_armature())
                assert len(arrays.landmarks(arrays.basis)) == 478


@pytest.mark.parametrize("verb", [verb for verb, _ in VERBS])
def test_every_verb_over_a_head_that_is_hostile_all_over(ours, head, verb):
    for value in ("x", 7, '{"warnings": 5}', [1, 2, 3]):
        for name in ON_HEAD:
            put(head, name, value)
        for name in ON_MESH:
            put(head.data, name, value)
        for bone in head.find_armature().data.bones:
            put(bone, "joint", value)
        press(verb)


def test_attributes_that_lie_about_regions_and_parts(ours, head):
    mesh = head.data
    from_scene = ours("pixel3dmm_addon.scene.rig_data").rig_arrays
    sentence = ours("core.errors").ModelFileError
    for name, hostile in (("part", 99), ("part", -3), ("mirror", 10**8), ("regions", -1)):
        attribute = mesh.attributes["pixel3dmm_" + name]
        before = np.empty(len(attribute.data), np.int32)
        attribute.data.foreach_get("value", before)
        attribute.data.foreach_set("value", np.full(len(before), hostile, np.int32))
        if name == "regions":
            from_scene(head, head.find_armature())
        else:
            with pytest.raises(sentence, match="beyond recognition"):
                from_scene(head, head.find_armature())
        attribute.data.foreach_set("value", before)
    mesh.attributes.remove(mesh.attributes["pixel3dmm_part"])
    mesh.attributes.new("pixel3dmm_part", "FLOAT_VECTOR", "CORNER")
    with pytest.raises(sentence):
        from_scene(head, head.find_armature())
    press("check_rig")


@pytest.mark.parametrize(
    "path",
    [
        "../../x.png",
        "\\\\server\\share\\x.png",
        "x" * 900,
        "/proc/self/mem",
        "|true",
        "-rf",
        "http://example.org/x.png",
        "\x01",
        "é" * 300,
    ],
)
def test_paths_in_a_scene_are_looked_at_and_no_more(ours, scene, path):
    events = []
    watched = ("subprocess.Popen", "os.system", "socket.connect", "socket.getaddrinfo", "exec")
    sys.addaudithook(lambda event, args: listening and event in watched and events.append(args))
    listening = True
    try:
        scene.pixel3dmm.photo = path
        scene.pixel3dmm.head = path
        scene.pixel3dmm.predictor = path
        for panel in ("PIXEL3DMM_PT_photo", "PIXEL3DMM_PT_reconstruct"):
            draw(ours, panel)
    finally:
        listening = False
    assert events == []
    press("reconstruct_face")


def test_earlier_photos_of_a_hostile_file_are_no_photos_and_no_more(
    ours, head, example_photo, tmp_path
):
    """A path that leads anywhere, bytes that are no picture, and what a copy is said to be of."""
    of_head, run = (
        ours("pixel3dmm_addon.scene.camera").head_photo,
        ours("pixel3dmm_addon.jobs.refit"),
    )
    head_photo = ours("pixel3dmm_addon.photos.loading").HeadPhoto

    def at_hand(photo):
        one = run.RefitRun("", [], [example_photo], earlier=[photo])
        steps = one._pixels(photo, tmp_path, 0, 0.0)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                return end.value

    image = head["pixel3dmm_camera"].data.background_images[0].image
    for path in ("", "//", "/proc/self/mem", "/dev/zero", "x" * 900, "|true", str(tmp_path)):
        image.filepath = path
        assert at_hand(of_head(head, 0)) is None
    for data in (b"", b"no photo", b"\xff\xd8\xff", example_photo.read_bytes()[:4000]):
        assert at_hand(head_photo(data)) is None
    image.filepath = str(example_photo)
    image.pack()
    for value in HOSTILE:
        put(image, "copy_of", value)
        assert isinstance(of_head(head, 0).sha256, str)
    assert at_hand(of_head(head, 0)) is not None


def test_a_saved_hostile_file_opens_without_a_word_run(ours, head, tmp_path):
    """Scripts in texts, drivers and paths come along; none runs, and the panels draw."""
    ran = []
    bpy.app.driver_namespace["pixel3dmm_ran"] = ran.append
    text = bpy.data.texts.new("startup.py")
    text.write("import bpy; bpy.app.driver_namespace['pixel3dmm_ran'](1)")
    for name in ON_HEAD:
        put(head, name, "__import__('os').system('true')")
    bpy.context.scene.pixel3dmm.head = "/nowhere/evil.npz"
    path = tmp_path / "evil.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    bpy.ops.wm.open_mainfile(filepath=str(path), use_scripts=False)
    loaded = next(o for o in bpy.data.objects if o.type == "MESH")
    bpy.context.view_layer.objects.active = loaded
    see_all(ours, loaded)
    assert ran == []
