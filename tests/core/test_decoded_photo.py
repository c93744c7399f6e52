# SPDX-License-Identifier: GPL-3.0-or-later
"""Buffers as Blender's loader gives them, to the photo that everything else sees."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest

from core.errors import PhotoError
from core.photos.decoded_photo import PhotoFile, to_srgb


def write_png(path, pixels, orientation=None):
    """A PNG as the standard has it, with an eXIf chunk if an orientation is given."""

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    height, width, _ = pixels.shape
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    exif = b""
    if orientation:
        entry = struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0)
        exif = chunk(b"eXIf", b"MM\0*" + struct.pack(">IH", 8, 1) + entry + struct.pack(">I", 0))
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        + exif
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def blender_buffer(pixels, alpha=1.0):
    """(H, W, 3) uint8 as Blender holds it: RGBA floats from the bottom row up."""
    rgba = np.full((*pixels.shape[:2], 4), alpha, np.float32)
    rgba[..., :3] = pixels / np.float32(255)
    return rgba[::-1].reshape(-1)


@pytest.fixture
def pixels():
    return np.random.default_rng(3).integers(0, 256, (40, 60, 3), dtype=np.uint8)


def test_every_8_bit_value_comes_back(tmp_path, pixels):
    write_png(tmp_path / "a.png", pixels)
    photo = PhotoFile(tmp_path / "a.png").photo(
        blender_buffer(pixels), 60, 40, 4, scene_linear=False
    )
    assert np.array_equal(photo.pixels, pixels)
    assert photo.name == "a"
    assert len(photo.sha256) == 64
    assert photo.notes == ()


def test_orientation_six_is_turned_clockwise(tmp_path, pixels):
    write_png(tmp_path / "a.png", pixels, orientation=6)
    photo = PhotoFile(tmp_path / "a.png").photo(
        blender_buffer(pixels), 60, 40, 4, scene_linear=False
    )
    assert np.array_equal(photo.pixels, np.rot90(pixels, -1))


def test_scene_linear_values_are_shown_as_srgb(tmp_path, pixels):
    write_png(tmp_path / "a.png", pixels)
    encoded = pixels / 255.0
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    rgba = np.concatenate([linear, np.ones((40, 60, 1))], axis=2)[::-1].astype(np.float32)
    photo = PhotoFile(tmp_path / "a.png").photo(rgba.reshape(-1), 60, 40, 4, scene_linear=True)
    assert np.array_equal(photo.pixels, pixels)
    assert "rounded to 8" in photo.notes[0]


def test_transparency_is_laid_over_mid_grey(tmp_path, pixels):
    write_png(tmp_path / "a.png", pixels)
    photo = PhotoFile(tmp_path / "a.png").photo(
        blender_buffer(pixels, alpha=0.0), 60, 40, 4, scene_linear=False
    )
    assert (photo.pixels == 128).all()
    assert "transparent" in photo.notes[0]


def test_grey_is_spread_over_three_channels(tmp_path, pixels):
    write_png(tmp_path / "a.png", pixels)
    grey = np.linspace(0, 1, 2400, dtype=np.float32)
    photo = PhotoFile(tmp_path / "a.png").photo(grey.copy(), 60, 40, 1, scene_linear=False)
    expected = np.rint(grey.reshape(40, 60)[::-1] * 255)
    assert np.abs(photo.pixels - expected[..., None]).max() <= 1


def test_srgb_curve_at_its_known_points():
    assert np.allclose(to_srgb(np.array([-1.0, 0.0, 0.0031308, 0.18, 1.0, 5.0])),
                       [0.0, 0.0, 0.04045, 0.46135, 1.0, 1.0], atol=1e-4)  # fmt: skip


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(None, "does not exist"), (b"", "empty"), (b"\x89PNG\r\n\x1a\n\0\0", "damaged")],
)
def test_files_that_are_no_photos_are_refused_before_decoding(tmp_path, content, sentence):
    path = tmp_path / "é空.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PhotoError, match=sentence):
        PhotoFile(path)


def test_what_does_not_say_how_large_it_is_gets_no_decoder(tmp_path):
    path = tmp_path / "text.jpg"
    path.write_text("not a photo")
    with pytest.raises(PhotoError, match=r"text\.jpg is not a picture"):
        PhotoFile(path)
