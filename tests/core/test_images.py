# SPDX-License-Identifier: GPL-3.0-or-later
"""Photos of every kind become the same kind of array, and bad ones become one sentence."""

from __future__ import annotations

import io
import os
import struct
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

from core.errors import PhotoError
from core.geometry.camera import focal_from_35mm
from core.photos.colour_profile import read_profile
from core.photos.photo import MAX_PIXELS, Photo, load_photo, photo_from_npz

LOSSLESS = {"PNG": {}, "TIFF": {}, "WebP": {"lossless": True}, "BMP": {}}

#: Red, green and blue as XYZ about D50, and the curve's tag: Adobe RGB (1998), and Display P3.
SPACES = {
    "Adobe RGB": (
        ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457)),
        struct.pack(">4sIIH", b"curv", 0, 1, 0x0233),
    ),
    "Display P3": (
        ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407)),
        struct.pack(">4sIHH5i", b"para", 0, 3, 0, *(
            round(65536 * x) for x in (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
        )),
    ),
}  # fmt: skip


def matrix_profile(colours, curve: bytes) -> bytes:
    """An ICC profile of version 4 (ICC.1:2010) out of three colours and one curve."""

    def xyz(values) -> bytes:
        return struct.pack(">4sI3i", b"XYZ ", 0, *(round(65536 * v) for v in values))

    text = "A space".encode("utf-16-be")
    named = struct.pack(">4sIII2s2sII", b"mluc", 0, 1, 12, b"en", b"US", len(text), 28) + text
    tags = {b"desc": named, b"cprt": named, b"wtpt": xyz((0.9642, 1.0, 0.8249))}
    for letter, colour in zip("rgb", colours, strict=True):
        tags[f"{letter}XYZ".encode()] = xyz(colour)
        tags[f"{letter}TRC".encode()] = curve
    table, body = struct.pack(">I", len(tags)), b""
    for name, tag in tags.items():
        table += struct.pack(">4sII", name, 132 + 12 * len(tags) + len(body), len(tag))
        body += tag + bytes(-len(tag) % 4)
    head = struct.pack(">I4sI4s4s4s", 132 + 12 * len(tags) + len(body), b"\0" * 4, 0x04200000,
                       b"mntr", b"RGB ", b"XYZ ")  # fmt: skip
    head += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + table + body


@pytest.fixture(scope="module")
def picture() -> Image.Image:
    """48 x 36, smooth, so that JPEG's loss is small, and different in every corner."""
    y, x = np.mgrid[0:36, 0:48]
    pixels = np.stack([x * 5, y * 7, (x + y) * 3], axis=-1).astype(np.uint8)
    return Image.fromarray(pixels)


def saved(picture: Image.Image, path: Path, **options) -> Path:
    picture.save(path, **options)
    return path


def sentence_of(path: Path) -> str:
    with pytest.raises(PhotoError) as caught:
        load_photo(path)
    sentence = str(caught.value)
    assert sentence.startswith(path.name)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    return sentence


