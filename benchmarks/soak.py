# SPDX-License-Identifier: GPL-3.0-or-later
"""Does it stay as it was? Hundreds of jobs in one worker, with faults; in Blender, runs with undo
and the extension switched off and on.

In an environment without Blender's module the worker is measured, on the example photo and, where
../shared/bench is there, its renders; every eighth job is one that has to fail. With Blender's
module it is the operator and the extension's life. Linux alone: figures are read from /proc.
The bars: memory grows by less than 2 % after warm-up, descriptors and threads by none, the time
of a job stays. Processor seconds are given beside wall time, which tells of the neighbours.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.util
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "examples" / "astronaut.jpg"
BENCH = ROOT.parent / "shared" / "bench"
PACKAGE = "bl_ext.user_default.pixel3dmm"
#: Part of the runs that warms up, and part of the rest that is compared at both ends.
WARM, END = 0.1, 0.25
#: One job in so many is a fault.
FAULT_EVERY = 8


@dataclass
class Series:
    """What was measured after each run of one process."""

    megabytes: list[float] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)

    def look(self, pid: int) -> None:
        """Memory (MB of 10^6 bytes), descriptors and threads of a process."""
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        self.megabytes.append(pages * os.sysconf("SC_PAGE_SIZE") / 1e6)
        self.descriptors.append(len(os.listdir(f"/proc/{pid}/fd")))
        self.threads.append(len(os.listdir(f"/proc/{pid}/task")))

    def tell(self) -> None:
        """Both ends of what follows after warm-up, by their medians."""
        for name, unit, values in (
            ("memory", "MB", self.megabytes),
            ("wall time", "s", self.seconds),
            ("processor time", "s", self.busy),
        ):
            first, last = ends(values)
            change = 100 * (last / first - 1)
            print(f"  {name:<16}{first:9.3f} -> {last:9.3f} {unit:<3}{change:+7.2f} %")
        for name, counts in (("descriptors", self.descriptors), ("threads", self.threads)):
            first, last = ends([float(n) for n in counts])
            print(f"  {name:<16}{first:9.0f} -> {last:9.0f}    most {max(counts)}")


def ends(values: list[float]) -> tuple[float, float]:
    """Medians of the first and the last part of what comes after warm-up."""
    warm = values[int(WARM * len(values)) :]
    part = max(1, int(END * len(warm)))
    return statistics.median(warm[:part]), statistics.median(warm[-part:])


def busy_seconds(pid: int) -> float:
    """Processor time of a process since its start."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def worker_soak(jobs: int) -> dict[str, int]:
    """One worker, ``jobs`` good jobs and faults between them; how many of each there were."""
    from core import protocol
    from core.photos.photo import Photo, load_photo

    command = protocol.worker_command(sys.executable)
    chance, series, count = random.Random(500), Series(), Counter()
    with tempfile.TemporaryDirectory() as scratch, contextlib.ExitStack() as stack:
        photos = []
        for i, path in enumerate([EXAMPLE, *sorted(BENCH.glob("public/*/image.png"))]):
            photos.append(Path(scratch, f"{i}.npz"))
            load_photo(path).save(photos[-1])
        import numpy as np

        wall = Path(scratch, "wall.npz")
        Photo(np.full((300, 300, 3), 128, np.uint8), "wall").save(wall)
        damaged = Path(scratch, "damaged.npz")
        damaged.write_bytes(photos[0].read_bytes()[:5000])
        log = stack.enter_context(open(Path(scratch, "log"), "wb"))
        process = stack.enter_context(
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
        )
        decoder, out = protocol.FrameDecoder(), Path(scratch, "out")
        out.mkdir()

        def ask(kind: str, photo: Path, cancel_after: float | None = None) -> protocol.Message:
            count["asked"] += 1
            name = str(count["asked"])
            params = {"photos": [str(photo)], "options": {}, "out": str(out)}
            job = protocol.message("job", id=name, kind=kind, params=params)
            process.stdin.write(protocol.encode(job))
            process.stdin.flush()
            if cancel_after is not None:
                time.sleep(cancel_after)
                process.stdin.write(protocol.encode(protocol.message("cancel", id=name)))
                process.stdin.flush()
            while data := process.stdout.read1(1 << 16):
                for msg in decoder.feed(data):
                    if msg.get("id") == name and msg["type"] in ("result", "error"):
                        return msg
            raise SystemExit(f"The worker ended: {process.wait()}")

        def fault() -> None:
            which = chance.choice(("no face", "damaged", "unknown", "cancel", "cancel"))
            if which == "cancel":
                answer = ask("reconstruct", chance.choice(photos), chance.uniform(0, 1))
            elif which == "unknown":
                answer = ask("poem", photos[0])
            else:
                answer = ask("reconstruct", wall if which == "no face" else damaged)
            count[f"{which}: {answer.get('code', 'result')}"] += 1

        for k in range(jobs):
            if k % FAULT_EVERY == FAULT_EVERY - 1:
                fault()
            before, busy = time.perf_counter(), busy_seconds(process.pid)
            answer = ask("reconstruct", photos[k % len(photos)])
            series.seconds.append(time.perf_counter() - before)
            series.busy.append(busy_seconds(process.pid) - busy)
            series.look(process.pid)
            count["good" if answer["type"] == "result" else f"refused: {answer['code']}"] += 1
            for file in out.iterdir():
                count["left in the folder"] += file.name != "head-0.npz"
                file.unlink()
        process.stdin.close()
        code = process.wait(30)
    print(f"\nOne worker, {len(photos)} photos in turn: {dict(count)}; exit code {code}")
    series.tell()
    return dict(count)


