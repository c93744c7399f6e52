# SPDX-License-Identifier: GPL-3.0-or-later
"""The main job, inside Blender: the zip into a throwaway profile, one photo through its operator.

``python tools/run_in_blender.py --zip Z --photo P --out DIR`` with an interpreter that has bpy.
Writes head.fbx, head.blend, preview.png (drawn, or rendered with ``--render``) and report.json;
with ``--sheet`` sheet.png alone. Exit code 0, or 2 with one sentence.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TextIO

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

STARTED = time.perf_counter()

#: Where our own lines go; Blender has stdout for itself once it runs.
_voice: TextIO = sys.stdout


def main() -> int:
    """Exit code of the whole."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--zip", type=Path, required=True, help="the extension")
    parser.add_argument("--photo", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--render", action="store_true", help="render the preview with Cycles")
    parser.add_argument("--sheet", action="store_true", help="the turntable sheet alone")
    options = parser.parse_args()
    profile = tempfile.mkdtemp(prefix="pixel3dmm-profile-")
    os.environ["BLENDER_USER_RESOURCES"] = profile  # read by bpy when it is imported
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        paths = (options.zip.resolve(), options.photo.resolve(), options.out.resolve())
        return _run(*paths, sheet=options.sheet, render=options.render)
    except RuntimeError as error:  # an operator's own sentence
        print(str(error).removeprefix("Error: ").strip(), file=sys.stderr)
        return 2
    except OSError as error:
        reason = error.strerror or error
        print(f"{error.filename or options.out} cannot be written: {reason}.", file=sys.stderr)
        return 2
    finally:
        shutil.rmtree(profile, ignore_errors=True)


def _run(archive: Path, photo: Path, out: Path, *, sheet: bool, render: bool) -> int:
    say(f"Starting Blender for {photo.name}")
    import bpy

    noise = _quiet()

    from tools.drawn_preview import draw_preview
    from tools.installed_extension import EXTENSION
    from tools.preview import render_preview
    from tools.turntable import render_sheet

    _listen()
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    say(f"Blender {bpy.app.version_string}: installing {archive.name}")
    bpy.ops.extensions.package_install_files(
        filepath=str(archive), repo="user_default", enable_on_install=True, overwrite=True
    )
    # The operator says FINISHED even if it installed nothing.
    if EXTENSION not in bpy.context.preferences.addons:
        raise RuntimeError(f"Blender did not install {archive.name}: {noise.read_text()[-500:]}")

    choices = bpy.context.scene.pixel3dmm
    choices.photo, choices.match_render_size = str(photo), True
    started = time.perf_counter()
    bpy.ops.pixel3dmm.reconstruct_face()
    seconds = time.perf_counter() - started
    head, camera = bpy.context.object, bpy.context.scene.camera
    report = json.loads(head["pixel3dmm_report"])
    for warning in report.get("warnings", []):
        say(warning)
    if sheet:
        render_sheet(head, out / "sheet.png")
        say(f"Written {out / 'sheet.png'}")
        return 0

    bpy.ops.pixel3dmm.export_fbx(filepath=str(out / "head.fbx"))
    say(f"Written {out / 'head.fbx'}")
    _save_blend(bpy, camera, out / "head.blend")
    say(f"Written {out / 'head.blend'}")
    picture = render_preview if render else draw_preview
    picture(head, camera, photo, out / "preview.png")
    say(f"Written {out / 'preview.png'}")

    report["blender"] = bpy.app.version_string
    report["shape_keys"] = len(head.data.shape_keys.key_blocks) - 1
    report["seconds_click_to_scene"] = round(seconds, 3)
    report["recipe"] = json.loads(head["pixel3dmm_recipe"])
    text = json.dumps(report, indent=2, sort_keys=True) + "\n"
    (out / "report.json").write_text(text, encoding="utf-8")
    say(f"Written {out / 'report.json'}")
    return 0


def _save_blend(bpy, camera, path: Path) -> None:
    """A file that opens anywhere: the photo packed, the view looking through its camera."""
    for background in camera.data.background_images:
        if not background.image.packed_file:
            background.image.pack()
    for screen in bpy.data.screens:
        for area in screen.areas:
            if area.type == "VIEW_3D":
                area.spaces.active.region_3d.view_perspective = "CAMERA"
    bpy.context.preferences.filepaths.save_version = 0  # no head.blend1 beside it
    bpy.ops.wm.save_as_mainfile(filepath=str(path))


def _quiet() -> Path:
    """From now on what Blender itself prints, a line for each step of a render, goes to a file.

    Python's own stdout and stderr stay where they were.
    """
    global _voice
    _voice = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="replace")
    sys.stderr = os.fdopen(os.dup(2), "w", encoding="utf-8", errors="replace")
    noise = Path(os.environ["BLENDER_USER_RESOURCES"], "blender.log")
    with noise.open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    return noise


def _listen() -> None:
    """Shows the operator's progress."""
    handler = logging.StreamHandler(_voice)
    handler.setFormatter(logging.Formatter("    %(message)s"))
    log = logging.getLogger("pixel3dmm")
    log.addHandler(handler)
    log.setLevel(logging.INFO)


def say(text: str) -> None:
    """One line with the seconds since the start."""
    print(f"[{time.perf_counter() - STARTED:5.1f} s] {text}", file=_voice, flush=True)


if __name__ == "__main__":
    code = main()
    _voice.flush()
    sys.stderr.flush()
    # bpy 4.2 crashes and 4.5 hangs at a regular exit if a callback is still registered.
    os._exit(code)
