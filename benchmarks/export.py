# SPDX-License-Identifier: GPL-3.0-or-later
"""Our exports against Blender's own with its default settings: seconds, size, what comes back.

The example photo's head, its 52 keys animated over two seconds, a Subdivision modifier on it as
artists have it. Each file is read by Blender's importer into an empty file and compared with what
was in the scene: keys by name, and of the frames those in which every key's value is within 1e-3.
``seconds`` is the writing; of ours ``check`` is the reading back that follows.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

ROOT = Path(__file__).resolve().parents[1]
FRAMES = 48
REPEATS = 3


_out: TextIO = sys.stdout


def say(line: str) -> None:
    """A line of the table."""
    print(line, file=_out, flush=True)


def main() -> int:
    """Runs itself inside each Blender asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.export", description=__doc__)
    parser.add_argument("--blender", action="append", help="versions (default: 4.2, 4.5, 5.0)")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        return inside(options.inside)
    from tools.environments import blender_recipe, prepare
    from tools.package import build_zip
    from tools.processes import clean_variables

    code = 0
    for version in options.blender or ["4.2", "4.5", "5.0"]:
        python = prepare(blender_recipe(version)).python
        archive = build_zip(ROOT / "dist", python)
        command = [str(python), "-m", "benchmarks.export", "--inside", str(archive)]
        code = (
            subprocess.run(command, cwd=ROOT, env=clean_variables(), check=False).returncode or code
        )
    return code


def inside(archive: Path) -> int:
    """In Blender's own Python: one table, without what Blender says meanwhile."""
    global _out
    _out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    quiet = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - until the process ends
    sys.stdout = quiet
    os.dup2(quiet.fileno(), 1)
    # Errors stay where they are seen.
    with tempfile.TemporaryDirectory(prefix="pixel3dmm-bench-") as folder:
        os.environ["BLENDER_USER_RESOURCES"] = str(Path(folder, "profile"))
        import bpy

        bpy.ops.extensions.package_install_files(
            filepath=str(archive), repo="user_default", enable_on_install=True, overwrite=True
        )
        prepare_scene(Path(folder, "scene.blend"))
        load = ", ".join(f"{x:.1f}" for x in os.getloadavg()) if hasattr(os, "getloadavg") else "?"
        say(f"\nBlender {bpy.app.version_string}, {os.cpu_count()} cores, load {load}")
        say(f"{'':34}{'seconds':>9}{'check':>8}{'MB':>8}{'keys':>9}{'frames':>9}")
        for name, suffix, write in exports():
            measure(name, Path(folder, f"head{suffix}"), Path(folder, "scene.blend"), write)
    os._exit(0)  # bpy 4.2 crashes at a regular end


def prepare_scene(path: Path) -> None:
    """The example's head, moving, under a modifier, saved."""
    import bpy
    import numpy as np

    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    scene = bpy.context.scene
    scene.pixel3dmm.photo = str(ROOT / "examples" / "astronaut.jpg")
    bpy.ops.pixel3dmm.reconstruct_face()
    scene.frame_start, scene.frame_end = 1, FRAMES
    head = bpy.context.object
    random = np.random.default_rng(0)
    for key in head.data.shape_keys.key_blocks[1:53]:
        for frame in range(1, FRAMES + 1, 4):
            key.value = float(random.uniform())
            key.keyframe_insert("value", frame=frame)
    head.modifiers.new("Subdivision", "SUBSURF")
    bpy.ops.wm.save_as_mainfile(filepath=str(path), compress=False)