def blender_soak(runs: int, cancels: int, cycles: int) -> None:
    """In this process's bpy."""
    os.environ["BLENDER_USER_RESOURCES"] = tempfile.mkdtemp(prefix="pixel3dmm-profile-")
    tempfile.tempdir = tempfile.mkdtemp(prefix="pixel3dmm-scratch-")
    import bpy

    from tools.package import build_zip

    archive = build_zip(ROOT / "dist", Path(sys.executable))
    bpy.ops.extensions.package_install_files(
        filepath=str(archive), repo="user_default", enable_on_install=True, overwrite=True
    )
    print(f"\nBlender {bpy.app.version_string}")
    if runs:
        _runs(bpy, runs)
    if cancels:
        _cancels(bpy, cancels)
    if cycles:
        _cycles(bpy, cycles)
        _exit(archive)


def _runs(bpy: Any, runs: int) -> None:
    session = importlib.import_module(f"{PACKAGE}.pixel3dmm_addon.jobs.session")
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    bpy.ops.ed.undo_push(message="empty")
    series, worker, first = Series(), Series(), census(bpy)
    pids, odd = set(), 0
    for _ in range(runs):
        before, busy = time.perf_counter(), time.process_time()
        bpy.context.scene.pixel3dmm.photo = str(EXAMPLE)
        bpy.ops.ed.undo_push(message="photo")
        known = census(bpy)
        bpy.ops.pixel3dmm.reconstruct_face("EXEC_DEFAULT", True)
        bpy.context.view_layer.update()
        odd += len(bpy.data.meshes) != 1
        series.seconds.append(time.perf_counter() - before)
        series.busy.append(time.process_time() - busy)
        bpy.ops.ed.undo()
        odd += census(bpy) != known
        pids.add(session.jobs().pid)
        series.look(os.getpid())
        worker.look(session.jobs().pid)
    print(f"\n{runs} runs of Reconstruct Face, each undone: {odd} odd censuses, {len(pids)} worker")
    series.tell()
    first_mb, last_mb = ends(worker.megabytes)
    print(f"  its worker      {first_mb:9.1f} -> {last_mb:9.1f} MB")
    assert set(first) == set(census(bpy))


def _cancels(bpy: Any, cancels: int) -> None:
    """Each at a random moment of a job; the next one starts at once."""
    ours = {
        n: importlib.import_module(f"{PACKAGE}.pixel3dmm_addon.jobs.{n}")
        for n in ("reconstruction", "session")
    }
    errors = importlib.import_module(f"{PACKAGE}.core.errors")
    jobs, chance, length = ours["session"].jobs(), random.Random(50), 1.0
    known, pids, series, count = census(bpy), set(), Series(), Counter()
    for k in range(2 + cancels):  # two whole ones: a worker that starts, and how long one takes
        moment, run = (
            chance.uniform(0, length) if k > 1 else 1e9,
            ours["reconstruction"].ReconstructionRun(EXAMPLE),
        )
        steps, start = run.steps(0.0), time.perf_counter()
        try:
            while True:
                if time.perf_counter() - start > moment:
                    run.cancel()
                    before = time.perf_counter()
                    steps.close()
                    series.seconds.append(time.perf_counter() - before)
                    count["cancelled"] += 1
                    break
                next(steps)
                pids.add(jobs.pid)
                time.sleep(0.01)
        except StopIteration:
            count["done before"] += 1
            length = time.perf_counter() - start if k < 2 else length
        except errors.PersonError as error:
            count[str(error)] += 1
        count["odd census"] += census(bpy) != known
    deadline = time.monotonic() + 20
    while jobs._jobs and time.monotonic() < deadline:
        time.sleep(0.05)
    left = list(Path(tempfile.gettempdir()).glob("pixel3dmm-*/in-use"))
    most = 1e3 * max(series.seconds)
    print(
        f"\n{cancels} jobs cancelled at random: {dict(count)}, {len(pids - {None})} workers in all"
    )
    print(f"  letting go took {most:.1f} ms at most; folders left: {len(left)}")


