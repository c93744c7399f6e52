# SPDX-License-Identifier: GPL-3.0-or-later
"""Click to scene in the real Blender: cold, warm, the longest tick, the scene's build, Esc.

Without a window the job is stepped as the modal operator steps it, in the bpy module that runs
this script. With ``--window`` it is the true event loop of a windowed Blender under Xvfb, as
``build.py gui`` sets it up; ticks then include every redraw, which the processor draws there. What
one redraw takes before the extension is installed is measured beside them, and what of a tick is
Python of ours. The bars are the project's: warm 3 s, cold 6 s, ticks of 50 ms, build 0.5 s, Esc
0.5 s, a pin 150 ms, on two cores.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import statistics
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
    """Best, median, worst and bar, in milliseconds."""
    limit = "" if bar is None else f"{1e3 * bar:9.0f}"
    found = (min(seconds), statistics.median(seconds), max(seconds))
    print(f"{name:<44}" + "".join(f"{1e3 * s:9.0f}" for s in found) + limit)


def title(what: str) -> None:
    """The table's head, with how busy the machine is."""
    load = " ".join(f"{x:.1f}" for x in os.getloadavg()) if hasattr(os, "getloadavg") else "?"
    print(f"\n{what}; {os.cpu_count()} cores, load {load}")
    print(f"{'milliseconds':<44}{'best':>9}{'median':>9}{'worst':>9}{'bar':>9}")


def processor_time(pid: int | None) -> float:
    """Seconds that a process has computed so far, 0 where /proc does not tell: what the machine's
    other work does not change.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return float(int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def without_window(archive: Path, photos: list[Path], runs: int) -> None:
    """In this process's bpy."""
    os.environ["BLENDER_USER_RESOURCES"] = tempfile.mkdtemp(prefix="pixel3dmm-profile-")
    import bpy

    bpy.ops.extensions.package_install_files(
        filepath=str(archive), repo="user_default", enable_on_install=True, overwrite=True
    )
    ours = {name: importlib.import_module(f"{PACKAGE}.pixel3dmm_addon.{name}")
            for name in ("jobs.reconstruction", "jobs.refit", "jobs.session", "scene.build",
                         "scene.continuation", "scene.refit")}  # fmt: skip
    ours["pins"] = importlib.import_module(f"{PACKAGE}.core.fitting.pins")
    for photo in photos:
        bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
        ours["jobs.session"].jobs().stop()
        measured = [_one_run(bpy, ours, photo) for _ in range(1 + runs)]
        cancels = [_cancel(ours, photo, 0.18 * k) for k in range(runs)]
        solved, computed, applied = _pins(bpy, ours, runs)
        size = bpy.data.images[photo.name].size
        title(f"Blender {bpy.app.version_string}, no window, {photo.name} {size[0]} x {size[1]}")
        row("click to scene, cold", [measured[0]["total"]], 6.0)
        row("click to scene, warm", [m["total"] for m in measured[1:]], 3.0)
        row("  processor time, Blender's and the worker's", [m["computed"] for m in measured[1:]])
        row("longest tick of the job", [m["tick"] for m in measured], 0.05)
        row("scene build", [m["build"] for m in measured], 0.5)
        row("Esc", cancels, 0.5)
        row("a pin to the head after it, worker", solved, 0.15)
        row("  the worker's processor time", computed)
        row("  and its way into the scene", applied)
    ours["jobs.session"].close()
    shutil.rmtree(os.environ["BLENDER_USER_RESOURCES"], ignore_errors=True)


def _one_run(bpy: Any, ours: dict[str, Any], photo: Path) -> dict[str, float]:
    start, ticks = time.perf_counter(), []
    computed = time.process_time() + processor_time(ours["jobs.session"].jobs().pid)
    steps = ours["jobs.reconstruction"].ReconstructionRun(photo).steps(0.0)
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
    computed = time.process_time() + processor_time(ours["jobs.session"].jobs().pid) - computed
    return {"total": now - start, "tick": max(ticks), "build": now - before, "computed": computed}


