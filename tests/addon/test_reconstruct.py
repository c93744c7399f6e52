# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator from photo to scene with the real worker, and everything that can spoil it."""

from __future__ import annotations

import os
import shutil
import signal
import struct
import time
import zlib
from types import SimpleNamespace

import bpy
import numpy as np
import pytest
from looking import datablocks, evaluated


def run(photo):
    """The button, in a script."""
    bpy.context.scene.pixel3dmm.photo = str(photo)
    return bpy.ops.pixel3dmm.reconstruct_face()


def save_image(path, pixels, file_format="PNG", depth="8", mode="RGB"):
    """(H, W, 3) floats as a file, by Blender's own writer."""
    height, width = pixels.shape[:2]
    image = bpy.data.images.new("made", width, height, float_buffer=depth != "8")
    rgba = np.ones((height, width, 4), np.float32)
    rgba[..., : pixels.shape[2]] = pixels[::-1]
    image.pixels.foreach_set(rgba.reshape(-1))
    settings = bpy.context.scene.render.image_settings
    settings.file_format, settings.color_mode, settings.color_depth = file_format, mode, depth
    settings.quality = 100
    # As the numbers are: no film-like view, no noise against banding.
    bpy.context.scene.view_settings.view_transform = "Standard"
    bpy.context.scene.render.dither_intensity = 0.0
    image.save_render(str(path))
    bpy.data.images.remove(image)


@pytest.fixture
def portrait(ours, example_photo):
    """(H, W, 3) of the example photo in 0..1."""
    photo = ours("pixel3dmm_addon.photo").load_photo(example_photo).photo
    return photo.pixels / np.float32(255)


@pytest.fixture(scope="module")
def usual(ours, example_photo):
    """World positions of the example photo's head."""
    run(example_photo)
    return evaluated(bpy.context.object)


@pytest.fixture
def jobs(ours):
    """The add-on's own jobs; the resident worker stays from test to test as it does for artists."""
    return ours("pixel3dmm_addon.session").jobs()


class Window:
    """What invoke and modal ask of the window manager, which has no event loop here."""

    def __init__(self):
        self.timers, self.handlers = [], []
        self.windows = []

    def event_timer_add(self, seconds, window):
        self.timers.append(seconds)
        return seconds

    def event_timer_remove(self, timer):
        self.timers.remove(timer)

    def modal_handler_add(self, operator):
        self.handlers.append(operator)


@pytest.fixture
def modal(ours, monkeypatch):
    """(operator, context, reports): the operator as the event loop would drive it."""
    module = ours("pixel3dmm_addon.operators.reconstruct")
    monkeypatch.setattr(module, "bpy", SimpleNamespace(app=SimpleNamespace(background=False),
                                                       path=bpy.path))  # fmt: skip
    operator = module.PIXEL3DMM_OT_reconstruct_face
    methods = ("execute", "invoke", "modal", "cancel")
    methods += ("_begin", "_advance", "_finish", "_say", "_end")
    reports = []
    fake = SimpleNamespace(_timer=None, _run=None, report=lambda kind, text: reports.append(text))
    for name in methods:
        setattr(fake, name, getattr(operator, name).__get__(fake))
    window = Window()
    # Whatever is not the window manager is Blender's own context.
    context = type("Context", (), {
        "__getattr__": lambda self, name: getattr(bpy.context, name),
        "window_manager": window, "window": None,
    })()  # fmt: skip
    return fake, context, reports


def tick(type_="TIMER", value="NOTHING"):
    return SimpleNamespace(type=type_, value=value)


def drive(operator, context, until=lambda: False):
    """Ticks until the operator ends; what it returned last."""
    deadline = time.monotonic() + 120
    while not until():
        assert time.monotonic() < deadline, "the operator does not end"
        ended = operator.modal(context, tick())
        if ended != {"PASS_THROUGH"}:
            return ended
        time.sleep(0.005)
    return None