def census(bpy: Any) -> dict[str, int]:
    """How many data-blocks there are of every kind."""
    kinds = [p.identifier for p in bpy.data.bl_rna.properties if p.type == "COLLECTION"]
    return {kind: len(getattr(bpy.data, kind)) for kind in kinds}


def registered(bpy: Any) -> dict[str, int]:
    """What a register leaves in Blender and in Python, by kind."""
    lists = {
        n: v for n in dir(bpy.app.handlers) if isinstance(v := getattr(bpy.app.handlers, n), list)
    }
    bases = ("Operator", "Panel", "PropertyGroup", "FileHandler", "AddonPreferences", "Menu")
    alive = {n: len(getattr(bpy.types, n).__subclasses__()) for n in bases}
    import threading

    return {
        "handlers": sum(len(v) for v in lists.values()),
        "our types": sum(n.startswith("PIXEL3DMM_") for n in dir(bpy.types)),
        **alive,
        "import menu": len(bpy.types.TOPBAR_MT_file_import._dyn_ui_initialize()),
        "threads": threading.active_count(),
        "modules": len(sys.modules),
    }


def _cycles(bpy: Any, cycles: int) -> None:
    import addon_utils

    series, before = Series(), registered(bpy)
    off = None
    for k in range(cycles):
        start, busy = time.perf_counter(), time.process_time()
        if k % 5 == 0:  # also with a worker that is just starting
            importlib.import_module(f"{PACKAGE}.pixel3dmm_addon.jobs.session").warm_up()
        addon_utils.disable(PACKAGE, default_set=True)
        off = registered(bpy)
        addon_utils.enable(PACKAGE, default_set=True)
        series.seconds.append(time.perf_counter() - start)
        series.busy.append(time.process_time() - busy)
        series.look(os.getpid())
    after = registered(bpy)
    print(f"\n{cycles} times off and on; types while off: {off['our types']}")
    changed = {n: (before[n], after[n]) for n in after if after[n] != before[n]}
    print(f"  left behind: {changed or 'nothing'}")
    series.tell()


def _exit(archive: Path) -> None:
    """A Blender that reconstructs and ends by itself, the extension on: code, and who survives."""
    code = (
        "import importlib, json, sys, bpy\n"
        "bpy.ops.extensions.package_install_files(filepath=sys.argv[1], repo='user_default', "
        "enable_on_install=True, overwrite=True)\n"
        f"session = importlib.import_module('{PACKAGE}.pixel3dmm_addon.jobs.session')\n"
        "bpy.context.scene.pixel3dmm.photo = sys.argv[2]\n"
        "bpy.ops.pixel3dmm.reconstruct_face()\n"
        "print(json.dumps(session.jobs().pid), flush=True)\n"
        "if sys.argv[3] == 'disabled':\n"
        f"    import addon_utils; addon_utils.disable('{PACKAGE}')\n"
    )
    for how in ("enabled", "disabled"):
        with tempfile.TemporaryDirectory() as profile:
            env = {**os.environ, "BLENDER_USER_RESOURCES": profile}
            command = [sys.executable, "-c", code, str(archive), str(EXAMPLE), how]
            done = subprocess.run(
                command, env=env, capture_output=True, text=True, timeout=120, check=False
            )
        pid = json.loads([line for line in done.stdout.splitlines() if line.isdigit()][-1])
        time.sleep(0.5)
        left = Path(f"/proc/{pid}").exists()
        print(f"exit, extension {how}: code {done.returncode}, worker {'left' if left else 'gone'}")


def main() -> int:
    """The part that this environment can run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=500, help="good jobs in one worker")
    parser.add_argument("--runs", type=int, default=200, help="operator runs in one Blender")
    parser.add_argument("--cancels", type=int, default=50, help="jobs cancelled at random")
    parser.add_argument("--cycles", type=int, default=50, help="times off and on")
    args = parser.parse_args()
    if not sys.platform.startswith("linux"):
        print("The soak reads /proc, which is Linux's: left out.")
        return 0
    if importlib.util.find_spec("bpy") is None:
        worker_soak(args.jobs)
        return 0
    blender_soak(args.runs, args.cancels, args.cycles)
    sys.stdout.flush()
    # Blender 4.5 hangs at exit where a Python callback is left.
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
