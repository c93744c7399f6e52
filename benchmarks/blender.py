# SPDX-License-Identifier: GPL-3.0-or-later
"""Click to scene in the real Blender: cold, warm, the longest tick, the scene's build, Esc.

Without a window the job is stepped as the modal operator steps it, in the bpy module that runs
this script. With ``--window`` it is the true event loop of a windowed Blender under Xvfb, in the
chroot that PIXEL3DMM_WINDOW_ROOT names; ticks then include every redraw, and ``--recipe`` is the
script that starts it. The bars are the project's: warm 3 s, cold 6 s, ticks of 50 ms, build 0.5 s,
Esc 0.5 s, on two cores.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
HERE = Path(__file__).resolve().parent
PACKAGE = "bl_ext.user_default.pixel3dmm"
TICK = 0.05


def row(name: str, seconds: list[float], bar: float | None = None) -> None:
    """Median, worst and bar, in milliseconds."""
    limit = "" if bar is None else f"{1e3 * bar:10.0f}"
    print(f"{name:<44}{1e3 * statistics.median(seconds):9.0f}{1e3 * max(seconds):9.0f}{limit}")


def title(what: str) -> None:
    """The table's head, with how busy the machine is."""
    load = " ".join(f"{x:.1f}" for x in os.getloadavg()) if hasattr(os, "getloadavg") else "?"
    print(f"\n{what}; {os.cpu_count()} cores, load {load}")
    print(f"{'milliseconds':<44}{'median':>9}{'worst':>9}{'bar':>10}")


def without_window(archive: Path, photos: list[Path], runs: int) -> None:
    """In this process's bpy."""
    os.environ["BLENDER_USER_RESOURCES"] = tempfile.mkdtemp(prefix="pixel3dmm-profile-")
    import bpy

    bpy.ops.extensions.package_install_files(
        filepath=str(archive), repo="user_default", enable_on_install=True, overwrite=True
    )
    ours = {name: importlib.import_module(f"{PACKAGE}.pixel3dmm_addon.{name}")
            for name in ("run", "session", "scene.build", "scene.kept", "scene.refit")}  # fmt: skip
    ours["pins"] = importlib.import_module(f"{PACKAGE}.core.fitting.pins")
    for photo in photos:
        bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
        ours["session"].jobs().stop()
        measured = [_one_run(bpy, ours, photo) for _ in range(1 + runs)]
        cancels = [_cancel(ours, photo, 0.18 * k) for k in range(runs)]
        solved, applied = _pins(bpy, ours, runs)
        size = bpy.data.images[photo.name].size
        title(f"Blender {bpy.app.version_string}, no window, {photo.name} {size[0]} x {size[1]}")
        row("click to scene, cold", [measured[0]["total"]], 6.0)
        row("click to scene, warm", [m["total"] for m in measured[1:]], 3.0)
        row("longest tick of the job", [m["tick"] for m in measured], 0.05)
        row("scene build", [m["build"] for m in measured], 0.5)
        row("Esc", cancels, 0.5)
        row("a pin to the head after it, worker", solved, 0.15)
        row("  and its way into the scene", applied)
    ours["session"].close()
    shutil.rmtree(os.environ["BLENDER_USER_RESOURCES"], ignore_errors=True)


def _one_run(bpy: Any, ours: dict[str, Any], photo: Path) -> dict[str, float]:
    start, ticks = time.perf_counter(), []
    steps = ours["run"].Run(photo).steps(0.0)
    outcome = None
    while outcome is None:
        before = time.perf_counter()
        try:
            next(steps)
        except StopIteration as end:
            outcome = end.value
        ticks.append(time.perf_counter() - before)
        time.sleep(TICK)
    before = time.perf_counter()
    ours["scene.build"].build_person(bpy.context, outcome.rigged, outcome.loaded)
    bpy.context.view_layer.update()
    now = time.perf_counter()
    return {"total": now - start, "tick": max(ticks), "build": now - before}


