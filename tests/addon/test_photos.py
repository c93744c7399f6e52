# SPDX-License-Identifier: GPL-3.0-or-later
"""Photos that are no photos, and photos that are unusual: a sentence, or the same face."""

from __future__ import annotations

import shutil
import struct
import zlib

import bpy
import numpy as np
import pytest
from looking import datablocks, evaluated, reconstruct


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
    photo = ours("pixel3dmm_addon.photos.loading").load_photo(example_photo).photo
    return photo.pixels / np.float32(255)


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
        reconstruct(path)
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
    assert reconstruct(path) == {"FINISHED"}
    image = bpy.context.scene.camera.data.background_images[0].image
    assert tuple(image.size) == (512, 512)
    # Without colour, and through JPEG's loss of colour, the landmarks move a little; the shape
    # network, which reads colours, more.
    tolerance = {"grey": 6e-3, "turned JPEG": 4e-3}.get(kind, 1e-5)
    assert np.abs(evaluated(bpy.context.object) - usual).max() < tolerance
    if kind.startswith("turned"):
        assert image.packed_file is not None  # upright, which the file is not
        shown = np.empty(512 * 512 * 4, np.float32)
        image.pixels.foreach_get(shown)
        shown = shown.reshape(512, 512, 4)[::-1, :, :3]
        assert np.abs(shown - portrait).mean() < (0.02 if kind == "turned JPEG" else 1e-6)


def test_a_large_photo_is_read_smaller_and_says_so(ours, tmp_path, portrait, monkeypatch):
    module = ours("pixel3dmm_addon.photos.loading")
    monkeypatch.setattr(module, "MOST_PIXELS", 200_000)
    path = tmp_path / "large.png"
    save_image(path, portrait)
    assert reconstruct(path) == {"FINISHED"}
    assert "512 x 512 pixels: read at 256 x 256" in bpy.context.object["pixel3dmm_report"]