def test_photo_to_scene(ours, example_photo, status):
    before = datablocks()
    assert run(example_photo) == {"FINISHED"}
    head, scene = bpy.context.object, bpy.context.scene
    assert "px from the landmarks" in status.message
    assert not status.failed
    after = datablocks()
    made = {kind: after[kind] - before[kind] for kind in after}
    assert made == {
        "collections": 1, "objects": 3, "meshes": 1, "armatures": 1, "cameras": 1,
        "materials": 7, "images": 1, "shape_keys": 1, "actions": 0, "texts": 0,
    }  # fmt: skip
    assert len(head.data.shape_keys.key_blocks) == 54
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
    assert "px from the landmarks" in reports[-1]
    assert np.abs(evaluated(bpy.context.object) - usual).max() < 1e-6


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
        if how == "button":
            assert bpy.ops.pixel3dmm.cancel() == {"FINISHED"}
        else:
            assert operator.modal(context, tick("ESC", "PRESS")) == {"RUNNING_MODAL"}
        assert drive(operator, context) == {"CANCELLED"}
        assert reports == ["Cancelled, nothing was changed"]
    assert datablocks() == before
    assert not status.running
    assert context.window_manager.timers == []
    assert run(example_photo) == {"FINISHED"}  # and the button works again


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
    assert run(example_photo) == {"FINISHED"}


def test_worker_killed_while_idle(example_photo, jobs):
    run(example_photo)
    os.kill(jobs.pid, signal.SIGKILL)
    assert run(example_photo) == {"FINISHED"}


def test_second_run_uses_the_same_worker(example_photo, jobs):
    run(example_photo)
    pid = jobs.pid
    run(example_photo)
    assert jobs.pid == pid