def _pins(bpy: Any, ours: dict[str, Any], runs: int) -> tuple[list[float], list[float]]:
    """Seconds until a pulled landmark has its head, and until the scene has it."""
    head, solved, applied = bpy.context.object, [], []
    for k in range(1 + runs):
        known = ours["scene.kept"].continuation(head)
        x, y = known.photos[0].landmarks_fit[61]
        pin = ours["pins"].Pin(0, 61, float(x) - 1.0 - 0.3 * k, float(y))
        start = time.perf_counter()
        told = ours["scene.kept"].told(head)
        change = ours["run"].RefitRun(told, [pin]).outcome()
        middle = time.perf_counter()
        ours["scene.refit"].apply(bpy.context, head, change.after, change.before)
        bpy.context.view_layer.update()
        solved.append(middle - start)
        applied.append(time.perf_counter() - middle)
    return solved[1:], applied[1:]


def _cancel(ours: dict[str, Any], photo: Path, share: float) -> float:
    """Seconds of letting go of a job that is so far."""
    run = ours["run"].Run(photo)
    steps = run.steps(0.0)
    for news in steps:
        if news is not None and news.fraction >= share:
            break
        time.sleep(TICK)
    start = time.perf_counter()
    run.cancel()
    steps.close()
    return time.perf_counter() - start


def in_window(archive: Path, photo: Path, recipe: Path, root: Path) -> None:
    """In the chroot's windowed Blender."""
    with tempfile.TemporaryDirectory() as share:
        shutil.copy(archive, Path(share, "extension.zip"))
        shutil.copy(photo, Path(share, "photo.jpg"))
        shutil.copy(HERE / "_window_drive.py", share)
        variables = {**os.environ, "ROOT": str(root), "SHARE": share, "TIMEOUT": "300"}
        variables["BLENDER_USER_RESOURCES"] = "/mnt/share/profile"
        command = ["bash", str(recipe), "run", "--enable-event-simulate"]
        command += ["--python", "/mnt/share/_window_drive.py"]
        try:
            subprocess.run(command, env=variables, capture_output=True, check=False)
            found = json.loads(Path(share, "times.json").read_text())
        finally:
            subprocess.run(["umount", str(root / "mnt" / "share")], check=False)
    if "traceback" in found:
        raise SystemExit(found["traceback"])
    runs, warm = found["runs"], found["runs"][1:]
    title(f"Blender {found['blender']} in a window drawn by software, {photo.name}")
    row("click to scene, cold", [runs[0]["seconds"]], 6.0)
    row("click to scene, warm", [r["seconds"] for r in warm], 3.0)
    # The job's last gap holds the scene's build, its undo step and the viewport's redraw.
    row("longest tick of the job", [max(r["gaps"][:-1]) for r in runs], 0.05)
    row("  the 95th percentile of its ticks", [_high(r["gaps"][:-1]) for r in runs])
    row("longest tick without a job", [max(found["idle"])])
    row("scene build, undo step and redraw", [r["gaps"][-1] for r in runs], 0.5)
    row("Esc", [c["seconds"] for c in found["cancels"]], 0.5)
    print(runs[-1]["message"], "|", found["cancels"][-1]["message"])


def _high(gaps: list[float]) -> float:
    return sorted(gaps)[int(0.95 * (len(gaps) - 1))]


def main() -> int:
    """The photos without a window, or one in a window."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    example = ROOT / "examples" / "astronaut.jpg"
    parser.add_argument("photos", type=Path, nargs="*", default=[example])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--window", action="store_true")
    parser.add_argument("--recipe", type=Path, default=Path("../shared/gui/blender_window.sh"))
    args = parser.parse_args()
    if importlib.util.find_spec("bpy") is None:
        print("This benchmark needs an interpreter that has Blender's module, bpy: left out.")
        return 0
    from tools.package import build_zip

    archive = build_zip(ROOT / "dist", Path(sys.executable))
    if args.window:
        root = Path(os.environ.get("PIXEL3DMM_WINDOW_ROOT", "~/.cache/blender-window/trixie"))
        in_window(archive, args.photos[0], args.recipe, root.expanduser())
    else:
        without_window(archive, args.photos, args.runs)
    sys.stdout.flush()
    # Blender 4.5 hangs at exit where a Python callback is left.
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