@pytest.mark.parametrize("kind", LOSSLESS)
def test_lossless_files_keep_every_pixel(kind, picture, tmp_path):
    path = saved(picture, tmp_path / f"a.{kind.lower()}", format=kind, **LOSSLESS[kind])
    photo = load_photo(path)
    np.testing.assert_array_equal(photo.pixels, np.asarray(picture))
    assert (photo.width, photo.height, photo.name, photo.notes) == (48, 36, "a", ())
    assert photo.pixels.flags.c_contiguous


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WebP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_exactly_once(kind, orientation, picture, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if kind == "WebP" else {"quality": 98, "subsampling": 0}
    path = saved(picture, tmp_path / f"a.{kind.lower()}", format=kind, exif=exif, **options)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(path)).convert("RGB"), dtype=int)
    pixels = load_photo(path).pixels
    assert pixels.shape == expected.shape
    assert np.abs(pixels - expected).max() <= (8 if kind == "JPEG" else 0)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_of_a_deep_tiff(orientation, tmp_path):
    deep = np.random.default_rng(0).integers(0, 256, (36, 48), dtype=np.uint16) * 257
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(Image.fromarray(deep), tmp_path / "a.tif", exif=exif)
    plain = Image.fromarray((deep // 257).astype(np.uint8))
    plain.getexif()[0x0112] = orientation
    expected = np.asarray(ImageOps.exif_transpose(plain).convert("RGB"))
    np.testing.assert_array_equal(load_photo(path).pixels, expected)


def test_focal_length_in_pixels_of_the_turned_photo(picture, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8769)[0xA405] = 28
    photo = load_photo(saved(picture, tmp_path / "a.jpg", exif=exif))
    assert (photo.width, photo.height) == (36, 48)
    assert photo.focal_px == pytest.approx(focal_from_35mm(28, 36, 48))


@pytest.mark.parametrize("mode", ["L", "1", "P"])
def test_grey_black_and_white_and_palette(mode, picture, tmp_path):
    converted = picture.convert(mode)
    photo = load_photo(saved(converted, tmp_path / "a.png"))
    np.testing.assert_array_equal(photo.pixels, np.asarray(converted.convert("RGB")))


def test_cmyk_has_the_colours_that_pillow_sees(tmp_path):
    picture = Image.new("CMYK", (64, 64), (200, 40, 10, 30))
    path = saved(picture, tmp_path / "a.jpg", quality=95)
    expected = np.asarray(Image.open(path).convert("RGB"), dtype=int)
    assert np.abs(load_photo(path).pixels - expected).max() <= 3


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("shape", [(40, 40), (40, 40, 3)])
def test_16_bits_are_rounded_to_8(suffix, shape, tmp_path):
    deep = np.random.default_rng(0).integers(0, 65536, shape, dtype=np.uint16)
    cv2.imwrite(str(tmp_path / f"a{suffix}"), deep)
    photo = load_photo(tmp_path / f"a{suffix}")
    expected = np.floor(deep / 257 + 0.5)
    expected = expected[..., ::-1] if len(shape) == 3 else np.repeat(expected[..., None], 3, 2)
    np.testing.assert_array_equal(photo.pixels, expected)
    assert "16 bits" in photo.notes[0]


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_is_laid_over_mid_grey(mode, tmp_path):
    colour = (200, 100, 50, 128) if mode == "RGBA" else (200, 128)
    picture = Image.new(mode, (40, 40), colour)
    picture.putpixel((0, 0), (*colour[:-1], 255))
    picture.putpixel((1, 0), (*colour[:-1], 0))
    photo = load_photo(saved(picture, tmp_path / "a.png"))
    rgb = np.array(colour[:3] if mode == "RGBA" else (200, 200, 200))
    np.testing.assert_array_equal(photo.pixels[0, 0], rgb)
    np.testing.assert_array_equal(photo.pixels[0, 1], [128, 128, 128])
    blended = np.rint((rgb * 128 + 128.0 * 127) / 255)
    assert np.abs(photo.pixels[5, 5] - blended).max() <= 1
    assert "transparent" in photo.notes[0]


def test_an_opaque_alpha_channel_is_not_worth_a_word(picture, tmp_path):
    photo = load_photo(saved(picture.convert("RGBA"), tmp_path / "a.png"))
    np.testing.assert_array_equal(photo.pixels, np.asarray(picture))
    assert photo.notes == ()


@pytest.mark.parametrize("kind", ["PNG", "WebP", "TIFF"])
def test_of_several_pictures_the_first_is_used(kind, tmp_path):
    frames = [Image.new("RGB", (40, 40), colour) for colour in ("red", "lime", "blue")]
    options = {"lossless": True} if kind == "WebP" else {}
    path = tmp_path / f"a.{kind.lower()}"
    frames[0].save(path, kind, save_all=True, append_images=frames[1:], **options)
    photo = load_photo(path)
    assert (photo.pixels == [255, 0, 0]).all()
    assert "3 pictures" in photo.notes[0]


def test_a_colour_profile_that_is_srgb_by_another_name_changes_nothing(picture, tmp_path):
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    named = srgb.replace("sRGB".encode("utf-16-be"), "WIDE".encode("utf-16-be"))
    assert named != srgb
    for profile in (srgb, named):
        photo = load_photo(saved(picture, tmp_path / "a.png", icc_profile=profile))
        np.testing.assert_array_equal(photo.pixels, np.asarray(picture))
        assert photo.notes == ()


@pytest.mark.parametrize("space", SPACES)
def test_photos_in_other_colour_spaces_become_srgb(space, tmp_path):
    """Against LittleCMS, where sRGB holds the colour; two steps of 255 for its rounding."""
    values = np.random.default_rng(3).integers(60, 200, (40, 40, 3), dtype=np.uint8)
    wide, profile = Image.fromarray(values), matrix_profile(*SPACES[space])
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    wanted = ImageCms.profileToProfile(wide, source, ImageCms.createProfile("sRGB"), 1)
    photo = load_photo(saved(wide, tmp_path / "a.png", icc_profile=profile))
    inside = (np.asarray(wanted) > 4).all(axis=2) & (np.asarray(wanted) < 251).all(axis=2)
    assert inside.mean() > 0.5
    assert np.abs(photo.pixels.astype(int) - np.asarray(wanted))[inside].max() <= 2
    assert np.abs(photo.pixels.astype(int) - values).mean() > 2
    assert photo.notes == ()


def test_a_colour_profile_of_tables_is_said(picture, tmp_path):
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    assert read_profile(lab) is None
    note = load_photo(saved(picture, tmp_path / "b.jpg", icc_profile=lab)).notes[0]
    assert "ignored" in note


@pytest.mark.parametrize("end", range(100, 500, 40))
def test_a_colour_profile_that_is_cut_off_is_no_profile(end):
    whole = matrix_profile(*SPACES["Adobe RGB"])
    cut = read_profile(whole[: min(end, len(whole) - 1)])
    assert cut is None or np.isfinite(cut.matrix).all()


@pytest.mark.parametrize("name", ["Porträt ünïcode.jpg", "写真 🙂.jpg", " a b.jpg", "no_suffix"])
def test_unusual_paths(name, picture, tmp_path):
    folder = tmp_path / "Фото"
    folder.mkdir()
    photo = load_photo(saved(picture, folder / name, format="JPEG"))
    assert photo.name == Path(name).stem
    assert len(photo.sha256) == 64


def test_12000_pixels_wide(tmp_path):
    cv2.imwrite(str(tmp_path / "wide.jpg"), np.full((1200, 12000, 3), 90, np.uint8))
    assert load_photo(tmp_path / "wide.jpg").pixels.shape == (1200, 12000, 3)


def png_that_claims(width: int, height: int) -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(name + body))
        return struct.pack(">I", len(body)) + name + body + crc

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(1000)))
        + chunk(b"IEND", b"")
    )


