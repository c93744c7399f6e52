# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``build.py run PHOTO`` starts inside Blender: zip and photo in, four files out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import bpy
import numpy as np
import pytest


def main_job(repository, photo, out):
    """The script, in a Blender of its own."""
    command = [sys.executable, str(repository / "tools" / "run_in_blender.py")]
    command += ["--zip", os.environ["PIXEL3DMM_ZIP"], "--photo", str(photo), "--out", str(out)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)


def test_photo_to_files(repository, example_photo, tmp_path):
    done = main_job(repository, example_photo, tmp_path / "é" / "out")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert "Fitting the head" in done.stdout
    out = tmp_path / "é" / "out"
    assert {p.name for p in out.iterdir()} == {
        "head.fbx", "head.blend", "preview.png", "report.json",
    }  # fmt: skip

    report = json.loads((out / "report.json").read_text())
    assert report["blender"] == bpy.app.version_string
    assert report["photos"][0]["reprojection_px"]["mean"] < 2

    picture = bpy.data.images.load(str(out / "preview.png"))
    width, height = picture.size
    pixels = np.empty(width * height * 4, np.float32)
    picture.pixels.foreach_get(pixels)
    pixels = pixels.reshape(height, width, 4)[::-1, :, :3]
    tiles = [t for row in np.split(pixels, 2) for t in np.split(row, 3, axis=1)]
    assert all(tile.std() > 0.05 for tile in tiles), "a picture is blank"
    assert np.abs(tiles[0] - tiles[1]).mean() > 0.01, "no mesh over the photo"

    bpy.ops.wm.open_mainfile(filepath=str(out / "head.blend"))
    (head,) = [o for o in bpy.data.objects if o.type == "MESH"]
    names = [key.name for key in head.data.shape_keys.key_blocks]
    assert names[53] == "photoResidual"
    assert all(name.startswith("corr_") for name in names[54:])
    assert report["shape_keys"] == len(names) - 1
    assert bpy.context.scene.camera.data.background_images[0].image.packed_file
    assert [s.name for s in bpy.data.scenes] == ["Scene"]
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    bpy.ops.import_scene.fbx(filepath=str(out / "head.fbx"))
    (head,) = [o for o in bpy.data.objects if o.type == "MESH"]
    names = [key.name for key in head.data.shape_keys.key_blocks]
    assert names[53] == "photoResidual"
    assert all(name.startswith("corr_") for name in names[54:])
    assert report["shape_keys"] == len(names) - 1


@pytest.mark.parametrize("what", ["photo", "folder"])
def test_what_the_person_can_mend_is_one_sentence(repository, example_photo, tmp_path, what):
    photo, out = example_photo, tmp_path / "out"
    if what == "photo":
        photo = tmp_path / "text.jpg"
        photo.write_text("no photo")
    else:
        out = Path("/proc/nowhere")
    done = main_job(repository, photo, out)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert "Traceback" not in done.stdout