def spoilt(kind, folder, example_photo):
    """A file that is no use, by its kind."""
    path = folder / f"{kind}.jpg"
    data = example_photo.read_bytes()
    if kind == "missing":
        return path
    if kind == "folder":
        path.mkdir()
    elif kind == "one pixel":
        save_image(path, np.zeros((1, 1, 3), np.float32), "JPEG")
    elif kind == "no face":
        save_image(path, np.random.default_rng(0).random((400, 400, 3)), "JPEG")
    else:
        path.write_bytes(
            {"empty": b"", "text": b"this is no photo", "truncated": data[: len(data) // 3]}[kind]
        )
    return path


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("missing", "does not exist"),
        ("folder", "is a folder"),
        ("empty", "empty"),
        ("text", "is not a picture"),
        ("truncated", "cut off"),
        ("one pixel", "1 x 1"),
        ("no face", "No face was found"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(
    tmp_path, example_photo, kind, sentence, status
):
    path = spoilt(kind, tmp_path, example_photo)
    before = datablocks()
    with pytest.raises(RuntimeError, match=sentence) as caught:
        run(path)
    text = str(caught.value).removeprefix("Error: ").strip()
    assert "Traceback" not in text
    assert "\n" not in text
    assert datablocks() == before
    assert status.message == text


def turn_by_exif(path):
    """Writes EXIF orientation 6 (the top is on the right) into a PNG or JPEG."""
    tiff = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    data = path.read_bytes()
    if path.suffix == ".png":
        # Blender writes the resolution there, 4.2 even twice; one alone is allowed.
        while (own := data.find(b"eXIf") - 4) > 0:
            (length,) = struct.unpack_from(">I", data, own)
            data = data[:own] + data[own + 12 + length :]
        start, body = 33, b"eXIf" + tiff  # right after the header chunk
        exif = struct.pack(">I", len(tiff)) + body + struct.pack(">I", zlib.crc32(body))
    else:
        start = 2
        exif = b"\xff\xe1" + struct.pack(">H", len(tiff) + 8) + b"Exif\0\0" + tiff
    path.write_bytes(data[:start] + exif + data[start:])


KINDS = ["16 bit", "grey", "alpha", "tiff", "unicode path", "turned PNG", "turned JPEG"]


@pytest.mark.parametrize("kind", KINDS)
def test_unusual_photos_give_the_same_face(usual, tmp_path, example_photo, portrait, kind):
    path = tmp_path / "photo.png"
    if kind == "16 bit":
        linear = np.where(
            portrait <= 0.04045, portrait / 12.92, ((portrait + 0.055) / 1.055) ** 2.4
        )
        save_image(path, linear, depth="16")
    elif kind == "grey":
        save_image(path, np.repeat(portrait.mean(axis=2, keepdims=True), 3, 2), mode="BW")
    elif kind == "alpha":
        full = np.ones((*portrait.shape[:2], 1), np.float32)
        full[:20, :20] = 0
        save_image(path, np.concatenate([portrait, full], axis=2), mode="RGBA")
    elif kind == "tiff":
        path = tmp_path / "photo.tif"
        save_image(path, portrait, "TIFF")
    elif kind == "unicode path":
        folder = tmp_path / "Zoë 空 🙂"
        folder.mkdir()
        path = folder / "Sörën 写真.jpg"
        shutil.copy(example_photo, path)
    else:
        file_format = kind.split()[1]
        path = tmp_path / f"photo.{file_format.lower()}"
        save_image(path, portrait[:, ::-1].swapaxes(0, 1), file_format)  # lying on its side
        turn_by_exif(path)
    assert run(path) == {"FINISHED"}
    image = bpy.context.scene.camera.data.background_images[0].image
    assert tuple(image.size) == (512, 512)
    # Without colour, and through JPEG's loss of colour, the landmarks move a little.
    tolerance = {"grey": 4e-3, "turned JPEG": 4e-3}.get(kind, 1e-5)
    assert np.abs(evaluated(bpy.context.object) - usual).max() < tolerance
    if kind.startswith("turned"):
        assert image.packed_file is not None  # upright, which the file is not
        shown = np.empty(512 * 512 * 4, np.float32)
        image.pixels.foreach_get(shown)
        shown = shown.reshape(512, 512, 4)[::-1, :, :3]
        assert np.abs(shown - portrait).mean() < (0.02 if kind == "turned JPEG" else 1e-6)


def test_a_large_photo_is_read_smaller_and_says_so(ours, tmp_path, portrait, monkeypatch):
    module = ours("pixel3dmm_addon.photo")
    monkeypatch.setattr(module, "MOST_PIXELS", 200_000)
    path = tmp_path / "large.png"
    save_image(path, portrait)
    assert run(path) == {"FINISHED"}
    assert "512 x 512 pixels: read at 256 x 256" in bpy.context.object["pixel3dmm_report"]


def test_unwritable_temporary_folder_is_one_sentence(monkeypatch, example_photo):
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", "/proc/nowhere")
    before = datablocks()
    with pytest.raises(RuntimeError, match="cannot be handed on"):
        run(example_photo)
    assert datablocks() == before


def test_a_damaged_result_is_one_sentence(ours, monkeypatch, example_photo):
    module = ours("core.rig.rigged_head")
    monkeypatch.setattr(
        module.RiggedHead, "check", lambda self: (_ for _ in ()).throw(ValueError("quads"))
    )
    before = datablocks()
    with pytest.raises(RuntimeError, match="missing or damaged"):
        run(example_photo)
    assert datablocks() == before


def test_a_scene_that_cannot_be_built_is_one_sentence(ours, monkeypatch, example_photo):
    def fail(*arguments):
        raise ValueError("no room")

    monkeypatch.setattr(ours("pixel3dmm_addon.scene.rig"), "pose", fail)
    before = datablocks()
    with pytest.raises(RuntimeError, match="could not be put into the scene") as caught:
        run(example_photo)
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
    assert len(bpy.context.object.data.shape_keys.key_blocks) == 54
    with pytest.raises(RuntimeError, match="does not exist"):
        bpy.ops.pixel3dmm.reconstruct_from_file(filepath="/nowhere.jpg")


def test_look_through(example_photo):
    run(example_photo)
    camera = bpy.context.scene.camera
    bpy.context.scene.camera = None
    assert bpy.ops.pixel3dmm.look_through() == {"FINISHED"}
    assert bpy.context.scene.camera == camera
    bpy.data.objects.remove(camera)
    with pytest.raises(RuntimeError, match="no longer in the head's collection"):
        bpy.ops.pixel3dmm.look_through()


def test_saved_head_opens_without_the_extension(ours, tmp_path, example_photo):
    run(example_photo)
    shown = evaluated(bpy.context.object)
    path = tmp_path / "head.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    bpy.ops.wm.open_mainfile(filepath=str(path))
    (head,) = [o for o in bpy.data.objects if o.type == "MESH"]
    assert np.abs(evaluated(head) - shown).max() < 1e-6
    assert ours("pixel3dmm_addon.scene.head").is_head(head)
