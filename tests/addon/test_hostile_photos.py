# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of every kind that Blender opens, whole, damaged and lying: a picture or one sentence."""

from __future__ import annotations

import random

import bpy
import numpy as np
import pytest
from looking import datablocks

#: Blender's name -> how its picture may differ: colours lost by compression or a film's curve.
FORMATS = {
    "PNG": 0.01, "BMP": 0.01, "TIFF": 0.01, "TARGA": 0.01, "TARGA_RAW": 0.01, "IRIS": 0.01,
    "JPEG": 0.1, "JPEG2000": 0.1, "WEBP": 0.1, "HDR": 0.05, "DPX": 0.05,
    "CINEON": 0.5,
}  # fmt: skip
WIDTH, HEIGHT = 48, 40


@pytest.fixture(scope="module")
def written(ours, tmp_path_factory):
    """Format -> its file's bytes, by Blender's own writers."""
    folder, made = tmp_path_factory.mktemp("formats"), {}
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    rgba = np.stack([x / WIDTH, y / HEIGHT, np.full(x.shape, 0.5), np.ones(x.shape)], axis=-1)
    for name in FORMATS:
        image = bpy.data.images.new(name, WIDTH, HEIGHT)
        image.pixels.foreach_set(rgba[::-1].astype(np.float32).reshape(-1))
        settings = bpy.context.scene.render.image_settings
        settings.file_format, settings.color_mode = name, "RGB"
        settings.quality = 100
        bpy.context.scene.view_settings.view_transform = "Standard"
        bpy.context.scene.render.dither_intensity = 0.0
        image.save_render(str(folder / name))
        bpy.data.images.remove(image)
        made[name] = (folder / name).read_bytes()
    return made, rgba[..., :3]


def load(ours, path):
    """The photo, or the sentence; nothing stays in the file."""
    before = datablocks()
    try:
        return ours("pixel3dmm_addon.photos.loading").load_photo(path).photo
    except ours("core.errors").PhotoError as error:
        words = str(error)
        assert words.endswith(".")
        assert "\n" not in words
        return words
    finally:
        assert datablocks() == before


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_opens(ours, written, tmp_path, name):
    files, rgb = written
    (tmp_path / "photo.jpg").write_bytes(files[name])
    photo = load(ours, tmp_path / "photo.jpg")
    if name == "IRIS" and bpy.app.version < (4, 5):
        # Blender 4.2 does not open the SGI files that it writes.
        assert "is not a picture" in photo
        return
    assert not isinstance(photo, str), photo
    assert (photo.width, photo.height) == (WIDTH, HEIGHT)
    assert np.abs(photo.pixels / 255 - rgb).mean() < FORMATS[name]


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_cut_and_scrambled(ours, written, tmp_path, name):
    data = written[0][name]
    dice = random.Random(name)
    path = tmp_path / "photo.jpg"
    for turn in range(60):
        broken = bytearray(data[: dice.randrange(len(data))] if turn % 3 == 0 else data)
        for _ in range(dice.randrange(1, 12) if turn % 3 else 0):
            # Headers more than pixels.
            at = dice.randrange(min(len(broken), 700 if turn % 2 else len(broken)))
            broken[at] = dice.randrange(256)
        path.write_bytes(broken)
        load(ours, path)


def test_an_openexr_file_is_refused_whole(ours, scene, tmp_path):
    """Scrambled ones end Blender 5.0, and 4.2 and 4.5 never come back from them."""
    image = bpy.data.images.new("exr", WIDTH, HEIGHT)
    scene.render.image_settings.file_format = "OPEN_EXR"
    image.save_render(str(tmp_path / "photo.exr"))
    bpy.data.images.remove(image)
    assert "save the photo as PNG or TIFF" in load(ours, tmp_path / "photo.exr")


def test_bombs_are_refused_before_blender_decodes_them(ours, repository, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(repository / "tests"))
    from support.bombs import COMMON, RARE, UNMEASURED

    for name, data in {**COMMON, **RARE}.items():
        path = tmp_path / "photo.png"
        path.write_bytes(data)
        assert "60000 x 50000 pixels" in load(ours, path), name
    for name, data in UNMEASURED.items():
        path.write_bytes(data)
        assert "JPEG, PNG, TIFF, WebP or BMP" in load(ours, path), name


def test_no_thumbnail_is_made_of_a_bomb(ours, repository, example_photo, tmp_path, monkeypatch):
    """The panel shows one of whatever path a .blend names, before any button is pressed."""
    monkeypatch.syspath_prepend(str(repository / "tests"))
    from support.bombs import COMMON, RARE, UNMEASURED

    thumbnails = ours("pixel3dmm_addon.photos.thumbnails")
    thumbnails.close()
    for i, data in enumerate({**COMMON, **RARE, **UNMEASURED}.values()):
        path = tmp_path / f"{i}.png"
        path.write_bytes(data)
        assert [thumbnails.icon(path) for _ in range(2)] == [0, 0]
    assert len(thumbnails._previews) == 0
    thumbnails.icon(example_photo)
    assert len(thumbnails._previews) == 1
    thumbnails.close()