def _pins(
    bpy: Any, ours: dict[str, Any], runs: int
) -> tuple[list[float], list[float], list[float]]:
    """Seconds until a pulled landmark has its head, those that the worker computed, and until the
    scene has it.
    """
    head, solved, computed, applied = bpy.context.object, [], [], []
    for k in range(1 + runs):
        known = ours["scene.continuation"].read(head)
        x, y = known.photos[0].landmarks_fit[61]
        pin = ours["pins"].Pin(0, 61, float(x) - 1.0 - 0.3 * k, float(y))
        start, before = time.perf_counter(), processor_time(ours["jobs.session"].jobs().pid)
        told = ours["scene.continuation"].text(head)
        change = ours["jobs.refit"].RefitRun(told, [pin]).outcome()
        middle = time.perf_counter()
        ours["scene.refit"].apply(bpy.context, head, change.after, change.before)
        bpy.context.view_layer.update()
        solved.append(middle - start)
        computed.append(processor_time(ours["jobs.session"].jobs().pid) - before)
        applied.append(time.perf_counter() - middle)
    return solved[1:], computed[1:], applied[1:]


def _cancel(ours: dict[str, Any], photo: Path, share: float) -> float:
    """Seconds of letting go of a job that is so far."""
    run = ours["jobs.reconstruction"].ReconstructionRun(photo)
    steps = run.steps(0.0)
    for news in steps:
        if news is not None and news.fraction >= share:
            break
        time.sleep(TICK)
    start = time.perf_counter()
    run.cancel()
    steps.close()
    return time.perf_counter() - start


def in_window(archive: Path, photo: Path, suite: str) -> None:
    """In the chroot's windowed Blender."""
    from tools import window

    if reason := window.missing(suite):
        print(f"This benchmark needs {reason}: left out.")
        return
    with tempfile.TemporaryDirectory() as share:
        shutil.copy(archive, Path(share, "extension.zip"))
        shutil.copy(photo, Path(share, "photo.jpg"))
        shutil.copy(HERE / "_window_drive.py", share)
        arguments = ["--enable-event-simulate", "--python", "/mnt/share/_window_drive.py"]
        window.run(suite, Path(share), arguments, seconds=300)
        found = json.loads(Path(share, "times.json").read_text())
    if "traceback" in found:
        raise SystemExit(found["traceback"])
    runs, warm = found["runs"], found["runs"][1:]
    title(f"Blender {found['blender']} in a window drawn by software, {photo.name}")
    row("click to scene, cold", [runs[0]["seconds"]], 6.0)
    row("click to scene, warm", [r["seconds"] for r in warm], 3.0)
    row("longest tick of the job, ours in it", [max(r["ours"][:-1]) for r in runs], 0.05)
    row("  the panel, drawn by Python of ours", found["panel"])
    # The job's last gap holds the scene's build, its undo step and the viewport's redraw.
    row("  with redraws by software", [max(r["gaps"][:-1]) for r in runs])
    row("  the 95th percentile of them", [_high(r["gaps"][:-1]) for r in runs])
    row("a sidebar's redraw without the extension", found["sidebar"])
    row("an empty viewport's redraw without it", found["viewport"])
    row("scene build", [r["ours"][-1] for r in runs], 0.5)
    row("  with its undo step and redraws", [r["gaps"][-1] for r in runs])
    row("Esc", [c["seconds"] for c in found["cancels"]], 0.5)
    row("Blender's processor time in a run", [r["processor"] for r in runs])
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
    parser.add_argument("--suite", default="trixie", help="Debian's, for --window")
    args = parser.parse_args()
    if importlib.util.find_spec("bpy") is None:
        print("This benchmark needs an interpreter that has Blender's module, bpy: left out.")
        return 0
    from tools.package import build_zip

    archive = build_zip(ROOT / "dist", Path(sys.executable))
    if args.window:
        in_window(archive, args.photos[0], args.suite)
    else:
        without_window(archive, args.photos, args.runs)
    sys.stdout.flush()
    # Blender 4.5 hangs at exit where a Python callback is left.
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