def test_a_bomb_is_refused_before_decoding(tmp_path, monkeypatch):
    def decode(*_: object) -> None:
        raise AssertionError("it was decoded")

    monkeypatch.setattr(cv2, "imdecode", decode)
    (tmp_path / "bomb.png").write_bytes(png_that_claims(60000, 60000))
    assert "200 megapixels" in sentence_of(tmp_path / "bomb.png")


def test_a_file_larger_than_a_gigabyte_is_not_read(tmp_path):
    with (tmp_path / "huge.jpg").open("wb") as file:
        file.truncate((1 << 30) + 1)
    assert "gigabyte" in sentence_of(tmp_path / "huge.jpg")


def test_what_is_no_photo_gets_its_sentence(picture, tmp_path):
    def bad(name: str, data: bytes) -> str:
        (tmp_path / name).write_bytes(data)
        return sentence_of(tmp_path / name)

    assert "empty (0 bytes)" in bad("empty.jpg", b"")
    assert "not a picture" in bad("text.jpg", b"just words, no photo")
    assert "GIF" in bad("a.gif", b"GIF89a" + bytes(50))
    assert "HEIC" in bad("phone.heic", b"\0\0\0\x18ftypheic" + bytes(50))
    assert "camera raw" in bad("a.cr2", b"II*\0\x10\0\0\0CR\x02\0" + bytes(50))
    assert "damaged PNG" in bad("hollow.png", png_that_claims(100, 100))
    assert "damaged JPEG" in bad("stub.jpg", b"\xff\xd8\xff\xd9")
    picture.resize((1, 1)).save(tmp_path / "one.png")
    assert "1 x 1" in sentence_of(tmp_path / "one.png")
    picture.convert("F").save(tmp_path / "float.tif")
    assert "float32" in sentence_of(tmp_path / "float.tif")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WebP", "TIFF", "BMP"])
