# SPDX-License-Identifier: GPL-3.0-or-later
"""EXIF and containers: Pillow writes, we read; and no bytes at all may raise."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageOps, TiffImagePlugin
from PIL.TiffImagePlugin import IFDRational

from core.geometry.camera import focal_from_35mm
from core.photos.container import profile_name, read_container
from core.photos.exif import Exif, read_exif, upright

FORMATS = ("JPEG", "PNG", "WebP", "TIFF")


def encoded(kind: str, size: tuple[int, int] = (60, 40), mode: str = "RGB", **options) -> bytes:
    out = io.BytesIO()
    if kind == "TIFF" and "exif" in options:
        # Handed over as EXIF, Pillow 13 leaves the sub-directory out of a TIFF.
        exif = options.pop("exif")
        directory = TiffImagePlugin.ImageFileDirectory_v2()
        directory[0x0112], directory[0x8769] = exif[0x0112], dict(exif.get_ifd(0x8769))
        options["tiffinfo"] = directory
    Image.new(mode, size, 90 if mode == "L" else None).save(out, kind, **options)
    return out.getvalue()


def exif_bytes(orientation: int = 1, **tags: object) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    sub = exif.get_ifd(0x8769)
    names = {
        "focal_35mm": 0xA405,
        "focal_mm": 0x920A,
        "resolution": 0xA20E,
        "unit": 0xA210,
        "x": 0xA002,
        "y": 0xA003,
    }
    for name, value in tags.items():
        # Pillow would write a float as a double, a type that EXIF does not have.
        sub[names[name]] = IFDRational(value) if isinstance(value, float) else value
    return exif


@pytest.mark.parametrize("kind", FORMATS)
def test_orientation_and_focal_length_out_of_every_container(kind):
    data = encoded(kind, exif=exif_bytes(6, focal_35mm=35, focal_mm=4.25))
    container = read_container(data)
    assert (container.format, container.width, container.height) == (kind, 60, 40)
    assert container.complete
    exif = read_exif(container.exif)
    assert exif.orientation == 6
    assert exif.focal_35mm == 35
    assert exif.focal_mm == pytest.approx(4.25)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_upright_is_what_pillow_makes_of_the_same_orientation(orientation):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    picture = Image.fromarray(pixels)
    picture.getexif()[0x0112] = orientation
    expected = np.asarray(ImageOps.exif_transpose(picture))
    np.testing.assert_array_equal(upright(pixels, orientation), expected)


def test_focal_length_from_the_35_mm_equivalent_follows_the_diagonal():
    focal, note = Exif(focal_35mm=50.0).focal_px(3000, 2000)
    assert focal == pytest.approx(focal_from_35mm(50.0, 3000, 2000))
    assert note == ""


def test_focal_length_from_the_sensor_is_scaled_to_the_image_and_ignores_turning():
    # A full frame sensor, 6000 pixels over 36 mm, 50 mm lens; the image is half as large.
    sensor = Exif(focal_mm=50.0, pixels_per_mm=6000 / 36, pixel_x=6000, pixel_y=4000)
    for size in ((3000, 2000), (2000, 3000)):
        focal, _ = sensor.focal_px(*size)
        assert focal == pytest.approx(50 / 36 * 3000)


@pytest.mark.parametrize(
    ("unit", "per_unit"), [(2, 6000 / 36 * 25.4), (3, 6000 / 3.6), (4, 6000 / 36), (None, 4233.3)]
)
def test_units_of_the_sensor_resolution(unit, per_unit):
    tags = {"focal_mm": 50.0, "resolution": per_unit}
    data = exif_bytes(**tags, **({} if unit is None else {"unit": unit})).tobytes()
    assert read_exif(data).focal_px(6000, 4000)[0] == pytest.approx(8333.3, rel=1e-4)


def test_a_cropped_photo_does_not_use_the_camera_s_focal_length():
    focal, note = Exif(focal_35mm=50.0, pixel_x=6000, pixel_y=4000).focal_px(1000, 1000)
    assert focal is None
    assert "cropped" in note


@pytest.mark.parametrize("mm", [0.5, 60000.0])
def test_an_absurd_focal_length_is_not_used(mm):
    focal, note = Exif(focal_35mm=mm).focal_px(3000, 2000)
    assert focal is None
    assert "plausible" in note


def test_big_endian_and_zero_denominator():
    entries = struct.pack(">HHIHH", 0x0112, 3, 1, 8, 0) + struct.pack(">HHII", 0x8769, 4, 1, 38)
    sub = struct.pack(">H", 1) + struct.pack(">HHII", 0x920A, 5, 1, 56) + bytes(4)
    tiff = b"MM\0*" + struct.pack(">IH", 8, 2) + entries + bytes(4) + sub
    tiff = tiff.ljust(56, b"\0") + struct.pack(">II", 50, 0)
    exif = read_exif(tiff)
    assert exif.orientation == 8
    assert exif.focal_mm is None


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_counts_as_upright(orientation):
    assert read_exif(exif_bytes(orientation).tobytes()).orientation == 1


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WebP"])
def test_a_file_that_is_cut_off_anywhere_is_known_to_be_incomplete(kind):
    rng = np.random.default_rng(1)
    picture = Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8))
    out = io.BytesIO()
    # The thumbnail in the EXIF has an end marker of its own, which must not count.
    exif = exif_bytes()
    exif[0x927C] = encoded("JPEG", (16, 16))
    picture.save(out, kind, exif=exif)
    data = out.getvalue()
    assert read_container(data).complete
    for share in (0.3, 0.6, 0.9, 0.99):
        assert not read_container(data[: int(share * len(data))]).complete


def test_progressive_and_restarted_jpegs_are_complete():
    picture = Image.fromarray(np.random.default_rng(1).integers(0, 256, (99, 80, 3), np.uint8))
    for options in ({"progressive": True}, {"restart_marker_blocks": 2}):
        out = io.BytesIO()
        picture.save(out, "JPEG", quality=90, **options)
        assert read_container(out.getvalue()).complete
        assert not read_container(out.getvalue()[:-3]).complete


@pytest.mark.parametrize("kind", ["PNG", "WebP", "TIFF"])
def test_animations_and_pages_are_counted(kind):
    frames = [Image.new("RGB", (40, 40), colour) for colour in ("red", "green", "blue")]
    out = io.BytesIO()
    frames[0].save(out, kind, save_all=True, append_images=frames[1:])
    assert read_container(out.getvalue()).pictures == 3


@pytest.mark.parametrize("kind", FORMATS)
def test_the_colour_profile_s_name(kind):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert "sRGB" in profile_name(read_container(encoded(kind, icc_profile=profile)).icc)
    assert profile_name(read_container(encoded(kind)).icc) == ""


def test_sizes_of_bitmaps_and_lossless_webp():
    for mode in ("RGB", "L", "1", "RGBA"):
        found = read_container(encoded("BMP", (33, 21), mode))
        assert (found.width, found.height, found.complete) == (33, 21, True)
        assert not read_container(encoded("BMP", (33, 21), mode)[:-2]).complete
    found = read_container(encoded("WebP", (33, 21), lossless=True))
    assert (found.width, found.height) == (33, 21)


def test_a_ring_of_directories_ends():
    tiff = bytearray(b"II*\0" + struct.pack("<I", 8) + struct.pack("<HI", 0, 8))
    assert read_container(bytes(tiff)).pictures == 1


def test_a_long_run_of_fill_bytes_is_walked_in_linear_time():
    # Quadratic matching would take hours for this.
    assert not read_container(b"\xff\xd8" + b"\xff" * 20_000_000).complete


SEEDS = [
    encoded(kind, exif=exif_bytes(6, focal_35mm=35, focal_mm=4.2, resolution=1000.0, unit=3))
    for kind in FORMATS
] + [encoded("BMP"), b"", b"\xff\xd8\xff", b"II*\0\x08\0\0\0", b"MM\0*\xff\xff\xff\xff"]


@settings(max_examples=600, deadline=None)
@given(
    seed=st.sampled_from(SEEDS),
    edits=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=12),
    cut=st.floats(0, 1),
)
@example(seed=SEEDS[3], edits=[], cut=0.5)
def test_no_damage_makes_the_readers_raise(seed, edits, cut):
    data = bytearray(seed)
    for where, value in edits:
        if data:
            data[int(where * (len(data) - 1))] = value
    everything(bytes(data[: int(cut * len(data)) + 1]))


@settings(max_examples=400, deadline=None)
@given(start=st.sampled_from([s[:12] for s in SEEDS]), rest=st.binary(max_size=400))
def test_no_garbage_makes_the_readers_raise(start, rest):
    everything(start + rest)
    everything(rest)


def everything(data: bytes) -> None:
    container = read_container(data)
    exif = read_exif(data if container is None else container.exif)
    assert 1 <= exif.orientation <= 8
    focal, _ = exif.focal_px(640, 480)
    assert focal is None or np.isfinite(focal)
    profile_name(data if container is None else container.icc)