def exports() -> list[tuple[str, str, Callable[[Path], object]]]:
    """(name, ending, call) of every row."""
    import bpy

    ours = bpy.ops.pixel3dmm.export_head

    def selected() -> None:
        head = bpy.context.object
        for obj in bpy.context.scene.objects:
            obj.select_set(obj in (head, head.parent))

    def fbx(path: Path) -> None:
        selected()
        bpy.ops.export_scene.fbx(filepath=str(path), use_selection=True)

    def glb(path: Path, **more: object) -> None:
        selected()
        bpy.ops.export_scene.gltf(filepath=str(path), use_selection=True, **more)

    def usd(path: Path) -> None:
        selected()
        bpy.ops.wm.usd_export(filepath=str(path), selected_objects_only=True)

    return [
        ("FBX, Blender's defaults", ".fbx", fbx),
        ("FBX, ours for Unreal", ".fbx", lambda p: ours(filepath=str(p), preset="UNREAL")),
        ("FBX, ours for Unity", ".fbx", lambda p: ours(filepath=str(p), preset="UNITY")),
        ("FBX, ours for others", ".fbx", lambda p: ours(filepath=str(p), preset="FBX")),
        ("glTF, Blender's defaults", ".glb", glb),
        ("glTF, ours", ".glb", lambda p: ours(filepath=str(p), preset="GODOT")),
        (
            "glTF, ours with morph normals",
            ".glb",
            lambda p: ours(filepath=str(p), preset="GODOT", morph_normals=True),
        ),
        ("USD, Blender's defaults", ".usdc", usd),
        ("USD, ours", ".usdc", lambda p: ours(filepath=str(p), preset="USD")),
        (".blend asset, ours", ".blend", lambda p: ours(filepath=str(p), preset="BLENDER")),
    ]


def measure(name: str, path: Path, scene: Path, write: Callable[[Path], object]) -> None:
    """One row: the median of some exports, then what came back."""
    import importlib

    import bpy

    spent, checked = [], []
    for _ in range(REPEATS):
        bpy.ops.wm.open_mainfile(filepath=str(scene))
        start = time.perf_counter()
        write(path)
        whole = time.perf_counter() - start
        last = importlib.import_module(
            "bl_ext.user_default.pixel3dmm.pixel3dmm_addon.export.last_export"
        )
        written = last.of(bpy.context.object) if "ours" in name else None
        spent.append(whole if written is None else written.seconds[0])
        checked.append(0.0 if written is None else written.seconds[1])
    head = bpy.context.object
    keys = head.data.shape_keys.key_blocks.keys()[1:]
    wanted = [values(head, keys, frame) for frame in range(1, FRAMES + 1)]
    size = path.stat().st_size / 1e6
    back, right = came_back(path, keys, wanted)
    path.unlink()
    check = f"{statistics.median(checked):8.2f}" if any(checked) else f"{'':8}"
    say(
        f"{name:34}{statistics.median(spent):9.2f}{check}{size:8.1f}"
        f"{back:>6}/{len(keys)}{right:>6}/{FRAMES}"
    )


def values(head, keys: list[str], frame: int) -> list[float]:
    """Every key's value in a frame."""
    import bpy

    bpy.context.scene.frame_set(frame)
    blocks = head.data.shape_keys.key_blocks
    return [blocks[key].value if key in blocks else float("nan") for key in keys]


def came_back(path: Path, keys: list[str], wanted: list[list[float]]) -> tuple[int, int]:
    """How many keys, and frames with all of them right, an importer finds; 0 if it fails."""
    import bpy
    import numpy as np

    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    try:
        if path.suffix == ".fbx":
            bpy.ops.import_scene.fbx(filepath=str(path), anim_offset=0.0)
        elif path.suffix == ".glb":
            bpy.ops.import_scene.gltf(filepath=str(path))
        elif path.suffix == ".usdc":
            bpy.ops.wm.usd_import(filepath=str(path))
        else:
            with bpy.data.libraries.load(str(path)) as (stored, taken):
                taken.collections = stored.collections
            bpy.context.scene.collection.children.link(taken.collections[0])
    except (RuntimeError, AttributeError) as error:
        say(f"  Blender cannot read it: {str(error).strip().splitlines()[-1]}")
        return 0, 0
    heads = [o for o in bpy.data.objects if o.type == "MESH" and o.data.shape_keys]
    if not heads:
        return 0, 0
    blocks = heads[0].data.shape_keys.key_blocks
    found = np.array([values(heads[0], keys, frame) for frame in range(1, FRAMES + 1)])
    right = np.abs(found - np.array(wanted)).max(axis=1) < 1e-3
    return sum(key in blocks for key in keys), int(right.sum())


if __name__ == "__main__":
    sys.exit(main())