@pytest.mark.parametrize("share", [0.5, 0.9, 0.98])
def test_truncated_files_are_refused(kind, share, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (90, 90, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(noise).save(out, kind)
    path = tmp_path / f"a.{kind.lower()}"
    path.write_bytes(out.getvalue()[: int(share * len(out.getvalue()))])
    # Where a TIFF ends is for the decoder to find out.
    assert ("damaged" if kind == "TIFF" else "cut off") in sentence_of(path)


def test_what_is_no_file_gets_its_sentence(tmp_path):
    assert "does not exist" in sentence_of(tmp_path / "nowhere.jpg")
    (tmp_path / "folder.jpg").mkdir()
    assert "is a folder" in sentence_of(tmp_path / "folder.jpg")
    assert "cannot be read" in sentence_of(tmp_path / "null\0character.jpg")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.jpg")
        assert "is not a file" in sentence_of(tmp_path / "pipe.jpg")


def test_a_file_that_may_not_be_read_gets_its_sentence(picture, tmp_path, monkeypatch):
    path = saved(picture, tmp_path / "a.jpg")

    def refuse(self: Path, *_: object) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", refuse)
    assert "Permission denied" in sentence_of(path)


def test_without_opencv_the_sentence_says_how_to_get_it(picture, tmp_path, monkeypatch):
    path = saved(picture, tmp_path / "a.jpg")
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(PhotoError, match="pip install opencv-python-headless"):
        load_photo(path)


def test_npz_round_trip(picture, tmp_path):
    pixels = np.asarray(picture)
    notes = ("one", "tvåhundra")
    photo = Photo(pixels, "Zoë", Path("/somewhere/Zoë.jpg"), "ab" * 32, 1234.5, notes)
    photo.save(tmp_path / "p.npz")
    again = photo_from_npz(tmp_path / "p.npz")
    np.testing.assert_array_equal(again.pixels, pixels)
    assert (again.name, again.path, again.sha256) == (photo.name, photo.path, photo.sha256)
    assert (again.focal_px, again.notes) == (1234.5, notes)
    Photo(pixels, "plain").save(tmp_path / "q.npz")
    plain = photo_from_npz(tmp_path / "q.npz")
    assert (plain.path, plain.focal_px, plain.notes) == (None, None, ())


def hostile(name: str) -> dict[str, np.ndarray]:
    good = {
        "pixels": np.zeros((40, 50, 3), np.uint8),
        "name": np.array("a"),
        "path": np.array(""),
        "sha256": np.array(""),
        "focal_px": np.array(np.nan),
        "width": np.array(50),
        "height": np.array(40),
    }
    wrong = {
        "float": {"pixels": np.zeros((40, 50, 3))},
        "grey": {"pixels": np.zeros((40, 50), np.uint8)},
        "tiny": {"pixels": np.zeros((1, 1, 3), np.uint8)},
        "objects": {"name": np.array([object()], dtype=object)},
        "size": {"width": np.array(40)},
        "focal": {"focal_px": np.array("wide")},
        "list": {"focal_px": np.ones(3)},
    }
    good.pop(name, None)
    return {**good, **wrong.get(name, {})}


@pytest.mark.parametrize(
    "name", ["float", "grey", "tiny", "objects", "size", "focal", "list", "pixels", "sha256"]
)
def test_a_damaged_npz_is_a_sentence(name, tmp_path):
    np.savez(tmp_path / "p.npz", **hostile(name))
    with pytest.raises(PhotoError):
        photo_from_npz(tmp_path / "p.npz")


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 nonsense", b"\x93NUMPY\x01\x00garbage"])
def test_no_npz_at_all_is_a_sentence(data, tmp_path):
    (tmp_path / "p.npz").write_bytes(data)
    with pytest.raises(PhotoError, match="damaged"):
        photo_from_npz(tmp_path / "p.npz")
    with pytest.raises(PhotoError, match="damaged"):
        photo_from_npz(tmp_path / "nowhere.npz")


def test_an_npz_bomb_is_not_unpacked(tmp_path):
    zeros = np.zeros(MAX_PIXELS * 4 + 1, np.uint8)
    np.savez_compressed(tmp_path / "p.npz", **{**hostile(""), "pixels": zeros})
    assert (tmp_path / "p.npz").stat().st_size < 5_000_000
    with pytest.raises(PhotoError, match="damaged"):
        photo_from_npz(tmp_path / "p.npz")
